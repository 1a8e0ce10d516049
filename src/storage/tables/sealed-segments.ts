import {
  cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, type CameraId, type TimeRange,
  type VolumeUuid,
} from '../../domain/index.ts'
import type { SegmentKey } from '../../footage/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { CheckedSegment } from '../segment-check.ts'

/** `isDoubted`: faults of it are on record. */
export type SealedSegment = CheckedSegment & { readonly isDoubted: boolean }
/** `next` is the slot behind the page; null behind the last. */
export interface SealedPage { readonly segments: readonly SealedSegment[], readonly next: number | null }

interface Raw {
  slot: number, generation: number, id: string, camera_uuid: string, stream: string, start_at: number
  end_at: number, records: number, used_bytes: number | null, merkle_root: string
  is_quarantined: number, is_doubted: number
}

/** Looked at for one page, whatever fits: about a millisecond of the loop that records. */
const SLOTS_A_PAGE = 500

/** Of tables `slot` and `segment`: what is sealed and stands, slot by slot. */
export function sealedSegments(db: Db) {
  // By the slot's own generation: the table of segments keeps all that were overwritten, a hundred of a slot
  // after years. In a slot that is out of use an older one may stand. CROSS, + and the index's name: else the
  // planner walks all that stands on the volume, or ever was in these slots.
  const from = `FROM slot CROSS JOIN segment INDEXED BY sqlite_autoindex_segment_1
      ON segment.volume_uuid = slot.volume_uuid AND segment.slot = +slot.slot
      AND segment.generation >= iif(slot.state = 'quarantined', 0, slot.generation)
    CROSS JOIN camera ON camera.uuid = segment.camera_uuid`
  const columns = `segment.slot, segment.generation, id, segment.camera_uuid, segment.stream, start_at,
    end_at, segment.records, used_bytes, merkle_root, is_quarantined, EXISTS (SELECT 1 FROM scrub_finding AS f
      WHERE f.volume_uuid = segment.volume_uuid AND f.slot = segment.slot
        AND f.generation = segment.generation AND f.cleared_at IS NULL) AS is_doubted`
  const stands = 'sealed_at IS NOT NULL AND ended_at IS NULL'
  type Asked = [string, number, number, string | null, string | null, number, number, number]
  const page = db.prepare<Asked, Raw>(
    `SELECT ${columns} ${from} WHERE slot.volume_uuid = ? AND slot.slot >= ? AND slot.slot < ? AND ${stands}
      AND (? IS NULL OR id = ?) AND start_at < ? AND end_at > ? ORDER BY slot.slot LIMIT ?`)
  const one = db.prepare<[string, number, number], Raw>(`SELECT ${columns} FROM segment
    JOIN camera ON camera.uuid = segment.camera_uuid
    WHERE segment.volume_uuid = ? AND segment.slot = ? AND segment.generation = ? AND ${stands}`)
  const hasFrom = db.prepare<[string, number], number>(
    'SELECT 1 FROM slot WHERE volume_uuid = ? AND slot >= ? LIMIT 1').pluck()
  const toSealed = (volume: VolumeUuid, raw: Raw): SealedSegment => ({
    volumeUuid: volume, slot: slotNumber(raw.slot), generation: generation(raw.generation),
    cameraId: cameraId(raw.id), cameraUuid: cameraUuid(raw.camera_uuid), stream: streamName(raw.stream),
    startAt: epochMs(raw.start_at),
    endAt: epochMs(raw.end_at), records: raw.records, usedBytes: raw.used_bytes, merkleRoot: raw.merkle_root,
    isQuarantined: raw.is_quarantined === 1, isDoubted: raw.is_doubted === 1,
  })
  return {
    /** At most `most` of the camera that overlap the range, in the slots from `first` on. */
    page(volume: VolumeUuid, { first, camera, range, most }: {
      readonly first: number, readonly most: number, readonly camera: CameraId | null
      readonly range: TimeRange | null
    }): SealedPage {
      const until = first + SLOTS_A_PAGE
      const rows = page.all(volume, first, until, camera, camera, range?.endAt ?? Number.MAX_SAFE_INTEGER,
        range?.startAt ?? Number.MIN_SAFE_INTEGER, most)
      const next = rows.length === most ? rows.at(-1)!.slot + 1 : until
      const isLast = hasFrom.get(volume, next) === undefined
      return { segments: rows.map(raw => toSealed(volume, raw)), next: isLast ? null : next }
    },
    /** Null when it was overwritten, or never was. */
    find({ volumeUuid, slot, generation: of }: SegmentKey): SealedSegment | null {
      const raw = one.get(volumeUuid, slot, of)
      return raw === undefined ? null : toSealed(volumeUuid, raw)
    },
  }
}
