import { epochMs, type CameraUuid, type EpochMs, type GapCause, type StreamName, type TimeRange } from '../domain/index.ts'
import {
  type ExplainedSpan, explainHole, type Footage, type RecordReader, SegmentGoneError, segmentKeyText,
  type SegmentRow,
} from '../footage/index.ts'
import { MalformedMediaError, type InitSegment } from '../media/index.ts'
import { PRE_ROLL_MOST_MS } from '../requests/index.ts'
import { RECORD_HEAD_BYTES, roomTicksOf, type SlotFootage } from '../slots/index.ts'
import { cutRecord, type Cut, type FrameFence, type RecordToCut } from './cut-record.ts'
import { Placement } from './placement.ts'

/** Where footage is, and what was noted of it. */
export type FootageShelf = Pick<Footage, 'segments' | 'open' | 'gaps'>

/** Frames that may leave, as a fragment placed on the session's timeline. */
export interface Piece extends Pick<Cut, 'startAt' | 'endAt' | 'lastAt' | 'isPreRoll' | 'beginsChain' | 'startsWithKey' | 'frames' | 'durationMs'> {
  readonly kind: 'piece'
  readonly init: InitSegment
  /** Since the session's origin. */
  readonly mediaMs: number
  /** `moof` and `mdat`. */
  readonly bytes: Buffer
}
/** No frame between these instants: none was recorded, for `cause` where that was noted, or what was is `gone`. */
export interface Gap { readonly kind: 'gap', readonly from: EpochMs, readonly to: EpochMs, readonly why: 'no-footage' | 'gone', readonly cause: GapCause | null }
export type Told = Piece | Gap

/** Between frames at any rate that is recorded. */
const GAP_MS = 1500
/** What lacks at the end of a range is told from here on: nothing that could come soon tells of it. */
const TAIL_MS = 100
/** Times of successive records come from a slewed clock: a step back of less is rounding. */
const CLOCK_NOISE_MS = 20

interface Place { readonly segment: SegmentRow, readonly position: number }

export interface CameraReaderOptions {
  readonly shelf: FootageShelf
  readonly camera: CameraUuid
  readonly stream: StreamName
  /** As granted: in order, none touching the next. */
  readonly ranges: readonly TimeRange[]
  readonly fence: FrameFence
  readonly isPreRollAllowed: boolean
  readonly originAt: EpochMs
}

/** What one camera's stream has from an instant on, piece by piece, inside the granted ranges alone. Reads ahead of nobody: each call reads one record at most. */
export class CameraReader implements AsyncDisposable {
  readonly #options: CameraReaderOptions
  readonly #placement: Placement
  readonly #ready: Told[] = []
  readonly #ranges: TimeRange[]
  #at: EpochMs
  #segments: SegmentRow[] | null = null
  #reader: { readonly segment: SegmentRow, readonly reader: RecordReader } | null = null
  #position = 0
  #chain: { readonly runId: number, readonly segment: SegmentRow, readonly position: number, readonly wasLast: boolean } | null = null
  #toldUntil: EpochMs
  #sawGone = false
  /** Of the range at hand: nothing before this, whatever else is granted. */
  #lowest: EpochMs = epochMs(0)

  constructor(options: CameraReaderOptions, at: EpochMs) {
    this.#options = options
    this.#placement = new Placement(options.originAt)
    this.#ranges = options.ranges.filter(range => range.endAt > at)
    this.#at = epochMs(Math.max(at, this.#ranges[0]?.startAt ?? at))
    this.#toldUntil = this.#at
  }

