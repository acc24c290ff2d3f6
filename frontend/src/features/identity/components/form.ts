import { useMutation } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { isProblem, messageOf, ProblemError } from '../../../lib/request.ts'

/** Field errors come from the server's `fields`; everything else is one sentence above the button. */
export function faults(error: unknown): { fields: Record<string, string>; general: string | null } {
  if (!error) return { fields: {}, general: null }
  const fields = error instanceof ProblemError ? (error.problem.fields ?? {}) : {}
  if (Object.keys(fields).length > 0) return { fields, general: null }
  if (isProblem(error, 'unauthenticated')) return { fields, general: 'That name and password do not belong together.' }
  return { fields, general: messageOf(error) }
}

/** A form that is sent once, however often it is submitted while under way. */
export function useForm<Input>(send: (input: Input) => Promise<unknown>, read: (data: FormData) => Input) {
  const mutation = useMutation({ mutationFn: send })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (sending.has(event.currentTarget)) return
    const form = event.currentTarget
    sending.add(form)
    mutation.mutate(read(new FormData(form)), { onSettled: () => sending.delete(form) })
  }
  return { onSubmit, isPending: mutation.isPending, isSuccess: mutation.isSuccess, ...faults(mutation.error) }
}

/** A second click can come before React has drawn the disabled button; the form itself remembers. */
const sending = new WeakSet<HTMLFormElement>()
