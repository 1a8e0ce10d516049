import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { epochMs, isoOf, type CameraUuid, type DeviceFacts, type EpochMs, type StreamName, type TimeRange } from '../../domain/index.ts'
import { SegmentGoneError, VolumeAwayError, type Footage, type SegmentRow } from '../../footage/index.ts'
import type { LeaveVerdict } from '../../requests/index.ts'
import { cameraClockOffsetOf } from '../../slots/index.ts'
import { MalformedMediaError } from '../../media/index.ts'
import { StorageError } from '../../platform/file-system.ts'
import { keptIn, samplesOf } from './cut.ts'
import { FenceError } from './errors.ts'
import { LastingReader } from './lasting-reader.ts'
import type { ManifestTime, ManifestVideo } from './manifest.ts'
import { VideoFile, type KeptRecord, type VideoSubject } from './video-file.ts'

/** Where footage is read, and what stood behind its camera. */
export interface FootageShelf extends Pick<Footage, 'segments' | 'open'> {
  device(camera: CameraUuid, at: EpochMs): Promise<Pick<DeviceFacts, 'maker' | 'model' | 'firmware'> | null>
}

export interface TakeOptions {
  readonly folder: string
  readonly shelf: FootageShelf
  /** What stands in every file; its device is the shelf's to say. */
  readonly subject: Omit<VideoSubject, keyof typeof NO_DEVICE>
  readonly camera: CameraUuid
  readonly stream: StreamName
  readonly range: TimeRange
  /** How far before the range a key frame may lie; 0 where no pre-roll was granted. */
  readonly preRollMs: number
  /** The fence [G5], asked for the first and the last instant of every record that goes out. */
  readonly leave: (at: EpochMs) => LeaveVerdict
  /** Lets recording go first; awaited before each read. */
  readonly pace: () => Promise<void>
  readonly signal: AbortSignal
  readonly onBytes: (bytes: number) => void
}

/** A span whose bytes stand on the disk and do not hold. */
export interface Unreadable { readonly startAt: EpochMs, readonly endAt: EpochMs, readonly cause: 'record-unreadable' | 'volume-away' }
export interface Taken { readonly videos: readonly ManifestVideo[], readonly unreadable: readonly Unreadable[], readonly hadFootage: boolean,
  /** Footage at the beginning that no key frame of the range comes before. */
  readonly keyless?: TimeRange, /** E5; none where the camera was never asked, or never answered. */ readonly cameraOffsets: ManifestTime['cameraOffsets'] }

const SEAM_MS = 200 // records of one run follow each other; more between them is lost footage, and splits files

/**
 * Writes the footage of one camera and range as MP4 files, one for each run without a break. Each begins with the first key frame in the range (or before it, where pre-roll was granted),
 * and ends before the first picture that is no longer in it. Throws FenceError when the grant does not cover it any more, StorageError for the target's disk, AbortSignal's reason.
 */
export async function takeVideos(options: TakeOptions): Promise<Taken> {
  const taking = new Taking(options)
  await mkdir(path.join(options.folder, 'video'), { recursive: true, mode: 0o700 })
  try {
    const { shelf, camera, stream, range: { startAt, endAt }, preRollMs } = options
    const span = { startAt: epochMs(startAt - preRollMs), endAt }
    for (const segment of await shelf.segments(camera, stream, span)) await taking.segment(segment)
    return await taking.end()
  } catch (error) {
    await taking.abandon()
    throw error
  }
}

