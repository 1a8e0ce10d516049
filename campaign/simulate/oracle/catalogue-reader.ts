import { existsSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { DAY_MS } from './calendar.ts'

export interface SegmentFact {
  readonly volume_uuid: string
  readonly slot: number
  readonly generation: number
  readonly camera_uuid: string
  readonly start_at: number
  readonly end_at: number | null
  readonly records: number | null
  readonly merkle_root: string | null
  readonly sealed_at: number | null
  readonly is_quarantined: number
}
export interface SlotFact { readonly volume_uuid: string, readonly slot: number, readonly generation: number, readonly state: string, readonly reason: string | null }
/** A sealed segment of which nothing but floor, holds and readers keep the slot. */
export interface SealedFact {
  readonly volume_uuid: string
  readonly slot: number
  readonly generation: number
  readonly camera_uuid: string
  readonly start_at: number
  readonly end_at: number
  readonly newest_at: number
  readonly keep_until: number
  readonly floor_rule: string
}
export interface GapRow { readonly gap_id: number, readonly camera_uuid: string, readonly stream: string, readonly start_at: number, readonly end_at: number | null, readonly cause: string }
export interface GapFact { readonly start_at: number, readonly end_at: number | null, readonly cause: string }
export interface HoldFact { readonly hold_id: string, readonly camera_uuid: string, readonly from_at: number, readonly to_at: number, readonly ended_at: number | null }

/** Gaps of one camera name and stream that touch this time. */
interface GapWindow { readonly fromMs: number, readonly toMs: number, readonly gaps: readonly GapFact[] }
/** What is judged together lies within so long, mostly. */
const GAPS_AROUND_MS = 31 * DAY_MS

/**
 * Looks into the catalogue with a connection and questions of its own, as an auditor would. Null answers
 * while there is none.
 */
export class CatalogueReader {
  readonly #file: string
  #db: Database.Database | null = null
  /** Prepared once for each connection. */
  readonly #statements = new Map<string, Database.Statement<(string | number)[]>>()
  /** What was answered since `atOnce` began; null outside of it. */
  #answers: Map<string, unknown[]> | null = null
  readonly #gaps = new Map<string, GapWindow>()
  constructor(stateDir: string) { this.#file = path.join(stateDir, 'catalogue.db') }

  #open(): Database.Database | null {
    if (this.#db === null && existsSync(this.#file)) this.#db = new Database(this.#file, { readonly: true })
    return this.#db
  }
  #prepared(sql: string): Database.Statement<(string | number)[]> | undefined {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#open()?.prepare<(string | number)[]>(sql)
    if (made !== undefined) this.#statements.set(sql, made)
    return made
  }
  /** Before its file is moved, deleted or replaced. */
  close(): void {
    this.#db?.close()
    this.#db = null
    this.#statements.clear()
  }

  /** Within `work`, which waits for nothing, nobody changes the catalogue: the same question is asked once. */
  atOnce(work: () => void): void {
    this.#answers = new Map()
    try { work() } finally {
      this.#answers = null
      this.#gaps.clear()
    }
  }
  #askOnce<Row>(sql: string): Row[] {
    const known = this.#answers?.get(sql)
    if (known !== undefined) return known as Row[]
    const rows = this.ask<Row>(sql)
    this.#answers?.set(sql, rows)
    return rows
  }

  ask<Row>(sql: string, ...values: (string | number)[]): Row[] {
    try { return this.#prepared(sql)?.all(...values) as Row[] | undefined ?? [] } catch (error) {
      if (/no such table/.test(String(error))) return [] // a catalogue that is just being made
      throw error
    }
  }

  segments(): SegmentFact[] {
    return this.#askOnce(`SELECT volume_uuid, slot, generation, camera_uuid, start_at, end_at, records, merkle_root, sealed_at, is_quarantined
      FROM segment WHERE ended_at IS NULL`)
  }
  sealed(): SealedFact[] {
    return this.ask(`SELECT volume_uuid, slot, generation, camera_uuid, start_at, end_at, newest_at, keep_until, floor_rule
      FROM segment WHERE ended_at IS NULL AND sealed_at IS NOT NULL AND is_quarantined = 0`)
  }
  /** Those behind `gapId`, those that are not over, and the ones named. */
  gapsToJudge(gapId: number, named: ReadonlySet<number>): GapRow[] {
    return this.ask(`SELECT gap_id, camera_uuid, stream, start_at, end_at, cause FROM gap
      WHERE gap_id > ? OR end_at IS NULL OR gap_id IN (SELECT value FROM json_each(?)) ORDER BY gap_id`, gapId, JSON.stringify([...named]))
  }
  /** The gap of the camera in use that is not over. */
  openGap(camera: string, stream: string): GapFact | null {
    return this.ask<GapFact>(`SELECT start_at, end_at, cause FROM gap JOIN camera ON camera.uuid = camera_uuid
      WHERE camera.id = ? AND retired_at IS NULL AND stream = ? AND end_at IS NULL`, camera, stream)[0] ?? null
  }
  slots(): SlotFact[] { return this.#askOnce('SELECT volume_uuid, slot, generation, state, reason FROM slot') }
  holds(): HoldFact[] { return this.#askOnce('SELECT hold_id, camera_uuid, from_at, to_at, ended_at FROM hold') }
  isInUse(camera: string): boolean { return this.ask('SELECT 1 FROM camera WHERE id = ? AND retired_at IS NULL', camera).length > 0 }
  /** Whether the camera that has this name now has a run or a gap. */
  isRecorded(camera: string, stream: string): boolean {
    return this.ask(`SELECT 1 FROM camera WHERE id = ? AND retired_at IS NULL AND (EXISTS (SELECT 1 FROM gap WHERE camera_uuid = uuid AND stream = ?)
      OR EXISTS (SELECT 1 FROM run WHERE camera_uuid = uuid AND stream = ?))`, camera, stream, stream).length > 0
  }
  /** Of every camera that had the name, for only one has it at a time. `key`: `lobby/main`. */
  gaps(key: string, fromMs: number, toMs: number): GapFact[] {
    if (this.#answers === null) return this.#gapsIn(key, fromMs, toMs)
    let window = this.#gaps.get(key)
    if (window === undefined || fromMs < window.fromMs || toMs > window.toMs) {
      const wide = { fromMs: fromMs - GAPS_AROUND_MS, toMs: toMs + GAPS_AROUND_MS }
      window = { ...wide, gaps: this.#gapsIn(key, wide.fromMs, wide.toMs) }
      this.#gaps.set(key, window)
    }
    return window.gaps.filter(({ start_at: from, end_at: to }) => from <= toMs && (to === null || to >= fromMs))
  }
  #gapsIn(key: string, fromMs: number, toMs: number): GapFact[] {
    const [camera, stream] = key.split('/') as [string, string]
    return this.ask(`SELECT start_at, end_at, cause FROM gap WHERE camera_uuid IN (SELECT uuid FROM camera WHERE id = ?) AND stream = ?
      AND start_at <= ? AND (end_at IS NULL OR end_at >= ?) ORDER BY start_at`, camera, stream, toMs, fromMs)
  }
}
