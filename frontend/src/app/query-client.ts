import { QueryClient } from '@tanstack/react-query'
import { ProblemError } from '../lib/request.ts'

/** Reads are tried again when the way was blocked, never when the answer was no. Writes are never repeated. */
const mayPass = (error: unknown): boolean =>
  error instanceof ProblemError && (error.code === 'unavailable' || error.problem.status >= 500)

export const createQueryClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        refetchOnWindowFocus: false,
        retry: (count, error) => count < 2 && mayPass(error),
        retryDelay: (count) => Math.min(4_000, 500 * 2 ** count),
      },
      mutations: { retry: false },
    },
  })
