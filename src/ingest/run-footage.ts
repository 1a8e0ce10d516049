import type { EpochMs, MonoMs, RunEndReason, RunId } from '../domain/index.ts'
import { mergeParameterSets, parameterSetsInSample, type Fragment, type InitSegment, type ParameterSets, type TrackFragment } from '../media/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { StreamLane } from '../storage/index.ts'
import { fragmentBuffers } from './buffer-pool.ts'
import { holeTicks, repairFrameTimes, usualFrameTicks, type FrameTimes } from './frame-times.ts'
import { RunClock, type ClockTrouble } from './run-clock.ts'

export interface RunFootageOptions {
  readonly lane: StreamLane
  readonly clock: Clock
  /** As last sampled. */
  readonly cameraClockOffsetMs: () => number | null
  readonly onFragment: (facts: { at: MonoMs, frameEndAt: EpochMs, bytes: number, frames: number, durationMs: number }) => void
}

interface Arrival { readonly fragment: Fragment, readonly wall: EpochMs, readonly mono: MonoMs }
interface Held extends Arrival { readonly times: FrameTimes, readonly video: TrackFragment | undefined, readonly startsWithKey: boolean }

/** The first fragments of a session may come in a burst; the run's clock is set once arrivals have settled, after this at the latest. */
const SETTLE_BOUND_MS = 1000
const SETTLED_MS = 50

type Trouble = ClockTrouble | 'parameter-sets-changed' | 'bad-stream'

/** What a run makes of its fragments: times repaired and tied to the wall clock, holes noted, records handed to the stream's lane in order. */
export class RunFootage {
  readonly #options: RunFootageOptions
  init: InitSegment | null = null
  #clock: RunClock | null = null
  #runId: RunId | null = null
  #held: Held[] = []
  #sets: ParameterSets | null = null
  #usualTicks: number | null = null
  #seen = 0
  #endMs = 0              // media time of the end of the last stored frame
  #isOver = false
  recordedMs = 0

