import { setImmediate as turn } from 'node:timers/promises'
import { canonicalJson } from '../audit/index.ts'
import { epochMs, SYSTEM } from '../domain/index.ts'
import type { BookCore } from './core.ts'
import { actOf, lineHash } from './line.ts'
import { reconcileInSteps, type LineFact, type Orphan, type OrphanKind, type Standing, type UseFact } from './reconcile.ts'
import { lineTables } from './tables/lines.ts'

/** What the book asks of requests. */
export interface Applications {
  standingOf(application: string): Standing
  /** Applications whose own record says that they were viewed or copied. */
  used(): Iterable<string>
}
export interface Reconciled { readonly atMs: number, readonly lines: number, readonly uses: number, readonly orphans: readonly Orphan[] }
export interface ReconciledView { readonly atMs: number, readonly orphanCount: number, readonly byKind: Partial<Readonly<Record<OrphanKind, number>>>, /** The first few. */ readonly orphans: readonly Orphan[] }

/** So many rows a turn of the event loop: recording goes first (G9). */
const SLICE = 250
const MOST_IN_ENTRY = 100
const MOST_KEPT = 5000
interface EntryRow { seq: number, at: number, actor_name: string, action: string, object: string | null, application: string | null, result: string, detail: string }
interface Stored { at: number, orphan_count: number, orphans: string }

/** The nightly comparison, its record and what health asks of it. */
export class Reconciler {
  readonly #core: BookCore
  readonly #applications: Applications
  readonly #lines: ReturnType<typeof lineTables>
  readonly #entries
  readonly #last
  readonly #add
  constructor(core: BookCore, applications: Applications) {
    this.#core = core
    this.#applications = applications
    this.#lines = lineTables(core.db)
    this.#entries = core.db.prepare<[string, number, number, number], EntryRow>(ENTRIES_SQL)
    this.#last = core.db.prepare<[], Stored>('SELECT at, orphan_count, orphans FROM book_reconciliation ORDER BY reconciliation_id DESC LIMIT 1')
    this.#add = core.db.prepare<(string | number)[]>('INSERT INTO book_reconciliation (at, lines, uses, orphan_count, orphans, audit_seq) VALUES (?, ?, ?, ?, ?, ?)')
  }

  /** Compares all there is at its beginning, in slices, and writes down what it found. Throws AuditUnavailableError when that cannot be written. */
  async run(signal?: AbortSignal): Promise<Reconciled> {
    const { db, audit, time } = this.#core
    const [lastSeq, lastLine] = db.transaction(() => [db.prepare<[], number | null>('SELECT max(seq) FROM audit_entry').pluck().get() ?? 0, this.#lines.last()] as const)()
    const uses: UseFact[] = [], told = new Map<number, string>(), lines: LineFact[] = []
    const pause = async (): Promise<void> => { await turn(); signal?.throwIfAborted() }
    for (const action of ['viewing.opened', 'copy.released'] as const) {
      for await (const entry of this.#entriesOf(action, lastSeq, pause)) {
        const act = actOf(entry.action)
        if (act !== null && entry.result === 'done') uses.push({ seq: entry.seq, act, object: entry.object, application: entry.application, account: entry.actor_name, at: epochMs(entry.at) })
      }
    }
    for (const action of ['book.entered', 'book.corrected'] as const) {
      for await (const entry of this.#entriesOf(action, lastSeq, pause)) if (entry.result === 'done') {
        const detail = JSON.parse(entry.detail) as { line?: number, sha256: string }
        told.set(action === 'book.entered' ? Number(entry.object) : detail.line ?? 0, detail.sha256)
      }
    }
    for (let after = 0; after < lastLine;) {
      const slice = this.#lines.after(after, SLICE).filter(({ line }) => line <= lastLine)
      if (slice.length === 0) break
      for (const line of slice) {
        const { act, useSeq, object, application, account, usedAt, ranges, corrects, sha256 } = line
        lines.push({ line: line.line, act, useSeq, object, application, account, usedAt, ranges, corrects, sha256, actualSha256: lineHash(line), toldSha256: told.get(line.line) ?? null })
      }
      after = slice.at(-1)!.line
      await pause()
    }
    const standings = new Map<string, Standing>()
    for (const { application } of lines) {
      if (standings.has(application)) continue
      standings.set(application, this.#applications.standingOf(application))
      if (standings.size % SLICE === 0) await pause()
    }
    const steps = reconcileInSteps({ uses, lines, told: told.keys(), standingOf: application => standings.get(application) ?? { kind: 'unknown' }, used: this.#applications.used() })
    let step = steps.next()
    for (; step.done !== true; step = steps.next()) await pause()
    const orphans = step.value
    const atMs = time.wallNow()
    audit.transaction(() => {
      const { seq } = audit.append({
        action: 'book.reconciled', actor: SYSTEM, object: null, application: null, result: 'done',
        detail: { lines: lines.length, uses: uses.length, orphans: orphans.length, byKind: { ...countOf(orphans) }, first: orphans.slice(0, MOST_IN_ENTRY).map(({ kind, subject }) => `${kind} ${subject}`) },
      })
      this.#add.run(atMs, lines.length, uses.length, orphans.length, canonicalJson(orphans.slice(0, MOST_KEPT).map(orphan => ({ ...orphan }))), seq)
    })
    return { atMs, lines: lines.length, uses: uses.length, orphans }
  }

  /** For health (`book-orphans`); null before the first run. */
  view(): ReconciledView | null {
    const row = this.#last.get()
    if (row === undefined) return null
    const orphans = JSON.parse(row.orphans) as Orphan[]
    return { atMs: row.at, orphanCount: row.orphan_count, byKind: countOf(orphans), orphans: orphans.slice(0, 20) }
  }

  async *#entriesOf(action: string, lastSeq: number, pause: () => Promise<void>): AsyncGenerator<EntryRow> {
    for (let after = 0; ;) {
      const rows = this.#entries.all(action, after, lastSeq, SLICE)
      yield* rows
      if (rows.length < SLICE) return
      after = rows.at(-1)!.seq
      await pause()
    }
  }
}

/** The index is partial: its condition stands in the question word for word. */
export const ENTRIES_SQL = "SELECT seq, at, actor_name, action, object, application, result, detail FROM audit_entry WHERE action IN ('viewing.opened', 'copy.released', 'book.entered', 'book.corrected', 'book.signed') AND action = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"

const countOf = (orphans: readonly Orphan[]): Partial<Record<OrphanKind, number>> => {
  const counts: Partial<Record<OrphanKind, number>> = {}
  for (const { kind } of orphans) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
