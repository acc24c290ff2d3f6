import { createHash } from 'node:crypto'
import { encodeData } from '@guildhall/supervisor/wire.ts'
import { AppError } from '../../../platform/errors.ts'
import { broken, finish, frames, parsed, type Connection } from './connection.ts'
import type { StepRef } from './exec.ts'
import { Empty, Listing, ReadEnd, WriteEnd } from './messages.ts'
import type { Paths } from './paths.ts'

const maxFileBytes = 50 * 1024 * 1024

export type FileEntry = { path: string; kind: 'file' | 'directory' | 'symlink'; sizeBytes: number }

/** The file half of a session; see `SandboxSession` for its promises. */
export function createFiles({ open, ask }: Connection, paths: Paths) {
  return {
    async readFile(path: string): Promise<{ bytes: Buffer; hash: string } | null> {
      const stream = await open('read', { path: paths.file(path) })
      const chunks: Buffer[] = []
      let received = 0
      try {
        for await (const { kind, payload } of frames(stream)) {
          if (kind === 'D') {
            received += payload.length
            if (received > maxFileBytes) throw broken('The sandbox sent more than a file may have')
            chunks.push(payload)
          }
          if (kind !== 'X') continue
          if (!parsed(ReadEnd, payload).exists) return null
          const bytes = Buffer.concat(chunks, received)
          // Our own sum: what is compared later must be what was really read.
          return { bytes, hash: sha256(bytes) }
        }
        throw broken('The sandbox ended the call without an answer')
      } finally {
        finish(stream)
      }
    },

    async writeFile(
      path: string,
      bytes: Buffer,
      { expectedHash, step }: { expectedHash?: string | null | undefined; step?: StepRef | undefined } = {},
    ): Promise<{ hash: string }> {
      if (bytes.length > maxFileBytes) throw new AppError('payload_too_large', `${path} would be over 50 MB`)
      const stream = await open('write', { path: paths.file(path), sizeBytes: bytes.length, expectedHash, step })
      try {
        for (const frame of encodeData('I', bytes)) stream.write(frame)
        for await (const { kind, payload } of frames(stream)) {
          if (kind !== 'X') continue
          parsed(WriteEnd, payload)
          return { hash: sha256(bytes) }
        }
        throw broken('The sandbox ended the call without an answer')
      } finally {
        finish(stream)
      }
    },

    async list(path: string, depth: number): Promise<FileEntry[]> {
      const { entries } = await ask('list', { path: paths.folder(path), depth }, Listing)
      return entries.map((entry) => ({ ...entry, path: paths.shown(entry.path) }))
    },

    async remove(path: string, { step }: { step?: StepRef | undefined } = {}): Promise<void> {
      await ask('remove', { path: paths.file(path), step }, Empty, 120_000)
    },
  }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
