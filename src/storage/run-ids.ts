import { runId, type RunId } from '../domain/index.ts'

/** More runs than an outage of the catalogue can hold back. */
const SKIPPED = 100_000

/**
 * Numbers of runs, which stand in every record and only rise: given out without the catalogue, whose rows
 * may follow later.
 */
export class RunIds {
  #last: number
  constructor(newest: number) { this.#last = newest }

  next(): RunId { return runId(++this.#last) }
  /** Footage was found whose runs the catalogue may not know: no number of theirs is given again. */
  skip(): void { this.#last += SKIPPED }
  atLeast(id: number): void { this.#last = Math.max(this.#last, id) }
}
