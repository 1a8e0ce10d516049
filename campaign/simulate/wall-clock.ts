/** So long the wall clock stood at one distance from true time. Instants are of true time, `to` exclusive. */
export interface ClockSpan {
  readonly from: number
  readonly to: number
  readonly offsetMs: number
  readonly isSynchronised: boolean
}

/** What the wall clock showed, and when: what the oracle needs to compare times that are stored by it. */
export interface WallClockFacts {
  /** In order, cut to `[from, to)`. */
  spansIn(from: number, to: number): ClockSpan[]
  /** How many spans showed something of these wall times: more than one where the clock was set back. */
  passesOf(wallFrom: number, wallTo: number): number
  /** Whether it was set between showing the one and the other, however often it showed them. */
  isStepBetween(wallFrom: number, wallTo: number): boolean
  /** The true instants at which it showed this, each with how far it was ahead then. */
  shownAt(wallMs: number): { readonly at: number, readonly offsetMs: number }[]
}

export class WallClockHistory implements WallClockFacts {
  readonly #settings: { from: number, offsetMs: number, isSynchronised: boolean }[] = []

  /** From `at` on. */
  set(at: number, offsetMs: number, isSynchronised: boolean): void {
    const last = this.#settings.at(-1)
    if (last?.offsetMs === offsetMs && last.isSynchronised === isSynchronised) return
    if (last?.from === at) this.#settings.pop()
    this.#settings.push({ from: at, offsetMs, isSynchronised })
  }

  spansIn(from: number, to: number): ClockSpan[] {
    const found: ClockSpan[] = []
    for (const span of this.#spans()) {
      if (span.to <= from || span.from >= to) continue
      found.push({ ...span, from: Math.max(from, span.from), to: Math.min(to, span.to) })
    }
    return found
  }

  passesOf(wallFrom: number, wallTo: number): number {
    let passes = 0, before = NaN
    for (const { from, to, offsetMs } of this.#spans()) {
      if (from + offsetMs >= wallTo || to + offsetMs <= wallFrom) continue
      if (offsetMs !== before) passes++
      before = offsetMs
    }
    return passes
  }

  isStepBetween(wallFrom: number, wallTo: number): boolean {
    const atEnd = this.shownAt(wallTo).map(({ offsetMs }) => offsetMs)
    return !this.shownAt(wallFrom).some(({ offsetMs }) => atEnd.includes(offsetMs))
  }

  shownAt(wallMs: number): { readonly at: number, readonly offsetMs: number }[] {
    return [...this.#spans()]
      .filter(({ from, to, offsetMs }) => wallMs >= from + offsetMs && wallMs <= to + offsetMs)
      .map(({ offsetMs }) => ({ at: wallMs - offsetMs, offsetMs }))
  }

  *#spans(): Generator<ClockSpan> {
    for (const [i, span] of this.#settings.entries()) {
      yield { ...span, from: i === 0 ? -Infinity : span.from, to: this.#settings[i + 1]?.from ?? Infinity }
    }
  }
}
