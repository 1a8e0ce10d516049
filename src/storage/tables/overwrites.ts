import { cameraId, cameraUuid, epochMs, streamName, type CameraId, type CameraUuid, type EpochMs, type StreamName } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** A slot generation that was overwritten, and why it was free to go. */
export interface ErasedSegment {
  readonly volume: string
  readonly slot: number
  readonly generation: number
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly stream: StreamName
  readonly startAt: EpochMs
  readonly endAt: EpochMs
  /** What the floor counted from. */
  readonly newestAt: EpochMs
  /** The floor in force while it was recorded, and when it was overwritten. */
  readonly floorThen: string
  readonly floorNow: string
  /** By the larger of the two. */
  readonly keptUntil: EpochMs
  readonly freedAt: EpochMs
  readonly merkleRoot: string
  readonly usedBytes: number
  readonly auditSeq: number | null
}

/** One line of the 循環覆蓋紀錄 (R25). */
export interface OverwriteRecord {
  /** Local, `2026-11-22`. */
  readonly day: string
  readonly cameraId: CameraId
  readonly cameraUuid: CameraUuid
  readonly segments: number
  readonly fromAt: EpochMs
  readonly toAt: EpochMs
  readonly bytes: number
  /** Over the segments' roots, in the order they were overwritten. */
  readonly merkleRoot: string
  readonly oldestLeftAt: EpochMs | null
  readonly writtenAt: EpochMs
  readonly auditSeq: number
}

interface RawErased {
  volume: string, slot: number, generation: number, id: string, camera_uuid: string, stream: string, start_at: number, end_at: number, newest_at: number, floor_rule: string
  freed_floor_rule: string, freed_kept_until: number, freed_trusted_at: number, merkle_root: string, used_bytes: number, freed_audit_seq: number | null
}
interface RawRecord {
  day: string, id: string, camera_uuid: string, segments: number, from_at: number, to_at: number, bytes: number, merkle_root: string, oldest_left_at: number | null, written_at: number, audit_seq: number
}

/** What was overwritten, segment by segment, and table `overwrite_record`. */
export function overwriteTable(db: Db) {
  const erased = db.prepare<[number, number], RawErased>(
    `SELECT volume.id AS volume, slot, generation, camera.id AS id, camera_uuid, stream, start_at, end_at, newest_at, floor_rule, freed_floor_rule, freed_kept_until, freed_trusted_at,
       merkle_root, used_bytes, freed_audit_seq
     FROM segment JOIN camera ON camera.uuid = camera_uuid JOIN volume ON volume.uuid = volume_uuid
     WHERE freed_trusted_at >= ? AND freed_trusted_at < ? ORDER BY freed_trusted_at, segment_id`)
  const firstFreed = db.prepare<[number], { at: number | null }>('SELECT min(freed_trusted_at) AS at FROM segment WHERE freed_trusted_at >= ?')
  const lastDay = db.prepare<[], { day: string | null }>('SELECT max(day) AS day FROM overwrite_record')
  const oldestLeft = db.prepare<[string], { at: number | null }>('SELECT min(start_at) AS at FROM segment WHERE camera_uuid = ? AND ended_at IS NULL')
  const records = db.prepare<[string], RawRecord>('SELECT overwrite_record.*, camera.id AS id FROM overwrite_record JOIN camera ON camera.uuid = camera_uuid WHERE day = ? ORDER BY camera.id')
  const insert = db.prepare<(string | number | null)[]>(
    'INSERT INTO overwrite_record (day, camera_uuid, segments, from_at, to_at, bytes, merkle_root, oldest_left_at, written_at, audit_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  return {
    /** By trusted time, in the order of overwriting. */
    erasedBetween: (from: EpochMs, to: EpochMs): ErasedSegment[] => erased.all(from, to).map(raw => ({
      volume: raw.volume, slot: raw.slot, generation: raw.generation, cameraId: cameraId(raw.id), cameraUuid: cameraUuid(raw.camera_uuid), stream: streamName(raw.stream),
      startAt: epochMs(raw.start_at), endAt: epochMs(raw.end_at), newestAt: epochMs(raw.newest_at), floorThen: raw.floor_rule, floorNow: raw.freed_floor_rule,
      keptUntil: epochMs(raw.freed_kept_until), freedAt: epochMs(raw.freed_trusted_at), merkleRoot: raw.merkle_root, usedBytes: raw.used_bytes, auditSeq: raw.freed_audit_seq,
    })),
    /** The first overwriting at or after an instant. */
    firstErasedFrom(at: EpochMs): EpochMs | null { const row = firstFreed.get(at); return row?.at == null ? null : epochMs(row.at) },
    lastDay: (): string | null => lastDay.get()?.day ?? null,
    oldestLeft(camera: CameraUuid): EpochMs | null { const row = oldestLeft.get(camera); return row?.at == null ? null : epochMs(row.at) },
    records: (day: string): OverwriteRecord[] => records.all(day).map(raw => ({
      day: raw.day, cameraId: cameraId(raw.id), cameraUuid: cameraUuid(raw.camera_uuid), segments: raw.segments, fromAt: epochMs(raw.from_at), toAt: epochMs(raw.to_at), bytes: raw.bytes,
      merkleRoot: raw.merkle_root, oldestLeftAt: raw.oldest_left_at === null ? null : epochMs(raw.oldest_left_at), writtenAt: epochMs(raw.written_at), auditSeq: raw.audit_seq,
    })),
    insert(record: OverwriteRecord): void {
      insert.run(record.day, record.cameraUuid, record.segments, record.fromAt, record.toAt, record.bytes, record.merkleRoot, record.oldestLeftAt, record.writtenAt, record.auditSeq)
    },
  }
}
