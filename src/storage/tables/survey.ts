import { cameraId, cameraUuid, epochMs, slotNumber, volumeUuid, type CameraId, type CameraUuid, type EpochMs, type PastAdvance, type SlotNumber, type VolumeUuid } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { keepUntilByQuarter, parseFloorRule } from '../../retention/index.ts'
import type { StampMove } from '../rebuild-time.ts'
import type { SlotSurvey, SurveyedFootage } from '../slot-survey.ts'
import type { VolumeIdentity } from '../volume.ts'
import { defineKeepUntil } from './keep-until-function.ts'

/** Why a slot stays out of use whose index does not hold. */
export const INDEX_LOST = 'it was sealed, and its index does not hold'
/** Why a slot stays out of use that the catalogue sealed. */
export const UNSEALED = 'it is as it was before it was sealed'

/**
 * A calendar floor says on which day a slot's newest frame was recorded, and one of a doubtful hour is kept a
 * day longer: its stamp is at most so much later than the frame.
 */
const STAMP_AHEAD_MS = 2 * 86_400_000

/** A camera as the volumes know it, or the catalogue, or both. */
export interface CameraTrace {
  readonly uuid: CameraUuid
  readonly id: CameraId
  /**
   * Of its footage on the volumes that were read, and by the catalogue on the others; null when there is
   * none.
   */
  readonly firstAt: EpochMs | null
  readonly newestAt: EpochMs | null
  /** Highest number of a run that had a frame; 0 for none. */
  readonly newestRun: number
  /** Null when the catalogue does not know it. */
  readonly known: { readonly firstRecordedAt: EpochMs, readonly retiredAt: EpochMs | null } | null
}

/**
 * What a rebuild read off the volumes, in temporary tables of this connection: a million slots need not fit
 * into memory, and nothing of it is
 * in the catalogue before the one transaction that takes it over. Dropped by `drop`.
 */
