import { cameraId, epochMs, streamName, type CameraId, type EpochMs, type RecordingMode, type StreamKey, type StreamName } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'

export interface Step extends StreamKey {
  readonly mode: Exclude<RecordingMode, 'full'>
  readonly reason: string
  readonly startedAt: EpochMs
  /** What the stream took when it was last recorded in full; null when that was never measured. */
  readonly fullBps: number | null
}

interface Raw { id: string, stream: string, mode: string, reason: string, started_at: number, full_bps: number | null }

/** Table `sacrifice_step`. Writes belong into the transaction of the audit entry. */
export function stepTable(db: Db) {
  const inForce = db.prepare<[], Raw>(`SELECT id, stream, mode, reason, started_at, full_bps FROM sacrifice_step JOIN camera ON camera.uuid = sacrifice_step.camera_uuid
    WHERE ended_at IS NULL AND retired_at IS NULL ORDER BY id, stream`)
  const begin = db.prepare<[string, string, string, number, number | null, string]>(`INSERT INTO sacrifice_step (camera_uuid, stream, mode, reason, started_at, full_bps)
    SELECT uuid, ?, ?, ?, ?, ? FROM camera WHERE id = ? AND retired_at IS NULL`)
  const end = db.prepare<[number, string, string, string]>(`UPDATE sacrifice_step SET ended_at = max(started_at, ?), end_reason = ? WHERE ended_at IS NULL AND stream = ?
    AND camera_uuid = (SELECT uuid FROM camera WHERE id = ? AND retired_at IS NULL)`)
  const endRetired = db.prepare<[number]>(`UPDATE sacrifice_step SET ended_at = max(started_at, ?), end_reason = 'removed-from-config' WHERE ended_at IS NULL
    AND camera_uuid IN (SELECT uuid FROM camera WHERE retired_at IS NOT NULL)`)
  return {
    inForce: (): Step[] => inForce.all().map(raw => ({
      cameraId: cameraId(raw.id), stream: streamName(raw.stream), mode: raw.mode as Step['mode'], reason: raw.reason, startedAt: epochMs(raw.started_at), fullBps: raw.full_bps,
    })),
    begin({ cameraId: id, stream, mode, reason, startedAt, fullBps }: Step): void {
      if (begin.run(stream, mode, reason, startedAt, fullBps === null ? null : Math.round(fullBps), id).changes !== 1) throw new TypeError(`camera ${id} was never recorded`)
    },
    end(id: CameraId, stream: StreamName, at: EpochMs, reason: string): void { end.run(at, reason, stream, id) },
    /** Steps of cameras that left the configuration. How many. */
    endRetired: (at: EpochMs): number => endRetired.run(at).changes,
  }
}
