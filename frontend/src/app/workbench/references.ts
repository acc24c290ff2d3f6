import { useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef } from 'react'
import type { Resolve } from '../../components/references.tsx'
import { useProjectLog } from '../../features/realtime/api.ts'
import { tree } from '../../features/repository/api.ts'
import { isOpen, readWork } from '../../features/tasks/api.ts'
import { type Bench, isBeingMade } from './bench.ts'

const filePattern = /^(?:\.\/)?((?:[\w@.-]+\/)*[\w@.-]+\.[A-Za-z0-9]{1,8})(?::(\d{1,6})(?::\d+)?)?$/
const eventPattern = /^(?:ev|event) (\d{1,9})$/

/** `src/a.ts:12` → its path and line. */
export function fileReference(text: string): { path: string; line: number | null } | null {
  const [, path, line] = filePattern.exec(text) ?? []
  return path === undefined ? null : { path, line: line === undefined ? null : Number(line) }
}

/**
 * What a text of an agent points at. A file is shown as the branch of the task has it while that is under way, else as
 * main has it; a name that stands for no known file stays text.
 */
export function useProjectReferences(bench: Bench): Resolve {
  const { projectId, detail } = bench
  const main = detail.project.defaultBranch
  const work = useProjectLog(projectId, readWork)
  const files = useQuery({ ...tree(projectId, main), enabled: !isBeingMade(bench) }).data
  const known = useMemo(() => new Set(files?.map(({ path }) => path)), [files])
  // Read when something is pressed: a new function each time would draw every text of the chat anew with each event.
  const latest = useRef(bench)
  useEffect(() => {
    latest.current = bench
  })
  return useCallback(
    (text, taskId) => {
      const event = eventPattern.exec(text)?.[1]
      if (event) return () => latest.current.onEvidence(Number(event))
      const reference = fileReference(text)
      if (!reference) return null
      const task = taskId === null ? undefined : work?.tasks[taskId]
      const branch = task && isOpen(task) ? task.branch : null
      // A new file is on the branch alone; one with a folder before it is hardly anything else than a path.
      if (!known.has(reference.path) && !(branch && reference.path.includes('/'))) return null
      const view = { kind: 'file', gitRef: branch ?? main, path: reference.path } as const
      return () => latest.current.views.open(view, reference.line)
    },
    [known, work, main],
  )
}
