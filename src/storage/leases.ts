import type { MonoMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { LEASE_LAPSE_MS, segmentKeyText, type Lease, type Leases, type SegmentKey } from '../footage/index.ts'

/** Who reads which slot generation; the guard keeps a leased one from reuse. In memory only: no reader survives the recorder. */
export class LeaseTable implements Leases {
  readonly #clock: Clock
  readonly #expiries = new Map<string, Map<symbol, MonoMs>>()
  constructor(clock: Clock) { this.#clock = clock }

  take(segment: SegmentKey): Lease {
    const key = segmentKeyText(segment), holder = Symbol('lease')
    const holders = this.#expiries.get(key) ?? new Map<symbol, MonoMs>()
    this.#expiries.set(key, holders)
    const extend = () => { holders.set(holder, (this.#clock.monoNow() + LEASE_LAPSE_MS) as MonoMs) }
    extend()
    return {
      renew: () => {
        if ((holders.get(holder) ?? 0) < this.#clock.monoNow()) return false
        extend()
        return true
      },
      [Symbol.asyncDispose]: async () => {
        holders.delete(holder)
        if (holders.size === 0 && this.#expiries.get(key) === holders) this.#expiries.delete(key) // a second disposal must not take a later reader's
      },
    }
  }

  isLeased(segment: SegmentKey): boolean {
    const holders = this.#expiries.get(segmentKeyText(segment))
    if (holders === undefined) return false
    for (const expiry of holders.values()) if (expiry >= this.#clock.monoNow()) return true
    return false
  }
}
