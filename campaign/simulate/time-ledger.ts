import type { Machine } from './machine.ts'
import type { TimeGains } from './oracle/floor-judge.ts'

const MOST_MS = 7 * 86_400_000

/**
 * What trusted time may have gained on true time by the rules of docs/design/0003: only at a boot, as far
 * as the wall clock is then further ahead than it was before, at most seven days.
 */
export class TimeLedger implements TimeGains {
  readonly #machine: Machine
  readonly #gains: { readonly at: number, readonly ms: number }[] = []
  #offsetAtOff = 0

  constructor(machine: Machine) { this.#machine = machine }

  noteOff(): void { this.#offsetAtOff = this.#machine.wallOffsetMs }
  noteBoot(): void {
    const ms = Math.min(MOST_MS, Math.max(0, this.#machine.wallOffsetMs - this.#offsetAtOff))
    if (ms > 0) this.#gains.push({ at: this.#machine.bootedAt, ms })
  }

  since(atMs: number): number { return this.#gains.reduce((sum, gain) => gain.at >= atMs ? sum + gain.ms : sum, 0) }
}
