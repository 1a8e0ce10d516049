import { startFfmpeg, type FfmpegExit, type FfmpegRun, type Taken } from '../platform/ffmpeg.ts'
import type { Clock } from '../platform/clock.ts'
import { redact } from '../platform/redact.ts'
import type { EpochMs, MonoMs, RunEndReason } from '../domain/index.ts'
import { FragmentParser, MalformedMediaError, UnsupportedMediaError, type Fragment } from '../media/index.ts'
import { SlotBudgetError } from '../retention/index.ts'
import { FRAGMENT_ROOM, RingFullError, type StreamLane } from '../storage/index.ts'
import type { CameraSound } from './camera-sound.ts'
import { classifyStderr, silenceAtEnd } from './classify-stderr.ts'
import { concatScript, inputOptions, pictureOptions, type PictureTreatment } from './ffmpeg-arguments.ts'
import { fragmentBuffers } from './buffer-pool.ts'
import { FragmentQueue } from './fragment-queue.ts'
import { SoundSession, type SessionWay } from './sound-session.ts'
import { RunFootage, type StoredFragment } from './run-footage.ts'

/**
 * Longest wait for the first fragment: answers of 2.5 s each, and a key frame, which smart codecs send every
 * 30 s. A camera that says nothing is given up by the relay long before.
 */
const FIRST_FRAGMENT_BOUND_MS = 60_000
/** Longest wait for storage. */
const BLOCKED_BOUND_MS = 15_000
/** Longest silence afterwards. Above ffmpeg's own 3 s, so that its word on the cause comes first. */
const STALL_BOUND_MS = 6_000
/** Pictures that ffmpeg holds: a fragment comes so many of them later; with key frames only a group later. */
const PICTURES_HELD = { 'all': 4, 'key-frames': 64 } as const
/** With key frames only a fragment is a whole group of pictures, and comes when the next one begins: some cameras send a key frame every ten seconds only. */
const KEY_FRAME_BOUND_MS = 25_000
const WATCHDOG_TICK_MS = 500
/** A fragment is at most 500 ms: this is 256 Mbit/s. */
const MAX_FRAGMENT_BYTES = 16 << 20
/** About 16 s of a 4 Mbit/s stream: longer than a disk takes to remap a sector. */
const MAX_QUEUED_BYTES = 8 << 20
const STOP_GRACE_MS = 1_500
/** What the child left behind is stored within this, or given up: a disk that hangs must not keep a stream from beginning anew elsewhere. */
const STORED_WITHIN_MS = 10_000

export interface RunOptions {
  /** With the credential in it, or a path of one use. A secret. */
  readonly secretUrl: string
  /** How long ffmpeg waits for a byte. */
  readonly socketTimeoutMs?: number
  /** What failed on the way to the camera, where whoever built the way knows better than ffmpeg's words. */
  readonly wayFault?: () => { readonly reason: RunEndReason, readonly message: string } | null
  /** When data of pictures was lost on the way since the last call. */
  readonly takeLossesAgoMs?: () => readonly number[]
  /** From one picture to the next, of late, the one under way among them. */
  readonly pictureWaitMs?: () => number
  /** How long ago the first picture of the session came; null before. */
  readonly firstPictureAgoMs?: () => number | null
  readonly secrets: readonly string[]
  readonly pictures: PictureTreatment
  /** What is known of the camera's sound, and a way to the camera for each session of it. Null: none is wanted. */
  readonly sound: { readonly known: CameraSound, readonly way: () => SessionWay } | null
  readonly cameraClockOffsetMs: () => number | null
  readonly lane: StreamLane
  readonly clock: Clock
  /** Storage did not take a fragment. The run ends. */
  readonly onRefused: (error: unknown) => void
  /** Something failed that cannot fail: a programming error. The run ends. */
  readonly onBroken: (error: unknown) => void
  /** Milliseconds of ours in one of the camera's stamps, as learnt before; 1 where nothing is known. */
  readonly stampRate: number
  /** The camera's stamps turned out to count at another rate. */
  readonly onStampRate: (rate: number) => void
  readonly onFragment: (facts: StoredFragment) => void
  readonly onTick: () => void
}

export interface RunEnd {
  readonly reason: RunEndReason
  /** Media time that reached storage. */
  readonly recordedMs: number
  /** What ffmpeg said last, or why its stream was refused; without secrets. */
  readonly said: string
  /** Storage still works for this run: nobody may write to the lane before it has come back. Null when all is done. Never rejects. */
  readonly leftBehind: Promise<void> | null
}

interface Arrival { readonly fragment: Fragment, readonly wall: EpochMs, readonly mono: MonoMs, readonly sizeBytes: number }

