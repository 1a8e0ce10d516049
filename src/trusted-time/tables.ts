import { epochMs, type EpochMs, type PastAdvance } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Confirmation } from './confirmation.ts'
import type { SyncAnswer } from './host-clock.ts'
import type { SavedTime, Told } from './time-machine.ts'
import type { TimeCopy } from './time-copy.ts'

interface RawTime {
  trusted_at: number, mono_ms: number, boot_id: string, wall_at: number, is_known: number, claim_ms: number | null
  allowance_ms: number, doubt_since: number | null, told: Told, timeline: string | null
}
interface RawConfirmation { confirmation_id: number, name: string, reason: string, login: string, wall_at: number, mono_ms: number, boot_id: string }

export interface Outcome { readonly outcome: 'counted' | 'refused' | null, readonly why: string | null }

/** About fourteen months of samples ten minutes apart. */
const SAMPLES_KEPT = 60_000
/** No honest pair needs more; a command that is run in a loop must not fill the table. */
const MAX_OPEN = 8

/** Tables `trusted_time`, `time_advance`, `time_confirmation` and `clock_sample`. */
export function timeTables(db: Db) {
  const load = db.prepare<[], RawTime>('SELECT * FROM trusted_time WHERE id = 1')
  const save = db.prepare<
    [number, number, string, number, number, number | null, number, number | null, string, number, string]
  >('REPLACE INTO trusted_time VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const addAdvance = db.prepare<[number, number, number]>(
    'INSERT OR IGNORE INTO time_advance (at, since_at, by_ms) VALUES (?, ?, ?)')
  const advances = db.prepare<[], { at: number, since_at: number, by_ms: number }>(
    'SELECT at, since_at, by_ms FROM time_advance ORDER BY at, advance_id')
  const openWords = db.prepare<[], RawConfirmation>('SELECT * FROM time_confirmation WHERE outcome IS NULL ORDER BY confirmation_id')
  const insertWord = db.prepare<[string, string, string, number, number, string]>('INSERT INTO time_confirmation (name, reason, login, wall_at, mono_ms, boot_id) VALUES (?, ?, ?, ?, ?, ?)')
  const settle = db.prepare<[string, string, number, number]>('UPDATE time_confirmation SET outcome = ?, why = ?, decided_at = ? WHERE confirmation_id = ? AND outcome IS NULL')
  const outcome = db.prepare<[number], Outcome>('SELECT outcome, why FROM time_confirmation WHERE confirmation_id = ?')
  const sample = db.prepare<[number, number | null, string, number | null, number | null]>('INSERT INTO clock_sample (wall_at, trusted_at, source, is_synchronised, reference_offset_us) VALUES (?, ?, ?, ?, ?)')
  const trim = db.prepare<[number]>('DELETE FROM clock_sample WHERE sample_id <= ?')
  return {
    load(): SavedTime | null {
      const row = load.get()
      return row === undefined ? null : {
        trustedMs: row.trusted_at, monoMs: row.mono_ms, bootId: row.boot_id, wallMs: row.wall_at,
        isKnown: row.is_known === 1, claimMs: row.claim_ms, allowanceMs: row.allowance_ms,
        doubtSinceMs: row.doubt_since, told: row.told,
      }
    },
    /** Null: not named yet, or nothing was written down. */
    timeline: (): string | null => load.get()?.timeline ?? null,
    /** Rounded so that trusted time comes back behind by a millisecond at most, never ahead. */
    save(timeline: string, time: SavedTime): void {
      const down = Math.floor
      save.run(down(time.trustedMs), Math.ceil(time.monoMs), time.bootId, down(time.wallMs), time.isKnown ? 1 : 0, time.claimMs === null ? null : down(time.claimMs),
        down(time.allowanceMs), time.doubtSinceMs === null ? null : down(time.doubtSinceMs), time.told, down(time.wallMs), timeline)
    },
    /** Goes on from a copy that a volume kept, and knows what it knew. */
    take({ timeline, time, advances }: TimeCopy): void {
      this.save(timeline, time)
      for (const advance of advances) this.addAdvance(advance)
    },
    addAdvance({ atMs, sinceMs, byMs }: PastAdvance): void {
      addAdvance.run(atMs, sinceMs, byMs)
    },
    /** Oldest first. */
    advances: (): PastAdvance[] =>
      advances.all().map(({ at, since_at: sinceMs, by_ms: byMs }) => ({ atMs: at, sinceMs, byMs })),
    openConfirmations: (): Confirmation[] => openWords.all().map(row => ({
      id: row.confirmation_id, name: row.name, reason: row.reason, login: row.login, wallMs: row.wall_at, monoMs: row.mono_ms, bootId: row.boot_id,
    })),
    /** The row's number; null when too many wait. */
    addConfirmation(word: Omit<Confirmation, 'id'>): number | null {
      return db.transaction(() => openWords.all().length >= MAX_OPEN ? null
        : Number(insertWord.run(word.name, word.reason, word.login, Math.floor(word.wallMs), Math.floor(word.monoMs), word.bootId).lastInsertRowid)).immediate()
    },
    settle(id: number, what: 'counted' | 'refused', why: string, decidedMs: number): void { settle.run(what, why, Math.floor(decidedMs), id) },
    outcomeOf: (id: number): Outcome | null => outcome.get(id) ?? null,
    addSample(wallMs: number, trustedMs: number | null, { source, isSynchronised, referenceOffsetMs }: SyncAnswer): void {
      const { lastInsertRowid } = sample.run(Math.floor(wallMs), trustedMs === null ? null : Math.floor(trustedMs), source, isSynchronised === null ? null : isSynchronised ? 1 : 0,
        referenceOffsetMs === null ? null : Math.round(referenceOffsetMs * 1000))
      trim.run(Number(lastInsertRowid) - SAMPLES_KEPT)
    },
  }
}

/**
 * Newest footage that the catalogue knows, null when there is none. Footage of a clock that ran ahead counts too: it can only make trusted time ask for people.
 * Read here, below storage, because trusted time must stand before storage opens.
 */
export function newestFootageIn(db: Db): EpochMs | null {
  const newest = db.prepare<[], { at: number | null }>('SELECT max(coalesce(end_at, start_at)) AS at FROM segment WHERE ended_at IS NULL').get()?.at ?? null
  return newest === null ? null : epochMs(newest)
}
