import type { Topic } from '@guildhall/protocol/events.ts'
import type { MessageId, RunId } from '@guildhall/protocol/ids.ts'
import type { ServerFrame } from '@guildhall/protocol/realtime.ts'
import type { Role } from '@guildhall/protocol/roles.ts'
import type { PubSub } from '../../platform/pubsub/pubsub.ts'

type DeltaFrame = ServerFrame & { op: 'delta' }
type Wire = { op: 'delta'; frame: DeltaFrame } | { op: 'end'; messageId: MessageId }

const channel = 'realtime.deltas'
const maxMessages = 1_000

/**
 * Text of messages that are still being written. Not facts, so not in the log: passed on, and kept until the message
 * itself is stored, for whoever comes in the middle.
 */
export function createDeltas({
  pubsub,
  onDelta,
}: {
  pubsub: PubSub
  onDelta: (topic: Topic, frame: DeltaFrame) => void
}) {
  /** Every open message so far, whole, as one frame with offset 0. */
  const open = new Map<MessageId, DeltaFrame>()
  /** Where the messages that this process writes stand. */
  const offsets = new Map<MessageId, number>()

  const unsubscribe = pubsub.subscribe(channel, (text) => {
    const wire = JSON.parse(text) as Wire
    if (wire.op === 'end') {
      open.delete(wire.messageId)
      return
    }
    const { frame } = wire
    const before = open.get(frame.messageId)
    if (frame.offset === 0) open.set(frame.messageId, { ...frame })
    else if (before && before.text.length === frame.offset) before.text += frame.text
    // A writer that died never says end; the oldest then make room.
    if (open.size > maxMessages) open.delete(open.keys().next().value!)
    onDelta(frame.topic as Topic, frame)
  })

  const send = (wire: Wire) => void pubsub.publish(channel, JSON.stringify(wire))

  return {
    delta(topic: Topic, { text, ...about }: { messageId: MessageId; runId: RunId; role: Role; text: string }): void {
      const offset = offsets.get(about.messageId) ?? 0
      offsets.set(about.messageId, offset + text.length)
      send({ op: 'delta', frame: { op: 'delta', topic, ...about, offset, text } })
    },
    end(messageId: MessageId): void {
      offsets.delete(messageId)
      send({ op: 'end', messageId })
    },
    /** What a new subscriber must see first: each open message of the topic from its beginning. */
    snapshots: (topic: Topic): DeltaFrame[] => [...open.values()].filter((frame) => frame.topic === topic),
    close: () => unsubscribe(),
  }
}
