import type { AuditEvent, AuditSink, EpochMs } from '../domain/index.ts'
import { SYSTEM } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { canonicalJson } from './canonical.ts'
import { entryHash, entryText, type AuditEntry, type ClockState } from './entry.ts'
import { AuditUnavailableError, isUnwritable, sqliteCode } from './errors.ts'
import { entryTable } from './tables/entries.ts'
import { AuditTree } from './tree.ts'

export interface AuditLogOptions {
  readonly db: Db
  readonly clock: Clock
  /** Trusted time, which is built later because it audits itself: see `setClockState`. */
  readonly trusted?: () => ClockState
}

/** Longest text of an actor, an action, an object or an application, in characters, and of a detail. Callers bound what people type below it. */
const MAX_TEXT_CHARS = 1000
const MAX_DETAIL_CHARS = 64 * 1024

/** Whether acts can be written down; since when not, and why. */
export type AuditState = { readonly state: 'ok' } | { readonly state: 'failed', readonly since: EpochMs, readonly cause: string }
const OK: AuditState = { state: 'ok' }

/** The log under every act: each entry hashes the one before, and stands or falls with the act's own transaction. */
export class AuditLog implements AuditSink {
  readonly #db: Db
  readonly #clock: Clock
  readonly #entries: ReturnType<typeof entryTable>
  readonly tree: AuditTree
  #trusted: () => ClockState
  #state: AuditState = OK
  #refused = 0
  /** Called once each time the disk turns out to be full; may free some. */
  onFull: () => void = () => undefined

  constructor({ db, clock, trusted = () => ({ at: null, state: 'starting' }) }: AuditLogOptions) {
    this.#db = db
    this.#clock = clock
    this.#trusted = trusted
    this.#entries = entryTable(db)
    this.tree = new AuditTree(db, this.#entries)
  }

  setClockState(trusted: () => ClockState): void { this.#trusted = trusted }

  /**
   * Adds an entry inside the caller's transaction, or in one of its own when there is none. The tail is read from the table each time:
   * a caller may roll back, and commands write beside the recorder. Throws AuditUnavailableError when it cannot be written, TypeError for what is no event.
   */
  append(event: AuditEvent): { readonly seq: number } {
    const detail = canonicalJson(event.detail)
    if (detail.length > MAX_DETAIL_CHARS) throw new TypeError(`the detail of an audit entry has ${detail.length} characters; ${MAX_DETAIL_CHARS} is the bound`)
    for (const text of [event.action, event.object, event.application, event.actor.name, event.actor.role, event.actor.source]) {
      if (text !== null && text.length > MAX_TEXT_CHARS) throw new TypeError(`a text of an audit entry has ${text.length} characters; ${MAX_TEXT_CHARS} is the bound`)
    }
    const write = () => this.#write(event, detail)
    return this.#db.inTransaction ? this.#guarded(write, sqliteCode) : this.transaction(write)
  }

  /** Runs an act and its entries as one transaction. Also a failure to commit is an AuditUnavailableError then. */
  transaction<Result>(act: () => Result): Result {
    if (this.#db.inTransaction) return act()
    const result = this.#guarded(() => this.#db.transaction(act).immediate(), isUnwritable)
    this.#state = OK
    return result
  }

  /** How it stands; ends a failure only when an entry was written. */
  auditState(): AuditState { return this.#state }

  /** Throws AuditUnavailableError unless acts can be written down now. To be asked before a view begins, and while it lasts. */
  requireWritable(): void {
    if (this.#state.state === 'failed') this.restore()
  }

  /** Writes a durable byte, so that a log nobody writes to just now is known to work. Notes a failure instead of throwing it. */
  probe(): void {
    if (this.#state.state === 'failed') {
      try { this.restore() } catch { /* stays failed; the state says so */ }
      return
    }
    if (this.#db.inTransaction) return
    try { this.#db.prepare('UPDATE audit_log SET written_at = ?').run(this.#clock.wallNow()) } catch (error) { this.#note(error) }
  }

  /** After a failure: the entry that tells of it is the test whether it is over. Throws AuditUnavailableError when it is not. */
  restore(): void {
    if (this.#state.state === 'ok') return
    const { since, cause } = this.#state
    if (this.#db.inTransaction) throw new AuditUnavailableError(cause) // what this would tell may be rolled back
    this.append({ action: 'audit.restored', actor: SYSTEM, object: null, application: null, result: 'done', detail: { since, cause, refused: this.#refused } })
    this.#refused = 0
  }

  /** Entries so far; 0 for an empty log. */
  size(): number { return this.#entries.tail().seq }
  get(seq: number): AuditEntry | null { return this.#entries.get(seq) }

  #write(event: AuditEvent, detail: string): { readonly seq: number } {
    const tail = this.#entries.tail()
    const seq = tail.seq + 1
    const trusted = this.#trusted()
    const { action, actor, object, application, result } = event
    const entry = { seq, at: this.#clock.wallNow(), trustedAt: trusted.at, clock: trusted.state, actor, action, object, application, result, detail, prevHash: tail.hash }
    this.#entries.insert({ ...entry, hash: entryHash(entryText(entry)) })
    this.tree.completed(seq)
    return { seq }
  }

  #guarded<Result>(work: () => Result, isOurs: (error: unknown) => string | null | boolean): Result {
    try { return work() } catch (error) {
      if (!isOurs(error)) throw error
      this.#note(error)
      throw new AuditUnavailableError(error)
    }
  }

  #note(error: unknown): void {
    const cause = sqliteCode(error) ?? 'unknown'
    if (cause === 'SQLITE_BUSY_SNAPSHOT') return // the caller read before it wrote and somebody else was faster: nothing is wrong with the log
    this.#refused += 1
    if (this.#state.state === 'ok') this.#state = { state: 'failed', since: this.#clock.wallNow(), cause }
    if (cause === 'SQLITE_FULL') this.onFull()
  }
}
