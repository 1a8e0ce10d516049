import { isDeepStrictEqual } from 'node:util'
import { streamKeyText, type CameraConfig, type CameraId, type DeviceFacts, type MonoMs, type RecordingMode, type StreamConfig, type StreamName } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { CameraTraits, StreamLane } from '../storage/index.ts'
import { LaneTurn } from './lane-turn.ts'
import type { CameraRelay } from './rtsp/index.ts'
import { StreamSupervisor, type StreamFacts } from './stream-supervisor.ts'

/** First requests of a fleet are spread over this; starting the children takes longer anyway, and all must have asked within 2 s. */
const START_SPREAD_MS = 200
/** A camera that connects again and again is not asked each time what it is. */
const ASK_DEVICE_MS = 60_000

export interface IngestOptions {
  readonly relay: CameraRelay
  readonly traits: CameraTraits
  readonly lane: (camera: CameraId, stream: StreamName) => StreamLane
  /** What a camera's device said it is: on each connection, at most once a minute, and with its clock. */
  readonly onDevice: (camera: CameraId, device: DeviceFacts) => void
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

export interface StreamReport extends StreamFacts { readonly cameraId: CameraId, readonly stream: StreamName, readonly mode: RecordingMode }

interface Running { readonly camera: CameraConfig, readonly stream: StreamConfig, readonly supervisor: StreamSupervisor, readonly stop: AbortController, readonly done: Promise<void> }

/** All streams that are recorded, one supervisor each. */
export class Ingest implements AsyncDisposable {
  readonly #options: IngestOptions
  readonly #running = new Map<string, Running>()
  /** Outlive their supervisors: one that follows waits for what storage still does for the one before. */
  readonly #turns = new Map<string, LaneTurn>()
  readonly #deviceAskedAt = new Map<CameraId, MonoMs>()
  readonly #asking = new Set<Promise<void>>()
  #modes: ReadonlyMap<string, RecordingMode> = new Map()
  readonly #failed = Promise.withResolvers<never>()

  constructor(options: IngestOptions) {
    this.#options = options
    this.#failed.promise.catch(() => undefined) // whoever waits for `failed` learns it
  }

  /** Rejects when a supervisor broke, which is a programming error: the process must restart into recovery. */
  get failed(): Promise<never> { return this.#failed.promise }

  /** Starts what is new, stops what is gone, restarts what changed; leaves the rest alone. */
  async configure(cameras: readonly CameraConfig[]): Promise<void> {
    const wanted = new Map<string, { camera: CameraConfig, stream: StreamConfig }>(cameras.flatMap(camera => camera.streams.map(stream => [streamKeyText({ cameraId: camera.id, stream: stream.name }), { camera, stream }] as const)))
    const leaving = [...this.#running].filter(([key, running]) => {
      const next = wanted.get(key)
      return next === undefined || !sameSource(running, next)
    })
    await Promise.all(leaving.map(async ([key, running]) => {
      running.stop.abort()
      await running.done
      this.#running.delete(key)
    }))
    let started = 0
    for (const [key, { camera, stream }] of wanted) {
      if (this.#running.has(key)) continue
      this.#start(key, camera, stream, wanted.size === 0 ? 0 : START_SPREAD_MS * started++ / wanted.size)
    }
  }

  #start(key: string, camera: CameraConfig, stream: StreamConfig, delayMs: number): void {
    const { relay, traits, lane, clock, random, log } = this.#options
    const stop = new AbortController()
    const turn = this.#turns.get(key) ?? new LaneTurn()
    this.#turns.set(key, turn)
    const supervisor: StreamSupervisor = new StreamSupervisor({
      camera, stream, relay, traits, lane: lane(camera.id, stream.name), turn, mode: this.#modes.get(key)
        ?? 'full', onRecording: () => { this.#askDevice(camera.id, supervisor, stop.signal) }, clock,
          random, log,
    })
    const done = supervisor.run(stop.signal, delayMs).catch((error: unknown) => {
      log.fatal({ err: error, cameraId: camera.id, stream: stream.name }, 'a supervisor broke')
      this.#failed.reject(error)
    })
    this.#running.set(key, { camera, stream, supervisor, stop, done })
  }

  /** How much is recorded of each stream from now on, by `streamKeyText`; those not named are recorded in full. Also holds for streams that start later. */
  setModes(modes: ReadonlyMap<string, RecordingMode>): void {
    this.#modes = new Map(modes)
    for (const [key, { supervisor }] of this.#running) supervisor.setMode(this.#modes.get(key) ?? 'full')
  }

  /** Samples the clocks of all cameras that can be asked, the offset is kept with the footage from then on; and asks them again what they are. */
  async sampleClocks(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ supervisor }) => supervisor.sampleClock(signal)))
    for (const { camera, supervisor, stop } of this.#running.values()) this.#askDevice(camera.id, supervisor, AbortSignal.any([signal, stop.signal]))
  }

  /** In the background: recording waits for none of it [G9]. */
  #askDevice(camera: CameraId, supervisor: StreamSupervisor, signal: AbortSignal): void {
    const { clock, onDevice } = this.#options, now = clock.monoNow()
    if (now - (this.#deviceAskedAt.get(camera) ?? -Infinity) < ASK_DEVICE_MS) return
    this.#deviceAskedAt.set(camera, now)
    const asking = supervisor.askDevice(signal).then(device => { if (device !== null && !signal.aborted) onDevice(camera, device) }).finally(() => { this.#asking.delete(asking) })
    this.#asking.add(asking)
    asking.catch((error: unknown) => { this.#options.log.error({ err: error, cameraId: camera }, 'what a device said could not be noted') })
  }

  report(): StreamReport[] {
    return [...this.#running.values()].map(({ camera, stream, supervisor }) => ({ cameraId: camera.id, stream: stream.name, mode: supervisor.mode, ...supervisor.facts() }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.values()) running.stop.abort()
    await Promise.all([...this.#running.values()].map(running => running.done))
    await Promise.allSettled(this.#asking)
  }
}

/** Compares what a run depends on, the credential included. */
function sameSource(a: { camera: CameraConfig, stream: StreamConfig }, b: { camera: CameraConfig, stream: StreamConfig }): boolean {
  const facts = ({ camera: { credential, audio }, stream: { name, source, lower } }: typeof a) => [name, source, lower, audio, credential?.username, credential?.password]
  return isDeepStrictEqual(facts(a), facts(b))
}
