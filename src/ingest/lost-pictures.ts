/** A frame as it was placed. */
export interface PlacedFrame { readonly arrivedMs: number, readonly startTicks: number }
export interface LostSpan { readonly startTicks: number, readonly endTicks: number }
interface Step { readonly from: PlacedFrame, readonly to: PlacedFrame }

const lengthOf = ({ from, to }: Step): number => to.startTicks - from.startTicks
const spanOf = ({ from, to }: Step): LostSpan => ({ startTicks: from.startTicks, endTicks: to.startTicks })

/** Frames around a loss: it is noticed when what follows it comes, and arrivals are told to a frame or two. */
const FRAMES_BEFORE = 3
const FRAMES_AFTER = 2
/** On a busy machine ffmpeg reads the pictures this much later than the loss was noticed. */
const READ_LATE_MS = 1500
const FRAMES_KEPT = 12
const FRAMES_KEPT_MOST = 512
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
  /** The last picture that was found missing behind the time of its loss. */
  #readLate = { forMs: -Infinity, startTicks: -Infinity }
  /** What was told as lost for another reason. */
  #holes: readonly LostSpan[] = []

  constructor(timescale: number) { this.#ticksAMs = timescale / 1000 }

  note(lossesMs: readonly number[]): void { this.#pendingMs.push(...lossesMs) }

  /** What is to be told, once the frames behind a loss are placed; `holes` are told already. */
  place(frames: readonly PlacedFrame[], usualMs: number, holes: readonly LostSpan[] = []): LostSpan[] {
    this.#holes = [...this.#holes, ...holes].slice(-FRAMES_KEPT)
    this.#keep(frames, usualMs)
    const { arrivedMs, startTicks } = this.#frames.at(-1)!
    const told = this.#settle(arrivedMs - FRAMES_AFTER * usualMs, arrivedMs - READ_LATE_MS, usualMs)
    return [...told, ...this.#overdue(startTicks)]
  }

  /** What was not told yet: the session is over. */
  end(usualMs: number): LostSpan[] {
    const told = this.#settle(Infinity, Infinity, usualMs)
    return this.#span === null ? told : [...told, this.#span]
  }

  #keep(frames: readonly PlacedFrame[], usualMs: number): void {
    const all = [...this.#frames, ...frames]
    const sinceMs = all.at(-1)!.arrivedMs - READ_LATE_MS - (FRAMES_BEFORE + 1) * usualMs
    const late = all.length - Math.max(0, all.findIndex(({ arrivedMs }) => arrivedMs >= sinceMs))
    const most = Math.max(FRAMES_KEPT, Math.min(FRAMES_KEPT_MOST, late), frames.length + FRAMES_BEFORE + 1)
    this.#frames = all.slice(-most)
  }

  /** Losses until `knownMs` whose picture is missing; until `surelyMs` also those where none is. */
  #settle(knownMs: number, surelyMs: number, usualMs: number): LostSpan[] {
    const spans = new Map<number, LostSpan>(), later: number[] = []
    for (const lostMs of this.#pendingMs) {
      const missing = lostMs <= knownMs ? this.#missingAt(lostMs, usualMs) : null
      if (missing === null && lostMs > surelyMs) { later.push(lostMs); continue }
      const span = missing ?? this.#stoodAt(lostMs, usualMs)
      if (span !== null && !this.#isTold(span)) spans.set(span.startTicks, span)
    }
    this.#pendingMs = later
    return [...spans.values()].flatMap(span => this.#rationed(span))
  }

  #steps(): Step[] { return this.#frames.slice(1).map((to, i) => ({ from: this.#frames[i]!, to })) }

  #around(lostMs: number, usualMs: number): Step[] {
    return this.#steps().filter(({ from, to }) =>
      to.arrivedMs >= lostMs - FRAMES_BEFORE * usualMs && from.arrivedMs <= lostMs + usualMs)
  }

  /** The longest distance around the loss, else the next that was read late, if a picture is missing in it. */
  #missingAt(lostMs: number, usualMs: number): LostSpan | null {
    const isMissing = (step: Step): boolean => lengthOf(step) > MISSING_SHARE * usualMs * this.#ticksAMs
    const [longest] = this.#around(lostMs, usualMs).filter(isMissing).sort((a, b) => lengthOf(b) - lengthOf(a))
    if (longest !== undefined) return spanOf(longest)
    const { forMs, startTicks } = this.#readLate
    if (Math.abs(lostMs - forMs) < usualMs) return null // packets of one picture
    const late = this.#steps().find(step => isMissing(step) && step.from.startTicks > startTicks
      && step.to.arrivedMs > lostMs && step.from.arrivedMs <= lostMs + READ_LATE_MS)
    if (late === undefined) return null
    this.#readLate = { forMs: lostMs, startTicks: late.from.startTicks }
    return spanOf(late)
  }

  #stoodAt(lostMs: number, usualMs: number): LostSpan | null {
    if (Math.abs(lostMs - this.#readLate.forMs) < usualMs) return null
    const around = this.#around(lostMs, usualMs)
    const stood = around.findLast(step => step.from.arrivedMs <= lostMs) ?? around[0]
    return stood === undefined ? null : spanOf(stood)
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
