import { epochMs, monoMs, streamKeyText, type EpochMs, type MonoMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { isWanted, type StreamView } from './views.ts'

/** A reconnect takes a few seconds; beyond this footage is missing. */
export const STREAM_DOWN_AFTER_MS = 10_000
export const UNSTABLE_WINDOW_MS = 10 * 60_000

/** What one stream did over time, which a single look does not show. */
export interface StreamWatch {
  /** Null while frames arrive. */
  readonly outage: { readonly seenAt: EpochMs, readonly lastedMs: number } | null
  /** Runs that ended within the window, outages long enough to be a reason of their own left out. */
  readonly recentRestarts: number
}

interface Memory {
  outage: { readonly seenAt: EpochMs, readonly seenMono: MonoMs } | null
  /** Restart counts and when each was first seen; one entry a look at most, trimmed to the window. */
  counts: { readonly mono: MonoMs, readonly restarts: number }[]
}

/** Frames of a camera that sends one in several seconds are stored so many later. */
const FRAMES_HELD = 4
/** How old the newest frame of a stream may be beyond what is usual: by how seldom the camera sends. */
export const extraAgeMs = ({ pictureWaitMs }: Pick<StreamView, 'pictureWaitMs'>): number => FRAMES_HELD * pictureWaitMs

const delivers = (stream: StreamView): boolean => stream.state === 'recording' && stream.lastFrameAgeMs !== null
  && stream.lastFrameAgeMs <= STREAM_DOWN_AFTER_MS + extraAgeMs(stream)

/** Remembers outages across the states of a reconnecting stream. Lengths are running time. */
export class StreamWatcher {
  readonly #clock: Clock
  #memory = new Map<string, Memory>()

  constructor(clock: Clock) { this.#clock = clock }

  /** To be called about once a second; streams no longer wanted are forgotten. */
  observe(streams: readonly StreamView[]): Map<string, StreamWatch> {
    const nowMono = this.#clock.monoNow()
    const memory = new Map<string, Memory>()
    const watches = new Map<string, StreamWatch>()
    for (const stream of streams) {
      if (!isWanted(stream)) continue
      const key = streamKeyText(stream)
      const known = this.#memory.get(key)
      // One that was not wanted until now gets its time to connect, however old its footage.
      const silentMs = known ? stream.lastFrameAgeMs ?? 0 : 0
      const kept = known ?? { outage: null, counts: [] }
      memory.set(key, kept)
      watches.set(key, this.#look(stream, kept, nowMono, silentMs))
    }
    this.#memory = memory
    return watches
  }

  #look(stream: StreamView, known: Memory, nowMono: MonoMs, silentMs: number): StreamWatch {
    if (delivers(stream)) known.outage = null
    else known.outage ??= { seenAt: epochMs(this.#clock.wallNow() - silentMs), seenMono: monoMs(nowMono - silentMs) }
    const outage = known.outage && { seenAt: known.outage.seenAt, lastedMs: nowMono - known.outage.seenMono }
    // The retries of a long outage are not instability: the count starts over after it.
    const newest = known.counts.at(-1)
    if (outage && outage.lastedMs > STREAM_DOWN_AFTER_MS || newest && newest.restarts > stream.restarts) known.counts = []
    if (known.counts.at(-1)?.restarts !== stream.restarts) known.counts.push({ mono: nowMono, restarts: stream.restarts })
    while (known.counts[1] && known.counts[1].mono <= nowMono - UNSTABLE_WINDOW_MS) known.counts.shift()
    return { outage, recentRestarts: stream.restarts - (known.counts[0]?.restarts ?? stream.restarts) }
  }
}