/** One RTSP session: one ffmpeg child, one reader of its fragments. Thrown away when it ends. How it ended is a value. */
export async function recordOnce(options: RunOptions, signal: AbortSignal): Promise<RunEnd> {
  return await new RecordingRun(options).run(signal)
}

/** Some cameras put a password into the path of their stream; the log names the camera anyway. */
export const withoutUrls = (text: string): string => text.replace(/(rtsps?):\/\/[^\s'"]+/gi, '$1://[stream]')

class RecordingRun {
  readonly #options: RunOptions
  readonly #kill = new AbortController()
  readonly #queue = new FragmentQueue<Arrival>(MAX_QUEUED_BYTES)
  readonly #parser = new FragmentParser({ ...FRAGMENT_ROOM, maxFragmentBytes: MAX_FRAGMENT_BYTES, allocate: bytes => fragmentBuffers.take(bytes) })
  readonly #startedAt: EpochMs
  readonly #footage: RunFootage
  readonly #sound: SoundSession | null
  /** Begins when the pictures do, and ends with them. */
  #soundRun: Promise<void> | null = null
  readonly #over = new AbortController()
  #child: FfmpegRun | null = null
  #reason: RunEndReason | null = null
  /** Why the stream was refused. */
  #refusal: string | null = null
  /** Of a stop: the recorder waits no longer for storage. */
  #storeUntil: number = Infinity
  #lastProgress: MonoMs
  /** Between the last fragment and the one before. */
  #beforeLastMs = 0
  #fragments = 0

  constructor(options: RunOptions) {
    this.#options = options
    this.#startedAt = options.clock.wallNow()
    const { sound, clock } = options
    this.#sound = sound === null ? null
      : new SoundSession({ sound: sound.known, way: sound.way, startedAt: this.#startedAt, clock })
    this.#footage = new RunFootage({ ...options, startedAt: this.#startedAt, sound: this.#sound })
    this.#lastProgress = options.clock.monoNow()
  }

  async run(signal: AbortSignal): Promise<RunEnd> {
    const { clock, secrets, onBroken } = this.#options
    const over = this.#over
    const watching = this.#watch(AbortSignal.any([signal, over.signal]))
    const grace = signal.aborted ? Promise.resolve() : this.#killAfterGrace(signal, over.signal)
    const storing = this.#store()
    const exit = await this.#record(signal)
    const endedAt = clock.monoNow()
    over.abort()
    this.#queue.end()
    const isStored = await this.#isStored(storing)
    await Promise.all([watching, grace, this.#soundRun])
    const silentMs = silenceAtEnd({ sinceLastMs: endedAt - this.#lastProgress, beforeLastMs: this.#beforeLastMs })
    const fault = this.#options.wayFault?.() ?? null
    const reason = this.#reason ?? (signal.aborted ? 'recorder-stopped' : fault?.reason
      ?? classifyStderr(exit.stderrLines, { hadFrames: this.#fragments > 0, silentMs, exitCode: exit.code }))
    try { this.#footage.end(reason) } catch (error) { onBroken(error) }
    const words = (this.#refusal ?? fault?.message ?? exit.stderrLines.slice(-3).join(' | ')).slice(0, 4000)
    const said = redact(withoutUrls(words), secrets).slice(0, 500)
    return { reason, recordedMs: this.#footage.recordedMs, said, leftBehind: isStored ? null : storing }
  }

  /** The child from its start to its end; never rejects. */
  async #record(signal: AbortSignal): Promise<FfmpegExit> {
    const { secretUrl, socketTimeoutMs, pictures, onBroken } = this.#options
    try {
      this.#child = await startFfmpeg({
        inputFormat: 'concat', inputOptions: inputOptions('video'),
        inputText: concatScript(secretUrl, 'video', socketTimeoutMs),
        outputFormat: 'mp4', outputOptions: pictureOptions(pictures, this.#startedAt),
        onBytes: bytes => this.#receive(bytes),
      }, { stop: signal, kill: this.#kill.signal })
      return await this.#child.exit
    } catch (error) {
      onBroken(error)
      this.#fail('ffmpeg-failed')
      return { code: null, stderrLines: [String(error)] }
    }
  }

  /** Whether storage has done all it was given, within the bound. What it has not, it gives up; a call it hangs in is left behind. */
  async #isStored(storing: Promise<void>): Promise<boolean> {
    const { clock } = this.#options
    const done = new AbortController()
    const boundMs = Math.min(STORED_WITHIN_MS, Math.max(0, this.#storeUntil - clock.monoNow()))
    const isStored = await Promise.race([storing.then(() => true), clock.wait(boundMs, done.signal).then(() => false)])
    done.abort()
    if (isStored) return true
    this.#reason = 'storage-too-slow'
    this.#footage.abandon()
    this.#queue.abandon()
    return false
  }

  /** What still comes is dropped, and need not be held back any more. */
  #fail(reason: RunEndReason): void {
    this.#reason ??= reason
    this.#kill.abort()
    this.#child?.resume()
  }

  /** No room holds the camera back until the disk has caught up. */
  #receive(bytes: Buffer): Taken {
    this.#take(bytes)
    if (this.#reason !== null) return 'whole'
    if (!this.#queue.isFull) return this.#parser.isMidway ? 'midway' : 'whole'
    this.#queue.whenRoom(() => { this.#child?.resume() })
    return 'no-room'
  }

  #take(chunk: Buffer): void {
    if (this.#reason !== null) return // the child is being killed: nothing it still says counts
    try {
      for (const parsed of this.#parser.push(chunk)) {
        if (parsed.kind === 'init') { this.#footage.begin(parsed.init); continue }
        const { clock } = this.#options
        const { fragment } = parsed
        const now = clock.monoNow()
        this.#beforeLastMs = now - this.#lastProgress
        this.#lastProgress = now
        this.#fragments++
        this.#soundRun ??= this.#sound?.run(this.#over.signal) ?? null
        this.#queue.push({ fragment, wall: clock.wallNow(), mono: this.#lastProgress, sizeBytes: fragment.buffer.length })
      }
    } catch (error) {
      if (!(error instanceof MalformedMediaError)) this.#options.onBroken(error)
      this.#refusal = `stream refused: ${(error as Error).message}`
      this.#fail(error instanceof UnsupportedMediaError ? 'codec-unsupported' : 'bad-stream')
    }
  }

  /** Never rejects: how storage failed is the reason of the run's end. */
  async #store(): Promise<void> {
    for await (const arrival of this.#queue) {
      if (this.#footage.isOver) continue // drain without writing: after a failure nothing may follow
      try {
        const trouble = await this.#footage.take(arrival)
        if (trouble !== null) this.#fail(trouble)
      } catch (error) { this.#refuse(error) }
    }
    try {
      const trouble = await this.#footage.flush()
      if (trouble !== null) this.#reason ??= trouble
    } catch (error) { this.#refuse(error) }
  }

  #refuse(error: unknown): void {
    this.#options.onRefused(error)
    this.#footage.abandon()
    this.#fail(error instanceof RingFullError ? 'storage-full' : error instanceof SlotBudgetError ? 'slot-budget' : 'storage-failed')
  }

  /** Kills a run that has gone silent. A tick that comes late was our own delay, and the camera is given that time. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, onTick } = this.#options
    let blockedSince: MonoMs | null = null
    while (!signal.aborted) {
      // Whole ticks of the clock, so that all runs look at one instant: one wake-up instead of one for each.
      const dueAt = (Math.floor(clock.monoNow() / WATCHDOG_TICK_MS) + 1) * WATCHDOG_TICK_MS
      await clock.wait(dueAt - clock.monoNow(), signal)
      onTick()
      const now = clock.monoNow()
      const lateMs = now - dueAt
      if (lateMs > WATCHDOG_TICK_MS) this.#lastProgress = (this.#lastProgress + lateMs) as MonoMs
      if (this.#queue.isFull) {
        blockedSince ??= now
        this.#lastProgress = now
        if (now - blockedSince > BLOCKED_BOUND_MS) this.#fail('storage-too-slow')
        continue
      }
      blockedSince = null
      const heldMs = PICTURES_HELD[this.#options.pictures] * (this.#options.pictureWaitMs?.() ?? 0)
      const boundMs = heldMs + (this.#options.pictures === 'key-frames'
        ? KEY_FRAME_BOUND_MS : this.#fragments === 0 ? FIRST_FRAGMENT_BOUND_MS : STALL_BOUND_MS)
      if (now - this.#lastProgress > boundMs) this.#fail('stalled')
    }
  }

  /** A stop lets ffmpeg hand over the frames it holds; one that does not leave is killed. What storage has not taken some time later is dropped. */
  async #killAfterGrace(signal: AbortSignal, over: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<void>()
    const resolve = () => { stopped.resolve() }
    signal.addEventListener('abort', resolve, { once: true })
    over.addEventListener('abort', resolve, { once: true })
    await stopped.promise
    signal.removeEventListener('abort', resolve)
    if (over.aborted) return
    const { clock } = this.#options
    this.#storeUntil = clock.monoNow() + STOP_GRACE_MS + STORED_WITHIN_MS
    await clock.wait(STOP_GRACE_MS, over)
    if (over.aborted) return
    this.#kill.abort()
    await clock.wait(STORED_WITHIN_MS, over)
    if (!over.aborted) this.#fail('storage-too-slow')
  }
}
