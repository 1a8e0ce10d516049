import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { WholeHead } from '../checkpoint.ts'

/** `asked`: a head of this very log that was sent to be signed; the others are of another log. */
export type HeadHow = 'signed' | 'told' | 'accepted' | 'asked'

/** A head that was written down. */
export interface KnownHead extends WholeHead {
  readonly id: number
  readonly at: EpochMs
  readonly how: HeadHow
  /** The entry that tells of it: of the first one of an origin, and of each accepted one. */
  readonly auditSeq: number | null
}

/** The newest head that did not fit, since when none fits, and the entry that tells of the first. */
export interface RefusedHead extends WholeHead { readonly since: EpochMs, readonly auditSeq: number }

interface HeadRow { origin: string, size: number, root: Buffer, last_hash: Buffer }
interface Row extends HeadRow { head_id: number, at: number, how: HeadHow, audit_seq: number | null }
interface RefusedRow extends HeadRow { since: number, audit_seq: number }

const headIn = ({ origin, size, root, last_hash: lastHash }: HeadRow): WholeHead => ({ origin, size, root, lastHash })
const knownOf = (row: Row): KnownHead =>
  ({ ...headIn(row), id: row.head_id, at: epochMs(row.at), how: row.how, auditSeq: row.audit_seq })

/** Heads of other logs, and those of this log that were sent to be signed. */
export function headTable(db: Db) {
  const insert = db.prepare<(string | number | null | Buffer)[]>(`INSERT INTO audit_head
    (origin, size, root, last_hash, at, how, audit_seq) VALUES (?, ?, ?, ?, ?, ?, ?)`)
  const newest = db.prepare<[], Row>("SELECT * FROM audit_head WHERE how <> 'asked' ORDER BY head_id DESC LIMIT 1")
  const others = db.prepare<[], Row>("SELECT * FROM audit_head WHERE how <> 'asked' ORDER BY head_id")
  const asked = db.prepare<[], Row>("SELECT * FROM audit_head WHERE how = 'asked' ORDER BY head_id")
  const refused = db.prepare<[], RefusedRow>('SELECT * FROM audit_head_refused')
  const refuse = db.prepare<(string | number | Buffer)[]>(`INSERT INTO audit_head_refused
    VALUES (1, ?, ?, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET
    origin = excluded.origin, size = excluded.size, root = excluded.root, last_hash = excluded.last_hash`)
  const clear = db.prepare('DELETE FROM audit_head_refused')
  return {
    insert({ origin, size, root, lastHash }: WholeHead, { at, how, auditSeq = null }: {
      readonly at: EpochMs, readonly how: HeadHow, readonly auditSeq?: number | null,
    }): void { insert.run(origin, size, root, lastHash, at, how, auditSeq) },
    /** Of another log; null while none is known. */
    newest(): KnownHead | null {
      const row = newest.get()
      return row === undefined ? null : knownOf(row)
    },
    /** Of other logs, oldest first. */
    others: (): KnownHead[] => others.all().map(knownOf),
    /** Of this log, oldest first. */
    asked: (): KnownHead[] => asked.all().map(knownOf),
    refused(): RefusedHead | null {
      const row = refused.get()
      return row === undefined ? null : { ...headIn(row), since: epochMs(row.since), auditSeq: row.audit_seq }
    },
    /** Keeps since when, and which entry tells of it, where one is refused already. */
    refuse({ origin, size, root, lastHash }: WholeHead, { since, auditSeq }: {
      readonly since: EpochMs, readonly auditSeq: number,
    }): void { refuse.run(origin, size, root, lastHash, since, auditSeq) },
    clearRefused(): void { clear.run() },
  }
}
