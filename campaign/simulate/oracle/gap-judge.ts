import type { WallClockFacts } from '../wall-clock.ts'
import { DAY_MS } from './calendar.ts'
import type { CatalogueReader, GapFact } from './catalogue-reader.ts'
import type { SentFootage, SentFragment } from './sent-footage.ts'

const ROUNDING_MS = 30
/** What has just been sent may still be on its way. */
const ON_ITS_WAY_MS = 20_000
/** What was not synced at a kill may be found all the same [G4], when the gap has begun before it. */
const LATE_FOUND_MS = 2_000
/** What was told is looked at once more so long: a rebuild, a volume that is back and a late slot change gaps. */
const STAYS_TOLD_MS = 30 * DAY_MS
/** What is shown beside a fault. */
const NEAR_MS = 3_600_000
/** Of these nobody can be told anything by a gap. */
const EXCUSES = new Set(['aged', 'its disk is gone', 'its catalogue was lost', 'a disk lied about it', 'came at once with what was lost'])

/**
 * Every span that a camera sent while it was to be recorded, and that cannot be found, must lie inside a
 * gap [G7].
 */
export class GapJudge {
  readonly #catalogue: CatalogueReader
  readonly #footage: SentFootage
  readonly #clock: WallClockFacts
  /** By stream: all before was judged. */
  readonly #judgedTo = new Map<string, number>()
  readonly #again = new Set<SentFragment>()
  /** The catalogue that was told of what came before is gone. */
  #forgottenBefore = -Infinity
  /** Fragments that were missing and told, for the figures. */
  told = 0
  constructor(catalogue: CatalogueReader, footage: SentFootage, clock: WallClockFacts) {
    this.#catalogue = catalogue
    this.#clock = clock
    this.#footage = footage
  }

