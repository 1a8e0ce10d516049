import { RECORDING_MODES, RetryableError, type CameraConfig, type DeviceFacts, type EpochMs, type MonoMs, type RecordingMode, type RunEndReason, type StreamConfig, type StreamSource } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { redact } from '../platform/redact.ts'
import { supervise, type DelayLadder } from '../platform/supervise.ts'
import type { CameraTraits, StreamLane } from '../storage/index.ts'
import { CameraSound } from './camera-sound.ts'
import { RELAYED_TIMEOUT_MS } from './ffmpeg-arguments.ts'
import { findStream, measureClockOffset, OnvifError, readInformation } from './onvif/index.ts'
import type { LaneTurn } from './lane-turn.ts'
import { modeLane } from './mode-lane.ts'
import { recordOnce, withoutUrls, type RunEnd } from './recording-run.ts'
import { PicturePace, type CameraRelay, type RelayTicket } from './rtsp/index.ts'
import { StreamRate } from './stream-rate.ts'

export type StreamState = 'connecting' | 'recording' | 'waiting' | 'stopped'

/** What a supervisor knows of its stream. Ages are running time, so a clock step never makes a stream look dead or alive. */
export interface StreamFacts {
  readonly state: StreamState
  readonly stateSince: EpochMs
  /** Time of the newest frame that reached storage, and its age; null before the first of this process. */
  readonly lastFrameAt: EpochMs | null
  readonly lastFrameAgeMs: number | null
  /** Since the supervisor last made a step of any kind; bounded in every state but `waiting` and `stopped`. */
  readonly supervisorTickAgeMs: number
  readonly bitrateBps: number
  readonly fps: number
  /** Runs that ended unasked since the process began. */
  readonly restarts: number
  readonly lastEndReason: RunEndReason | null
  /** Camera clock minus ours, as last sampled; null when the camera does not tell. */
  readonly cameraClockOffsetMs: number | null
  /** ONVIF's token of the lens that is recorded; null where the device names none or was not asked. */
  readonly channel: string | null
  /** Milliseconds of ours in one of the camera's stamps: 1 for a camera that counts right. */
  readonly stampRate: number
  /** Sound is wanted, and the last try brought none. */
  readonly isSoundMissing: boolean
  /** From one picture of the camera to the next, as it usually is. */
  readonly pictureWaitMs: number
}

const LADDERS = {
  /** A camera that answered before is back within seconds or not for long. */
  usual: [0, 250, 500, 1000, 2000, 4000, 8000, 15_000],
  /** It sends pictures, if only for moments: each second counts. */
  flapping: [0, 250, 500, 1000, 2000],
  /** Many cameras lock the account after a few wrong passwords: asking quickly would make it worse. */
  password: [30_000, 30_000, 60_000],
  /**
   * A camera that starts up refuses what it takes a minute later; one whose password was changed must not
   * lock the account.
   */
  lapsed: [5_000, 5_000, 10_000, 20_000, 60_000],
} satisfies Record<string, DelayLadder>
const HEALTHY_MS = 10_000
const WEB_PORT = /^rtsps?:\/\/[^/]*:(?:80|443)\//
const ladderOf = (end: RunEnd): DelayLadder => end.reason === 'auth-refused' ? LADDERS.password
  : end.reason === 'auth-lapsed' ? LADDERS.lapsed : end.recordedMs > 0 ? LADDERS.flapping : LADDERS.usual
const NO_RUN = { recordedMs: 0, said: '', leftBehind: null } as const

export interface StreamSupervisorOptions {
  readonly camera: CameraConfig
  readonly stream: StreamConfig
  readonly relay: Pick<CameraRelay, 'ticket'>
  /** What the camera was last time. */
  readonly traits: Pick<CameraTraits, 'of' | 'shown'>
  readonly lane: StreamLane
  /** Of the lane, shared with whoever recorded the stream before. */
  readonly turn: LaneTurn
  /** As the order of sacrifice has it at the start. */
  readonly mode: RecordingMode
  /** The first pictures of a run have come. */
  readonly onRecording: () => void
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** Keeps one stream recorded: run after run, for ever, until it is stopped. */
export class StreamSupervisor {
  readonly #options: StreamSupervisorOptions
  readonly #log: Logger
  #rate = new StreamRate()
  #mode: RecordingMode
  /** Aborts when the mode changes; a new one for each mode. */
  #modeOver = new AbortController()
  #askedReason: RunEndReason = 'recorder-stopped'
  #stopping = false
  readonly #secrets: readonly string[]
  /** Null: no sound is wanted. */
  readonly #sound: CameraSound | null
  #state: StreamState = 'connecting'
  #stateSince: EpochMs
  #tickAt: MonoMs
  #lastFrame: { endAt: EpochMs, arrivedAt: MonoMs } | null = null
  /** The camera has sent pictures for this password. */
  #wasAccepted = false
  #restarts = 0
  #lastEndReason: RunEndReason | null = null
  #clockOffsetMs: number | null = null
  #channel: string | null = null
  /** Milliseconds of ours in one of the camera's stamps. */
  #stampRate = 1
  readonly #pace = new PicturePace()
  #isSoundMissing = false
  readonly #ends: FailureLog
  readonly #refusals: FailureLog
  readonly #crashes: FailureLog
  readonly #silences: FailureLog

