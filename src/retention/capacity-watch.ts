import type { EpochMs, MonoMs } from '../domain/index.ts'
import { plannedSpanMs } from './capacity.ts'
import { forecast, type Forecast, type VolumeLoad } from './forecast.ts'
import type { FloorRule } from './keep-until.ts'
import { RateMeter } from './rate-meter.ts'

/** A stream as it is at one look. */
export interface StreamLook {
  readonly key: string
  /** Of the last seconds, in bits a second. */
  readonly bitrateBps: number
  readonly isRecording: boolean
  readonly declaredBps: number | null
  readonly oldestAt: EpochMs | null
}

/** A forecast of weeks need not be made each second: the ring is looked through for it. */
const LONGEST_PAUSE_MS = 60_000
const LEAST_PAUSE_MS = 1_000

/** Keeps the measured rates of streams and the forecast made of them. State in memory only: after a restart rates are measured anew, declared ones stand in. */
export class CapacityWatch {
  readonly #floor: FloorRule
  readonly #pauseMs: number
  readonly #meters = new Map<string, RateMeter>()
  #streams: readonly StreamLook[] = []
  #madeAt: MonoMs | null = null

  constructor(floor: FloorRule) {
    this.#floor = floor
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, plannedSpanMs(floor) / 4_096))
  }

  /** At each look at the recorder, about once a second. A stream that is gone is forgotten. */
  look(at: MonoMs, streams: readonly StreamLook[]): void {
    const keys = new Set(streams.map(({ key }) => key))
    for (const key of [...this.#meters.keys()]) if (!keys.has(key)) this.#meters.delete(key)
    if (streams.length !== this.#streams.length || streams.some(({ key }, index) => this.#streams[index]?.key !== key)) this.#madeAt = null
    this.#streams = streams
    for (const { key, bitrateBps, isRecording } of streams) this.#meterOf(key).look(at, bitrateBps, isRecording)
  }

  /** What was measured of a stream no longer holds: it is recorded in another mode, or from another source. */
  forget(key: string): void {
    this.#meters.delete(key)
    this.#madeAt = null
  }

  /** Bits a second by stream, of those recorded long enough; for `fitOf`. */
  measuredBps(): ReadonlyMap<string, number> {
    return new Map([...this.#meters].flatMap(([key, { bitrateBps }]) => bitrateBps === null ? [] : [[key, bitrateBps] as const]))
  }

  /** Whether it is time for a new forecast; sooner when streams came or went. */
  isDue(at: MonoMs): boolean { return this.#madeAt === null || at - this.#madeAt >= this.#pauseMs }

  /** `now`: trusted, and of the same moment as `volumes`. */
  forecast(at: MonoMs, volumes: readonly VolumeLoad[], now: EpochMs | null): Forecast {
    this.#madeAt = at
    const streams = this.#streams.map(({ key, declaredBps, oldestAt }) => ({ key, oldestAt, bitrateBps: this.#meterOf(key).bitrateBps ?? declaredBps }))
    return forecast({ streams, volumes, floor: this.#floor, now })
  }

  #meterOf(key: string): RateMeter {
    const known = this.#meters.get(key)
    if (known !== undefined) return known
    const meter = new RateMeter(this.#floor)
    this.#meters.set(key, meter)
    return meter
  }
}
