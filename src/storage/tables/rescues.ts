import { epochMs, type EpochMs, type VolumeUuid } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** Tables `rescue_log` and `rescue_entry`: how much of each volume's rescue log is in the audit log. */
export function rescueTable(db: Db) {
  const taken = db.prepare<[string], { taken_bytes: number, taken_sha256: string }>('SELECT taken_bytes, taken_sha256 FROM rescue_log WHERE volume_uuid = ?')
  const setTaken = db.prepare<[string, number, string]>('INSERT OR REPLACE INTO rescue_log VALUES (?, ?, ?)')
  const knows = db.prepare<[string], { n: number }>('SELECT 1 AS n FROM rescue_entry WHERE line_sha256 = ?')
  const insert = db.prepare<[string, number, number]>('INSERT INTO rescue_entry VALUES (?, ?, ?)')
  const since = db.prepare<[number], { n: number, newest: number | null }>('SELECT count(*) AS n, max(taken_at) AS newest FROM rescue_entry WHERE taken_at >= ?')
  return {
    /** Whole lines, and their hash; null before the first. */
    taken(volume: VolumeUuid): { bytes: number, sha256: string } | null {
      const row = taken.get(volume)
      return row === undefined ? null : { bytes: row.taken_bytes, sha256: row.taken_sha256 }
    },
    setTaken(volume: VolumeUuid, bytes: number, sha256: string): void { setTaken.run(volume, bytes, sha256) },
    knows: (lineSha256: string): boolean => knows.get(lineSha256) !== undefined,
    insert(lineSha256: string, at: EpochMs, auditSeq: number): void { insert.run(lineSha256, at, auditSeq) },
    since(at: EpochMs): { count: number, newestAt: EpochMs | null } {
      const row = since.get(at)!
      return { count: row.n, newestAt: row.newest === null ? null : epochMs(row.newest) }
    },
  }
}
