import type { User } from '@guildhall/protocol/identity.ts'
import { Check } from 'lucide-react'
import { FormFault } from '../../../components/form-fault.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Field, SelectField } from '../../../components/ui/field.tsx'
import { themeChoices, themeNames, useTheme } from '../../../lib/theme.ts'
import { updateProfile } from '../api.ts'
import { useForm } from './form.ts'

/** The name others see, and what is only for this browser. */
export function ProfileForm({ user }: { user: User }) {
  const form = useForm(updateProfile, (data) => ({ displayName: String(data.get('displayName')).trim() }))
  const { choice, choose } = useTheme()
  return (
    <div className="grid gap-5">
      <form onSubmit={form.onSubmit} className="grid gap-4">
        <Field
          label="Name"
          name="displayName"
          autoComplete="name"
          defaultValue={user.displayName}
          required
          maxLength={80}
          hint={`Members of your projects see it, beside @${user.username}.`}
          error={form.fields.displayName}
        />
        <FormFault text={form.general} />
        <div className="flex items-center gap-3">
          <Button type="submit" look="primary" busy={form.isPending}>
            Save
          </Button>
          <p role="status" className="flex items-center gap-1.5 text-sm text-fg-2">
            {form.isSuccess && (
              <>
                <Check aria-hidden className="size-4 text-ok" /> Saved
              </>
            )}
          </p>
        </div>
      </form>
      <SelectField
        label="Theme"
        value={choice}
        onChange={(event) => choose(themeChoices.find((each) => each === event.target.value) ?? 'system')}
        hint="Kept in this browser."
      >
        {themeChoices.map((each) => (
          <option key={each} value={each}>
            {themeNames[each]}
          </option>
        ))}
      </SelectField>
    </div>
  )
}
