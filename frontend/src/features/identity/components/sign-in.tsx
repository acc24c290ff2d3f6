import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { Button } from '../../../components/ui/button.tsx'
import { Field } from '../../../components/ui/field.tsx'
import { signIn, signInOptions } from '../api.ts'
import { Entrance } from './entrance.tsx'
import { FormFault } from '../../../components/form-fault.tsx'
import { useForm } from './form.ts'

const text = (data: FormData, name: string) => String(data.get(name) ?? '')

export function SignIn() {
  const options = useQuery(signInOptions())
  const form = useForm(signIn, (data) => ({
    login: text(data, 'login'),
    password: text(data, 'password'),
    rememberMe: data.get('rememberMe') === 'on',
  }))
  return (
    <Entrance title="Guildhall" intro="A crew of agents that proves its work.">
      <form onSubmit={form.onSubmit} className="grid gap-4 rounded-lg border border-line bg-surface-1 p-6">
        <Field
          label="Email or username"
          name="login"
          autoComplete="username"
          autoCapitalize="none"
          required
          autoFocus
          error={form.fields.login}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          error={form.fields.password}
        />
        <label className="flex min-h-7 items-center gap-2 text-sm text-fg-2">
          <input type="checkbox" name="rememberMe" className="size-4 accent-(--accent)" />
          Remember me on this machine
        </label>
        <FormFault text={form.general} />
        <Button type="submit" look="primary" size="l" busy={form.isPending}>
          Sign in
        </Button>
      </form>
      <p className="mt-4 text-center text-sm text-fg-2">
        {options.data?.registrationOpen ? (
          <>
            New here?{' '}
            <Link to="/register" className="text-accent underline underline-offset-2">
              Create an account
            </Link>
          </>
        ) : (
          <>
            Lost the way in? <code className="font-mono text-xs">make link</code> on the machine prints a fresh sign-in
            link.
          </>
        )}
      </p>
    </Entrance>
  )
}
