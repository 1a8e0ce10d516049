import { cameraId, epochMs, type CameraId, type CameraUuid, type EpochMs, type TimeRange } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'

/** Whether footage is still there, without opening any: what a clerk may see before an approval (R31). */
export interface FootageFinder {
  /** Null for a camera nobody ever recorded. A camera that left the configuration is still known. */
  camera(uuid: CameraUuid): { readonly id: CameraId, readonly uuid: CameraUuid } | null
  /** The parts of `[startAt, endAt)` that stand on a volume, in any stream: in order, none touching the next. To the segment; pauses inside one are not seen. */
  found(camera: CameraUuid, range: TimeRange): readonly TimeRange[]
}

export function footageFinder(db: Db): FootageFinder {
  const camera = db.prepare<[string], { id: string }>('SELECT id FROM camera WHERE uuid = ?')
  const segments = db.prepare<[string, number, number], { start_at: number, end_at: number | null }>(
    'SELECT start_at, end_at FROM segment WHERE camera_uuid = ? AND ended_at IS NULL AND start_at < ? AND (end_at IS NULL OR end_at > ?) ORDER BY start_at')
  return {
    camera(uuid) { const row = camera.get(uuid); return row === undefined ? null : { id: cameraId(row.id), uuid } },
    found(uuid, { startAt, endAt }) {
      const parts: { startAt: EpochMs, endAt: EpochMs }[] = []
      for (const row of segments.all(uuid, endAt, startAt)) {
        const part = { startAt: epochMs(Math.max(startAt, row.start_at)), endAt: epochMs(Math.min(endAt, row.end_at ?? endAt)) }
        const last = parts.at(-1)
        if (last !== undefined && part.startAt <= last.endAt) last.endAt = epochMs(Math.max(last.endAt, part.endAt))
        else parts.push(part)
      }
      return parts
    },
  }
}
