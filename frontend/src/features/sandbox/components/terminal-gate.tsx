import type { Sandbox } from '@guildhall/protocol/sandbox.ts'
import { useMutation } from '@tanstack/react-query'
import { Box } from 'lucide-react'
import type { ReactNode } from 'react'
import { Notice } from '../../../components/notice.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { messageOf } from '../../../lib/request.ts'
import { orderSandbox, sandboxWord } from '../api.ts'

interface TerminalGateProps {
  sandbox: Sandbox
  /** Why no terminal opens for this reader; null when one does. */
  readOnly: string | null
  children: ReactNode
}

/** Stands before the terminal while there is no sandbox to open it in. A sleeping one wakes by itself. */
export function TerminalGate({ sandbox, readOnly, children }: TerminalGateProps) {
  const start = useMutation({ mutationFn: () => orderSandbox(sandbox.projectId, 'start') })
  const isThere = sandbox.state === 'running' || sandbox.state === 'sleeping' || sandbox.state === 'creating'
  if (readOnly !== null) {
    return (
      <Notice icon={Box} title="No terminal here">
        {readOnly}.
      </Notice>
    )
  }
  if (isThere) return children
  return (
    <Notice
      icon={Box}
      title={<span className="inline-block first-letter:uppercase">{sandboxWord[sandbox.state]}</span>}
      action={
        <Button look="primary" busy={start.isPending} onClick={() => start.mutate()}>
          Start the sandbox
        </Button>
      }
    >
      {start.isError ? messageOf(start.error) : (sandbox.error ?? 'A terminal opens inside it.')}
    </Notice>
  )
}