  /** The next piece or gap; null at the end of what is granted. Throws StorageError. */
  async next(): Promise<Told | null> {
    for (;;) {
      const ready = this.#ready.shift()
      if (ready !== undefined) return ready
      const [range] = this.#ranges
      if (range === undefined) return null
      if (this.#segments === null) await this.#enter(range)
      else if (!await this.#step(range)) await this.#leave(range)
    }
  }

  /** Gives the slot that is being read free; the next call takes it again. */
  async release(): Promise<void> {
    const open = this.#reader
    this.#reader = null
    await open?.reader[Symbol.asyncDispose]()
  }
  async [Symbol.asyncDispose](): Promise<void> { await this.release() }

  /** The fence, asked for one range at a time: each frame leaves once, with the range it belongs to. */
  #fenceIn(range: TimeRange): FrameFence {
    return at => {
      if (at >= range.endAt || at < this.#lowest) return 'outside'
      const verdict = this.#options.fence(at)
      return at < range.startAt && verdict === 'inside' ? 'outside' : verdict
    }
  }

  /** Begins with the last key frame at or before the instant, if it may leave, else with the first after. Where the clock was set back and the instant was recorded twice: of the first time. */
  async #enter(range: TimeRange): Promise<void> {
    const { shelf, camera, stream, isPreRollAllowed } = this.#options
    const fence = this.#fenceIn(range)
    // No pre-roll reaches back into the range before: those frames have their own place.
    const before = this.#options.ranges.findLast(other => other.endAt <= range.startAt)?.endAt ?? -Infinity
    this.#lowest = epochMs(Math.max(before, range.startAt - (isPreRollAllowed ? PRE_ROLL_MOST_MS : 0)))
    const lowest = epochMs(Math.max(this.#at - PRE_ROLL_MOST_MS, this.#lowest))
    const segments = (await shelf.segments(camera, stream, { startAt: lowest, endAt: range.endAt }))
      .filter(segment => segment.cameraUuid === camera)
    let start: Place | null = null
    search: for (const segment of segments) {
      if (segment.startAt > this.#at) break
      const footage = await this.#open(segment)
      if (footage === null) continue
      for (const [position, entry] of footage.entries.entries()) {
        if (entry.startAt > this.#at) break search
        if (entry.startsWithKey && entry.startAt >= lowest && fence(entry.startAt) !== 'outside') start = { segment, position }
        if (entry.startAt + entry.durationMs > this.#at) break search
      }
    }
    const first = start === null ? 0 : segments.indexOf(start.segment)
    this.#segments = segments.slice(first)
    this.#position = start?.position ?? 0
    this.#chain = null
  }

  /** Reads one record. False when the range has no more. */
  async #step(range: TimeRange): Promise<boolean> {
    const [segment] = this.#segments!
    if (segment === undefined) return false
    const footage = await this.#open(segment)
    const entry = footage?.entries[this.#position]
    if (footage === null || entry === undefined) {
      this.#segments!.shift()
      this.#position = 0
      return true
    }
    const position = this.#position++
    if (entry.startAt >= range.endAt) {
      // What follows in this slot is later still, unless the clock was set back within it.
      if (footage.entries.slice(position).every(later => later.startAt >= range.endAt)) { this.#segments!.shift(); this.#position = 0 }
      return true
    }
    if (entry.startAt + entry.durationMs < this.#at - PRE_ROLL_MOST_MS) return true
    const record = await this.#read(segment, position)
    if (record === null) { this.#chain = null; return true }
    const chain = this.#chain
    const goesOn = chain !== null && chain.runId === entry.runId && (chain.segment === segment ? chain.position === position - 1 : position === 0 && chain.wasLast)
    const { cuts, isOpenEnd } = this.#cut(
      {
        media: record.subarray(RECORD_HEAD_BYTES), init: footage.init, startAt: entry.startAt,
        roomTicks: roomTicksOf(footage, position), goesOn,
      },
      range
    )
    this.#chain = isOpenEnd ? { runId: entry.runId, segment, position, wasLast: position === footage.entries.length - 1 } : null
    const key = `${segmentKeyText(segment)}/${entry.runId}`
    for (const cut of cuts) await this.#tell(cut, footage.init, key)
    return true
  }

  /** A record that does not parse shows nothing: its hash holds, so a camera sent it so. */
  #cut(record: RecordToCut, range: TimeRange): ReturnType<typeof cutRecord> {
    try { return cutRecord(record, this.#fenceIn(range)) } catch (error) {
      if (!(error instanceof MalformedMediaError)) throw error
      this.#sawGone = true
      return { cuts: [], isOpenEnd: false }
    }
  }

  async #tell(cut: Cut, init: InitSegment, key: string): Promise<void> {
    await this.#noteGap(cut.startAt)
    const { startAt, endAt, lastAt, isPreRoll, beginsChain, startsWithKey, frames, durationMs } = cut
    this.#ready.push({ kind: 'piece', init, startAt, endAt, lastAt, isPreRoll, beginsChain, startsWithKey, frames, durationMs, ...this.#placement.build(cut, key) })
    this.#toldUntil = epochMs(Math.max(endAt, startAt < this.#toldUntil - CLOCK_NOISE_MS ? endAt : this.#toldUntil))
  }

  async #noteGap(until: EpochMs, leastMs = GAP_MS): Promise<void> {
    const from = this.#toldUntil, isGone = this.#sawGone
    this.#sawGone = false
    if (until - from <= leastMs) return
    if (isGone) {
      this.#ready.push({ kind: 'gap', from, to: until, why: 'gone', cause: null })
      return
    }
    for (const { startAt, endAt, cause } of await this.#explained({ startAt: from, endAt: until })) {
      this.#ready.push({ kind: 'gap', from: startAt, to: endAt, why: 'no-footage', cause })
    }
  }

  /** Nothing of what is noted outside the hole is told: it lies beside what was granted. */
  async #explained(hole: TimeRange): Promise<ExplainedSpan[]> {
    const { shelf, camera, stream } = this.#options
    return explainHole(hole, await shelf.gaps(camera, stream, hole))
  }

  async #leave(range: TimeRange): Promise<void> {
    await this.#noteGap(range.endAt, TAIL_MS)
    this.#ranges.shift()
    this.#segments = null
    this.#chain = null
    const [next] = this.#ranges
    if (next !== undefined) this.#at = this.#toldUntil = next.startAt
    await this.release()
  }

  async #open(segment: SegmentRow): Promise<SlotFootage | null> {
    if (this.#reader?.segment !== segment) {
      await this.release()
      try { this.#reader = { segment, reader: await this.#options.shelf.open(segment) } }
      catch (error) {
        if (!(error instanceof SegmentGoneError)) throw error
        this.#sawGone = true
        return null
      }
      const { header } = this.#reader.reader.footage
      if (header.cameraUuid !== this.#options.camera) throw new TypeError('a slot of another camera was opened') // never by the catalogue's row: nothing may leave
    }
    return this.#reader.reader.footage
  }

  /** A lease that lapsed while the viewer paused is taken once more: the footage may still be there. */
  async #read(segment: SegmentRow, position: number): Promise<Buffer | null> {
    for (let isAgain = false; ; isAgain = true) {
      try { return await this.#reader!.reader.read(position) }
      catch (error) {
        if (!(error instanceof SegmentGoneError)) throw error
        await this.release()
        if (isAgain || await this.#open(segment) === null) { this.#sawGone = true; return null }
      }
    }
  }
}
