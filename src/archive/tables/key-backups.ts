import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** Another place with the key file; `until` is the first instant without it. */
export interface KeyBackup { readonly place: string, readonly until: EpochMs, readonly toldBy: string, readonly toldAt: EpochMs }

/** Table `archive_key_backup`. */
export function keyBackupTable(db: Db) {
  const add = db.prepare<[string, number, string, number, number]>('INSERT INTO archive_key_backup VALUES (?, ?, ?, ?, ?)')
  const after = db.prepare<[number], { place: string, until: number, told_by: string, told_at: number }>('SELECT * FROM archive_key_backup WHERE until > ? ORDER BY until, told_seq')
  return {
    add: ({ place, until, toldBy, toldAt }: KeyBackup, seq: number): void => { add.run(place, until, toldBy, toldAt, seq) },
    /** Those that still hold it then. */
    at: (now: EpochMs): KeyBackup[] => after.all(now).map(row => ({ place: row.place, until: epochMs(row.until), toldBy: row.told_by, toldAt: epochMs(row.told_at) })),
  }
}