class Taking {
  readonly #options: TakeOptions
  readonly #videos: ManifestVideo[] = []
  readonly #unreadable: Unreadable[] = []
  #file: VideoFile | null = null
  /** The group that goes on into the range, while none of it is. */
  #preRoll: KeptRecord[] = []
  #before: { readonly footage: SlotOf, readonly runId: number, readonly endAt: number } | null = null
  #hadFootage = false
  #keyless: TimeRange | null = null
  #offset: { readonly from: EpochMs, to: EpochMs, minMs: number, maxMs: number } | null = null
  constructor(options: TakeOptions) { this.#options = options }

  async segment(segment: SegmentRow): Promise<void> {
    const { shelf, signal, range, preRollMs, pace } = this.#options
    let reader: LastingReader
    try { reader = await LastingReader.open(shelf, segment) } catch (error) {
      if (!isLost(error)) throw error
      this.#unreadable.push({ startAt: segment.startAt, endAt: segment.endAt ?? range.endAt, cause: causeOf(error) })
      return
    }
    await using _ = reader
    const { footage } = reader
    const firstAt = range.startAt - preRollMs
    for (const [position, entry] of footage.entries.entries()) {
      signal.throwIfAborted()
      if (entry.startAt >= range.endAt) { await this.#close(); continue }
      if (entry.startAt + entry.durationMs <= firstAt) continue
      if (this.#breaksAt(footage, entry)) await this.#close()
      this.#before = { footage, runId: entry.runId, endAt: entry.startAt + entry.durationMs }
      this.#hadFootage = true
      if (this.#file === null && !this.#mayBegin(entry)) { this.#noteKeyless(entry); continue }
      await pace()
      try {
        const bytes = await reader.read(position)
        await this.#record({ footage, position, entry, bytes, samples: samplesOf(bytes, footage.init, entry) })
      } catch (error) {
        if (!isLost(error)) throw error
        this.#unreadable.push({ startAt: entry.startAt, endAt: epochMs(entry.startAt + entry.durationMs), cause: causeOf(error) })
        await this.#close()
      }
    }
  }

  /** Of the range's first pictures alone: later ones follow a gap that is told. */
  #noteKeyless({ startAt, durationMs }: KeptRecord['entry']): void {
    if (this.#videos.length > 0) return
    this.#keyless = { startAt: this.#keyless?.startAt ?? startAt, endAt: epochMs(startAt + durationMs) }
  }

  /**
   * Another format or another run; lost time too, where a key frame follows it: what follows up to there
   * needs what came before.
   */
  #breaksAt({ init }: SlotOf, { startAt, runId, startsWithKey }: KeptRecord['entry']): boolean {
    const before = this.#before
    if (before === null) return false
    return !init.moov.equals(before.footage.init.moov) || runId !== before.runId
      || (startsWithKey && startAt - before.endAt > SEAM_MS)
  }

  /** Whether a file, or the pre-roll of one, may begin with this record. */
  #mayBegin({ startsWithKey, startAt }: KeptRecord['entry']): boolean {
    const { range, preRollMs } = this.#options
    if (this.#preRoll.length > 0) return true
    return startsWithKey && startAt >= range.startAt - preRollMs
  }

  async #record(read: Omit<KeptRecord, 'kept'>): Promise<void> {
    const { range, preRollMs } = this.#options
    const isBefore = read.entry.startAt < range.startAt
    if (this.#file === null && isBefore && preRollMs > 0) {
      if (read.entry.startsWithKey) this.#preRoll = []
      this.#preRoll.push({ ...read, kept: keptIn(read.samples, range.startAt - preRollMs, range.endAt) })
      if (read.entry.startAt + read.entry.durationMs > range.startAt) await this.#begin() // its last pictures are inside
      return
    }
    if (this.#file === null && this.#preRoll.length > 0) {
      if (read.entry.startsWithKey) this.#preRoll = [] // nothing before a key frame at the very edge is needed
      else await this.#begin()
    }
    const from = this.#file === null ? range.startAt : range.startAt - preRollMs
    const whole: KeptRecord = { ...read, kept: keptIn(read.samples, from, range.endAt) }
    if (this.#file === null) {
      if (whole.kept[whole.samples.findIndex(track => track[0]?.isVideo === true)]?.[0] !== true) return // without its key frame nothing decodes
      this.#file = await this.#create(whole)
    }
    await this.#put(whole)
  }

  async #begin(): Promise<void> {
    const [first] = this.#preRoll
    if (first === undefined) return
    const records = this.#preRoll
    this.#preRoll = []
    this.#file = await this.#create(first)
    for (const record of records) await this.#put(record)
  }

  /** A file is of one run, and so of one device. */
  async #create(first: KeptRecord): Promise<VideoFile> {
    const { folder, subject, shelf, camera } = this.#options
    const { maker, model, firmware } = await shelf.device(camera, first.entry.startAt) ?? NO_DEVICE
    return await VideoFile.create(folder, { ...subject, maker, model, firmware }, first)
  }

  async #put(record: KeptRecord): Promise<void> {
    const file = this.#file
    if (file === null) return
    const left = record.samples.flatMap((track, i) => track.filter((_, j) => record.kept[i]?.[j] === true))
    let isPreRoll = false
    if (left.length > 0) {
      const instants = left.flatMap(({ decodeAt, showAt }) => [decodeAt, showAt])
      for (const at of [Math.min(...instants), Math.max(...instants)]) {
        const verdict = this.#options.leave(epochMs(at))
        if (!verdict.ok) throw new FenceError(verdict.why)
        isPreRoll ||= verdict.isPreRoll
      }
      this.#options.onBytes(record.bytes.length)
      this.#noteOffset(record)
      await file.add(record, isPreRoll)
    }
    const isEnd = record.samples.some((track, i) => track.at(-1)?.isVideo === true && record.kept[i]?.at(-1) !== true)
    if (isEnd) await this.#close() // what follows refers to pictures that did not come out
  }

  #noteOffset({ bytes, entry: { startAt, durationMs } }: KeptRecord): void {
    const offsetMs = cameraClockOffsetOf(bytes), to = epochMs(startAt + durationMs)
    if (offsetMs === null) return
    this.#offset ??= { from: startAt, to, minMs: offsetMs, maxMs: offsetMs }
    Object.assign(this.#offset, { to, minMs: Math.min(this.#offset.minMs, offsetMs), maxMs: Math.max(this.#offset.maxMs, offsetMs) })
  }

  async #close(): Promise<void> {
    this.#preRoll = []
    const file = this.#file
    this.#file = null
    if (file !== null) this.#videos.push(await file.finish(this.#options.range.startAt))
  }

  async end(): Promise<Taken> {
    await this.#close()
    const offset = this.#offset
    return {
      videos: this.#videos, unreadable: this.#unreadable, hadFootage: this.#hadFootage,
      ...this.#keyless === null ? {} : { keyless: this.#keyless },
      cameraOffsets: offset === null ? [] : [{ cameraId: this.#options.subject.cameraId, from: isoOf(offset.from), to: isoOf(offset.to), minMs: offset.minMs, maxMs: offset.maxMs }],
    }
  }
  async abandon(): Promise<void> { await this.#file?.abandon() }
}

type SlotOf = KeptRecord['footage']

/** The footage itself is gone or rotten: a gap, told in the manifest. Anything else ends the work. */
/** A camera that never told what it is. */
const NO_DEVICE: Pick<DeviceFacts, 'maker' | 'model' | 'firmware'> = { maker: null, model: null, firmware: null }
const causeOf = (error: unknown): Unreadable['cause'] => error instanceof VolumeAwayError ? 'volume-away' : 'record-unreadable'
const isLost = (error: unknown): boolean => error instanceof SegmentGoneError || error instanceof MalformedMediaError || (error instanceof StorageError && error.fault === 'io')
