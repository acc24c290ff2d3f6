import type { Claim, Task } from '@guildhall/protocol/tasks.ts'
import { CircleCheck, CircleDashed, CircleX, Link2, ShieldCheck } from 'lucide-react'
import type { ReactNode } from 'react'
import { Face } from '../../../components/face.tsx'
import { Spinner } from '../../../components/ui/spinner.tsx'
import { cn } from '../../../lib/cn.ts'
import { duration, groupedNumber, plural, shortSha } from '../../../lib/format.ts'
import { roleLook } from '../../../lib/roles.ts'
import type { CheckedAt, Work } from '../api.ts'
import { gates, type GateState } from '../proof.ts'
import type { EvidenceDoors } from '../evidence.ts'

interface TaskGatesProps extends EvidenceDoors {
  task: Task
  work: Work
}

export function TaskGates({ task, work, onEvidence }: TaskGatesProps) {
  const { branch, review, constraints, merge } = gates(task, work)
  const named = task.constraints.length
  return (
    <div className="grid gap-6 px-5 py-4">
      <section>
        <Heading icon={<ShieldCheck />} title="Gates" note={task.tree ? `tree ${shortSha(task.tree)}` : ''} />
        <ul>
          <Gate
            state={branch.state}
            title="Checks in a clean container"
            figure={tookOf(branch.last)}
            detail={checksOf(branch.last)}
          />
          <Gate
            state={review.state}
            title="Reviewed by another role"
            figure={review.last ? plural(review.last.comments.length, 'comment') : ''}
            detail={
              review.last ? `${roleLook(review.last.role).name} · ${review.last.summary}` : 'bound to exactly this tree'
            }
          />
          <Gate
            state={constraints.state}
            title="Constraints kept"
            figure=""
            detail={
              named === 0
                ? 'none were named'
                : task.constraints.flatMap(({ paths }) => paths ?? []).join(' · ') || plural(named, 'rule')
            }
          />
          <Gate
            state={merge.state}
            title="Merged"
            figure={tookOf(merge.last)}
            detail={
              task.mergedAs
                ? `main became ${shortSha(task.mergedAs)} · ${merge.last ? 'checked again on the merged tree' : 'main had not moved: exactly the checked tree'}`
                : merge.last
                  ? checksOf(merge.last)
                  : 'checked on the tree main will become'
            }
          />
        </ul>
      </section>
      <Comments work={work} task={task} />
      <section>
        <Heading
          icon={<Link2 />}
          title="Claims"
          note={
            task.claims.length > 0
              ? `${task.claims.filter(isProved).length} of ${task.claims.length} with evidence`
              : ''
          }
        />
        {task.summary && <p className="mt-1 mb-3 text-sm text-fg-2">{task.summary}</p>}
        {task.claims.length === 0 ? (
          <p className="mt-1 text-sm text-fg-2">
            Claims come with the finished work, each with the events that show it.
          </p>
        ) : (
          <ul className="mt-2 grid gap-2">
            {task.claims.map((claim) => (
              <ClaimCard key={claim.text} claim={claim} onEvidence={onEvidence} />
            ))}
          </ul>
        )}
      </section>
    </div>
  )
}

const isProved = ({ evidence }: Claim) => evidence.length > 0

function checksOf(run: CheckedAt | null): string {
  if (!run) return 'fresh container, nothing left over'
  const { results, error } = run.checkRun
  if (error) return error
  return `${results.filter(({ passed }) => passed).length} of ${plural(results.length, 'check')} pass`
}

const tookOf = (run: CheckedAt | null): string =>
  run ? duration(Date.parse(run.checkRun.endedAt) - Date.parse(run.checkRun.startedAt)) : ''

const Heading = ({ icon, title, note }: { icon: ReactNode; title: string; note: string }) => (
  <div className="hairline-b flex items-center gap-2 pb-2.5 [&>svg]:size-4 [&>svg]:text-fg-2">
    {icon}
    <h3 className="font-semibold">{title}</h3>
    <span className="ml-auto text-xs text-fg-3 tabular">{note}</span>
  </div>
)

const marks: Record<GateState, ReactNode> = {
  open: <CircleDashed className="size-4 text-fg-3" aria-label="Open" />,
  running: <Spinner className="size-4 text-accent" />,
  passed: <CircleCheck className="size-4 text-ok" aria-label="Passed" />,
  failed: <CircleX className="size-4 text-bad" aria-label="Failed" />,
}

const Gate = ({
  state,
  title,
  figure,
  detail,
}: {
  state: GateState
  title: string
  figure: string
  detail: string
}) => (
  <li className="hairline-b grid grid-cols-[18px_1fr_auto] gap-x-2.5 py-2.5 last:border-b-0">
    <span className="mt-0.5">{marks[state]}</span>
    <span>{title}</span>
    <span className="text-xs text-fg-3 tabular">{figure}</span>
    <span className="col-start-2 col-end-4 mt-0.5 font-mono text-xs break-words text-fg-2">{detail}</span>
  </li>
)

function Comments({ task, work }: { task: Task; work: Work }) {
  const review = work.reviews[task.id]?.at(-1)
  if (!review || review.comments.length === 0) return null
  const look = roleLook(review.role)
  return (
    <section aria-label="Review comments" className="grid gap-2">
      {review.comments.map((comment, index) => (
        <div key={index} className="flex gap-2.5 rounded-md border border-line-strong p-3">
          <Face initials={look.initials} colour={look.colour} size={24} />
          <div className="min-w-0">
            <p className="text-xs text-fg-3">
              <span className="font-semibold text-fg">{look.name}</span> · {comment.severity} ·{' '}
              <code className="font-mono break-all">
                {comment.path}:{comment.line}
              </code>
            </p>
            <p className="mt-1 text-sm break-words">{comment.body}</p>
          </div>
        </div>
      ))}
    </section>
  )
}

const ClaimCard = ({ claim, onEvidence }: { claim: Claim; onEvidence(seq: number): void }) => (
  <li
    className={cn(
      'rounded-sm border border-l-[3px] border-line px-3 py-2',
      isProved(claim) ? 'border-l-ok' : 'border-l-fg-3',
    )}
  >
    <p className="leading-snug">{claim.text}</p>
    <div className="mt-1 flex flex-wrap gap-1.5">
      {claim.evidence.map((seq) => (
        <button
          key={seq}
          type="button"
          onClick={() => onEvidence(seq)}
          className="touch-target inline-flex h-5 items-center rounded-full bg-surface-3 px-2 font-mono text-2xs text-fg-2 hover:text-fg"
        >
          ev {groupedNumber(seq)}
        </button>
      ))}
      {!isProved(claim) && <span className="text-xs text-fg-3">no evidence yet</span>}
    </div>
  </li>
)
