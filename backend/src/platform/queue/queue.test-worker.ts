import { createLog } from '../log.ts'
import { createQueue } from './queue.ts'

/** A worker process to be killed: says a word when it is ready and one when it has begun a job that never ends. */
const queue = createQueue({
  systemUrl: process.env['SYSTEM_URL'] ?? '',
  redisUrl: process.env['REDIS_URL'] || null,
  log: createLog(),
})
queue.work(
  'project.provision',
  async () => {
    process.stdout.write('begun\n')
    await new Promise(() => setInterval(() => undefined, 1_000))
  },
  { concurrency: 1 },
)
process.stdout.write('ready\n')
