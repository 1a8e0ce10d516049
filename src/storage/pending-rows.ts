import type { Logger } from '../platform/logger.ts'
import { isCatalogueFault } from '../platform/catalogue.ts'

const MAX_PENDING = 1000

/** Rows that must be written but that nobody waits for: ends of runs, gaps. What the catalogue refuses is kept and written, in order, at the next occasion [G7]. */
export class PendingRows {
  readonly #log: Logger
  #pending: (() => void)[] = []
  constructor(log: Logger) { this.#log = log }

  /** Writes what is pending, then this. Throws only what is no fault of the catalogue. */
  write(row: () => void): void {
    this.#pending.push(row)
    this.flush()
  }

  flush(): void {
    while (this.#pending.length > 0) {
      try { this.#pending[0]!() } catch (error) {
        if (!isCatalogueFault(error)) {
          this.#pending.shift()
          throw error
        }
        this.#log.error({ err: error, pending: this.#pending.length }, 'the catalogue refused a row; it is kept and tried again')
        if (this.#pending.length > MAX_PENDING) this.#pending.shift() // hours without a catalogue: the gaps of one stream run into each other anyway
        return
      }
      this.#pending.shift()
    }
  }
}
