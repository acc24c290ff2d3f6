import type { Project } from '@guildhall/protocol/projects.ts'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { Field } from '../../../components/ui/field.tsx'
import { messageOf } from '../../../lib/request.ts'
import { deleteProject, projectKeys } from '../api.ts'

interface DeleteFormProps {
  project: Project
  onDeleted(): void
}

/** Nothing is deleted before its name was typed. */
export function DeleteForm({ project, onDeleted }: DeleteFormProps) {
  const [typed, setTyped] = useState('')
  const client = useQueryClient()
  const remove = useMutation({
    mutationFn: () => deleteProject(project.id, typed),
    onSuccess: () => {
      onDeleted()
      return client.invalidateQueries({ queryKey: projectKeys.lists })
    },
  })
  return (
    <form
      className="grid w-full gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (typed === project.name && !remove.isPending) remove.mutate()
      }}
    >
      <Field
        label={`Type “${project.name}” to confirm`}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        autoComplete="off"
        autoFocus
        error={remove.isError ? messageOf(remove.error) : undefined}
      />
      <Button type="submit" look="danger" size="l" disabled={typed !== project.name} busy={remove.isPending}>
        Delete for good
      </Button>
    </form>
  )
}

interface DeleteDialogProps {
  project: Project
  open: boolean
  onOpenChange(open: boolean): void
}

export const DeleteDialog = ({ project, open, onOpenChange }: DeleteDialogProps) => (
  <Dialog
    open={open}
    onOpenChange={onOpenChange}
    title={`Delete ${project.name}?`}
    description="Its repository, sandbox, chat and history are removed for good."
  >
    <DeleteForm project={project} onDeleted={() => onOpenChange(false)} />
  </Dialog>
)
