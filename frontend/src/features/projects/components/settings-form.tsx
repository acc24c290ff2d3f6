import { Check } from 'lucide-react'
import type { FormEventHandler, ReactNode } from 'react'
import { FormFault } from '../../../components/form-fault.tsx'
import { Button } from '../../../components/ui/button.tsx'

interface SettingsFormProps {
  form: {
    isChanged: boolean
    isSaving: boolean
    isSaved: boolean
    isStale: boolean
    fault: string | null
    onSubmit: FormEventHandler
    reload(): void
  }
  mayChange: boolean
  children: ReactNode
}

/** Fields with one button to save them; for those who may not, the same to read. */
export const SettingsForm = ({ form, mayChange, children }: SettingsFormProps) => (
  <form onSubmit={form.onSubmit}>
    <fieldset disabled={!mayChange} className="grid min-w-0 gap-4">
      {children}
    </fieldset>
    <div className="mt-4 grid gap-3">
      <FormFault text={form.fault} />
      {mayChange ? (
        <div className="flex items-center gap-3">
          <Button type="submit" look="primary" disabled={!form.isChanged} busy={form.isSaving}>
            Save
          </Button>
          {form.isStale && <Button onClick={form.reload}>Show the newest</Button>}
          <p role="status" className="flex items-center gap-1.5 text-sm text-fg-2">
            {form.isSaved && (
              <>
                <Check aria-hidden className="size-4 text-ok" /> Saved
              </>
            )}
          </p>
        </div>
      ) : (
        <p className="text-sm text-fg-3">Owners of the project change this.</p>
      )}
    </div>
  </form>
)
