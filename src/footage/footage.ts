import type { CameraUuid, EpochMs, RunId, StreamName, TimeRange } from '../domain/index.ts'
import type { Fragment, InitSegment, TrackFragment } from '../media/index.ts'
import type { NotedGap } from './noted-gap.ts'
import type { RecordedCamera, SeenDevice, SegmentRow } from './segment.ts'
import type { RecordReader } from './segment-reader.ts'

/**
 * What the recorder has, as those see it who show and copy it. Questions go to the recorder, which may be
 * away: they reject with what went wrong between, and are asked again by who needs the answer.
 */
export interface Footage {
  /** Every camera that was ever recorded, those in use first. As last told: never waits. */
  cameras(): readonly RecordedCamera[]
  /** What the device of a camera last said of itself; null where it never did. As last told: never waits. */
  lastDevice(camera: CameraUuid): SeenDevice | null
  /** What stood behind the camera at an instant, as far as it is known. */
  device(camera: CameraUuid, at: EpochMs): Promise<SeenDevice | null>
  /**
   * The parts of the range that stand on a volume, in any stream: in order, none touching the next. To the
   * segment; pauses inside one are not seen. What may be said before an approval (R31).
   */
  found(camera: CameraUuid, range: TimeRange): Promise<readonly TimeRange[]>
  /** Segments of a stream that overlap the range, oldest first; the newest may still grow. */
  segments(camera: CameraUuid, stream: StreamName, range: TimeRange): Promise<readonly SegmentRow[]>
  /**
   * What of a stream was not recorded in full and overlaps the range, oldest first. Spans of which only key
   * frames were recorded have pictures, and may overlap the others.
   */
  gaps(camera: CameraUuid, stream: StreamName, range: TimeRange): Promise<readonly NotedGap[]>
  /** The caller's to dispose of. Rejects with SegmentGoneError, StorageError. */
  open(segment: SegmentRow): Promise<RecordReader>
  /** Recording is short of breath: who reads old footage for somebody is to wait [G9]. Never waits. */
  readonly isBusy: boolean
}

/** The camera with this mark; null for one that was never recorded. */
export function cameraOf(footage: Pick<Footage, 'cameras'>, uuid: CameraUuid): RecordedCamera | null {
  return footage.cameras().find(camera => camera.uuid === uuid) ?? null
}

/** One fragment with the time it was recorded at. */
export interface TimedFragment {
  readonly fragment: Fragment
  readonly runId: RunId
  /** Wall time of the first frame. */
  readonly startAt: EpochMs
  readonly durationMs: number
  /**
   * For each track the first sample's media time in the run; may be negative. The writer makes it count
   * from its segment's start.
   */
  readonly trackTimes: readonly { readonly track: TrackFragment, readonly timescale: number, readonly ticks: bigint }[]
  readonly startsWithKey: boolean
  readonly cameraClockOffsetMs: number | null
}

/**
 * Sees a fragment once its slot has taken it. Must return at once and change nothing; the bytes are shared
 * with whoever else watches.
 */
export type FragmentWatcher = (timed: TimedFragment, init: InitSegment) => void
