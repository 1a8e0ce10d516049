import { monoMs, RetryableError, type MonoMs } from '../domain/index.ts'

const HOUR_MS = 3_600_000
/** A camera whose picture really needs more is not to be stopped, only one that takes slots without filling them. */
const TIMES_EXPECTED = 2
/** Changed encoder settings, broken slots, a maintenance afternoon. */
const SPARE_AN_HOUR = 24
/** Where nothing is known of a stream it is taken for a large one. */
const UNKNOWN_BPS = 16e6

/** A stream took its slots faster than any camera of its bitrate needs: it waits, so that it cannot eat the ring of the others. */
export class SlotBudgetError extends RetryableError {
  constructor(streamKey: string, until: MonoMs, now: MonoMs) {
    super('CUSTOS_SLOT_BUDGET', `${streamKey} has used up its slots of this hour; it may take the next one in ${Math.ceil((until - now) / 1000)} s`, {
      remedy: 'Look for what makes the camera change its picture settings or break off again and again: each time, a slot is begun.',
    })
  }
}

interface Bucket { tokens: number, at: MonoMs, perHour: number, bitrateBps: number }

/**
 * How many slots each stream may open in an hour: twice what its bitrate fills, and some. A token bucket, full at first; all of an hour may be used at once.
 * Streams are bounded by the configuration, so are the buckets.
 */
export class SlotBudget {
  #slotSizeBytes: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(slotSizeBytes: number) { this.#slotSizeBytes = slotSizeBytes }

  /** What the stream declared, or what was measured; null when neither is known. */
  expect(streamKey: string, bitrateBps: number | null, now: MonoMs): void {
    const bucket = this.#refilled(streamKey, now)
    bucket.bitrateBps = bitrateBps ?? UNKNOWN_BPS
    this.#allow(bucket)
  }

  /** Slots are of another size from now on: what was used of the hour stays used in the same share. */
  resize(slotSizeBytes: number, now: MonoMs): void {
    this.#slotSizeBytes = slotSizeBytes
    for (const key of this.#buckets.keys()) {
      const bucket = this.#refilled(key, now), left = bucket.tokens / bucket.perHour
      this.#allow(bucket)
      bucket.tokens = left * bucket.perHour
    }
  }

  #allow(bucket: Bucket): void {
    bucket.perHour = allowedAnHour(bucket.bitrateBps, this.#slotSizeBytes)
    bucket.tokens = Math.min(bucket.tokens, bucket.perHour)
  }

  mayOpen(streamKey: string, now: MonoMs): boolean { return this.#refilled(streamKey, now).tokens >= 1 }

  /** A slot was opened for it. */
  note(streamKey: string, now: MonoMs): void { this.#refilled(streamKey, now).tokens -= 1 }

  /** When it may open the next one: now, or later. */
  nextAt(streamKey: string, now: MonoMs): MonoMs {
    const { tokens, perHour } = this.#refilled(streamKey, now)
    return tokens >= 1 ? now : monoMs(now + (1 - tokens) * HOUR_MS / perHour)
  }

  /** Streams that must wait now. */
  exhausted(now: MonoMs): string[] { return [...this.#buckets.keys()].filter(key => !this.mayOpen(key, now)) }

  forget(streamKey: string): void { this.#buckets.delete(streamKey) }

  #refilled(streamKey: string, now: MonoMs): Bucket {
    let bucket = this.#buckets.get(streamKey)
    if (bucket === undefined) {
      const perHour = allowedAnHour(UNKNOWN_BPS, this.#slotSizeBytes)
      bucket = { tokens: perHour, at: now, perHour, bitrateBps: UNKNOWN_BPS }
      this.#buckets.set(streamKey, bucket)
    }
    bucket.tokens = Math.min(bucket.perHour, bucket.tokens + Math.max(0, now - bucket.at) * bucket.perHour / HOUR_MS)
    bucket.at = now
    return bucket
  }
}

const allowedAnHour = (bitrateBps: number, slotSizeBytes: number): number => Math.ceil(bitrateBps / 8 * 3600 / slotSizeBytes) * TIMES_EXPECTED + SPARE_AN_HOUR

/** Above this share of the declared rate a stream is over budget: encoders swing, and a night is not a day. */
const OVER_BUDGET_SHARE = 1.25
/** Below this share it is within budget again. */
const WITHIN_BUDGET_SHARE = 1.1

/** Average rate of a stream over about the last hour, and whether that is more than it declared. `spanMs` is shorter for trial floors. */
export class ByteBudget {
  readonly #spanMs: number
  #averageBps: number | null = null
  #seenMs = 0
  #isOver = false

  constructor(spanMs: number = HOUR_MS) { this.#spanMs = spanMs }

  /** The stream gave so many bits a second for so long. Time in which it gave nothing is no evidence and is not told. */
  add(durationMs: number, bitrateBps: number): void {
    this.#seenMs = Math.min(this.#spanMs, this.#seenMs + durationMs)
    const weight = Math.min(1, durationMs / Math.max(1, this.#seenMs))
    this.#averageBps = (this.#averageBps ?? bitrateBps) * (1 - weight) + bitrateBps * weight
  }

  /** By whatever was seen so far. */
  get estimateBps(): number | null { return this.#averageBps }
  /** Null until a sixth of the span was seen. */
  get averageBps(): number | null { return this.#seenMs * 6 < this.#spanMs ? null : this.#averageBps }

  isOver(declaredBps: number | null): boolean {
    if (declaredBps === null || this.averageBps === null) return false
    this.#isOver = this.averageBps > declaredBps * (this.#isOver ? WITHIN_BUDGET_SHARE : OVER_BUDGET_SHARE)
    return this.#isOver
  }
}
