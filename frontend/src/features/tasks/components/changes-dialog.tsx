import type { Task } from '@guildhall/protocol/tasks.ts'
import { useMutation } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { Button } from '../../../components/ui/button.tsx'
import { Dialog } from '../../../components/ui/dialog.tsx'
import { inputLook } from '../../../components/ui/field.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { roleLook } from '../../../lib/roles.ts'
import { requestTaskChanges } from '../api.ts'

interface ChangesDialogProps {
  task: Task
  open: boolean
  onOpenChange(open: boolean): void
}

/** Sends a stopped task back to its author with the person's own words. */
export function ChangesDialog({ task, open, onOpenChange }: ChangesDialogProps) {
  const send = useMutation({
    mutationFn: (comment: string) => requestTaskChanges(task.id, comment),
    onSuccess: () => onOpenChange(false),
  })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const comment = String(new FormData(event.currentTarget).get('comment')).trim()
    if (comment && !send.isPending) send.mutate(comment)
  }
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Request changes"
      description={`The ${roleLook(task.role).name} goes on on the same branch with your words; checks and review come again.`}
    >
      <form onSubmit={onSubmit} className="grid gap-3">
        <textarea
          name="comment"
          aria-label="What should change?"
          placeholder="What should change?"
          required
          rows={4}
          maxLength={4000}
          className={cn(inputLook, 'resize-y py-2')}
        />
        {send.isError && (
          <p role="alert" className="text-sm text-bad">
            {messageOf(send.error)}
          </p>
        )}
        <Button type="submit" look="primary" size="l" busy={send.isPending}>
          Send back
        </Button>
      </form>
    </Dialog>
  )
}
