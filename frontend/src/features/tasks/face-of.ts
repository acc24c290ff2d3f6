import type { Task } from '@guildhall/protocol/tasks.ts'
import type { FaceState } from '../../components/face.tsx'

/** How the ring round a task's author is drawn. */
export function faceOf({ state }: Task): FaceState {
  if (state === 'working') return 'working'
  if (state === 'waiting') return 'waiting'
  return state === 'failed' || state === 'needs_you' ? 'stuck' : 'idle'
}
