import { createHash } from 'node:crypto'
import type { CatalogueReader } from './catalogue-reader.ts'

interface Entry {
  seq: number, at: number, trusted_at: number | null, clock: string, actor_kind: string, actor_name: string, actor_role: string | null
  actor_source: string | null, action: string, object: string | null, application: string | null, result: string, detail: string
  prev_hash: Buffer, hash: Buffer
}
/** What the log says of a use of a slot that went. Instants are of trusted time. */
export interface Overwriting {
  /** Volume, slot and generation. */
  readonly object: string
  readonly newestAt: number
  readonly trustedAt: number
  readonly floorNow: string
  readonly cameraUuid: string
  readonly from: string
}
const iso = (at: number | null): string | null => at === null ? null : new Date(at).toISOString()

/**
 * Follows the audit log entry by entry, hashing each again by docs/design/0002, and knows what it says was
 * overwritten.
 */
export class AuditJudge {
  readonly #catalogue: CatalogueReader
  #seq = 0
  #hash: Buffer = Buffer.alloc(32)
  readonly #overwritten = new Set<string>()
  #fresh: Overwriting[] = []
  constructor(catalogue: CatalogueReader) { this.#catalogue = catalogue }

  /** Another log is there, or the same one as it was some time ago. */
  startOver(): void {
    this.#seq = 0
    this.#hash = Buffer.alloc(32)
    this.#overwritten.clear()
    this.#fresh = []
  }

  /** What was told of since it was asked last. */
  takeOverwritings(): Overwriting[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  /** Whether the log tells, by now, that this use of a slot was overwritten. */
  tellsOverwritten(object: string): boolean {
    this.read()
    return this.#overwritten.has(object)
  }

  /** Takes in what is new. What is wrong with it; null when nothing is. */
  read(): string | null {
    for (const entry of this.#catalogue.ask<Entry>('SELECT * FROM audit_entry WHERE seq > ? ORDER BY seq', this.#seq)) {
      const text = sortedJson({
        action: entry.action, application: entry.application, at: iso(entry.at), clock: entry.clock, detail: JSON.parse(entry.detail) as unknown, format: 1,
        actor: { kind: entry.actor_kind, name: entry.actor_name, role: entry.actor_role, source: entry.actor_source },
        object: entry.object, prev: entry.prev_hash.toString('hex'), result: entry.result, seq: entry.seq, trustedAt: iso(entry.trusted_at),
      })
      const hash = createHash('sha256').update(`\0${text}`).digest()
      if (entry.seq !== this.#seq + 1 || !entry.prev_hash.equals(this.#hash) || !entry.hash.equals(hash)) return `the audit chain breaks at entry ${entry.seq}`
      this.#seq = entry.seq
      this.#hash = hash
      if (entry.action === 'slot.overwritten' && entry.object !== null) this.#noteOverwritten(entry.object, entry.detail)
    }
    return null
  }

  #noteOverwritten(object: string, detail: string): void {
    this.#overwritten.add(object)
    const { newest, trusted, floorNow, cameraUuid, from } = JSON.parse(detail) as Record<string, string>
    this.#fresh.push({
      object, newestAt: Date.parse(newest!), trustedAt: Date.parse(trusted!), floorNow: floorNow!, cameraUuid: cameraUuid!, from: from!,
    })
  }
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${sortedJson(each)}`).join(',')}}`
}
