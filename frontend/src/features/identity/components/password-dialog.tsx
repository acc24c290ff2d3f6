import { Button } from '../../../components/ui/button.tsx'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { Field } from '../../../components/ui/field.tsx'
import { changePassword, useSession } from '../api.ts'
import { FormFault } from '../../../components/form-fault.tsx'
import { useForm } from './form.ts'

interface PasswordDialogProps {
  open: boolean
  onOpenChange(open: boolean): void
}

export function PasswordDialog({ open, onOpenChange }: PasswordDialogProps) {
  const hasPassword = useSession(({ user }) => user?.hasPassword ?? true)
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={hasPassword ? 'Change your password' : 'Set a password'}
      description="At least 10 characters. Other sessions of this account are signed out."
    >
      <PasswordForm hasPassword={hasPassword} onDone={() => onOpenChange(false)} />
    </Dialog>
  )
}

/** `onDone` is called once it is saved. */
export function PasswordForm({ hasPassword, onDone }: { hasPassword: boolean; onDone(): void }) {
  const username = useSession(({ user }) => user?.username ?? '')
  const form = useForm(
    (body: { currentPassword?: string; newPassword: string }) => changePassword(body).then(onDone),
    (data) => ({
      ...(hasPassword && { currentPassword: String(data.get('currentPassword')) }),
      newPassword: String(data.get('newPassword')),
    }),
  )
  return (
    <form onSubmit={form.onSubmit} className="grid gap-4">
      <input type="text" name="username" autoComplete="username" value={username} readOnly hidden />
      {hasPassword && (
        <Field
          label="Current password"
          name="currentPassword"
          type="password"
          autoComplete="current-password"
          required
          error={form.fields.currentPassword}
        />
      )}
      <Field
        label="New password"
        name="newPassword"
        type="password"
        autoComplete="new-password"
        minLength={10}
        required
        error={form.fields.newPassword}
      />
      <FormFault text={form.general} />
      <Button type="submit" look="primary" size="l" className="justify-self-start max-md:w-full" busy={form.isPending}>
        Save password
      </Button>
    </form>
  )
}
