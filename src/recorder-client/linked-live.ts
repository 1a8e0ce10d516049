import { epochMs, runId, type CameraId, type StreamName } from '../domain/index.ts'
import type { FragmentWatcher, TimedFragment } from '../footage/index.ts'
import { readLiveFrame, type LiveFrame } from '../link/index.ts'
import { parseInitSegment, parseMovieFragment, type InitSegment } from '../media/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { ConnectedLoop } from './connected-loop.ts'
import type { RecorderConnection } from './recorder-connection.ts'

/** A stream that is not recorded yet, and what was not answered, is asked for again. */
const ASK_AGAIN_MS = 5_000

export interface LinkedLiveOptions {
  readonly connection: Pick<RecorderConnection, 'ask' | 'onConnected' | 'onMedia'>
  readonly clock: Clock
  readonly log: Logger
}

interface WatchedStream {
  readonly number: number
  readonly camera: CameraId
  readonly stream: StreamName
  readonly watchers: Set<FragmentWatcher>
  init: InitSegment | null
  /** The connection that watches it. */
  on: AbortSignal | null
}

/**
 * What the recorder records, fragment by fragment; each stream comes over the link once, whoever watches it.
 * Watched again at each connection.
 */
export class LinkedLive implements AsyncDisposable {
  readonly #options: LinkedLiveOptions
  readonly #streams = new Map<string, WatchedStream>()
  /** By their numbers, of which each is used once. */
  readonly #numbered = new Map<number, WatchedStream>()
  /** Watches that the recorder may not know the end of. */
  readonly #stopping = new Set<number>()
  readonly #failures: FailureLog
  readonly #unlisten: () => void
  readonly #asking: ConnectedLoop
  #on: AbortSignal | null = null
  #lastNumber = 0
  #dropped = 0

  private constructor(options: LinkedLiveOptions) {
    this.#options = options
    const { connection, clock, log } = options
    this.#failures = new FailureLog({
      clock, log, failed: 'live streams cannot be asked for', recovered: 'live streams are asked for',
    })
    this.#unlisten = connection.onMedia(payload => { this.#take(payload) })
    this.#asking = new ConnectedLoop(connection, signal => this.#run(signal))
  }
  static open(options: LinkedLiveOptions): LinkedLive { return new LinkedLive(options) }

  /** Fragments that the recorder left out, for this process was too slow: up to a key frame each time. */
  get dropped(): number { return this.#dropped }
  /** Streams that somebody watches. */
  get watched(): number { return this.#streams.size }

  /** Every fragment from now on; the function returned ends it. Idempotent. As StreamLane.watch. */
  watch(camera: CameraId, stream: StreamName, watcher: FragmentWatcher): () => void {
    const key = `${camera}/${stream}`, watched = this.#streams.get(key) ?? this.#begin(key, camera, stream)
    watched.watchers.add(watcher)
    return () => {
      if (watched.watchers.delete(watcher) && watched.watchers.size === 0) this.#stop(key, watched)
    }
  }

  #begin(key: string, camera: CameraId, stream: StreamName): WatchedStream {
    const watched: WatchedStream = {
      number: ++this.#lastNumber, camera, stream, watchers: new Set(), init: null, on: null,
    }
    this.#streams.set(key, watched)
    this.#numbered.set(watched.number, watched)
    const on = this.#on
    if (on !== null && !on.aborted) void this.#attempt(on, () => this.#ask(watched, on))
    return watched
  }

  #stop(key: string, watched: WatchedStream): void {
    const on = this.#on
    this.#streams.delete(key)
    this.#numbered.delete(watched.number)
    if (on === null || on.aborted) return
    this.#stopping.add(watched.number)
    void this.#attempt(on, () => this.#tellStopped(watched.number))
  }

  /** As long as one connection lasts. Never rejects. */
  async #run(on: AbortSignal): Promise<void> {
    this.#on = on
    this.#stopping.clear()
    while (!on.aborted) {
      await this.#attempt(on, async () => {
        for (const watched of [...this.#streams.values()]) if (watched.on !== on) await this.#ask(watched, on)
        for (const number of [...this.#stopping]) await this.#tellStopped(number)
      })
      await this.#options.clock.wait(ASK_AGAIN_MS, on)
    }
  }

  async #attempt(on: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#failures.success()
    } catch (error) { if (!on.aborted) this.#failures.failure({ err: error }) }
  }

  /** The same number again is the same watch. */
  async #ask(watched: WatchedStream, on: AbortSignal): Promise<void> {
    const { number: watch, camera, stream } = watched
    const { outcome } = await this.#options.connection.ask('live.watch', { watch, camera, stream })
    if (outcome === 'watching') watched.on = on
  }

  async #tellStopped(number: number): Promise<void> {
    await this.#options.connection.ask('live.stop', { watch: number })
    this.#stopping.delete(number)
  }

  #take(payload: Buffer): void {
    const frame = readLiveFrame(payload), watched = this.#numbered.get(frame.head.watch)
    if (watched === undefined) return // it was stopped meanwhile
    if (frame.init !== null) watched.init = parseInitSegment(frame.init.ftyp, frame.init.moov)
    const { init } = watched
    if (init === null) throw new TypeError('a live fragment came before the parameters of its stream')
    this.#dropped += frame.head.dropped
    const timed = timedOf(frame)
    for (const watcher of [...watched.watchers]) {
      try { watcher(timed, init) } catch { watched.watchers.delete(watcher) } // as in the recorder
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten()
    await this.#asking[Symbol.asyncDispose]()
  }
}

/**
 * Shares the frame's memory. A track's `decodeTimeTicks` is as it was stored, counted from its segment's
 * start; `trackTimes` count in the run.
 */
function timedOf({ head, payload, moofAt }: LiveFrame): TimedFragment {
  const tracks = parseMovieFragment(payload.subarray(moofAt), payload.length - moofAt)
  return {
    fragment: { buffer: payload, moofAt, moofBytes: head.moofBytes, endAt: payload.length, tracks },
    runId: runId(head.run), startAt: epochMs(head.startAt), durationMs: head.durationMs,
    startsWithKey: head.isKey, cameraClockOffsetMs: head.cameraClockOffsetMs,
    trackTimes: head.tracks.map(({ id, timescale, ticks }) => {
      const track = tracks.find(({ trackId }) => trackId === id)
      if (track === undefined) throw new TypeError(`a live fragment has no track ${id}`)
      return { track, timescale, ticks: BigInt(ticks) }
    }),
  }
}
