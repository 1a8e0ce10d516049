/** Off by more than any crystal, and by more than uneven arrivals make of a true clock. */
const WRONG_SHARE = 0.02
/**
 * Two estimates from spans that do not overlap are believed when they agree this well: a jump is in one of
 * them only.
 */
const AGREED_SHARE = 0.01
const LEAST_RATE = 0.01, MOST_RATE = 100
const BUCKET_MS = 1000
/** An estimate is from the first of so many buckets to the last. */
const ESTIMATE_BUCKETS = 6
/** Lateness that lasted so long is the way, not a stall. */
const DRIFT_BUCKETS = 60
/**
 * A camera's crystal is followed this fast at most: over a minute frames move by 30 ms against their
 * distance.
 */
export const MOST_SLEW = 500e-6

interface Point { readonly arrivedMs: number, readonly stampMs: number }

/**
 * How fast the recorder's clock runs for a camera whose stamps count at another rate than they say: 1.19 for
 * one that counts ten frames a second and sends 8.4. Learnt from the least delayed frame of each second. Also
 * follows a crystal that drifts.
 */
export class StampRate {
  #value: number
  #buckets: Point[] = []
  #bucketFrom = -Infinity
  #estimates: number[] = []

  constructor(value: number) { this.#value = value }

  /** Milliseconds of the recorder's clock in one of the camera's. */
  get value(): number { return this.#value }
  scaled(stampMs: number): number { return stampMs * this.#value }

  /** Takes in a frame; returns the offset that holds from now on. */
  observe(point: Point, offsetMs: number): number {
    const before = this.#buckets.at(-1)
    if (before !== undefined && point.stampMs < before.stampMs) this.#forget() // another count
    const last = this.#buckets.at(-1)
    if (last === undefined || point.arrivedMs - this.#bucketFrom >= BUCKET_MS) {
      const shifted = this.#buckets.length > 0 ? this.#close(offsetMs) : offsetMs
      this.#buckets = [...this.#buckets.slice(1 - DRIFT_BUCKETS), point]
      this.#bucketFrom = point.arrivedMs
      return shifted
    }
    if (this.#lateOf(point) < this.#lateOf(last)) this.#buckets[this.#buckets.length - 1] = point
    return offsetMs
  }

  #lateOf({ arrivedMs, stampMs }: Point): number { return arrivedMs - this.scaled(stampMs) }

  #forget(): void {
    this.#buckets = []
    this.#estimates = []
  }

  /** A second is over. */
  #close(offsetMs: number): number {
    const newest = this.#buckets.at(-1)!, oldest = this.#buckets.at(-ESTIMATE_BUCKETS)
    if (oldest !== undefined && this.#isLearnt(oldest, newest)) {
      this.#forget()
      return newest.arrivedMs - this.scaled(newest.stampMs)
    }
    if (this.#buckets.length < DRIFT_BUCKETS) return offsetMs
    const leastLateMs = Math.min(...this.#buckets.map(point => this.#lateOf(point))) - offsetMs
    return offsetMs + Math.max(0, Math.min(leastLateMs, MOST_SLEW * BUCKET_MS))
  }

  #isLearnt(from: Point, to: Point): boolean {
    const rate = (to.arrivedMs - from.arrivedMs) / (to.stampMs - from.stampMs)
    const before = this.#estimates.at(1 - ESTIMATE_BUCKETS)
    this.#estimates = [...this.#estimates.slice(1 - ESTIMATE_BUCKETS), rate]
    const isWrong = Math.abs(rate / this.#value - 1) > WRONG_SHARE && rate > LEAST_RATE && rate < MOST_RATE
    if (!isWrong || before === undefined || Math.abs(rate / before - 1) > AGREED_SHARE) return false
    this.#value = rate
    return true
  }
}
