import type { Machine } from './machine.ts'
import type { TimeGains } from './oracle/floor-judge.ts'

const MOST_MS = 7 * 86_400_000

/**
 * What trusted time may have gained on true time by the rules of docs/design/0003. Only at a boot, as far as
 * the wall clock is then further ahead than it was before [TIME-2]; only while a time service vouches for the
 * wall clock, and never past it; and of all boots together at most seven days and the time that the machine
 * ran since [TIME-3].
 */
export class TimeLedger implements TimeGains {
  readonly #machine: Machine
  readonly #now: () => number
  readonly #gains: { readonly at: number, readonly ms: number }[] = []
  readonly #off: { readonly from: number, readonly to: number }[] = []
  #offAt = 0
  #offsetAtOff = 0

  constructor(machine: Machine, now: () => number) {
    this.#machine = machine
    this.#now = now
  }

  noteOff(): void {
    this.#offAt = this.#now()
    this.#offsetAtOff = this.#machine.wallOffsetMs
  }
  noteBoot(): void {
    this.#off.push({ from: this.#offAt, to: this.#now() })
    const ms = Math.min(MOST_MS, Math.max(0, this.#machine.wallOffsetMs - this.#offsetAtOff))
    if (ms > 0) this.#gains.push({ at: this.#machine.bootedAt, ms })
  }

  since(atMs: number): number {
    const shownMs = this.#gains.reduce((sum, gain) => gain.at >= atMs ? sum + gain.ms : sum, 0)
    if (shownMs === 0) return 0
    return Math.min(shownMs, MOST_MS + this.ranBetween(atMs, this.#now()), this.#vouchedFor(atMs))
  }

  /** How far ahead the wall clock was at most while a time service vouched for it. */
  #vouchedFor(atMs: number): number {
    const spans = this.#machine.wallClock.spansIn(atMs, this.#now() + 1)
    return Math.max(0, ...spans.filter(span => span.isSynchronised).map(span => span.offsetMs))
  }

  /** How long the machine was on. */
  ranBetween(from: number, to: number): number {
    const offMs = this.#off.map(off => Math.max(0, Math.min(to, off.to) - Math.max(from, off.from)))
    return offMs.reduce((ranMs, ms) => ranMs - ms, to - from)
  }
}
