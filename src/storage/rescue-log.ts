import { createHash } from 'node:crypto'
import path from 'node:path'
import { epochMs, SYSTEM, type AuditSink, type EpochMs } from '../domain/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import { rescueTable } from './tables/rescues.ts'
import type { Volume } from './volume.ts'

/** At a volume's root: one JSON object a line, by `custos rescue`, for every picture that left past the book. */
export const RESCUE_LOG = 'rescue-log'
const MAX_FILE_BYTES = 1 << 20 // some 3,000 rescues; more is not a log any more
const MAX_LINES_AT_ONCE = 200
const MAX_TEXT = 500
const TOLD_FOR_MS = 7 * 86_400_000

export interface RescueImportOptions { readonly catalogue: Catalogue, readonly audit: AuditSink, readonly fs: VolumeFileSystem, readonly clock: Clock }

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex')

/** Takes what `custos rescue` wrote on the volumes into the audit log, each line once, however many volumes it stands on. A log that shrank or changed is an entry of its own. */
export class RescueImport {
  readonly #options: RescueImportOptions
  readonly #table: ReturnType<typeof rescueTable>
  constructor(options: RescueImportOptions) {
    this.#options = options
    this.#table = rescueTable(options.catalogue.db)
  }

  /** How many rescues were learnt of in the last seven days. */
  recent(): { count: number, newestAt: EpochMs | null } { return this.#table.since(epochMs(this.#options.clock.wallNow() - TOLD_FOR_MS)) }

  /** Idempotent. Throws StorageError when the file is there and cannot be read, and what the audit log throws: then nothing of it was taken. */
  async take(volume: Volume): Promise<void> {
    const bytes = await this.#read(volume)
    const { uuid } = volume.identity
    const before = this.#table.taken(uuid) ?? { bytes: 0, sha256: sha256('') }
    if (bytes.length === 0 && before.bytes === 0) return
    const isAltered = sha256(bytes.subarray(0, before.bytes)) !== before.sha256 || bytes.length < before.bytes
    const from = isAltered ? 0 : before.bytes
    const lines = bytes.subarray(from, bytes.lastIndexOf(0x0a) + 1).toString('utf8').split('\n').slice(0, -1).slice(0, MAX_LINES_AT_ONCE)
    if (lines.length === 0 && !isAltered) return
    const to = from + Buffer.byteLength(lines.map(line => `${line}\n`).join(''))
    const { catalogue, audit } = this.#options
    catalogue.db.transaction(() => {
      if (isAltered) audit.append({ action: 'rescue-log.altered', actor: SYSTEM, object: volume.identity.id, application: null, result: 'done', detail: { bytesBefore: before.bytes, bytesNow: bytes.length } })
      for (const line of lines) this.#enter(volume, line)
      this.#table.setTaken(uuid, to, sha256(bytes.subarray(0, to)))
    }).immediate()
  }

  async #read(volume: Volume): Promise<Buffer> {
    try { return Buffer.from(await this.#options.fs.readText(path.join(volume.path, RESCUE_LOG), MAX_FILE_BYTES, 'rescue look')) } catch (error) {
      if (error instanceof StorageError && error.fault === 'missing') return Buffer.alloc(0)
      throw error
    }
  }

  #enter(volume: Volume, line: string): void {
    const hash = sha256(line)
    if (this.#table.knows(hash)) return
    const { audit, clock } = this.#options
    const told = parsed(line)
    const { seq } = told === null
      ? audit.append({ action: 'rescue-log.not-understood', actor: SYSTEM, object: volume.identity.id, application: null, result: 'failed', detail: { line: line.slice(0, MAX_TEXT) } })
      : audit.append({
        action: 'footage.rescued', actor: { kind: 'machine-user', name: told.user, role: null, source: 'custos rescue' }, object: `${told.camera}/${told.stream}`, application: null, result: 'done',
        detail: { at: told.at, from: told.from, to: told.to, reason: told.reason, out: told.out, volume: volume.identity.id },
      })
    this.#table.insert(hash, clock.wallNow(), seq)
  }
}

const FIELDS = ['at', 'user', 'camera', 'stream', 'from', 'to', 'reason', 'out'] as const
function parsed(line: string): Record<(typeof FIELDS)[number], string> | null {
  try {
    const raw = JSON.parse(line) as Record<string, unknown>
    const entries = FIELDS.map(field => {
      const value = raw[field]
      if (typeof value !== 'string') throw new TypeError(field)
      return [field, value.slice(0, MAX_TEXT)] as const
    })
    return Object.fromEntries(entries) as Record<(typeof FIELDS)[number], string>
  } catch { return null } // told as such in the audit log
}
