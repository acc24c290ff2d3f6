import { EventEmitter } from 'node:events'
import { Redis } from 'ioredis'
import type { Log } from '../log.ts'

/**
 * Push between the processes of the house. Messages are hints: one may be lost while Redis is away, so whoever
 * listens can always find the truth in PostgreSQL.
 */
export interface PubSub {
  /** Reaches every subscriber of the channel, in this process too. Never throws: a lost message is logged. */
  publish(channel: string, text: string): Promise<void>
  /** Returns the way to stop listening. */
  subscribe(channel: string, listener: (text: string) => void): () => void
  close(): Promise<void>
}

/** Over Redis when `redisUrl` is given, else within this one process. */
export function createPubSub({ redisUrl, log }: { redisUrl?: string | null; log: Log }): PubSub {
  return redisUrl ? overRedis(redisUrl, log) : inProcess()
}

function inProcess(): PubSub {
  const channels = new EventEmitter().setMaxListeners(0)
  return {
    async publish(channel, text) {
      // After the publisher's own work, as it would be over a wire.
      setImmediate(() => channels.emit(`to ${channel}`, text))
    },
    subscribe(channel, listener) {
      channels.on(`to ${channel}`, listener)
      return () => channels.off(`to ${channel}`, listener)
    },
    async close() {
      channels.removeAllListeners()
    },
  }
}

function overRedis(url: string, log: Log): PubSub {
  const onError = (error: Error) => log.warn({ reason: error.message }, 'Redis is away for a moment')
  // Kept apart: a connection that subscribes can do nothing else. Both come back by themselves and subscribe again.
  const sender = new Redis(url, { maxRetriesPerRequest: 1, enableOfflineQueue: true, commandTimeout: 2_000 })
  const receiver = new Redis(url, { maxRetriesPerRequest: null })
  sender.on('error', onError)
  receiver.on('error', onError)
  const channels = new Map<string, Set<(text: string) => void>>()
  receiver.on('message', (channel: string, text: string) => {
    for (const listener of channels.get(channel) ?? []) listener(text)
  })
  return {
    async publish(channel, text) {
      await sender.publish(channel, text).catch(onError)
    },
    subscribe(channel, listener) {
      const listeners = channels.get(channel) ?? new Set()
      if (listeners.size === 0) {
        channels.set(channel, listeners)
        receiver.subscribe(channel).catch(onError)
      }
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0 || channels.get(channel) !== listeners) return
        channels.delete(channel)
        receiver.unsubscribe(channel).catch(onError)
      }
    },
    async close() {
      channels.clear()
      sender.disconnect()
      receiver.disconnect()
    },
  }
}
