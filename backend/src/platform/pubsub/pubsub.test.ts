import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../../testing/redis.ts'
import { createLog } from '../log.ts'
import { createPubSub, type PubSub } from './pubsub.ts'

const log = createLog({ level: 'silent' })
let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.close())

/** A subscription takes effect when the server has seen it; later ones take effect later. */
async function settled(pubsub: PubSub) {
  let isHeard = false
  const leave = pubsub.subscribe('are you there', () => (isHeard = true))
  await expect
    .poll(async () => {
      await pubsub.publish('are you there', 'yes?')
      await pause(20)
      return isHeard
    })
    .toBe(true)
  leave()
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(['one process', 'redis'] as const)('push over %s', (kind) => {
  const open = () => createPubSub({ redisUrl: kind === 'redis' ? redis.url : null, log })

  test('every subscriber of a channel hears it in order, others do not, and who left neither', async () => {
    const pubsub = open()
    const heard: string[] = []
    pubsub.subscribe('a', (text) => heard.push(`1 ${text}`))
    const leave = pubsub.subscribe('a', (text) => heard.push(`2 ${text}`))
    pubsub.subscribe('b', (text) => heard.push(`b ${text}`))
    await settled(pubsub)
    await pubsub.publish('a', 'x')
    await pubsub.publish('a', 'y')
    await expect.poll(() => heard.length).toBe(4)
    leave()
    await pubsub.publish('a', 'z')
    await pubsub.publish('error', 'a word that emitters treat specially')
    await expect.poll(() => heard.length).toBe(5)
    await pause(50)
    expect(heard).toEqual(['1 x', '2 x', '1 y', '2 y', '1 z'])
    await pubsub.close()
  })

  test('a channel that was left can be joined again', async () => {
    const pubsub = open()
    const heard: string[] = []
    pubsub.subscribe('c', () => undefined)()
    pubsub.subscribe('c', (text) => heard.push(text))
    await settled(pubsub)
    await pubsub.publish('c', 'again')
    await expect.poll(() => heard).toEqual(['again'])
    await pubsub.close()
  })
})

test('over redis, one process hears another', async () => {
  const [here, there] = [createPubSub({ redisUrl: redis.url, log }), createPubSub({ redisUrl: redis.url, log })]
  const heard: string[] = []
  there.subscribe('x', (text) => heard.push(text))
  await settled(there)
  await here.publish('x', 'hello')
  await expect.poll(() => heard).toEqual(['hello'])
  await here.close()
  await there.close()
})

test('while redis is away, publishing does no harm and does not hang', async () => {
  const gone = await startRedis()
  const pubsub = createPubSub({ redisUrl: gone.url, log })
  await pubsub.publish('x', 'before')
  await gone.close()
  const began = Date.now()
  await pubsub.publish('x', 'lost')
  expect(Date.now() - began).toBeLessThan(5_000)
  await pubsub.close()
})
