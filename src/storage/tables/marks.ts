import type { EpochMs, VolumeUuid } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

const MAX_STARTS = 10_000 // a service that fails every five seconds would write millions in a year; a volume's own mark is kept whatever its age

/** Tables `catalogue_start` and `volume_mark`: the starts this catalogue remembers, and which of them each volume names. */
export function markTable(db: Db) {
  const insert = db.prepare<[string, number]>('INSERT INTO catalogue_start (start_id, started_at) VALUES (?, ?)')
  const prune = db.prepare<[number]>('DELETE FROM catalogue_start WHERE start_no <= (SELECT max(start_no) FROM catalogue_start) - ? AND start_no NOT IN (SELECT start_no FROM volume_mark)')
  const numberOf = db.prepare<[string], { start_no: number }>('SELECT start_no FROM catalogue_start WHERE start_id = ?')
  const markOf = db.prepare<[string], { start_no: number }>('SELECT start_no FROM volume_mark WHERE volume_uuid = ?')
  const setMark = db.prepare<[string, number]>('INSERT INTO volume_mark VALUES (?, ?) ON CONFLICT DO UPDATE SET start_no = excluded.start_no')
  return {
    /** One transaction. `startId` is 32 hex digits. */
    begin: db.transaction((startId: string, now: EpochMs): void => {
      insert.run(startId, now)
      prune.run(MAX_STARTS)
    }),
    /** Null for a start that is not of this catalogue's past. */
    numberOf: (startId: string): number | null => numberOf.get(startId)?.start_no ?? null,
    /** The start that a volume was last marked with; null when it never was. */
    markOf: (volume: VolumeUuid): number | null => markOf.get(volume)?.start_no ?? null,
    setMark(volume: VolumeUuid, startNo: number): void { setMark.run(volume, startNo) },
    /** Remembers a start of somebody else's, because a rebuild has taken in what it recorded. Returns its number. */
    adopt(startId: string, now: EpochMs): number {
      const known = numberOf.get(startId)
      return known?.start_no ?? Number(insert.run(startId, now).lastInsertRowid)
    },
  }
}
