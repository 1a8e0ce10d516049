import { DAY_MS, yearEnd } from './calendar.ts'
import { MAX_SLEW, ROUNDING_MS, type TimeGains } from './floor-judge.ts'

interface Copy {
  readonly itemNo: string, readonly madeAt: number, readonly wallOffsetMs: number
  /** It may have been dated so late. */
  datedAt: number
  isThere: boolean
}

/**
 * Beside the day that G3 gives: a sweep comes every five minutes, and trusted time may be a little behind.
 */
const GRACE_MS = 3 * 3_600_000

/**
 * Copies that were archived: each must stay until its calendar year is over by true time, and be gone
 * within a day then [G3].
 */
export class ArchiveJudge {
  readonly #copies = new Map<string, Copy>()
  readonly #world: { readonly now: number, readonly gains: TimeGains }
  readonly #violate: (what: string) => void
  /** Since the last look. */
  #isReplaced = false
  #judgedAt = -Infinity
  destroyed = 0

  constructor(world: { readonly now: number, readonly gains: TimeGains }, violate: (what: string) => void) {
    this.#world = world
    this.#violate = violate
  }

  get size(): number { return this.#copies.size }

  /** Acknowledged. */
  put(itemNo: string, wallOffsetMs: number): void {
    const { now, gains } = this.#world
    // While the two clocks disagree, a copy is dated by the later.
    const datedAt = now + Math.max(0, wallOffsetMs, gains.since(0))
    this.#copies.set(itemNo, { itemNo, madeAt: now, wallOffsetMs, datedAt, isThere: true })
  }

  /** Where the clocks disagreed at its putting in, and not agreed since, nobody can tell any more when that was. */
  catalogueReplaced(): void { this.#isReplaced = true }

  touching(file: string): void {
    const itemNo = /\/items\/([^/]+)\/payload$/.exec(file)?.[1]
    const copy = itemNo === undefined ? undefined : this.#copies.get(itemNo)
    if (copy === undefined || !copy.isThere) return
    copy.isThere = false
    this.destroyed++
    const { now, gains } = this.#world
    const byWallClock = yearEnd(copy.madeAt + copy.wallOffsetMs) - copy.wallOffsetMs
    const mayGo = Math.min(yearEnd(copy.madeAt), byWallClock) - (now - copy.madeAt) * MAX_SLEW - gains.since(copy.madeAt) - ROUNDING_MS
    if (now < mayGo) this.#violate(`archived copy ${copy.itemNo} is removed ${((mayGo - now) / DAY_MS).toFixed(2)} days before its year ends`)
  }

  /** The clocks have been right for a day, and the recorder up: what is over its time must be gone. */
  judge(): void {
    const { now } = this.#world
    for (const copy of this.#copies.values()) {
      if (this.#isReplaced && copy.madeAt > this.#judgedAt - DAY_MS) copy.datedAt = Math.max(copy.datedAt, now)
      const { itemNo, madeAt, datedAt, isThere } = copy
      if (isThere && now > yearEnd(datedAt) + DAY_MS + GRACE_MS) {
        this.#violate(`archived copy ${itemNo} of ${new Date(madeAt).toISOString()} is still there`)
      }
    }
    this.#isReplaced = false
    this.#judgedAt = now
  }
}
