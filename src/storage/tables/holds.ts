import { cameraId, cameraUuid, epochMs, streamName, type CameraId, type CameraUuid, type EpochMs, type StreamName } from '../../domain/index.ts'
import type { SegmentKey } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { countHolds, type HeldRange } from '../hold-counts.ts'

/** Footage of one camera that stays until a recorded act lets it go [G2]. */
export interface Hold {
  /** 32 hex digits. */
  readonly holdId: string
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  /** Null: every stream of the camera. */
  readonly stream: StreamName | null
  readonly fromAt: EpochMs
  /** Half-open. */
  readonly toAt: EpochMs
  readonly authority: string
  readonly application: string | null
  readonly placedBy: string
  readonly placedAt: EpochMs
}
export interface HoldEnd { readonly endedAt: EpochMs, readonly endedBy: string, readonly endReason: string }
/** `ended`: null while it is in force. */
export interface FoundHold { readonly hold: Hold, readonly ended: HoldEnd | null }
export interface HoldPage {
  readonly holds: readonly FoundHold[]
  /** To ask for what stands behind them; null at the end. */
  readonly next: number | null
}

interface Raw {
  hold_id: string, id: string, camera_uuid: string, stream: string | null, from_at: number, to_at: number, authority: string, application: string | null
  placed_by: string, placed_at: number, ended_at: number | null, ended_by: string | null, end_reason: string | null
}
const toHold = (raw: Raw): Hold => ({
  holdId: raw.hold_id, cameraId: cameraId(raw.id), cameraUuid: cameraUuid(raw.camera_uuid), stream: raw.stream === null ? null : streamName(raw.stream),
  fromAt: epochMs(raw.from_at), toAt: epochMs(raw.to_at), authority: raw.authority, application: raw.application, placedBy: raw.placed_by, placedAt: epochMs(raw.placed_at),
})

interface SealedSpan {
  volume_uuid: string, slot: number, generation: number, stream: string, start_at: number, end_at: number, hold_count: number
}
const toFound = (raw: Raw): FoundHold => ({
  hold: toHold(raw),
  ended: raw.ended_at === null ? null : { endedAt: epochMs(raw.ended_at), endedBy: raw.ended_by!, endReason: raw.end_reason! },
})

