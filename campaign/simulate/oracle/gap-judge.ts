import type { CatalogueReader } from './catalogue-reader.ts'
import type { SentFootage, SentFragment } from './sent-footage.ts'

const ROUNDING_MS = 30
/** What has just been sent may still be on its way. */
const ON_ITS_WAY_MS = 20_000
/** What is shown beside a fault. */
const NEAR_MS = 3_600_000
/** Of these nobody can be told anything by a gap. */
const EXCUSES = new Set(['aged', 'its disk is gone', 'its catalogue was lost', 'a disk lied about it'])

/**
 * Every span that a camera sent while it was to be recorded, and that cannot be found, must lie inside a
 * gap [G7].
 */
export class GapJudge {
  readonly #catalogue: CatalogueReader
  readonly #footage: SentFootage
  /** By stream: all before was judged. */
  readonly #judgedTo = new Map<string, number>()
  readonly #again = new Set<SentFragment>()
  /** Fragments that were missing and told, for the figures. */
  told = 0
  constructor(catalogue: CatalogueReader, footage: SentFootage) {
    this.#catalogue = catalogue
    this.#footage = footage
  }

  /** It was there and is no more: to be judged once more. */
  lostLater(fragment: SentFragment): void { this.#again.add(fragment) }

  judge(now: number): string[] {
    const wrong: string[] = []
    for (const [key, fragments] of this.#footage.byKey) {
      const from = this.#judgedTo.get(key) ?? 0
      const fresh = [...this.#footage.after(key, from)].reverse().filter(each => each.sentAt > from && each.sentAt < now - ON_ITS_WAY_MS)
      const again = this.#again.size === 0 ? [] : fragments.filter(each => this.#again.has(each) && each.sentAt <= from)
      const all = [...again, ...fresh]
      const last = fresh.at(-1)
      if (last !== undefined) this.#judgedTo.set(key, last.sentAt)
      for (const group of missingIn(all)) {
        const fault = this.#faultOf(group, fragments)
        if (fault !== null) wrong.push(fault)
        else this.told += group.length
      }
    }
    this.#again.clear()
    return wrong
  }

  #faultOf(group: readonly SentFragment[], all: readonly SentFragment[]): string | null {
    const first = group[0]!, last = group.at(-1)!
    const at = all.indexOf(first)
    const neighbours = [all[at - 1], ...group, all[at + group.length]].filter(each => each !== undefined)
    if (neighbours.some(each => each.wallOffsetMs !== first.wallOffsetMs)) return null // the clock was set meanwhile: the times of the two sides do not compare
    // Where the clock was set back, these times were filmed before, and only what comes after them can be
    // told.
    const startAt = Math.max(latestStamp(all, at), first.startAt + first.wallOffsetMs) + ROUNDING_MS
    const endAt = last.endAt + last.wallOffsetMs - ROUNDING_MS
    if (endAt <= startAt) return null
    const gaps = this.#catalogue.gaps(first.key, startAt, endAt)
    let told = startAt
    for (const { start_at: from, end_at: to } of gaps) if (from <= told + ROUNDING_MS) told = Math.max(told, to ?? Infinity)
    if (told >= endAt) return null
    const span = `${iso(startAt)} to ${iso(endAt)}`
    const near = this.#catalogue.gaps(first.key, startAt - NEAR_MS, endAt + NEAR_MS).slice(-5).map(gap => `${iso(gap.start_at)} to ${gap.end_at === null ? 'now' : iso(gap.end_at)} ${gap.cause}`).join(', ')
    return `${first.key}: ${group.length} fragments (${first.name}..) from ${span} cannot be found, and no gap tells of ${Math.round(endAt - told)} ms of it (${near || 'no gap is near'})`
  }
}

/**
 * By the wall clock, the latest end of what was filmed before the fragment at `at` while the clock was
 * further ahead.
 */
function latestStamp(all: readonly SentFragment[], at: number): number {
  const offset = all[at]!.wallOffsetMs
  let latest = -Infinity
  for (let i = at - 1; i >= 0; i--) if (all[i]!.wallOffsetMs > offset) latest = Math.max(latest, all[i]!.endAt + all[i]!.wallOffsetMs)
  return latest
}

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 23)

/** Neighbours that are missing, together. */
function missingIn(fragments: readonly SentFragment[]): SentFragment[][] {
  const groups: SentFragment[][] = []
  let before: SentFragment | null = null
  for (const fragment of fragments) {
    const isMissing = fragment.found <= 0 && fragment.away === 0 && fragment.isWanted && fragment.isKnownCamera && (fragment.excuse === null || !EXCUSES.has(fragment.excuse))
    if (!isMissing) continue
    if (before !== null && before.endAt === fragment.startAt && before.device === fragment.device) groups.at(-1)!.push(fragment)
    else groups.push([fragment])
    before = fragment
  }
  return groups
}
