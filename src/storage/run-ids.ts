import { runId, type EpochMs, type RunId } from '../domain/index.ts'

/** More runs than an outage of the catalogue can hold back. */
const SKIPPED = 100_000
/** Cameras that flap begin more runs than seconds pass, for a while. */
const SKIPPED_AT_START = 5_000
const FIRST_SECOND_AT_MS = Date.UTC(2026, 0)
/** Half of what the 32 bits in a record hold: a time that is so far ahead must not use up the numbers. */
const LAST_SECOND = 2 ** 31

/**
 * Numbers of runs, which stand in every record and only rise: given out without the catalogue, whose rows
 * may follow later. Each start begins at the second of trusted time that it happens in: a catalogue that is
 * older than the footage does not give a number again.
 */
export class RunIds {
  /** Lower numbers are those of recorders before this one. */
  readonly first: number
  #last: number

  /** `newest`: the highest number that the catalogue knows; 0 for none. `trusted`: null while it is not known. */
  constructor(newest: number, trusted: EpochMs | null) {
    const second = Math.floor(((trusted ?? FIRST_SECOND_AT_MS) - FIRST_SECOND_AT_MS) / 1000)
    this.#last = Math.max(newest + SKIPPED_AT_START, second > LAST_SECOND ? 0 : second)
    this.first = this.#last + 1
  }

  next(): RunId { return runId(++this.#last) }
  /** Footage was found whose runs the catalogue may not know: no number of theirs is given again. */
  skip(): void { this.#last += SKIPPED }
  atLeast(id: number): void { this.#last = Math.max(this.#last, id) }
}
