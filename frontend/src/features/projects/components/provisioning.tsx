import type { Project } from '@guildhall/protocol/projects.ts'
import { useMutation } from '@tanstack/react-query'
import { Check, TriangleAlert } from 'lucide-react'
import { Logo } from '../../../components/logo.tsx'
import { Button } from '../../../components/ui/button.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { cn } from '../../../lib/cn.ts'
import { messageOf } from '../../../lib/request.ts'
import { retryProject } from '../api.ts'

const words: Record<string, string> = {
  repository: 'Laying out the repository',
  sandbox: 'Starting a sandbox of its own',
  code: 'Bringing in the code and its packages',
  preview: 'Starting the preview',
}

/** While a project is being made: how far it is, and if it failed why, with one way on. */
export function ProvisioningView({ project }: { project: Project }) {
  const retry = useMutation({ mutationFn: () => retryProject(project.id) })
  const { step, done, total, error } = project.provisioning ?? { step: 'Queued', done: 0, total: 4, error: null }
  const failed = error !== null || project.status === 'error'
  return (
    <div className="grid h-full place-items-center overflow-auto p-6">
      <div className="w-full max-w-md animate-rise">
        <Logo className="mb-4 size-9" />
        <h2 className="font-display text-xl leading-tight font-semibold">
          {failed ? 'The hall could not be made ready' : 'Making the hall ready'}
        </h2>
        <p className="mt-1 text-fg-2">
          {failed
            ? 'Nothing is lost; it goes on where it stopped.'
            : 'A repository, a sandbox of its own, the template and its packages. The crew reads your wish meanwhile.'}
        </p>
        <div
          role="progressbar"
          aria-label="Set-up"
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={done}
          className="mt-5 flex gap-1.5"
        >
          {Array.from({ length: Math.max(1, total) }, (_, index) => (
            <span
              key={index}
              className={cn(
                'h-1.5 flex-1 rounded-full transition-colors duration-[240ms]',
                index < done
                  ? 'bg-ok'
                  : index === done
                    ? failed
                      ? 'bg-bad'
                      : 'animate-breathe bg-accent'
                    : 'bg-surface-3',
              )}
            />
          ))}
        </div>
        <p role="status" className="mt-3 flex items-center gap-2 text-sm">
          {failed ? (
            <TriangleAlert aria-hidden className="size-4 text-bad" />
          ) : done >= total ? (
            <Check aria-hidden className="size-4 text-ok" />
          ) : (
            <Spinner />
          )}
          <span className="flex-1 first-letter:uppercase">{words[step] ?? step}</span>
          <span className="text-fg-3 tabular">
            {Math.min(done, total)} of {total}
          </span>
        </p>
        {failed && (
          <>
            <p
              role="alert"
              className="mt-3 rounded-sm border border-bad/40 bg-bad/10 px-3 py-2 text-sm break-words whitespace-pre-wrap text-bad"
            >
              {retry.isError ? messageOf(retry.error) : (error ?? 'It stopped without saying why.')}
            </p>
            <Button look="primary" size="l" className="mt-4" busy={retry.isPending} onClick={() => retry.mutate()}>
              Try again
            </Button>
          </>
        )}
      </div>
    </div>
  )
}
