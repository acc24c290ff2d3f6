import type { Project } from '@guildhall/protocol/projects.ts'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { FormFault } from '../../../components/form-fault.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { messageOf } from '../../../lib/request.ts'
import { archiveProject, projectKeys, unarchiveProject } from '../api.ts'
import { DeleteForm } from './delete-dialog.tsx'

interface SettingsEndProps {
  project: Project
  mayChange: boolean
  /** The project is no longer here. */
  onGone(): void
}

const Part = ({ title, text, children }: { title: string; text: string; children: ReactNode }) => (
  <section aria-label={title} className="grid justify-items-start gap-3 rounded-md border border-line p-4">
    <div>
      <h3 className="font-medium">{title}</h3>
      <p className="mt-0.5 text-sm text-fg-2">{text}</p>
    </div>
    {children}
  </section>
)

export function SettingsEnd({ project, mayChange, onGone }: SettingsEndProps) {
  const client = useQueryClient()
  const [isDeleting, setDeleting] = useState(false)
  const isArchived = project.status === 'archived'
  const order = useMutation({
    mutationFn: () => (isArchived ? unarchiveProject(project.id) : archiveProject(project.id)),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: projectKeys.detail(project.id) }),
        client.invalidateQueries({ queryKey: projectKeys.lists }),
      ]),
  })
  if (!mayChange) return <p className="text-sm text-fg-2">Owners of the project archive or delete it.</p>
  return (
    <div className="grid gap-4">
      <Part
        title={isArchived ? 'Take it out of the archive' : 'Archive'}
        text={
          isArchived
            ? 'The crew and its sandbox can work again.'
            : 'Everything stays and can be read; nothing runs and nothing changes until you take it out again.'
        }
      >
        <Button
          busy={order.isPending}
          disabled={!isArchived && project.status !== 'active'}
          onClick={() => order.mutate()}
        >
          {isArchived ? 'Restore the project' : 'Archive the project'}
        </Button>
        <FormFault text={order.error && messageOf(order.error)} />
      </Part>
      <Part title="Delete" text="Its repository, sandbox, chat and history are removed for good.">
        {isDeleting ? (
          <DeleteForm project={project} onDeleted={onGone} />
        ) : (
          <Button look="danger" onClick={() => setDeleting(true)}>
            Delete the project…
          </Button>
        )}
      </Part>
    </div>
  )
}
