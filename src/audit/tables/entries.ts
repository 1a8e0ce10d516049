import { epochMs, type AuditActor, type AuditEvent } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { ZERO_HASH, type AuditEntry } from '../entry.ts'

interface Row {
  seq: number, at: number, trusted_at: number | null, clock: string
  actor_kind: AuditActor['kind'], actor_name: string, actor_role: string | null, actor_source: string | null
  action: string, object: string | null, application: string | null, result: AuditEvent['result'], detail: string
  prev_hash: Buffer, hash: Buffer
}

export interface Tail { readonly seq: number, readonly hash: Buffer }
const NOTHING: Tail = { seq: 0, hash: ZERO_HASH }

/** Throws RangeError on an instant that no entry can hold: somebody else wrote this row. */
const entryOf = (row: Row): AuditEntry => ({
  seq: row.seq, at: epochMs(row.at), trustedAt: row.trusted_at === null ? null : epochMs(row.trusted_at), clock: row.clock,
  actor: { kind: row.actor_kind, name: row.actor_name, role: row.actor_role, source: row.actor_source },
  action: row.action, object: row.object, application: row.application, result: row.result, detail: row.detail, prevHash: row.prev_hash, hash: row.hash,
})

export function entryTable(db: Db) {
  const insert = db.prepare<(string | number | null | Buffer)[]>('INSERT INTO audit_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const tail = db.prepare<[], Tail>('SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1')
  const one = db.prepare<[number], Row>('SELECT * FROM audit_entry WHERE seq = ?')
  const page = db.prepare<[number, number], Row>('SELECT * FROM audit_entry WHERE seq > ? ORDER BY seq LIMIT ?')
  const ofApplication = db.prepare<[string, number], Row>('SELECT * FROM audit_entry WHERE application = ? ORDER BY seq LIMIT ?')
  const lastOfAction = db.prepare<[string], Row>('SELECT * FROM audit_entry WHERE action = ? ORDER BY seq DESC LIMIT 1')
  const hashes = db.prepare<[number, number], Buffer>('SELECT hash FROM audit_entry WHERE seq BETWEEN ? AND ? ORDER BY seq').pluck()
  return {
    insert({ seq, at, trustedAt, clock, actor, action, object, application, result, detail, prevHash, hash }: AuditEntry): void {
      insert.run(seq, at, trustedAt, clock, actor.kind, actor.name, actor.role, actor.source, action, object, application, result, detail, prevHash, hash)
    },
    /** Of the log as this transaction sees it. */
    tail: (): Tail => tail.get() ?? NOTHING,
    get(seq: number): AuditEntry | null {
      const row = one.get(seq)
      return row === undefined ? null : entryOf(row)
    },
    /** The next entries after `seq`, in order. */
    after: (seq: number, limit: number): AuditEntry[] => page.all(seq, limit).map(entryOf),
    /** Of one case, in order. */
    ofApplication: (application: string, limit: number): AuditEntry[] => ofApplication.all(application, limit).map(entryOf),
    /** Reads the whole table. */
    lastOfAction(action: string): AuditEntry | null {
      const row = lastOfAction.get(action)
      return row === undefined ? null : entryOf(row)
    },
    /** Of entries `from` to `to`, both included; fewer when some are missing. */
    hashes: (from: number, to: number): Buffer[] => hashes.all(from, to),
  }
}