  constructor(options: RunFootageOptions) { this.#options = options }

  get isOver(): boolean { return this.#isOver }
  /** The run's clock is set: a late look at what arrives no longer shows in the times of frames. */
  get isTimed(): boolean { return this.#clock !== null }
  /** Nothing more is stored, also by a call that is still under way in the lane. */
  abandon(): void { this.#isOver = true }

  /** Stores a fragment, or holds it until the clock is set. Not null: the run must end; what came before is stored. Throws what the lane throws. */
  async take(arrival: Arrival): Promise<Trouble | null> {
    const init = this.init!
    const { fragment } = arrival
    const video = fragment.tracks.find(track => track.trackId === init.video.trackId)
    const first = video?.samples[0]
    const startsWithKey = first?.isKey === true
    if (this.#seen === 0 && !startsWithKey) return null // a decoder has no use for what precedes the first key frame
    if (video !== undefined && first !== undefined && startsWithKey && this.#setsChanged(fragment, first.dataAt, first.sizeBytes)) return this.#finish('parameter-sets-changed')
    const times = this.#timesOf(fragment, video)
    if (!Number.isFinite(times.startTicks)) return this.#finish('bad-stream')
    this.#seen++
    const held: Held = { ...arrival, times, video, startsWithKey }
    if (this.#clock === null) {
      this.#held.push(held)
      return this.#hasSettled() ? await this.flush() : null
    }
    return await this.#storeObserved(held)
  }

  /** Sets the clock by what is held, and stores that. Also for a run that ends before its arrivals settled. */
  async flush(): Promise<Trouble | null> {
    const [first] = this.#held
    if (this.#isOver || first === undefined) return null
    const anchorMs = Math.min(...this.#held.map(held => held.wall - this.#ms(held.times.releasedAtTicks)))
    this.#clock = new RunClock(anchorMs, first.wall, first.mono)
    this.#endMs = this.#ms(first.times.startTicks)
    const startAt = this.#clock.wallOf(this.#endMs), runId = await this.#options.lane.beginRun(this.init!, startAt)
    if (this.#isOver) { // given up while storage made it wait: it stands in the catalogue, and has no frame
      this.#options.lane.endRun('storage-too-slow', startAt)
      return null
    }
    this.#runId = runId
    const held = this.#held
    this.#held = []
    for (const each of held) {
      const trouble = await this.#storeObserved(each)
      if (trouble !== null) return trouble
    }
    return null
  }

  end(reason: RunEndReason): void {
    this.#isOver = true
    if (this.#clock !== null && this.#runId !== null) this.#options.lane.endRun(reason, this.#clock.wallOf(this.#endMs))
    else this.#options.lane.noteNoFootage(reason)
  }

  #finish(trouble: Trouble): Trouble {
    this.#isOver = true
    return trouble
  }

  #ms(ticks: number): number { return ticks * 1000 / this.init!.video.timescale }

  #timesOf(fragment: Fragment, video: TrackFragment | undefined): FrameTimes {
    if (video !== undefined) {
      const times = repairFrameTimes(fragment, video, this.init!.video, this.#seen === 0, this.#usualTicks)
      this.#usualTicks = usualFrameTicks(video) ?? this.#usualTicks
      return times
    }
    const sound = fragment.tracks[0]!
    const timescale = this.init!.tracks.find(track => track.trackId === sound.trackId)!.timescale
    const startTicks = Number(sound.decodeTimeTicks) * this.init!.video.timescale / timescale
    const durationTicks = sound.durationTicks * this.init!.video.timescale / timescale
    return { startTicks, durationTicks, releasedAtTicks: startTicks + durationTicks, holes: [], wentBackwards: false }
  }

  /** Parameter sets inside the stream count: a camera that changes its picture size says so there first. The first ones replace those of the description. */
  #setsChanged(fragment: Fragment, dataAt: number, sizeBytes: number): boolean {
    const { video } = this.init!
    const at = fragment.moofAt + dataAt
    const seen = parameterSetsInSample(video.codec, video.nalLengthBytes, fragment.buffer.subarray(at, at + sizeBytes))
    const { changed, merged } = mergeParameterSets(this.#sets ?? video.parameterSets, seen)
    const isFirst = this.#sets === null
    this.#sets = merged
    return changed && !isFirst
  }

  #hasSettled(): boolean {
    const [first, last] = [this.#held[0]!, this.#held.at(-1)!]
    if (last.mono - first.mono >= SETTLE_BOUND_MS) return true
    if (this.#held.length < 2) return false
    const anchorOf = (held: Held) => held.wall - this.#ms(held.times.releasedAtTicks)
    return anchorOf(this.#held.at(-2)!) - anchorOf(last) < SETTLED_MS
  }

  async #storeObserved(held: Held): Promise<Trouble | null> {
    if (this.#isOver) return null
    const { times } = held
    const trouble = this.#clock!.observe(this.#ms(times.releasedAtTicks), held.wall, held.mono)
    if (trouble !== null) return this.#finish(trouble)
    await this.#store(held)
    return times.wentBackwards ? this.#finish('timestamps-jumped') : null
  }

  async #store({ fragment, times, video, startsWithKey, mono }: Held): Promise<void> {
    const { lane, cameraClockOffsetMs, onFragment } = this.#options
    const clock = this.#clock!
    const startMs = this.#ms(times.startTicks)
    if (startMs - this.#endMs > this.#ms(holeTicks(this.#usualTicks, this.init!.video.timescale))) lane.noteHole(clock.wallOf(this.#endMs), clock.wallOf(startMs))
    for (const hole of times.holes) lane.noteHole(clock.wallOf(this.#ms(hole.startTicks)), clock.wallOf(this.#ms(hole.startTicks + hole.durationTicks)))
    const trackTimes = fragment.tracks.map(track => {
      const { timescale } = this.init!.tracks.find(known => known.trackId === track.trackId)!
      return { track, timescale, ticks: track === video ? BigInt(Math.round(times.startTicks)) : track.decodeTimeTicks }
    })
    const durationMs = Math.round(this.#ms(times.durationTicks))
    const bytes = fragment.endAt - fragment.moofAt
    const timed = { fragment, runId: this.#runId!, startAt: clock.wallOf(startMs), durationMs, trackTimes, startsWithKey, cameraClockOffsetMs: cameraClockOffsetMs() }
    await lane.append(timed)
    if (this.#isOver) return // the run has ended meanwhile, and so has what is told of it
    if (!lane.showLive(timed)) fragmentBuffers.giveBack(fragment.buffer)
    this.#endMs = startMs + durationMs
    this.recordedMs += durationMs
    onFragment({ at: mono, frameEndAt: clock.wallOf(this.#endMs), bytes, frames: video?.samples.length ?? 0, durationMs })
  }
}
