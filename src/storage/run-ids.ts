import { runId, type EpochMs, type RunId } from '../domain/index.ts'

/** More runs than an outage of the catalogue can hold back. */
const SKIPPED = 100_000
const FIRST_SECOND_AT_MS = Date.UTC(2026, 0)
/** Half of what the 32 bits in a record hold: a clock that is so far ahead must not use up the numbers. */
const LAST_SECOND = 2 ** 31
const MOST_AHEAD_MS = 365 * 86_400_000

/**
 * Numbers of runs, which stand in every record and only rise: given out without the catalogue, whose rows
 * may follow later. Each start begins at the second it happens in, for fewer runs begin than seconds pass: a
 * catalogue that is older than the footage does not give a number again.
 */
export class RunIds {
  /** Lower numbers are those of recorders before this one. */
  readonly first: number
  #last: number

  /** `newest`: the highest number that the catalogue knows; 0 for none. */
  constructor(newest: number, { trusted, wall }: { readonly trusted: EpochMs, readonly wall: EpochMs }) {
    const at = Math.max(trusted, Math.min(wall, trusted + MOST_AHEAD_MS))
    const second = Math.floor((at - FIRST_SECOND_AT_MS) / 1000)
    this.#last = second > LAST_SECOND ? newest : Math.max(newest, second)
    this.first = this.#last + 1
  }

  next(): RunId { return runId(++this.#last) }
  /** Footage was found whose runs the catalogue may not know: no number of theirs is given again. */
  skip(): void { this.#last += SKIPPED }
  atLeast(id: number): void { this.#last = Math.max(this.#last, id) }
}
