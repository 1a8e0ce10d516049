import {
  cameraId, cameraUuid, epochMs, generation, slotNumber, streamName, volumeUuid,
  type CameraUuid, type EpochMs, type GapCause, type StreamName, type TimeRange,
} from '../domain/index.ts'
import {
  joinedSpans, SegmentReader, VolumeAwayError,
  type Footage, type NotedGap, type RecordedCamera, type SeenDevice, type SegmentRow,
} from '../footage/index.ts'
import type { FoundMarkMessage, GapMarkMessage, RowMarkMessage, SegmentMessage } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { CameraMirror, deviceOf } from './camera-mirror.ts'
import { everyPage } from './every-page.ts'
import { LinkedLeases } from './linked-leases.ts'
import type { LinkedTime } from './linked-time.ts'
import type { RecorderConnection } from './recorder-connection.ts'

export interface LinkedFootageOptions {
  readonly connection: RecorderConnection
  readonly time: Pick<LinkedTime, 'isBusy'>
  /** Slot files are opened through it, to be read alone. */
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly log: Logger
}

/**
 * What the recorder has, asked over the link. Questions reject with a RetryableError while the recorder is
 * away, and with what it answered where it could not tell.
 */
export class LinkedFootage implements Footage, AsyncDisposable {
  readonly #options: LinkedFootageOptions
  readonly #cameras: CameraMirror
  readonly #leases: LinkedLeases

  private constructor(options: LinkedFootageOptions) {
    this.#options = options
    this.#cameras = new CameraMirror(options)
    this.#leases = new LinkedLeases(options)
  }
  static open(options: LinkedFootageOptions): LinkedFootage { return new LinkedFootage(options) }

  get isBusy(): boolean { return this.#options.time.isBusy }
  /** Segments that are being read. */
  get readers(): number { return this.#leases.held }
  cameras(): readonly RecordedCamera[] { return this.#cameras.all() }
  lastDevice(camera: CameraUuid): SeenDevice | null { return this.#cameras.lastDevice(camera) }

  async device(camera: CameraUuid, at: EpochMs): Promise<SeenDevice | null> {
    const { device } = await this.#options.connection.ask('footage.device', { camera, at })
    return device === null ? null : deviceOf(device)
  }

  async found(camera: CameraUuid, range: TimeRange): Promise<TimeRange[]> {
    const { connection } = this.#options
    let found: TimeRange[] = []
    const pages = everyPage((after: FoundMarkMessage | null) =>
      connection.ask('footage.found', { camera, ...boundsOf(range), after }))
    for await (const rows of pages) {
      found = joinedSpans([...found, ...rows.map(({ startAt, endAt }) =>
        ({ startAt: epochMs(startAt), endAt: epochMs(endAt) }))])
    }
    return found
  }

  async segments(camera: CameraUuid, stream: StreamName, range: TimeRange): Promise<SegmentRow[]> {
    const { connection } = this.#options, found: SegmentRow[] = []
    const pages = everyPage((after: RowMarkMessage | null) =>
      connection.ask('footage.segments', { camera, stream, ...boundsOf(range), after }))
    for await (const rows of pages) found.push(...rows.map(segmentOf))
    return found
  }

  async gaps(camera: CameraUuid, stream: StreamName, range: TimeRange): Promise<NotedGap[]> {
    const { connection } = this.#options, found: NotedGap[] = []
    const pages = everyPage((after: GapMarkMessage | null) =>
      connection.ask('footage.gaps', { camera, stream, ...boundsOf(range), after }))
    for await (const rows of pages) {
      found.push(...rows.map(({ startAt, endAt, cause }) =>
        ({ startAt: epochMs(startAt), endAt: orNull(endAt), cause: cause as GapCause })))
    }
    return found
  }

  /** Rejects with SegmentGoneError, VolumeAwayError, ReadersFullError, StorageError, or what asking does. */
  async open(segment: SegmentRow): Promise<SegmentReader> {
    const { lease, place } = await this.#leases.take(segment)
    try {
      return await SegmentReader.open(this.#options.fs, place, segment, { take: () => lease })
    } catch (error) {
      // The recorder has the volume, this process does not see it, or no longer.
      throw error instanceof StorageError && error.fault === 'missing' ? new VolumeAwayError() : error
    }
  }

  /** Readers are their callers'. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cameras[Symbol.asyncDispose]()
    await this.#leases[Symbol.asyncDispose]()
  }
}

const boundsOf = ({ startAt, endAt }: TimeRange): TimeRange => ({ startAt, endAt })
const orNull = (at: number | null): EpochMs | null => at === null ? null : epochMs(at)

const segmentOf = (row: SegmentMessage): SegmentRow => ({
  ...row,
  volumeUuid: volumeUuid(row.volumeUuid), slot: slotNumber(row.slot), generation: generation(row.generation),
  cameraId: cameraId(row.cameraId), cameraUuid: cameraUuid(row.cameraUuid), stream: streamName(row.stream),
  startAt: epochMs(row.startAt), endAt: orNull(row.endAt), keepUntil: orNull(row.keepUntil),
  newestAt: orNull(row.newestAt),
})
