import { readFile } from 'node:fs/promises'
import { clipsOf, LOSING_KINDS, type CraftedKind } from '../cameras/crafted-kinds.ts'
import { frameCheck } from './frame-check.ts'

/** `storedMs`: what clip and manifest say; `wallMs`: when the camera took it. */
interface Found { readonly counter: number, readonly wallMs: number, readonly storedMs: number }
export interface ToldGap { readonly startAt: number, readonly endAt: number | null }

/** Of the stored time from the instant the camera took the frame, on a steady line. */
export const MOST_OFF_MS = 250
/** While a recorder starts, all it is made of wants the processor at once, and what came is read late. */
const STARTING_MS = 25_000
const MOST_OFF_AT_START_MS = 1_000
/** The catalogue's times are those stored, the counters' the camera's. */
const GAP_SLACK_MS = 300

export interface Circumstances {
  readonly gaps: readonly ToldGap[]
  /** When the recorder was started. */
  readonly startsMs: readonly number[]
  /** Of this machine now, at least 1. */
  readonly slowdown: number
  readonly isLossExpected: (hole: { readonly fromMs: number, readonly toMs: number }) => boolean
}

/** Whether gaps reach from one end of a span to the other; of a span shorter than the slack, whether one touches it. */
function isCovered({ fromMs, toMs }: { readonly fromMs: number, readonly toMs: number }, gaps: readonly ToldGap[]): boolean {
  const ends = gaps.map(({ startAt, endAt }) => ({ startAt, endAt: endAt ?? Infinity })).sort((a, b) => a.startAt - b.startAt)
  if (toMs <= fromMs) return ends.some(({ startAt, endAt }) => startAt <= fromMs && endAt >= toMs)
  let reachedMs = fromMs
  for (const { startAt, endAt } of ends) if (startAt <= reachedMs) reachedMs = Math.max(reachedMs, endAt)
  return reachedMs >= toMs
}

/** What was found of one crafted camera, by check-frames.py, which shares no code with the recorder. */
export class CraftedLedger {
  readonly kind: CraftedKind
  readonly #found = new Map<number, Found>()
  /** What one file shows by itself. */
  readonly #faults: string[] = []
  constructor(kind: CraftedKind) { this.kind = kind }

  get frames(): number { return this.#found.size }
  /** When the camera took the newest frame that was found. */
  get lastMs(): number { return [...this.#found.values()].reduce((most, { wallMs }) => Math.max(most, wallMs), 0) }

  /** Clips of one cut, in order; the next cut may begin with frames that are known. */
  async add(files: readonly string[]): Promise<void> {
    let last: Found | null = null
    for (const file of files) {
      for (const frame of await this.#framesOf(file)) {
        if (last !== null && frame.counter <= last.counter) this.#faults.push(`frame ${frame.counter} stands behind ${last.counter}`)
        if (last !== null && frame.storedMs <= last.storedMs) this.#faults.push(`the time of frame ${frame.counter} goes back`)
        this.#found.set(frame.counter, last = frame)
      }
    }
  }

  async #framesOf(file: string): Promise<Found[]> {
    const isTornOnTheWay = LOSING_KINDS.has(this.kind)
    const verdict = await frameCheck([file], clipsOf(this.kind), '--any-gap', '--tolerance-ms', '1e9', '--content', '--list', `${file}.csv`)
    const faults = verdict.faults.filter(fault => !isTornOnTheWay || (fault !== 'wrongSize' && fault !== 'withoutCounter'))
    if (faults.length > 0) this.#faults.push(`${faults.join(', ')} from frame ${verdict.first} to ${verdict.last}`)
    const { from } = JSON.parse(await readFile(`${file}.manifest.json`, 'utf8')) as { from: string }
    const [, ...lines] = (await readFile(`${file}.csv`, 'utf8')).trim().split('\n')
    return lines.map(line => line.split(',').map(Number)).filter(([, counter]) => Number.isFinite(counter)).map(
      ([seconds, counter, wallMs]) => ({ counter: counter!, wallMs: wallMs!, storedMs: Date.parse(from) + seconds! * 1000 }))
  }

  /** What lacks between the first and the last frame found. */
  holes(): { readonly from: Found, readonly to: Found }[] {
    const frames = [...this.#found.values()].sort((a, b) => a.counter - b.counter)
    return frames.slice(1).flatMap((to, i) => to.counter === frames[i]!.counter + 1 ? [] : [{ from: frames[i]!, to }])
  }

  /** Least and most of the stored time's distance, while a recorder started and else; of no frame 0 and 0. */
  offsMs(startsMs: readonly number[]): { readonly starting: readonly [number, number], readonly steady: readonly [number, number] } {
    const starting: number[] = [], steady: number[] = []
    for (const { storedMs, wallMs } of this.#found.values()) {
      const isStarting = startsMs.some(at => wallMs < at + STARTING_MS && wallMs > at - 1000)
      ;(isStarting ? starting : steady).push(storedMs - wallMs)
    }
    const ends = (offs: readonly number[]): [number, number] =>
      offs.reduce(([least, most], ms) => [Math.min(least, Math.round(ms)), Math.max(most, Math.round(ms))], [0, 0])
    return { starting: ends(starting), steady: ends(steady) }
  }

  /** What is wrong. `isLossExpected`: of a hole in a camera that loses nothing by itself. */
  problems({ gaps, startsMs, slowdown, isLossExpected }: Circumstances): string[] {
    const problems = [...this.#faults]
    if (this.frames === 0) return [`${this.kind}: no frame was found`]
    const { starting, steady } = this.offsMs(startsMs)
    if (steady.some(ms => Math.abs(ms) > MOST_OFF_MS * slowdown)) problems.push(`times are ${steady.join(' to ')} ms off`)
    if (starting.some(ms => Math.abs(ms) > MOST_OFF_AT_START_MS * slowdown)) problems.push(`times are ${starting.join(' to ')} ms off after a start`)
    for (const { from, to } of this.holes()) {
      const lost = `${to.counter - from.counter - 1} frames from ${from.counter + 1} on (${new Date(from.wallMs).toISOString()})`
      const isTold = isCovered({ fromMs: from.storedMs + GAP_SLACK_MS, toMs: to.storedMs - GAP_SLACK_MS }, gaps)
      if (!isTold) problems.push(`${lost} are in no gap`)
      if (!LOSING_KINDS.has(this.kind) && !isLossExpected({ fromMs: from.wallMs, toMs: to.wallMs })) problems.push(`${lost} were lost`)
    }
    return problems.map(problem => `${this.kind}: ${problem}`)
  }
}
