import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** Table `unknown_hold`: what the recorder holds for an application, and no case of this office wanted. */
export function unknownHoldTable(db: Db) {
  const insert = db.prepare<[string, string, number]>(
    'INSERT OR IGNORE INTO unknown_hold (hold_id, application, noticed_at) VALUES (?, ?, ?)')
  const back = db.prepare<[string]>('UPDATE unknown_hold SET gone_at = NULL WHERE hold_id = ? AND gone_at IS NOT NULL')
  const gone = db.prepare<[number, string]>('UPDATE unknown_hold SET gone_at = ? WHERE hold_id = ? AND gone_at IS NULL')
  const standing = db.prepare<[], string>('SELECT hold_id FROM unknown_hold WHERE gone_at IS NULL').pluck()
  const counted = db.prepare<[], { count: number, since: number | null }>(
    'SELECT count(*) AS count, min(noticed_at) AS since FROM unknown_hold WHERE gone_at IS NULL')
  return {
    /** True when it was never noticed before. */
    notice(holdId: string, application: string, at: EpochMs): boolean {
      if (insert.run(holdId, application, at).changes === 1) return true
      back.run(holdId)
      return false
    },
    isGone(holdId: string, at: EpochMs): void { gone.run(at, holdId) },
    standing: (): string[] => standing.all(),
    counted(): { readonly count: number, readonly since: EpochMs | null } {
      const { count, since } = counted.get()!
      return { count, since: since === null ? null : epochMs(since) }
    },
  }
}