  constructor(options: StreamSupervisorOptions) {
    const { camera, stream, clock } = options
    this.#options = options
    this.#mode = options.mode
    this.#log = options.log.child({ cap: 'ingest', cameraId: camera.id, stream: stream.name })
    const logged = (failed: string, recovered: string) => new FailureLog({ clock, log: this.#log, failed, recovered })
    this.#ends = logged('run ended', 'recording again')
    this.#refusals = logged('storage refused a fragment', 'storage takes fragments again')
    this.#crashes = logged('run crashed', 'runs crash no more')
    this.#silences = logged('the sound of the camera cannot be recorded; its pictures are', 'sound again')
    this.#secrets = camera.credential === null ? [] : [camera.credential.password]
    this.#sound = camera.audio ? new CameraSound(
      { onMissing: said => { this.#noteNoSound(said) }, onSound: () => { this.#noteSound() } }
    ) : null
    this.#stateSince = clock.wallNow()
    this.#tickAt = clock.monoNow()
  }

  /** Ends when `signal` aborts and the last run is stored. `startDelayMs` spreads a fleet's first requests. */
  async run(signal: AbortSignal, startDelayMs: number): Promise<void> {
    signal.addEventListener('abort', () => { this.#stopping = true }, { once: true })
    const { clock, random, lane, turn } = this.#options
    this.#note(() => { lane.noteStarting() })
    void lane.recover().catch((error: unknown) => { this.#log.error({ err: error }, 'recovery of the last open slot failed') })
    await clock.wait(startDelayMs, signal)
    while (!signal.aborted) {
      const modeSignal = AbortSignal.any([signal, this.#modeOver.signal])
      if (this.#mode === 'stopped') await this.#standStill(modeSignal)
      else {
        await supervise<RunEnd>({
          clock, signal: modeSignal, random,
          runOnce: runSignal => this.#runOnce(runSignal),
          crashed: error => this.#crashed(error),
          wake: () => turn.isFree ? null : turn.freed,
          wasHealthy: end => end.recordedMs >= HEALTHY_MS,
          delaysMs: ladderOf,
          onEnd: (end, delayMs) => { this.#noteEnd(end, delayMs) },
        })
      }
    }
    this.#enter('stopped')
    this.#lastEndReason = 'recorder-stopped'
  }

  get mode(): RecordingMode { return this.#mode }

  /** Records more or less of the stream from now on: the run under way ends with that reason and the next begins at once. */
  setMode(mode: RecordingMode): void {
    if (mode === this.#mode) return
    const isLess = RECORDING_MODES.indexOf(mode) > RECORDING_MODES.indexOf(this.#mode)
    this.#askedReason = mode === 'stopped' ? 'stopped-for-floor' : isLess ? 'stepped-down' : 'stepped-up'
    this.#log.warn({ from: this.#mode, to: mode }, 'recording mode changed')
    this.#mode = mode
    this.#rate = new StreamRate() // bytes of another mode tell nothing of this one
    this.#lastEndReason = this.#askedReason
    this.#enter(mode === 'stopped' ? 'stopped' : 'connecting') // what the run under way still brings is of the old mode
    const over = this.#modeOver
    this.#modeOver = new AbortController()
    over.abort()
  }

  /** Step 5: nothing is recorded until the mode changes. */
  async #standStill(signal: AbortSignal): Promise<void> {
    this.#note(() => { this.#options.lane.noteNoFootage('stopped-for-floor') })
    this.#enter('stopped')
    const over = Promise.withResolvers<void>()
    if (signal.aborted) over.resolve()
    signal.addEventListener('abort', () => { over.resolve() }, { once: true })
    await over.promise
  }

  async #runOnce(signal: AbortSignal): Promise<RunEnd> {
    this.#enter('connecting')
    const { clock, turn } = this.#options
    const mode = this.#mode
    const lane = modeLane(this.#options.lane, { mode, askedReason: () => this.#stopping ? 'recorder-stopped' : this.#askedReason })
    if (!await turn.free(clock, signal) && !signal.aborted) {
      lane.noteNoFootage('storage-too-slow')
      return { ...NO_RUN, reason: 'storage-too-slow', said: 'storage has not come back from the run before' }
    }
    let url: string
    try { url = await this.#findUrl(signal) } catch (error) {
      if (!(error instanceof OnvifError)) throw error
      const reason = this.#told(error.endReason)
      lane.noteNoFootage(reason)
      return { ...NO_RUN, reason, said: redact(error.message, this.#secrets) }
    }
    if (signal.aborted) return { ...NO_RUN, reason: 'recorder-stopped' }
    const { camera, relay } = this.#options
    using ticket = relay.ticket(url, camera.credential, this.#pace)
    const end = await recordOnce({
      secretUrl: ticket.url, socketTimeoutMs: RELAYED_TIMEOUT_MS, wayFault: () => this.#wayFault(ticket, url),
      takeLossesAgoMs: () => ticket.takeLossesAgoMs(),
      pictureWaitMs: () => this.#pace.waitMs(performance.now()),
      firstPictureAgoMs: () => this.#pace.sinceFirstMs(performance.now()),
      secrets: this.#secrets, pictures: mode === 'key-frames' ? 'key-frames' : 'all',
      sound: mode === 'key-frames' || this.#sound === null ? null // over missing pictures it would tell nothing
        : { known: this.#sound, way: () => relay.ticket(url, camera.credential) },
      cameraClockOffsetMs: () => this.#clockOffsetMs, lane, clock,
      stampRate: this.#stampRate, onStampRate: rate => { this.#noteStampRate(rate) },
      onRefused: error => { this.#refusals.failure({ err: error }, error instanceof RetryableError ? 'warn' : 'error') },
      onBroken: error => { this.#crashes.failure({ err: error }, 'error') },
      onTick: () => { this.#tickAt = clock.monoNow() },
      onFragment: facts => { if (mode === this.#mode) this.#noteFragment(facts) },
    }, signal)
    if (end.leftBehind !== null) turn.leave(end.leftBehind)
    return end
  }

  #wayFault(ticket: RelayTicket, url: string): {
    readonly reason: RunEndReason, readonly message: string } | null {
    const fault = ticket.fault()
    if (fault === null) return null
    if (fault.reason === 'refused' && this.#source().kind === 'onvif' && WEB_PORT.test(url)) {
      return { reason: 'onvif-bad-address', message: 'the camera names its web port for RTSP and refuses it' }
    }
    return { reason: this.#told(fault.reason), message: fault.message }
  }

  /** A password that this camera took before is hardly a wrong one. */
  #told(reason: RunEndReason): RunEndReason { return reason === 'auth-refused' && this.#wasAccepted
    ? 'auth-lapsed' : reason }

  /** A run that threw ends like any other, and the stream is tried again. */
  #crashed(error: unknown): RunEnd {
    this.#crashes.failure({ err: error }, 'error')
    this.#note(() => { this.#options.lane.noteNoFootage('ffmpeg-failed') })
    return { ...NO_RUN, reason: 'ffmpeg-failed', said: redact(String(error), this.#secrets) }
  }

  /** What the catalogue should know and nothing waits for: it must not end the supervisor. */
  #note(write: () => void): void {
    try { write() } catch (error) { this.#crashes.failure({ err: error }, 'error') }
  }

  /** Without a lower profile that mode records the usual one: the next decision corrects it. */
  #source(): StreamSource {
    const { source, lower } = this.#options.stream
    return this.#mode === 'lower' ? lower ?? source : source
  }

  async #findUrl(signal: AbortSignal): Promise<string> {
    const { camera, clock, traits } = this.#options
    const source = this.#source()
    if (source.kind === 'url') return source.url
    try {
      const kept = source.source ?? traits.of(camera.id, 'video-source')
      const choice = { profile: source.profile, source: kept, mayReplaceSource: source.source === null }
      const found = await findStream({ host: source.host, port: source.port, credential: camera.credential,
        clock, signal }, choice)
      this.#channel = found.profile.sourceToken
      if (this.#channel !== null) traits.shown(camera.id, 'video-source', this.#channel)
      if (found.certificate !== null) traits.shown(camera.id, 'certificate', found.certificate)
      this.#clockOffsetMs = found.clockOffset === null ? null : Math.round(found.clockOffset.offsetMs)
      return found.uri
    } catch (error) {
      if (signal.aborted) return ''
      throw error
    }
  }

  /** Asks the camera for its clock, if it can be asked. A camera that does not answer keeps its last sample. */
  async sampleClock(signal: AbortSignal): Promise<void> {
    const { camera, clock } = this.#options
    const source = this.#source()
    if (source.kind !== 'onvif') return
    try {
      const offset = await measureClockOffset({ host: source.host, port: source.port, credential: camera.credential, clock, signal })
      if (offset !== null) this.#clockOffsetMs = Math.round(offset.offsetMs)
    } catch (error) {
      if (!(error instanceof OnvifError) && !signal.aborted) throw error
      this.#log.debug({ err: error }, 'camera clock not told')
    }
  }

  /** What the device says it is; null where nothing can be asked, or nothing usable came back. Never throws. */
  async askDevice(signal: AbortSignal): Promise<DeviceFacts | null> {
    const { camera, clock } = this.#options
    const source = this.#source()
    if (source.kind !== 'onvif') return null
    try {
      const { manufacturer, model, firmwareVersion, serialNumber } = await readInformation({ host: source.host, port: source.port, credential: camera.credential, clock, signal })
      return { maker: manufacturer || null, model: model || null, firmware: firmwareVersion || null, serial: serialNumber || null }
    } catch (error) {
      if (!signal.aborted) this.#log.debug({ err: error }, 'the device does not tell what it is')
      return null
    }
  }

  /** A property of the camera, learnt once: its frames are dated by it. */
  #noteStampRate(rate: number): void {
    this.#stampRate = rate
    this.#log.warn(
      { stampRate: Math.round(rate * 1000) / 1000 },
      'the stamps of the camera count at another rate than its frames come'
    )
  }

  #noteSound(): void {
    this.#isSoundMissing = false
    this.#silences.success()
  }

  #noteNoSound(said: string): void {
    this.#isSoundMissing = true
    this.#silences.failure({ said: redact(withoutUrls(said), this.#secrets).slice(0, 500) })
  }

  #noteFragment(facts: { at: MonoMs, frameEndAt: EpochMs, bytes: number, frames: number, durationMs: number }): void {
    const { clock } = this.#options
    this.#rate.add(facts.at, facts.bytes, facts.frames, facts.durationMs)
    this.#lastFrame = { endAt: facts.frameEndAt, arrivedAt: clock.monoNow() }
    this.#tickAt = clock.monoNow()
    if (this.#state === 'recording') return
    this.#enter('recording')
    this.#wasAccepted = true
    this.#options.onRecording()
    if (!this.#ends.success()) this.#log.info('recording')
    this.#refusals.success()
    this.#crashes.success()
  }

  #noteEnd(end: RunEnd, delayMs: number): void {
    this.#restarts++
    this.#lastEndReason = end.reason
    this.#enter('waiting')
    this.#ends.failure({ reason: end.reason, recordedMs: end.recordedMs, nextInMs: Math.round(delayMs),
      said: end.said })
  }

  #enter(state: StreamState): void {
    const { clock } = this.#options
    this.#tickAt = clock.monoNow()
    if (this.#state === state) return
    this.#state = state
    this.#stateSince = clock.wallNow()
  }

  facts(): StreamFacts {
    const now = this.#options.clock.monoNow()
    return {
      state: this.#state, stateSince: this.#stateSince,
      lastFrameAt: this.#lastFrame?.endAt ?? null, lastFrameAgeMs: this.#lastFrame === null ? null : now - this.#lastFrame.arrivedAt,
      supervisorTickAgeMs: now - this.#tickAt, ...this.#rate.at(now), restarts: this.#restarts, lastEndReason: this.#lastEndReason,
      cameraClockOffsetMs: this.#clockOffsetMs, channel: this.#channel,
      stampRate: this.#stampRate, isSoundMissing: this.#isSoundMissing, pictureWaitMs: this.#pace.usualWaitMs,
    }
  }
}