export function surveyTables(db: Db) {
  drop(db)
  db.exec(`
    CREATE TEMP TABLE survey_volume (uuid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    -- footage that the catalogue did not know, or not all of it; at first all, with what it knew of it
    CREATE TEMP TABLE survey_new (volume_uuid TEXT, slot INTEGER, known_records INTEGER NOT NULL,
      PRIMARY KEY (volume_uuid, slot)) STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE survey_slot (
      volume_uuid TEXT NOT NULL, slot INTEGER NOT NULL, kind TEXT NOT NULL, why TEXT, generation INTEGER, camera_uuid TEXT, camera_id TEXT, stream TEXT, start_at INTEGER, floor_rule TEXT,
      is_sealed INTEGER, end_at INTEGER, newest_at INTEGER, keep_until INTEGER, records INTEGER, used_bytes INTEGER, merkle_root TEXT,
      stamp_at INTEGER,
      PRIMARY KEY (volume_uuid, slot)
    ) STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE survey_span (
      volume_uuid TEXT NOT NULL, slot INTEGER NOT NULL, camera_uuid TEXT NOT NULL, stream TEXT NOT NULL, run_id INTEGER NOT NULL,
      codec TEXT NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, start_at INTEGER NOT NULL, end_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX temp.survey_span_of_slot ON survey_span (volume_uuid, slot);
    CREATE INDEX temp.survey_span_of_stream ON survey_span (camera_uuid, stream, start_at);
    CREATE INDEX temp.survey_slot_of_stream ON survey_slot (camera_uuid, stream, start_at)`)
  const insertVolume = db.prepare<[string]>('INSERT INTO survey_volume VALUES (?)')
  const insertSlot = db.prepare<(string | number | null)[]>('INSERT OR REPLACE INTO survey_slot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const dropSpans = db.prepare<[string, number]>('DELETE FROM survey_span WHERE volume_uuid = ? AND slot = ?')
  const insertSpan = db.prepare<(string | number)[]>('INSERT INTO survey_span VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const ofUnread = `sealed_at IS NOT NULL AND ended_at IS NULL
    AND volume_uuid NOT IN (SELECT uuid FROM survey_volume)`
  const advance = db.prepare<[number, string, number, number]>(`UPDATE survey_slot SET stamp_at = stamp_at + ?
    WHERE volume_uuid = ? AND stamp_at >= ? AND stamp_at <= ?`)
  const shift = db.prepare<[number, number | null, string]>(`UPDATE survey_slot
    SET newest_at = iif(is_sealed = 1, stamp_at + ?, max(newest_at, coalesce(?, newest_at)))
    WHERE volume_uuid = ? AND newest_at IS NOT NULL`)
  // A slot that failed while it was written: the fragment that did not get onto the medium stands at the
  // start of another one, and may stand in both.
  const overtaken = db.prepare<[], { volume_uuid: string, slot: number, next_start: number }>(`
    SELECT a.volume_uuid, a.slot, min(b.start_at) AS next_start FROM survey_slot AS a
    JOIN survey_slot AS b ON b.camera_uuid = a.camera_uuid AND b.stream = a.stream AND b.kind = 'footage' AND b.start_at >= a.start_at AND b.start_at < a.end_at
      AND (b.start_at, b.end_at, b.volume_uuid, b.slot) > (a.start_at, a.end_at, a.volume_uuid, a.slot)
    WHERE a.kind = 'footage' AND a.is_sealed = 0 AND EXISTS (SELECT 1 FROM survey_span AS of_a JOIN survey_span AS of_b ON of_b.run_id = of_a.run_id
      WHERE of_a.volume_uuid = a.volume_uuid AND of_a.slot = a.slot AND of_b.volume_uuid = b.volume_uuid AND of_b.slot = b.slot AND of_b.start_at = b.start_at)
    GROUP BY a.volume_uuid, a.slot`)
  const cameras = db.prepare<[], { uuid: string, id: string, first_at: number | null, newest_at: number | null, newest_run: number, first_recorded_at: number | null, retired_at: number | null, is_known: number }>(`
    WITH found AS (SELECT camera_uuid AS uuid, min(start_at) AS first_at, max(end_at) AS newest_at FROM (
      SELECT camera_uuid, start_at, end_at FROM survey_slot WHERE kind IN ('footage', 'failed')
      UNION ALL SELECT camera_uuid, start_at, coalesce(end_at, start_at) FROM segment WHERE NOT EXISTS (SELECT 1 FROM survey_volume WHERE uuid = volume_uuid)) GROUP BY camera_uuid)
    SELECT uuid, coalesce(camera.id, (SELECT camera_id FROM survey_slot WHERE camera_uuid = uuid ORDER BY start_at DESC LIMIT 1)) AS id,
      first_at, newest_at, max(coalesce((SELECT max(run_id) FROM survey_span WHERE camera_uuid = uuid), 0),
        coalesce((SELECT max(run_id) FROM run WHERE run.camera_uuid = uuid AND run.end_at > run.start_at), 0)) AS newest_run,
      first_recorded_at, retired_at, camera.uuid IS NOT NULL AS is_known
    FROM found FULL JOIN camera USING (uuid) ORDER BY newest_at, uuid`)
  const instant = (at: number | null): EpochMs | null => at === null ? null : epochMs(at)
  return {
    addVolume(identity: VolumeIdentity): void { insertVolume.run(identity.uuid) },
    add: db.transaction((volume: VolumeUuid, surveys: readonly SlotSurvey[]) => {
      for (const survey of surveys) {
        if (survey.kind === 'footage') addFootage(volume, survey, survey.isIndexLost ? 'failed' : 'footage', survey.isIndexLost ? INDEX_LOST : null)
        else insertSlot.run(volume, survey.slot, survey.kind, survey.kind === 'damaged' ? survey.why : null, survey.kind === 'damaged' ? survey.generation : null, ...Array.from({ length: 13 }, () => null))
      }
    }),
    /**
     * Unsealed slots that hold a fragment which their stream also wrote to another one; `nextStart` is
     * where that one begins.
     */
    overtaken: (): { volumeUuid: VolumeUuid, slot: SlotNumber, nextStart: EpochMs }[] =>
      overtaken.all().map(row => ({ volumeUuid: volumeUuid(row.volume_uuid), slot: slotNumber(row.slot), nextStart: epochMs(row.next_start) })),
    /** Such a slot, cut back to what only it holds. */
    addFailed(volume: VolumeUuid, survey: SurveyedFootage, why: string): void {
      dropSpans.run(volume, survey.slot)
      addFootage(volume, survey, 'failed', why)
    },
    /**
     * Footage of the volume ages by the trusted time that its slots were stamped with, whatever the clock
     * of its frames showed; what was not stamped yet is as new as it can be.
     */
    move(volume: VolumeUuid, { advances, shiftMs, latestMs }: StampMove): void {
      defineKeepUntil(db, keepUntilByQuarter(parseFloorRule))
      for (const { sinceMs, atMs, byMs } of advances) {
        advance.run(byMs, volume, Math.floor(sinceMs), Math.ceil(atMs) + STAMP_AHEAD_MS)
      }
      shift.run(Math.ceil(shiftMs), latestMs === null ? null : Math.ceil(latestMs), volume)
      db.prepare<[string]>(`UPDATE survey_slot SET keep_until = custos_keep_until(floor_rule, newest_at)
        WHERE volume_uuid = ? AND newest_at IS NOT NULL`).run(volume)
    },
    /** What the catalogue knows of volumes that were not read. */
    moveUnread(advances: readonly PastAdvance[]): void {
      defineKeepUntil(db, keepUntilByQuarter(parseFloorRule))
      for (const { sinceMs, atMs, byMs } of advances) {
        db.prepare<[number, number, number]>(`UPDATE segment SET newest_at = newest_at + ?
          WHERE ${ofUnread} AND newest_at >= ? AND newest_at <= ?`)
          .run(Math.ceil(byMs), Math.floor(sinceMs), Math.ceil(atMs) + STAMP_AHEAD_MS)
      }
      if (advances.length === 0) return
      db.prepare(`UPDATE segment SET keep_until = max(keep_until, custos_keep_until(floor_rule, newest_at))
        WHERE ${ofUnread}`).run()
    },
    cameras: (): CameraTrace[] => cameras.all().map(row => ({
      uuid: cameraUuid(row.uuid), id: cameraId(row.id), firstAt: instant(row.first_at), newestAt: instant(row.newest_at),
      newestRun: row.newest_run,
      known: row.is_known === 0 ? null : { firstRecordedAt: epochMs(row.first_recorded_at!), retiredAt: instant(row.retired_at) },
    })),
    drop(): void { drop(db) },
  }

  function addFootage(volume: VolumeUuid, { slot, header, video, facts, isSealed, spans }: SurveyedFootage, kind: 'footage' | 'failed', why: string | null): void {
    insertSlot.run(volume, slot, kind, why, header.generation, header.cameraUuid, header.cameraId, header.stream, header.startAt, header.floorRule,
      isSealed ? 1 : 0, facts.endAt, facts.trustedEndAt, facts.keepUntil, facts.records, facts.usedBytes, facts.merkleRoot.toString('hex'), facts.stampAt)
    for (const span of spans) insertSpan.run(volume, slot, header.cameraUuid, header.stream, span.runId, video.codec, video.widthPx, video.heightPx, span.startAt, span.endAt)
  }
}

function drop(db: Db): void {
  for (const name of ['survey_volume', 'survey_slot', 'survey_span', 'survey_new']) db.exec(`DROP TABLE IF EXISTS temp.${name}`)
}