  /** A rebuild tells again what the volumes show, and that is not all that was told. */
  catalogueReplaced(now: number): void { this.#forgottenBefore = now }

  /** It was there and is no more: to be judged once more. */
  lostLater(fragment: SentFragment): void { this.#again.add(fragment) }

  judge(now: number): string[] {
    const wrong: string[] = []
    for (const [key, fragments] of this.#footage.byKey) {
      const from = this.#judgedTo.get(key) ?? 0
      const lately = [...this.#footage.after(key, Math.min(from, now - STAYS_TOLD_MS))].reverse().filter(each => each.sentAt < now - ON_ITS_WAY_MS)
      const fresh = lately.filter(each => each.sentAt > from)
      const told = lately.filter(each => each.sentAt <= from && each.sentAt > this.#forgottenBefore
        && isMissing(each) && !this.#again.has(each))
      const lost = this.#again.size === 0 ? [] : fragments.filter(each => this.#again.has(each) && each.sentAt <= from)
      const again = [...lost, ...told].sort((a, b) => a.startAt - b.startAt)
      const all = [...again, ...fresh]
      const last = fresh.at(-1)
      if (last !== undefined) this.#judgedTo.set(key, last.sentAt)
      for (const group of missingIn(all)) {
        const outage = wholeOutage(group, fragments)
        const next = fragments[fragments.indexOf(outage.at(-1)!) + 1]
        const fault = this.#faultOf(outage, next)
        if (fault !== null) wrong.push(fault)
        else this.told += group.filter(each => each.sentAt > from || this.#again.has(each)).length
      }
    }
    this.#again.clear()
    return wrong
  }

  /**
   * All of an outage must be told, by the wall clock as it stood. A step of the clock within it leaves one
   * row, from the last frame before it to the first frame after it: wall times before that beginning were
   * there already, and wall times behind that end, where the clock was set back, cannot be told by a row that
   * does not end before it begins. `next`: the fragment behind it, which the recorder dates when it has it.
   */
  #faultOf(group: readonly SentFragment[], next?: SentFragment): string | null {
    const first = group[0]!, last = group.at(-1)!, { key } = first
    const isAgain = next !== undefined && isNext(last, next)
    const spans = this.#clock.spansIn(first.startAt, isAgain ? next.sentAt : last.endAt)
    const beginsAt = first.startAt + spans[0]!.offsetMs
    const lastEndAt = last.endAt + spans.at(-1)!.offsetMs, endsAt = Math.max(beginsAt, lastEndAt)
    const isStepped = spans.some(({ offsetMs }) => offsetMs !== spans[0]!.offsetMs)
    const offsetNow = spans.at(-1)!.offsetMs
    // A start may count from a frame that the clock dated later: all of it is told by the clock as it stands.
    const untoldNowMs = this.#untoldMs(key, first.startAt + offsetNow + ROUNDING_MS, lastEndAt - ROUNDING_MS)
    if (isStepped && untoldNowMs === 0) return null
    // What the clock was set back by may be what was lost: nothing is missing by it then.
    const isLong = Math.abs(lastEndAt - beginsAt) > 2 * ROUNDING_MS
    const isTold = this.#catalogue.gaps(key, beginsAt - LATE_FOUND_MS, beginsAt + ROUNDING_MS).length > 0
    if (isStepped && isLong && !isTold) {
      return `${namesOf(group)} cannot be found, and no gap begins at ${iso(beginsAt)}, `
        + `where the clock was set ${this.#near(key, beginsAt, endsAt)}`
    }
    for (const { from, to, offsetMs } of spans) {
      const startAt = Math.max(beginsAt, from + offsetMs) + ROUNDING_MS
      const endAt = Math.min(endsAt, to + offsetMs) - ROUNDING_MS
      const untoldMs = this.#untoldMs(key, startAt, endAt)
      if (untoldMs === 0) continue
      return `${namesOf(group)} from ${iso(startAt)} to ${iso(endAt)} cannot be found, `
        + `and no gap tells of ${Math.round(untoldMs)} ms of it ${this.#near(key, startAt, endAt)}`
    }
    return null
  }

  /** From where nothing tells on. */
  #untoldMs(key: string, startAt: number, endAt: number): number {
    if (endAt <= startAt) return 0
    let told = startAt
    for (const { start_at: from, end_at: to } of this.#catalogue.gaps(key, startAt, endAt)) {
      if (from <= told + ROUNDING_MS) told = Math.max(told, to ?? Infinity)
    }
    return Math.max(0, endAt - told)
  }

  #near(key: string, startAt: number, endAt: number): string {
    const near = this.#catalogue.gaps(key, startAt - NEAR_MS, endAt + NEAR_MS).slice(-5)
    const endOf = ({ end_at: endAt }: GapFact): string => endAt === null ? 'now' : iso(endAt)
    return `(${near.map(gap => `${iso(gap.start_at)} to ${endOf(gap)} ${gap.cause}`).join(', ') || 'no gap is near'})`
  }
}

const namesOf = (group: readonly SentFragment[]): string =>
  `${group[0]!.key}: ${group.length} fragments (${group[0]!.name}..)`
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 23)

/** Neighbours that are missing, together. */
function missingIn(fragments: readonly SentFragment[]): SentFragment[][] {
  const groups: SentFragment[][] = []
  let before: SentFragment | null = null
  for (const fragment of fragments) {
    if (!isMissing(fragment)) continue
    if (before !== null && isNext(before, fragment)) groups.at(-1)!.push(fragment)
    else groups.push([fragment])
    before = fragment
  }
  return groups
}

const isMissing = ({ found, away, isWanted, isKnownCamera, excuse }: SentFragment): boolean =>
  found <= 0 && away === 0 && isWanted && isKnownCamera && (excuse === null || !EXCUSES.has(excuse))
const isNext = (before: SentFragment, { startAt, device }: SentFragment): boolean =>
  before.endAt === startAt && before.device === device

/** With what was missing before it already, and was judged. */
function wholeOutage(group: readonly SentFragment[], all: readonly SentFragment[]): readonly SentFragment[] {
  const at = all.indexOf(group[0]!)
  let from = at
  while (from > 0 && isMissing(all[from - 1]!) && isNext(all[from - 1]!, all[from]!)) from--
  return [...all.slice(from, at), ...group]
}
