export type { ExecCall, ExecOutcome, FileEntry, SandboxSession, StepRef } from './session/session.ts'
