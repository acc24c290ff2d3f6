import type { Project } from '@guildhall/protocol/projects.ts'
import { useQuery } from '@tanstack/react-query'
import { Field, TextField } from '../../../components/ui/field.tsx'
import { projectTemplates } from '../api.ts'
import { useSettingsForm } from '../use-settings-form.ts'
import { SettingsForm } from './settings-form.tsx'

interface SettingsGeneralProps {
  project: Project
  mayChange: boolean
}

export function SettingsGeneral({ project, mayChange }: SettingsGeneralProps) {
  const form = useSettingsForm(
    project,
    ({ name, description }) => ({ name, description }),
    (values) => values,
  )
  return (
    <div className="grid gap-6">
      <SettingsForm form={form} mayChange={mayChange}>
        <Field
          label="Name"
          required
          maxLength={80}
          value={form.values.name}
          onChange={(event) => form.set({ name: event.target.value })}
          error={form.fields.name}
        />
        <TextField
          label="Description"
          maxLength={2_000}
          value={form.values.description}
          onChange={(event) => form.set({ description: event.target.value })}
          error={form.fields.description}
        />
      </SettingsForm>
      <Commands templateSlug={project.templateSlug} />
    </div>
  )
}

/** What the house runs by itself. It comes with the template. */
function Commands({ templateSlug }: { templateSlug: string }) {
  const templates = useQuery(projectTemplates())
  const template = templates.data?.find(({ slug }) => slug === templateSlug)
  if (!template) return null
  const commands = [
    ['Set-up', template.setupCommand ?? 'chosen by the lockfile'],
    ['Start', template.startCommand],
    ['Tests', template.testCommand],
  ]
  return (
    <section aria-label="Commands">
      <h3 className="section-label mb-2">Commands · {template.name}</h3>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1.5 text-sm">
        {commands.map(
          ([name, command]) =>
            command && (
              <div key={name} className="contents">
                <dt className="text-fg-2">{name}</dt>
                <dd className="font-mono text-xs leading-5 break-words">{command}</dd>
              </div>
            ),
        )}
      </dl>
    </section>
  )
}
