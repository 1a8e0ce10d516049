import Database from 'better-sqlite3'
import type { FakedClock } from './faked-clock.ts'

interface Row { readonly key: string, readonly end_at: number | null, readonly sealed_at: number | null, readonly ended_at: number | null }
interface Seen { readonly firstSeenMs: number, sealedSeenMs: number | null, endAt: number | null, endedSeenMs: number | null }

/** A frame may be stamped this much too old while both clocks count as agreeing, and a look comes this late. */
const SLACK_MS = 1_300
/** A segment's first frame is older than its row, and a row is seen late. */
const ROW_LAG_MS = 8_000

/** Follows every segment in the catalogue by this process's own clock, which nobody fakes; shares no code with the recorder. */
export class ReuseJudge {
  readonly #clock: FakedClock
  readonly #file: string
  readonly #seen = new Map<string, Seen>()
  #db: Database.Database | null = null

  constructor(catalogueFile: string, clock: FakedClock) {
    this.#file = catalogueFile
    this.#clock = clock
  }

  look(): void {
    this.#db ??= new Database(this.#file, { readonly: true, fileMustExist: true })
    const rows = this.#db.prepare<[], Row>("SELECT volume_uuid || '/' || slot || '/' || generation AS key, end_at, sealed_at, ended_at FROM segment").all()
    const nowMs = Date.now()
    for (const row of rows) {
      const seen = this.#seen.get(row.key) ?? { firstSeenMs: nowMs, sealedSeenMs: null, endAt: null, endedSeenMs: null }
      this.#seen.set(row.key, seen)
      if (row.sealed_at !== null) seen.sealedSeenMs ??= nowMs
      if (row.ended_at !== null) seen.endedSeenMs ??= nowMs
      seen.endAt = row.end_at
    }
  }

  get reused(): number { return [...this.#seen.values()].filter(seen => seen.endedSeenMs !== null && seen.endAt !== null).length }
  get segments(): number { return this.#seen.size }

  /** What was reused earlier after its newest frame than `floorMs`, by real time. */
  early(floorMs: number): string[] {
    const found: string[] = []
    for (const [key, seen] of this.#seen) {
      if (seen.endedSeenMs === null || seen.endAt === null || seen.sealedSeenMs === null) continue
      const newestMs = this.#trueTimeOf(seen.endAt, seen.firstSeenMs, seen.sealedSeenMs)
      if (newestMs === null) found.push(`${key}: its newest frame (${new Date(seen.endAt).toISOString()}) fits no clock that it can have been recorded by`)
      else if (seen.endedSeenMs - newestMs < floorMs - SLACK_MS) found.push(`${key}: overwritten ${seen.endedSeenMs - newestMs} ms after its newest frame`)
    }
    return found
  }

  /** The catalogue's times are the faked clock's: takes off the offset that was in force when the segment was recorded. */
  #trueTimeOf(endAt: number, firstSeenMs: number, sealedSeenMs: number): number | null {
    const { history } = this.#clock
    const candidates = history.filter((each, i) => each.fromMs <= sealedSeenMs && (history[i + 1]?.fromMs ?? Infinity) >= firstSeenMs - ROW_LAG_MS)
      .map(each => endAt - each.offsetMs).filter(ms => ms >= firstSeenMs - ROW_LAG_MS && ms <= sealedSeenMs + SLACK_MS)
    return candidates.length === 0 ? null : Math.max(...candidates)
  }

  close(): void { this.#db?.close() }
}
