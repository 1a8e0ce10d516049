import { epochMs, type EpochMs, type InRunReason, type MonoMs, type RunEndReason, type RunId } from '../domain/index.ts'
import {
  buildFragmentIn, cameraStampsBox, isBidirectional, MalformedMediaError, mergeParameterSets, needsNewHeader,
  parameterSetsInSample, parseMovieFragment,
  soundTrackOf, withParameterSets, withSound, type Fragment, type InitSegment, type ParameterSets, type Sample,
  type SoundSegment, type TrackFragment,
} from '../media/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FRAGMENT_ROOM, type StreamLane } from '../storage/index.ts'
import { fragmentBuffers } from './buffer-pool.ts'
import { LostPictures, type LostSpan } from './lost-pictures.ts'
import { FrameArrivals } from './frame-arrivals.ts'
import { SessionTimes, type FrameTimes, type FrameToPlace } from './frame-times.ts'
import type { SoundPart } from './sound-line.ts'
import type { SoundSession } from './sound-session.ts'
import { WallStep } from './wall-step.ts'

/** What a stored fragment is told by. */
export interface StoredFragment {
  readonly at: MonoMs
  readonly frameEndAt: EpochMs
  readonly bytes: number
  readonly frames: number
  readonly durationMs: number
}

export interface RunFootageOptions {
  readonly lane: StreamLane
  readonly clock: Clock
  /** When the child was started: its times count from there. */
  readonly startedAt: EpochMs
  /** Milliseconds of ours in one of the camera's stamps, as learnt before; 1 where nothing is known. */
  readonly stampRate: number
  readonly onStampRate: (rate: number) => void
  /** Sound that is to go out with the pictures; null for none. */
  readonly sound: Pick<SoundSession, 'segment' | 'line'> | null
  /** As last sampled. */
  readonly cameraClockOffsetMs: () => number | null
  readonly onFragment: (facts: StoredFragment) => void
  /** How long ago the first picture of the session came, where that is known. */
  readonly firstPictureAgoMs?: () => number | null
  /** When data of pictures was lost on the way since the last call. */
  readonly takeLossesAgoMs?: () => readonly number[]
}

interface Arrival { readonly fragment: Fragment, readonly wall: EpochMs, readonly mono: MonoMs }
interface Held extends Arrival {
  readonly video: TrackFragment
  readonly frames: readonly FrameToPlace[]
  readonly nextArrivedMs: number
  readonly sets: ParameterSets | null
}

/**
 * The first frames of a session may come at once; their times are decided when so much of it has come, after
 * a second at the latest.
 */
const SETTLED_AFTER_MS = 400
const SETTLE_BOUND_MS = 1000

type Trouble = 'clock-stepped' | 'bad-stream'

/**
 * What a run makes of its fragments: a time for each frame, holes noted, records handed to the stream's lane
 * in order.
 */
export class RunFootage {
  readonly #options: RunFootageOptions
  readonly #wallStep = new WallStep()
  /** As ffmpeg wrote it. */
  #init: InitSegment | null = null
  /** The same with the parameter sets that the pictures came with. */
  #pictures: InitSegment | null = null
  /** The same with the track of the sound, once there is one. */
  #header: InitSegment | null = null
  #soundIn: SoundSegment | null = null
  #arrivals: FrameArrivals | null = null
  #times: SessionTimes | null = null
  #lost: LostPictures | null = null
  #runId: RunId | null = null
  #held: Held[] = []
  /** Placed, and stored once the next fragment shows where its last frame ends. */
  #open: { readonly held: Held, readonly times: FrameTimes } | null = null
  #seen = 0
  #endTicks = 0           // of the last stored frame
  #isOver = false
  recordedMs = 0

