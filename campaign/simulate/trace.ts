import { createHash } from 'node:crypto'

const KEPT_LINES = 400

/**
 * What happened, line by line: its hash tells whether two runs were the same, its end is shown with a
 * violation.
 */
export class Trace {
  readonly #hash = createHash('sha256')
  readonly #last: string[] = []
  readonly #echo: boolean
  lines = 0

  constructor(echo = false) { this.#echo = echo }

  note(line: string): void {
    this.#hash.update(line).update('\n')
    this.lines++
    this.#last.push(line)
    if (this.#last.length > KEPT_LINES * 2) this.#last.splice(0, KEPT_LINES)
    if (this.#echo) console.log(line)
  }

  /** Of all lines so far; the trace goes on. */
  digest(): string { return this.#hash.copy().digest('hex') }
  tail(count: number): readonly string[] { return this.#last.slice(-count) }
}
