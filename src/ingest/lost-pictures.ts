/** A frame as it was placed. */
export interface PlacedFrame { readonly arrivedMs: number, readonly startTicks: number }
export interface LostSpan { readonly startTicks: number, readonly endTicks: number }

/** Frames around a loss: it is noticed when what follows it comes, and arrivals are told to a frame or two. */
const FRAMES_BEFORE = 3
const FRAMES_AFTER = 2
const FRAMES_KEPT = 12
/** Of the usual distance: between frames that are further apart one is missing. */
const MISSING_SHARE = 1.5
/** A line that loses for good is told in spans: the catalogue does not grow with each packet. */
const TOLD_BEFORE_SPANS = 20
const WITHIN_MS = 60_000
const SPAN_MS = 10_000

/**
 * Finds which pictures data that was lost on the way belonged to: the longest distance between frames around the
 * loss, or the frame that stood then. Times in milliseconds and ticks since the session began.
 */
export class LostPictures {
  readonly #ticksAMs: number
  #pendingMs: number[] = []
  #frames: PlacedFrame[] = []
  /** Ends of what was told lately. */
  #told: number[] = []
  #span: LostSpan | null = null
  /** What was told as lost for another reason. */
  #holes: readonly LostSpan[] = []

  constructor(timescale: number) { this.#ticksAMs = timescale / 1000 }

  note(lossesMs: readonly number[]): void { this.#pendingMs.push(...lossesMs) }

  /** What is to be told, once the frames behind a loss are placed; `holes` are told already. */
  place(frames: readonly PlacedFrame[], usualMs: number, holes: readonly LostSpan[] = []): LostSpan[] {
    this.#holes = [...this.#holes, ...holes].slice(-FRAMES_KEPT)
    this.#frames = [...this.#frames, ...frames].slice(-Math.max(FRAMES_KEPT, frames.length + FRAMES_BEFORE + 1))
    const knownMs = this.#frames.at(-1)!.arrivedMs - FRAMES_AFTER * usualMs
    const settled = this.#pendingMs.filter(atMs => atMs <= knownMs)
    this.#pendingMs = this.#pendingMs.filter(atMs => atMs > knownMs)
    const spans = new Map<number, LostSpan>()
    for (const lostMs of settled) {
      const span = this.#spanOf(lostMs, usualMs)
      if (span !== null && !this.#isTold(span)) spans.set(span.startTicks, span)
    }
    const told = [...spans.values()].flatMap(span => this.#rationed(span))
    return [...told, ...this.#overdue(this.#frames.at(-1)!.startTicks)]
  }

  /** What was not told yet: the session is over. */
  end(): LostSpan[] { return this.#span === null ? [] : [this.#span] }

  #spanOf(lostMs: number, usualMs: number): LostSpan | null {
    const steps = this.#frames.slice(1).map((to, i) => ({ from: this.#frames[i]!, to }))
    const around = steps.filter(({ from, to }) =>
      to.arrivedMs >= lostMs - FRAMES_BEFORE * usualMs && from.arrivedMs <= lostMs + usualMs)
    const lengthOf = ({ from, to }: typeof steps[number]): number => to.startTicks - from.startTicks
    const longest = around.reduce<typeof steps[number] | null>(
      (most, step) => most === null || lengthOf(step) > lengthOf(most) ? step : most, null)
    if (longest === null) return null
    const isMissing = lengthOf(longest) > MISSING_SHARE * usualMs * this.#ticksAMs
    const { from, to } = isMissing ? longest : around.findLast(step => step.from.arrivedMs <= lostMs) ?? longest
    return { startTicks: from.startTicks, endTicks: to.startTicks }
  }

  #isTold(span: LostSpan): boolean {
    return this.#holes.some(hole => hole.startTicks < span.endTicks && hole.endTicks > span.startTicks)
  }

  /** What waits for a span of ten seconds does not wait longer. */
  #overdue(nowTicks: number): LostSpan[] {
    const span = this.#span
    if (span === null || nowTicks - span.startTicks < SPAN_MS * this.#ticksAMs) return []
    this.#span = null
    this.#told.push(span.endTicks)
    return [span]
  }

  #rationed(span: LostSpan): LostSpan[] {
    const since = span.endTicks - WITHIN_MS * this.#ticksAMs
    this.#told = this.#told.filter(ticks => ticks > since)
    const whole = this.#span === null ? span : { ...this.#span, endTicks: span.endTicks }
    const isFew = this.#told.length < TOLD_BEFORE_SPANS
    if (!isFew && whole.endTicks - whole.startTicks < SPAN_MS * this.#ticksAMs) {
      this.#span = whole
      return []
    }
    this.#span = null
    this.#told.push(whole.endTicks)
    return [whole]
  }
}