/** Table `hold`, and the count of holds that each sealed segment carries. */
export function holdTable(db: Db) {
  const columns = 'hold_id, id, camera_uuid, stream, from_at, to_at, authority, application, placed_by, placed_at, ended_at, ended_by, end_reason'
  const from = `SELECT ${columns} FROM hold JOIN camera ON camera.uuid = hold.camera_uuid`
  const inForce = db.prepare<[], Raw>(`${from} WHERE ended_at IS NULL ORDER BY placed_at, hold_id`)
  const page = db.prepare<[number, number, number], Raw & { place: number }>(`SELECT hold.rowid AS place, ${columns} FROM hold
    JOIN camera ON camera.uuid = hold.camera_uuid WHERE hold.rowid > ? AND (ended_at IS NULL OR ?) ORDER BY hold.rowid LIMIT ?`)
  const byId = db.prepare<[string], Raw>(`${from} WHERE hold_id = ?`)
  const insert = db.prepare<[string, string, string | null, number, number, string, string | null, string, number]>(
    'INSERT INTO hold (hold_id, camera_uuid, stream, from_at, to_at, authority, application, placed_by, placed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const end = db.prepare<[number, string, string, string]>('UPDATE hold SET ended_at = ?, ended_by = ?, end_reason = ? WHERE hold_id = ? AND ended_at IS NULL')
  // Counted anew from the holds in force, never added up: a count that drifted could never be found out.
  const count = `(SELECT count(*) FROM hold WHERE hold.ended_at IS NULL AND hold.camera_uuid = segment.camera_uuid
    AND (hold.stream IS NULL OR hold.stream = segment.stream) AND hold.from_at < segment.end_at AND hold.to_at > segment.start_at)`
  const sealed = db.prepare<[string, number, number], SealedSpan>(`SELECT volume_uuid, slot, generation, stream, start_at, end_at, hold_count
    FROM segment WHERE camera_uuid = ? AND sealed_at IS NOT NULL AND ended_at IS NULL AND start_at < ? AND end_at > ?`)
  const overlapping = db.prepare<[string, number, number], HeldRange>(`SELECT stream, from_at AS fromAt, to_at AS toAt
    FROM hold INDEXED BY hold_in_force WHERE ended_at IS NULL AND camera_uuid = ? AND from_at < ? AND to_at > ?`)
  const setCount = db.prepare<[number, string, number, number]>('UPDATE segment SET hold_count = ? WHERE volume_uuid = ? AND slot = ? AND generation = ?')
  function recount(camera: CameraUuid, fromAt: number, toAt: number): void {
    const spans = sealed.all(camera, toAt, fromAt)
    const startAt = Math.min(...spans.map(span => span.start_at)), endAt = Math.max(...spans.map(span => span.end_at))
    if (spans.length === 0) return
    const countOf = countHolds(overlapping.all(camera, endAt, startAt))
    for (const span of spans) {
      const holds = countOf(span.stream, span.start_at, span.end_at)
      if (holds !== span.hold_count) setCount.run(holds, span.volume_uuid, span.slot, span.generation)
    }
  }
  const recountOne = db.prepare<[string, number, number]>(`UPDATE segment SET hold_count = ${count} WHERE volume_uuid = ? AND slot = ? AND generation = ?`)
  const covered = db.prepare<[string, string | null, string | null, number, number], { slots: number, bytes: number | null, newlyHeld: number | null }>(
    `SELECT count(*) AS slots, sum(volume.slot_size_bytes) AS bytes, sum(hold_count = 0) AS newlyHeld FROM segment JOIN volume ON volume.uuid = segment.volume_uuid
     WHERE camera_uuid = ? AND (? IS NULL OR stream = ?) AND ended_at IS NULL AND start_at < ? AND coalesce(end_at, start_at + 1) > ?`)
  return {
    inForce: (): Hold[] => inForce.all().map(toHold),
    /** So many at most, in the order they were entered. `after`: of the page before, 0 for the first. */
    page({ after, withEnded, most }: { readonly after: number, readonly withEnded: boolean, readonly most: number }): HoldPage {
      const rows = page.all(after, withEnded ? 1 : 0, most)
      return { holds: rows.map(toFound), next: rows.length < most ? null : rows.at(-1)!.place }
    },
    /** Null for an unknown one. */
    find(holdId: string): FoundHold | null {
      const raw = byId.get(holdId)
      return raw === undefined ? null : toFound(raw)
    },
    insert(hold: Hold): void {
      insert.run(hold.holdId, hold.cameraUuid, hold.stream, hold.fromAt, hold.toAt, hold.authority, hold.application, hold.placedBy, hold.placedAt)
      recount(hold.cameraUuid, hold.fromAt, hold.toAt)
    },
    /** False when it was not in force. */
    end(hold: Hold, at: EpochMs, by: string, reason: string): boolean {
      if (end.run(at, by, reason, hold.holdId).changes === 0) return false
      recount(hold.cameraUuid, hold.fromAt, hold.toAt)
      return true
    },
    /** For a segment that was just sealed: holds placed while it was open begin to count. */
    recount(key: SegmentKey): void { recountOne.run(key.volumeUuid, key.slot, key.generation) },
    /** What a hold would keep from reuse now: `newlyHeld` of the slots are in no hold yet. */
    cost(hold: Pick<Hold, 'cameraUuid' | 'stream' | 'fromAt' | 'toAt'>): { slots: number, bytes: number, newlyHeld: number } {
      const row = covered.get(hold.cameraUuid, hold.stream, hold.stream, hold.toAt, hold.fromAt)!
      return { slots: row.slots, bytes: row.bytes ?? 0, newlyHeld: row.newlyHeld ?? 0 }
    },
  }
}
