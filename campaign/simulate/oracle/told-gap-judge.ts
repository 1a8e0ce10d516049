import type { WallClockFacts } from '../wall-clock.ts'
import { DAY_MS } from './calendar.ts'
import type { VolumeInPlace } from './catalogue-judge.ts'
import type { CatalogueReader, GapRow } from './catalogue-reader.ts'
import type { DiskViews, SlotView, ViewedRecord } from './disk-view.ts'

/**
 * What a gap may reach over footage that can be found: beside a kill the last two seconds are found again or
 * not [G4], and a run's beginning is known to its first fragment only.
 */
const MAY_OVERLAP_MS = 2_000
/** A piece that was sent after a step of the clock may have begun so long before it. */
const LONGEST_PIECE_MS = 7 * 3_600_000
/** Gaps of what lies further back are told by nobody. */
const REMEMBERED_MS = 120 * DAY_MS
/** When a volume comes back, gaps of so long are judged again. */
const JUDGED_AGAIN_MS = 45 * DAY_MS

/** What a gap tells as lost must not be there: footage that the catalogue lets somebody find [G7]. */
export class ToldGapJudge {
  readonly #catalogue: CatalogueReader
  readonly #views: DiskViews
  readonly #clock: WallClockFacts
  #judgedTo = 0
  readonly #open = new Set<number>()
  /** What the newest gap was, and when. */
  #marks: { readonly at: number, readonly gapId: number }[] = []
  #volumes = ''
  /** Of footage that could be found until it was overwritten, by camera and stream. */
  #overwritten = new Map<string, Stored[]>()

  constructor(catalogue: CatalogueReader, views: DiskViews, clock: WallClockFacts) {
    this.#catalogue = catalogue
    this.#views = views
    this.#clock = clock
  }

  startOver(): void {
    this.#judgedTo = 0
    this.#marks = []
    this.#open.clear()
    this.#overwritten.clear() // nobody knows any more that it was there
  }

  /** It may go by the rule: that is no loss. */
  overwritten({ name, header }: SlotView, records: readonly ViewedRecord[], now: number): void {
    const key = `${header?.cameraUuid}/${header?.stream}`
    const kept = this.#overwritten.get(key)?.filter(({ record }) => record.startAt > now - REMEMBERED_MS) ?? []
    this.#overwritten.set(key, [...kept, ...records.map(record => ({ name, record }))])
  }

  judge(volumes: readonly VolumeInPlace[], now: number): string[] {
    const inUse = volumes.filter(({ isInUse }) => isInUse)
    const rows = this.#rowsToJudge(inUse, now)
    if (rows.length === 0) return []
    const byStream = Map.groupBy(rows, row => `${row.camera_uuid}/${row.stream}`)
    const segments = new Map(this.#catalogue.segments().map(row => [`${row.volume_uuid}/${row.slot}`, row]))
    const wrong: string[] = []
    for (const { uuid, disk } of inUse) {
      for (const view of this.#views.viewsOf(disk)) {
        const gaps = byStream.get(`${view.header?.cameraUuid}/${view.header?.stream}`)
        const row = segments.get(`${uuid}/${view.slot}`)
        if (gaps === undefined || row === undefined || row.generation !== view.header?.generation) continue
        const claimed = view.records.slice(0, row.sealed_at === null ? view.records.length : row.records ?? 0)
        const stored = claimed.map(record => ({ name: view.name, record }))
        for (const gap of gaps) wrong.push(...this.#overlap(gap, stored, now, 'is there'))
      }
    }
    for (const [key, gaps] of byStream) {
      const stored = this.#overwritten.get(key) ?? []
      for (const gap of gaps) wrong.push(...this.#overlap(gap, stored, now, 'was there until it was overwritten'))
    }
    return wrong
  }

  #rowsToJudge(inUse: readonly VolumeInPlace[], now: number): GapRow[] {
    const names = inUse.map(({ uuid }) => uuid).sort().join(' ')
    const isSame = names === this.#volumes
    this.#volumes = names
    while (this.#marks.length > 1 && this.#marks[1]!.at < now - JUDGED_AGAIN_MS) this.#marks.shift()
    const after = isSame ? this.#judgedTo : this.#marks[0]?.gapId ?? 0
    const rows = this.#catalogue.gapsToJudge(after, this.#open)
    this.#open.clear()
    for (const { gap_id: id, end_at: endAt } of rows) {
      if (endAt === null) this.#open.add(id)
      this.#judgedTo = Math.max(this.#judgedTo, id)
    }
    this.#marks.push({ at: now, gapId: this.#judgedTo })
    return rows
  }

  #overlap(gap: GapRow, stored: readonly Stored[], now: number, how: string): string[] {
    const from = gap.start_at, to = gap.end_at ?? now + (this.#clock.spansIn(now - 1, now)[0]?.offsetMs ?? 0)
    // An outage over a step of the clock is one row from the last frame before to the first after it, and
    // what the clock showed twice may be footage of one time and a gap of the other.
    if (this.#isTwice(from - LONGEST_PIECE_MS, from)) return []
    if (this.#isTwice(to - LONGEST_PIECE_MS, to + LONGEST_PIECE_MS)) return []
    // What it passed over it may have shown before, when it was ahead.
    if (this.#clock.isStepBetween(from, to)) return []
    const whens = this.#whensOf(from, to)
    for (const { name: slot, record: { startAt, durationMs, name, fragment } } of stored) {
      // Filmed before or after it, when the clock showed these times and stood elsewhere meanwhile.
      if (fragment !== null && !whens.some(when => overlapOf(when, fragment) > MAY_OVERLAP_MS)) continue
      const overlapFrom = Math.max(from, startAt), overlapTo = Math.min(to, startAt + durationMs)
      if (overlapTo - overlapFrom <= MAY_OVERLAP_MS || this.#isTwice(overlapFrom, overlapTo)) continue
      const told = `${iso(from)} to ${gap.end_at === null ? 'now' : iso(to)}, ${gap.cause}`
      return [`${slot}: ${name} ${how}, and a gap tells ${overlapTo - overlapFrom} ms of it as lost: ${told}`]
    }
    return []
  }

  /** In true time, from and to where the clock stood alike. */
  #whensOf(from: number, to: number): Times[] {
    const ends = this.#clock.shownAt(to)
    return this.#clock.shownAt(from).flatMap(begin => ends.filter(end => end.offsetMs === begin.offsetMs && end.at > begin.at)
      .map(end => ({ startAt: begin.at, endAt: end.at })))
  }

  #isTwice(from: number, to: number): boolean { return this.#clock.passesOf(from, to) > 1 }
}

interface Stored { readonly name: string, readonly record: ViewedRecord }
interface Times { readonly startAt: number, readonly endAt: number }
const overlapOf = (a: Times, b: Times): number => Math.min(a.endAt, b.endAt) - Math.max(a.startAt, b.startAt)

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 23)
