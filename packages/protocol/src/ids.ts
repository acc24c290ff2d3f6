import { z } from 'zod'

/** Every id is a uuid v7, so that rows sort by the time they were made. */
const id = <Brand extends string>() => z.uuid().brand<Brand>()

export const UserId = id<'UserId'>()
export type UserId = z.infer<typeof UserId>
export const SessionId = id<'SessionId'>()
export type SessionId = z.infer<typeof SessionId>
export const ProjectId = id<'ProjectId'>()
export type ProjectId = z.infer<typeof ProjectId>
export const SlotId = id<'SlotId'>()
export type SlotId = z.infer<typeof SlotId>
export const ConversationId = id<'ConversationId'>()
export type ConversationId = z.infer<typeof ConversationId>
export const MessageId = id<'MessageId'>()
export type MessageId = z.infer<typeof MessageId>
export const PlanId = id<'PlanId'>()
export type PlanId = z.infer<typeof PlanId>
export const TaskId = id<'TaskId'>()
export type TaskId = z.infer<typeof TaskId>
export const AgentId = id<'AgentId'>()
export type AgentId = z.infer<typeof AgentId>
export const RunId = id<'RunId'>()
export type RunId = z.infer<typeof RunId>
export const TerminalId = id<'TerminalId'>()
export type TerminalId = z.infer<typeof TerminalId>

/** A full git object id. */
export const Sha = z.string().regex(/^[0-9a-f]{40}$/, 'a full git object id')
export type Sha = z.infer<typeof Sha>

/** Money in US dollars as a decimal string with six places; eight are stored. */
export const CostUsd = z.string().regex(/^\d+\.\d{6}$/)
export type CostUsd = z.infer<typeof CostUsd>

export const Timestamp = z.iso.datetime()
export type Timestamp = z.infer<typeof Timestamp>
