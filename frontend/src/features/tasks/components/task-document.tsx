import type { Task } from '@guildhall/protocol/tasks.ts'
import { useQuery } from '@tanstack/react-query'
import { CircleCheck, CircleDashed, CircleX, Square, SquareCheck } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { Prose } from '../../../components/prose.tsx'
import { Skeleton } from '../../../components/ui/skeleton.tsx'
import { commandLine, groupedNumber, shortSha } from '../../../lib/format.ts'
import { messageOf } from '../../../lib/request.ts'
import { taskDetail, type Work } from '../api.ts'
import { keptResults, proofs } from '../proof.ts'
import type { EvidenceDoors } from '../evidence.ts'
import { promised } from '../standing.ts'

interface TaskDocumentProps extends EvidenceDoors {
  task: Task
  work: Work
  /** Why it stopped, where it did. */
  stop: ReactNode
}

export function TaskDocument({ task, work, stop, onResult }: TaskDocumentProps) {
  const checks = work.checks[task.id] ?? []
  const kept = keptResults(checks)
  const [isRaw, setRaw] = useState(false)
  return (
    <div className="px-5 py-4">
      <h2 className="font-display text-xl leading-tight font-semibold">{task.title}</h2>
      <p className="mt-2 text-[14px] text-fg-2">{task.goal}</p>
      {stop}
      <Section title="Success criteria">
        {proofs(task, checks).map(({ criterion, proof }) => (
          <li key={criterion.text} className="grid grid-cols-[18px_1fr_auto] gap-x-2 py-1.5">
            <CheckState passed={proof?.result.passed} />
            <span className="min-w-0 text-[14px] leading-snug">{criterion.text}</span>
            {proof ? (
              <EvidenceButton seq={proof.seq} onClick={() => onResult(proof.result, proof.seq)} />
            ) : (
              <span className="px-1 font-mono text-2xs leading-5 text-fg-3">not run yet</span>
            )}
            <code className="col-start-2 col-end-4 mt-0.5 truncate font-mono text-xs text-fg-3">
              {commandLine(criterion.check.argv)}
            </code>
          </li>
        ))}
      </Section>
      {kept.length > 0 && (
        <Section title="Promised before">
          {kept.map(({ result, seq }) => (
            <li key={result.standing} className="grid grid-cols-[18px_1fr_auto] gap-x-2 py-1.5">
              <CheckState passed={result.passed} />
              <span className="min-w-0 text-[14px] leading-snug text-fg-2">{result.criterion}</span>
              <EvidenceButton seq={seq} onClick={() => onResult(result, seq)} />
            </li>
          ))}
        </Section>
      )}
      {task.replaces.length > 0 && (
        <Section title="Replaces">
          {task.replaces.map((name) => {
            const { text, task: earlier } = promised(name, work)
            return (
              <li key={name} className="py-1.5 text-[14px] leading-snug text-fg-2">
                <s>{text}</s>
                {earlier && <span className="mt-0.5 block text-xs text-fg-3">promised by “{earlier.title}”</span>}
              </li>
            )
          })}
        </Section>
      )}
      <Section title="Boxes">
        {task.boxes.map((box, index) => (
          <li key={index} className="grid grid-cols-[18px_1fr_auto] gap-x-2 py-1.5">
            {box.done ? (
              <SquareCheck className="mt-0.5 size-4 text-ok" aria-label="Done" />
            ) : (
              <Square className="mt-0.5 size-4 text-fg-3" aria-label="Open" />
            )}
            <span className="min-w-0 text-[14px] leading-snug">
              {index + 1}. {box.text}
              {box.files.length > 0 && (
                <span className="mt-0.5 flex flex-wrap gap-x-3">
                  {box.files.map((file) => (
                    <code key={file} className="font-mono text-xs break-all text-fg-3">
                      {file}
                    </code>
                  ))}
                </span>
              )}
            </span>
            {box.commit && <code className="font-mono text-2xs leading-5 text-fg-2">{shortSha(box.commit)}</code>}
          </li>
        ))}
      </Section>
      {task.constraints.length > 0 && (
        <Section title="Constraints">
          {task.constraints.map((constraint) => (
            <li key={constraint.text} className="py-1 text-[14px] text-fg-2">
              {constraint.text}
              {constraint.paths?.map((path) => (
                <code key={path} className="ml-1.5 font-mono text-xs text-fg-3">
                  {path}
                </code>
              ))}
            </li>
          ))}
        </Section>
      )}
      <button
        type="button"
        aria-expanded={isRaw}
        onClick={() => setRaw(!isRaw)}
        className="mt-5 text-xs text-fg-2 underline underline-offset-2 hover:text-fg max-md:min-h-11"
      >
        {isRaw ? 'Hide the document as committed' : 'The document as committed'}
      </button>
      {isRaw && <CommittedDocument taskId={task.id} />}
    </div>
  )
}

const Section = ({ title, children }: { title: string; children: ReactNode }) => (
  <section className="mt-5">
    <h3 className="section-label mb-1">{title}</h3>
    <ul>{children}</ul>
  </section>
)

const EvidenceButton = ({ seq, onClick }: { seq: number; onClick(): void }) => (
  <button
    type="button"
    onClick={onClick}
    className="touch-target h-5 rounded-sm px-1 font-mono text-2xs leading-5 text-fg-2 hover:bg-surface-3 hover:text-fg"
  >
    ev {groupedNumber(seq)}
  </button>
)

function CheckState({ passed }: { passed: boolean | undefined }) {
  const look = 'mt-0.5 size-4'
  if (passed === undefined) return <CircleDashed className={`${look} text-fg-3`} aria-label="Not run yet" />
  return passed ? (
    <CircleCheck className={`${look} text-ok`} aria-label="Passes" />
  ) : (
    <CircleX className={`${look} text-bad`} aria-label="Fails" />
  )
}

function CommittedDocument({ taskId }: { taskId: string }) {
  const detail = useQuery(taskDetail(taskId))
  if (detail.isPending) return <Skeleton className="mt-3 h-40" />
  if (detail.isError) return <p className="mt-3 text-sm text-bad">{messageOf(detail.error)}</p>
  return (
    <Prose
      text={detail.data.documentMarkdown}
      className="mt-3 rounded-md border border-line bg-surface-1 p-4 text-sm"
    />
  )
}