  constructor(options: RunFootageOptions) { this.#options = options }

  get isOver(): boolean { return this.#isOver }
  /** Nothing more is stored, also by a call that is still under way in the lane. */
  abandon(): void { this.#isOver = true }

  begin(init: InitSegment): void {
    this.#init = this.#pictures = this.#header = init
    this.#arrivals = new FrameArrivals(init.video.timescale)
    this.#times = new SessionTimes(init, this.#options.stampRate)
    this.#lost = new LostPictures(init.video.timescale)
  }

  /**
   * Stores a fragment, or holds it until enough have come. Not null: the run must end; what came before is
   * stored. Throws what the lane throws.
   */
  async take(arrival: Arrival): Promise<Trouble | null> {
    const init = this.#init!
    const video = arrival.fragment.tracks.find(track => track.trackId === init.video.trackId)
    if (video === undefined) return null
    const held = this.#read(arrival, video)
    if (this.#seen === 0 && held.sets === null) return null // no decoder has a use for it
    this.#seen++
    if (this.#wallStep.observe(arrival.wall, arrival.mono)) {
      await this.#appendOpen(null)
      return this.#finish('clock-stepped')
    }
    if (this.#runId !== null) return await this.#store(held)
    this.#held.push(held)
    return this.#hasSettled() ? await this.#placeHeld() : null
  }

  /** Stores what is held: the run ends. */
  async flush(): Promise<Trouble | null> {
    const trouble = await this.#placeHeld()
    if (trouble === null) await this.#appendOpen(null)
    return trouble
  }

  /** Decides the times of what is held, and stores that. Also for a run that ends before. */
  async #placeHeld(): Promise<Trouble | null> {
    const [first] = this.#held
    if (this.#isOver || first === undefined) return null
    const held = this.#held, last = held.at(-1)!
    // a session of one frame has nothing behind it
    const nextArrivedMs = last.nextArrivedMs > 1 ? last.nextArrivedMs : last.wall - this.#options.startedAt
    const frames = this.#times!.begin(held.flatMap(each => each.frames), nextArrivedMs, this.#firstPictureMs())
    this.#held = []
    for (const each of held) {
      const own = frames.splice(0, each.frames.length)
      const trouble = await this.#store({ ...each, nextArrivedMs: frames[0]?.arrivedMs ?? nextArrivedMs }, own)
      if (trouble !== null || this.#isOver) return trouble
    }
    return null
  }

  #firstPictureMs(): number | null {
    const { firstPictureAgoMs, clock, startedAt } = this.#options
    const agoMs = firstPictureAgoMs?.() ?? null
    return agoMs === null ? null : clock.wallNow() - startedAt - agoMs
  }

  end(reason: RunEndReason): void {
    this.#isOver = true
    if (this.#runId !== null) {
      this.#noteHoles(this.#times!.end(), 'no-frames')
      this.#noteHoles(this.#lost!.end(this.#times!.usualMs), 'packets-lost')
    }
    if (this.#runId !== null) this.#options.lane.endRun(reason, this.#wallOf(this.#endTicks))
    else this.#options.lane.noteNoFootage(reason)
  }

  #finish(trouble: Trouble): Trouble {
    this.#isOver = true
    return trouble
  }

  #ms(ticks: number): number { return ticks * 1000 / this.#init!.video.timescale }
  #wallOf(ticks: number): EpochMs { return epochMs(this.#options.startedAt + this.#ms(ticks)) }

  #read(arrival: Arrival, video: TrackFragment): Held {
    const { codec, nalLengthBytes, timescale } = this.#init!.video
    const { buffer, moofAt } = arrival.fragment
    const bytesOf = ({ dataAt, sizeBytes }: Sample): Buffer =>
      buffer.subarray(moofAt + dataAt, moofAt + dataAt + sizeBytes)
    const isOfTypeB = (i: number): boolean =>
      codec === 'h264' && isBidirectional(nalLengthBytes, bytesOf(video.samples[i]!))
    const arrived = this.#arrivals!.read(video)
    const frames = arrived.map((frame, i) => ({ ...frame, isBidirectional: () => isOfTypeB(i) }))
    const [first] = video.samples
    return {
      ...arrival, video, frames,
      nextArrivedMs: (Number(video.decodeTimeTicks) + video.durationTicks) * 1000 / timescale,
      sets: first?.isKey === true ? parameterSetsInSample(codec, nalLengthBytes, bytesOf(first)) : null,
    }
  }

  #hasSettled(): boolean {
    const [first, last] = [this.#held[0]!, this.#held.at(-1)!]
    if (last.mono - first.mono >= SETTLE_BOUND_MS) return true
    const arrivals = this.#held.flatMap(({ frames }) => frames.flatMap(({ arrivedMs }) => arrivedMs ?? []))
    return last.nextArrivedMs - (arrivals[0] ?? last.nextArrivedMs) >= SETTLED_AFTER_MS
  }

  async #store(held: Held, frames = held.frames): Promise<Trouble | null> {
    if (this.#isOver) return null
    const session = this.#times!, rateBefore = session.rate
    this.#noteLosses()
    const times = session.place(frames, held.nextArrivedMs)
    if (session.rate !== rateBefore) this.#options.onStampRate(session.rate)
    await this.#appendOpen(times.endBeforeTicks)
    if (!await this.#ensureRun(held, this.#wallOf(times.startTicks))) return null
    this.#noteHoles(times.holes, 'no-frames')
    this.#noteHoles(this.#lostIn(frames, times), 'packets-lost')
    if (times.isEndOpen) this.#open = { held, times }
    else await this.#append(held, times)
    return null
  }

  /** What waited for the next fragment; null: its last frame stands no longer than usual. */
  async #appendOpen(endTicks: number | null): Promise<void> {
    const open = this.#open
    this.#open = null
    if (open === null || this.#isOver) return
    await this.#append(open.held, endTicks === null ? open.times : endingAt(open.times, endTicks))
  }

  #noteHoles(holes: readonly LostSpan[], cause: InRunReason): void {
    for (const { startTicks, endTicks } of holes) {
      this.#options.lane.noteHole(this.#wallOf(startTicks), this.#wallOf(endTicks), cause)
    }
  }

  #noteLosses(): void {
    const { takeLossesAgoMs, startedAt, clock } = this.#options
    const lossesAgoMs = takeLossesAgoMs?.() ?? []
    if (lossesAgoMs.length === 0) return
    const lossesMs = lossesAgoMs.map(agoMs => clock.wallNow() - startedAt - agoMs)
    this.#lost!.note(lossesMs)
    this.#times!.noteLosses(lossesMs)
  }

  /** Pictures that lost data on the way; what is a hole already is told. */
  #lostIn(frames: readonly FrameToPlace[], times: FrameTimes): LostSpan[] {
    const placed = times.frames.map(({ startTicks }, i) => ({ startTicks, arrivedMs: frames[i]!.arrivedMs ?? 0 }))
    return this.#lost!.place(placed, this.#times!.usualMs, times.holes)
  }

  /**
   * The lane has a run whose header fits the pictures. A camera that changes its parameter sets says so in
   * the stream: other pictures get a header, and so a run, of their own; what a decoder takes from the stream
   * changes nothing. False: given up meanwhile.
   */
  async #ensureRun({ sets }: Held, startAt: EpochMs): Promise<boolean> {
    const { lane } = this.#options
    if (sets !== null && (this.#changesHeader(sets) || this.#getsSound())) {
      if (this.#runId !== null) lane.endRun('parameter-sets-changed', startAt)
      this.#runId = null
    }
    if (this.#runId !== null) return true
    const runId = await lane.beginRun(this.#header!, startAt)
    if (this.#isOver) { // given up while storage made it wait: it stands in the catalogue, and has no frame
      lane.endRun('storage-too-slow', startAt)
      return false
    }
    this.#runId = runId
    return true
  }

  /**
   * The first sets in the stream replace those of the description. Sets that do not parse leave the header as
   * it is.
   */
  #changesHeader(seen: ParameterSets): boolean {
    const header = this.#header!
    const { changed, merged } = mergeParameterSets(header.video.parameterSets, seen)
    if (!changed) return false
    try {
      if (this.#runId !== null && !needsNewHeader(header, merged)) return false
      this.#pictures = withParameterSets(this.#pictures!, merged)
      this.#header = this.#soundIn === null ? this.#pictures : withSound(this.#pictures, this.#soundIn)
      return true
    } catch (error) {
      if (error instanceof MalformedMediaError) return false
      throw error
    }
  }

  /** At a key frame: sound has come, and the header has no place for it. */
  #getsSound(): boolean {
    const segment = this.#options.sound?.segment ?? null
    if (segment === null || segment === this.#soundIn) return false
    const isSame = this.#soundIn?.moov.equals(segment.moov) === true
    this.#soundIn = segment
    if (isSame) return false
    try { this.#header = withSound(this.#pictures!, segment) } catch (error) {
      if (!(error instanceof MalformedMediaError)) throw error
      return false // pictures go on as without it
    }
    return true
  }

  /** Sound that fits the header, up to the end of the pictures at hand. */
  #soundUntil(endMs: number): SoundPart | null {
    const { sound } = this.#options
    const isInHeader = soundTrackOf(this.#header!) !== null && sound?.segment === this.#soundIn
    return isInHeader ? sound?.line?.takeUntil(endMs) ?? null : null
  }

  async #append({ fragment, video, mono, frames, sets }: Held, times: FrameTimes): Promise<void> {
    const { lane, cameraClockOffsetMs, onFragment } = this.#options
    const soundTrack = soundTrackOf(this.#header!)
    const sound = this.#soundUntil(this.#ms(times.endTicks))
    const built = rebuilt({ fragment, video, frames, times, sound, soundTrackId: soundTrack?.trackId ?? 0 })
    fragmentBuffers.giveBack(fragment.buffer)
    const startAt = this.#wallOf(times.startTicks)
    const durationMs = Math.round(this.#ms(times.endTicks - times.startTicks))
    const trackTimes = built.tracks.map(track => track.trackId === video.trackId
      ? { track, timescale: this.#init!.video.timescale, ticks: BigInt(times.startTicks) }
      : { track, timescale: soundTrack!.timescale, ticks: BigInt(sound!.startTicks) })
    const timed = {
      fragment: built, runId: this.#runId!, startAt, durationMs, trackTimes, startsWithKey: sets !== null,
      cameraClockOffsetMs: cameraClockOffsetMs(),
    }
    const bytes = built.endAt - built.moofAt
    await lane.append(timed)
    if (this.#isOver) return // the run has ended meanwhile, and so has what is told of it
    if (!lane.showLive(timed)) fragmentBuffers.giveBack(built.buffer)
    this.#endTicks = times.endTicks
    this.recordedMs += durationMs
    const frameEndAt = this.#wallOf(times.endTicks)
    onFragment({ at: mono, frameEndAt, bytes, frames: frames.length, durationMs })
  }
}

/** The same, but for how long the last frame stands. */
function endingAt(times: FrameTimes, endTicks: number): FrameTimes {
  const frames = times.frames.map((frame, i) => i < times.frames.length - 1 ? frame
    : { ...frame, durationTicks: endTicks - frame.startTicks })
  return { ...times, frames, endTicks }
}

interface ToRebuild {
  readonly fragment: Fragment
  readonly video: TrackFragment
  readonly frames: readonly FrameToPlace[]
  readonly times: FrameTimes
  readonly sound: SoundPart | null
  readonly soundTrackId: number
}

/**
 * The fragment with the times that were decided, the camera's own stamps beside them, and the sound that
 * belongs to it.
 */
function rebuilt(
  {
    fragment: { buffer, moofAt, endAt }, video: { trackId, samples }, frames, times, sound, soundTrackId,
  }: ToRebuild
): Fragment {
  const timedSamples = samples.map((sample, i) => {
    const { durationTicks, showAfterTicks } = times.frames[i]!
    return { ...sample, durationTicks, compositionOffsetTicks: showAfterTicks }
  })
  const stamps = cameraStampsBox(frames.map(({ stampTicks }) => stampTicks))
  const pictures = {
    trackId, decodeTimeTicks: 0n, samples: timedSamples, data: buffer.subarray(moofAt, endAt),
    boxes: [stamps],
  }
  const parts = sound === null ? [pictures] : [
    pictures, { ...sound, trackId: soundTrackId, decodeTimeTicks: 0n },
  ]
  const built = buildFragmentIn(
    1, parts, { ...FRAGMENT_ROOM, allocate: bytes => fragmentBuffers.take(bytes) }
  )
  return {
    ...built,
    tracks: parseMovieFragment(built.buffer.subarray(built.moofAt, built.endAt), built.endAt - built.moofAt),
  }
}
