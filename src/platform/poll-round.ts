/**
 * One timer that looks into many pipes. Each wake-up of an idle process costs 35-100 us (measured), as much as handling what it brings:
 * with one for all, sixteen cameras wake the recorder hardly more often than one.
 */

/**
 * Between two looks into everything. Not even: an even beat would meet each camera's fragments at the same
 * point every time.
 */
export interface RoundMs { readonly least: number, readonly most: number }
const ROUND_MS: RoundMs = { least: 40, most: 100 }
/** While the first frames of a session arrive: their time is when they are passed on. */
const FRESH_MS = 10
/** A child process has taken in what it was given, and written what it makes of that. */
const FOLLOW_MS = 15
/** After a look that found much. */
const SOON_MS = 5
const EARLY_MS = 1 // a timer may fire so much before its time

/** Something to look into. */
export interface Polled {
  /** Looked into every FRESH_MS. */
  isFresh: boolean
  /** In a round it comes FOLLOW_MS after the others: what it holds is made of what they pass on. */
  readonly follows?: boolean
  /** Not looked into until resumed. */
  isHeld: boolean
  /** True: worth another look soon. Must not throw. */
  poll(): boolean
}

export class PollRound {
  readonly #roundMs: RoundMs
  readonly #all = new Map<Polled, { soonAt: number }>()
  #roundAt = Infinity
  #timer: NodeJS.Timeout | null = null
  #timerAt = Infinity

  constructor(roundMs: RoundMs = ROUND_MS) { this.#roundMs = roundMs }

  add(polled: Polled): void {
    this.#all.set(polled, { soonAt: 0 })
    if (this.#roundAt === Infinity) this.#roundAt = performance.now() + this.#roundMs.most
    this.#schedule(0)
  }

  remove(polled: Polled): void { this.#all.delete(polled) }

  resume(polled: Polled): void {
    if (!polled.isHeld) return
    polled.isHeld = false
    this.soon(polled)
  }

  /** Looked into at the next chance. */
  soon(polled: Polled): void {
    const state = this.#all.get(polled)
    if (state === undefined) return
    state.soonAt = 0
    this.#schedule(0)
  }

  #look(): void {
    this.#timer = null
    this.#timerAt = Infinity
    const now = performance.now() + EARLY_MS
    const isRound = now >= this.#roundAt
    const { least, most } = this.#roundMs
    if (isRound) this.#roundAt = now + least + Math.random() * (most - least)
    let next = this.#roundAt
    for (const [polled, state] of this.#all) {
      if (polled.isHeld) continue
      if (state.soonAt <= now || isRound && polled.follows !== true) state.soonAt = afterLook(polled, now)
      else if (isRound) state.soonAt = Math.min(state.soonAt, now + FOLLOW_MS)
      if (state.soonAt < next && !polled.isHeld) next = state.soonAt
    }
    if (this.#all.size === 0) this.#roundAt = Infinity
    else this.#schedule(next - now)
  }

  #schedule(delayMs: number): void {
    const at = performance.now() + delayMs
    if (this.#timer !== null) {
      if (this.#timerAt <= at) return
      clearTimeout(this.#timer)
    }
    this.#timerAt = at
    this.#timer = setTimeout(() => { this.#look() }, delayMs)
  }
}

/** When to look again, sooner than in the next round. */
function afterLook(polled: Polled, now: number): number {
  if (polled.poll()) return now + SOON_MS
  return polled.isFresh ? (Math.floor(now / FRESH_MS) + 1) * FRESH_MS : Infinity
}

/** Of all that is recorded: sockets and pipes are looked into at one wake-up. */
export const recordingRound = new PollRound()
