import {
  epochMs, type CameraUuid, type EpochMs, type GapCause, type StreamName, type TimeRange,
} from '../domain/index.ts'
import {
  joinedSpans, type Footage, type NotedGap, type RecordedCamera, type RecordReader, type SeenDevice,
  type SegmentRow,
} from '../footage/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { cameraTable } from './tables/cameras.ts'
import { deviceTable } from './tables/devices.ts'
import { segmentTable } from './tables/segments.ts'

/** What only the running store knows. */
export interface OpenFootage {
  readonly isBusy: boolean
  openReader(segment: SegmentRow): Promise<RecordReader>
}

/** The footage of this catalogue, asked in the process that has it. */
export class LocalFootage implements Footage {
  readonly #open: OpenFootage
  readonly #cameras
  readonly #devices
  readonly #segments
  readonly #standing
  readonly #gaps

  constructor(db: Db, open: OpenFootage) {
    this.#open = open
    this.#cameras = cameraTable(db)
    this.#devices = deviceTable(db)
    this.#segments = segmentTable(db)
    this.#standing = standingSpans(db)
    this.#gaps = notedGaps(db)
  }

  get isBusy(): boolean { return this.#open.isBusy }
  cameras(): RecordedCamera[] { return this.#cameras.all() }
  lastDevice(camera: CameraUuid): SeenDevice | null { return this.#devices.newest(camera) }
  async device(camera: CameraUuid, at: EpochMs): Promise<SeenDevice | null> { return this.#devices.at(camera, at) }
  async found(camera: CameraUuid, range: TimeRange): Promise<TimeRange[]> { return this.#standing(camera, range) }
  async segments(camera: CameraUuid, stream: StreamName, range: TimeRange): Promise<SegmentRow[]> {
    return this.#segments.inRange(camera, stream, range)
  }
  async gaps(camera: CameraUuid, stream: StreamName, range: TimeRange): Promise<NotedGap[]> {
    return this.#gaps(camera, stream, range)
  }
  async open(segment: SegmentRow): Promise<RecordReader> { return await this.#open.openReader(segment) }
}

/** For a command that needs their names alone. */
export const recordedCameras = (db: Db): RecordedCamera[] => cameraTable(db).all()

/** Parts of the range that stand on a volume, in any stream, joined. */
function standingSpans(db: Db): (camera: CameraUuid, range: TimeRange) => TimeRange[] {
  const segments = db.prepare<[string, number, number], { start_at: number, end_at: number | null }>(
    `SELECT start_at, end_at FROM segment WHERE camera_uuid = ? AND ended_at IS NULL AND start_at < ?
     AND (end_at IS NULL OR end_at > ?) ORDER BY start_at`)
  return (camera, { startAt, endAt }) => joinedSpans(segments.all(camera, endAt, startAt).map(row => ({
    startAt: epochMs(Math.max(startAt, row.start_at)), endAt: epochMs(Math.min(endAt, row.end_at ?? endAt)),
  })))
}

function notedGaps(db: Db): (camera: CameraUuid, stream: StreamName, range: TimeRange) => NotedGap[] {
  interface Raw { readonly start_at: number, readonly end_at: number | null, readonly cause: string }
  const gaps = db.prepare<[string, string, number, number], Raw>(
    `SELECT start_at, end_at, cause FROM (
       SELECT camera_uuid, stream, start_at, end_at, cause, 0 AS kind, gap_id AS row FROM gap UNION ALL
       SELECT camera_uuid, stream, started_at, ended_at, 'key-frames-only', 1, step_id
       FROM sacrifice_step WHERE mode = 'key-frames')
     WHERE camera_uuid = ? AND stream = ? AND start_at < ? AND (end_at IS NULL OR end_at > ?)
     ORDER BY start_at, kind, row`)
  return (camera, stream, { startAt, endAt }) => gaps.all(camera, stream, endAt, startAt).map(row => ({
    startAt: epochMs(row.start_at), endAt: row.end_at === null ? null : epochMs(row.end_at),
    cause: row.cause as GapCause,
  }))
}
