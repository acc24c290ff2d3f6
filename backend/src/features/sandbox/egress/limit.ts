import { AppError } from '../../../platform/errors.ts'

/** Runs at most `running` jobs at once and keeps at most `waiting` more; one more is refused as `unavailable`. */
export function createLimit({ running, waiting }: { running: number; waiting: number }) {
  let active = 0
  const queue: (() => void)[] = []
  return async <T>(job: () => Promise<T>): Promise<T> => {
    if (active >= running) {
      if (queue.length >= waiting) throw new AppError('unavailable', 'Too many requests are waiting')
      // The one that ends hands its place over, so `active` stays as it is.
      await new Promise<void>((go) => queue.push(go))
    } else {
      active++
    }
    try {
      return await job()
    } finally {
      const next = queue.shift()
      if (next) next()
      else active--
    }
  }
}

/** Callers with the same key while one is under way get that one's result. */
export function createOnce<T>() {
  const underWay = new Map<string, Promise<T>>()
  return (key: string, job: () => Promise<T>): Promise<T> => {
    const present = underWay.get(key)
    if (present) return present
    const started = job().finally(() => underWay.delete(key))
    underWay.set(key, started)
    return started
  }
}
