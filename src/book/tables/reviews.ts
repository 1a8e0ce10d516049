import type { TimeRange } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

export interface PackRow { pack_id: number, month: string, content: string, sha256: string, made_at: number, made_by: string, signed_by: string | null, signed_at: number | null, remark: string | null }
export interface UseRow { line: number, at: number, act: 'view' | 'copy', account: string, application: string }

/** Partial index `audit_entry_by_time`: its condition stands in each question word for word. */
export const ACTS_ONLY = "action NOT IN ('segment.sealed', 'slot.overwritten')"

/** Table `review_pack`, and what a pack is made of. Ranges are half-open. */
export function reviewTables(db: Db) {
  const add = db.prepare<(string | number)[]>("INSERT INTO review_pack (month, content, sha256, made_at, made_by) VALUES (?, ?, ?, ?, 'custos')")
  const get = db.prepare<[number], PackRow>('SELECT * FROM review_pack WHERE pack_id = ?')
  const of = db.prepare<[string], PackRow>('SELECT * FROM review_pack WHERE month = ? ORDER BY pack_id DESC')
  const sign = db.prepare<(string | number)[]>('UPDATE review_pack SET signed_by = ?, signed_at = ?, remark = ? WHERE pack_id = ?')
  const firstUse = db.prepare<[], number | null>('SELECT min(used_at) FROM book_line').pluck()
  const uses = db.prepare<[number, number], UseRow>('SELECT line, used_at AS at, act, account, application FROM book_line WHERE used_at >= ? AND used_at < ? AND corrects IS NULL ORDER BY used_at, line')
  const runs = db.prepare<[number, number], { at: number, orphans: string }>('SELECT at, orphans FROM book_reconciliation WHERE at >= ? AND at < ? ORDER BY at')
  const failed = db.prepare<[number, number], { account: string, source: string, count: number }>(
    `SELECT coalesce(object, '(unknown)') AS account, coalesce(actor_source, '') AS source, count(*) AS count FROM audit_entry WHERE ${ACTS_ONLY} AND at >= ? AND at < ? AND action = 'session.began' AND result = 'refused' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`)
  const locks = db.prepare<[number, number], number>(`SELECT count(*) FROM audit_entry WHERE ${ACTS_ONLY} AND at >= ? AND at < ? AND action = 'account.locked'`).pluck()
  const unsigned = db.prepare<[number, number], { line: number, at: number, box: string }>('SELECT line, used_at AS at, box FROM book_waiting WHERE used_at < ? ORDER BY used_at, line LIMIT ?')
  const unsignedCount = db.prepare<[number], number>('SELECT count(*) FROM book_waiting WHERE used_at < ?').pluck()
  const corrections = db.prepare<[number, number, number], { line: number, corrects: number, at: number, by: string, reason: string }>(
    'SELECT line, corrects, entered_at AS at, corrected_by AS "by", reason FROM book_line WHERE corrects IS NOT NULL AND entered_at >= ? AND entered_at < ? ORDER BY corrects LIMIT ?')
  return {
    add: (month: string, content: string, sha256: string, atMs: number): number => Number(add.run(month, content, sha256, atMs).lastInsertRowid),
    get: (packId: number): PackRow | undefined => get.get(packId),
    of: (month: string): PackRow[] => of.all(month),
    sign(packId: number, by: string, atMs: number, remark: string): void { sign.run(by, atMs, remark, packId) },
    firstUseAt: (): number | null => firstUse.get() ?? null,
    uses: ({ startAt, endAt }: TimeRange): UseRow[] => uses.all(startAt, endAt),
    reconciliations: ({ startAt, endAt }: TimeRange) => runs.all(startAt, endAt),
    failedSignIns({ startAt, endAt }: TimeRange, most: number) {
      const by = failed.all(startAt, endAt)
      return { count: by.reduce((sum, row) => sum + row.count, 0), locks: locks.get(startAt, endAt) ?? 0, by: by.slice(0, most) }
    },
    unsigned: (before: number, most: number) => ({ count: unsignedCount.get(before) ?? 0, oldest: unsigned.all(before, most) }),
    corrections: ({ startAt, endAt }: TimeRange, most: number) => corrections.all(startAt, endAt, most),
  }
}
