import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { DestructionBox, DestructionRecord, DestructionSignature, ItemNo } from '../item.ts'

interface RecordRow { item_no: string, content: string, sha256: string, destroyed_at: number, audit_seq: number }
interface SignatureRow { box: DestructionBox, account: string, name: string, role: string, at: number, sha256: string }

export type DestructionContent = Omit<DestructionRecord, 'sha256' | 'auditSeq' | 'signatures'>

/** Tables `archive_destruction`, `archive_signature`. */
export function destructionTables(db: Db) {
  const add = db.prepare<[string, string, string, number, number]>('INSERT INTO archive_destruction VALUES (?, ?, ?, ?, ?)')
  const one = db.prepare<[string], RecordRow>('SELECT * FROM archive_destruction WHERE item_no = ?')
  const all = db.prepare<[], RecordRow>('SELECT * FROM archive_destruction ORDER BY destroyed_at, item_no')
  const sign = db.prepare<[string, string, string, string, string, number, string, number]>('INSERT INTO archive_signature VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const signatures = db.prepare<[string], SignatureRow>('SELECT box, account, name, role, at, sha256 FROM archive_signature WHERE item_no = ? ORDER BY box')
  const unsigned = db.prepare<[], { n: number, since: number | null }>("SELECT count(*) AS n, min(destroyed_at) AS since FROM archive_destruction WHERE NOT EXISTS (SELECT 1 FROM archive_signature AS s WHERE s.item_no = archive_destruction.item_no AND s.box = 'head')")
  const signaturesOf = (no: string): DestructionSignature[] => signatures.all(no).map(({ at, ...row }) => ({ ...row, at: epochMs(at) }))
  const recordOf = (row: RecordRow): DestructionRecord => ({ ...JSON.parse(row.content) as DestructionContent, sha256: row.sha256, auditSeq: row.audit_seq, signatures: signaturesOf(row.item_no) })
  return {
    add: (no: ItemNo, content: string, sha256: string, at: EpochMs, auditSeq: number): void => { add.run(no, content, sha256, at, auditSeq) },
    get(no: ItemNo): DestructionRecord | null { const row = one.get(no); return row === undefined ? null : recordOf(row) },
    all: (): DestructionRecord[] => all.all().map(recordOf),
    sign: (no: ItemNo, { box, account, name, role, at, sha256 }: DestructionSignature, auditSeq: number): void => { sign.run(no, box, account, name, role, at, sha256, auditSeq) },
    unsigned: (): { readonly count: number, readonly since: EpochMs | null } => { const row = unsigned.get(); return { count: row?.n ?? 0, since: row?.since == null ? null : epochMs(row.since) } },
  }
}
