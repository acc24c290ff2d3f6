import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { Button } from '../../../components/ui/button.tsx'
import { Field } from '../../../components/ui/field.tsx'
import { createAccount, signInOptions } from '../api.ts'
import { Entrance } from './entrance.tsx'
import { FormFault } from '../../../components/form-fault.tsx'
import { useForm } from './form.ts'

const text = (data: FormData, name: string) => String(data.get(name) ?? '')

export function Register() {
  const options = useQuery(signInOptions())
  const form = useForm(createAccount, (data) => ({
    email: text(data, 'email'),
    username: text(data, 'username'),
    password: text(data, 'password'),
  }))
  if (options.data?.registrationOpen === false) {
    return (
      <Entrance title="Registration is closed" intro="Ask the person who runs this Guildhall for an account.">
        <Button asChild className="w-full" size="l">
          <Link to="/sign-in">Back to sign in</Link>
        </Button>
      </Entrance>
    )
  }
  return (
    <Entrance title="Join the hall" intro="An account on this machine; nothing leaves it.">
      <form onSubmit={form.onSubmit} className="grid gap-4 rounded-lg border border-line bg-surface-1 p-6">
        <Field
          label="Email"
          name="email"
          type="email"
          autoComplete="email"
          required
          autoFocus
          error={form.fields.email}
        />
        <Field
          label="Username"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          required
          minLength={2}
          maxLength={32}
          hint="Letters, digits, - and _"
          error={form.fields.username}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          required
          minLength={10}
          hint="At least 10 characters"
          error={form.fields.password}
        />
        <FormFault text={form.general} />
        <Button type="submit" look="primary" size="l" busy={form.isPending}>
          Create account
        </Button>
      </form>
      <p className="mt-4 text-center text-sm text-fg-2">
        Already a member?{' '}
        <Link to="/sign-in" className="text-accent underline underline-offset-2">
          Sign in
        </Link>
      </p>
    </Entrance>
  )
}
