import type { AuditEvent, AuditSink, EpochMs, MonoMs } from '../domain/index.ts'
import { isoOf, SYSTEM } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { canonicalJson } from './canonical.ts'
import { entryHash, entryText, type AuditEntry, type ClockState } from './entry.ts'
import { AuditUnavailableError, isBusy, isUnwritable, sqliteCode } from './errors.ts'
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
/**
 * A command that writes beside the recorder has the lock for moments; one that lasts longer stops the acts of
 * all others.
 */
const BUSY_FAILS_AFTER_MS = 5_000
/** Events that wait to be written: hours of a recorder whose disks come and go. */
const MAX_OWED = 1_000
/** What is a disk without room: EDQUOT comes as an error of writing. */
const NO_ROOM = /^SQLITE_(FULL|IOERR_WRITE|IOERR_SHMSIZE)$/

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
  /** Of the first refusal for a lock since the last success. */
  #busySince: MonoMs | null = null
  readonly #owed: AuditEvent[] = []
  #dropped = 0
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
    const detail = detailOf(event)
    const write = () => this.#write(event, detail)
    return this.#db.inTransaction ? this.#guarded(write, sqliteCode) : this.transaction(write)
  }

  /** Runs an act and its entries as one transaction. Also a failure to commit is an AuditUnavailableError then. */
  transaction<Result>(act: () => Result): Result {
    if (this.#db.inTransaction) return act()
    const result = this.#guarded(() => this.#db.transaction(act).immediate(), isUnwritable)
    this.#succeeded()
    return result
  }

  note(event: AuditEvent): 'written' | 'kept' {
    // Inside a transaction what was owed could be undone with it.
    if (!this.#db.inTransaction) this.settle()
    if (this.#owed.length === 0 || this.#db.inTransaction) {
      try {
        this.append(event)
        return 'written'
      } catch (error) { if (!(error instanceof AuditUnavailableError)) throw error }
    }
    const late = { ...event, detail: { ...event.detail, happenedAt: isoOf(this.#clock.wallNow()) } }
    detailOf(late)
    if (this.#owed.length >= MAX_OWED) {
      this.#owed.shift()
      this.#dropped++
    }
    this.#owed.push(late)
    return 'kept'
  }

  /**
   * Writes down what waits, in its order, and how much of it was dropped. What cannot be written goes on
   * waiting.
   */
  settle(): void {
    if (this.#owed.length === 0) return
    const owed = [...this.#owed], dropped = this.#dropped
    try {
      this.transaction(() => {
        if (dropped > 0) {
          const lost = { actor: SYSTEM, object: null, application: null, result: 'failed' } as const
          this.append({ ...lost, action: 'audit.events-lost', detail: { count: dropped } })
        }
        for (const event of owed) this.append(event)
      })
    } catch (error) {
      if (!(error instanceof AuditUnavailableError)) throw error
      return
    }
    this.#owed.splice(0, owed.length)
    this.#dropped -= dropped
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
    try {
      this.#db.prepare('UPDATE audit_log SET written_at = ?').run(this.#clock.wallNow())
      this.#busySince = null
    } catch (error) { this.#note(error) }
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

  #succeeded(): void {
    this.#state = OK
    this.#busySince = null
  }

  #note(error: unknown): void {
    const cause = sqliteCode(error) ?? 'unknown'
    if (cause === 'SQLITE_BUSY_SNAPSHOT') return // the caller read before it wrote and somebody else was faster: nothing is wrong with the log
    if (isBusy(error)) {
      this.#busySince ??= this.#clock.monoNow()
      if (this.#clock.monoNow() - this.#busySince <= BUSY_FAILS_AFTER_MS) return
    }
    this.#refused += 1
    if (this.#state.state === 'ok') this.#state = { state: 'failed', since: this.#clock.wallNow(), cause }
    if (NO_ROOM.test(cause)) this.onFull()
  }
}

/** The text of its detail. Throws TypeError for what is no event. */
function detailOf({ action, object, application, actor, detail }: AuditEvent): string {
  const text = canonicalJson(detail)
  if (text.length > MAX_DETAIL_CHARS) {
    const bound = `${MAX_DETAIL_CHARS} is the bound`
    throw new TypeError(`the detail of an audit entry has ${text.length} characters; ${bound}`)
  }
  for (const each of [action, object, application, actor.name, actor.role, actor.source]) {
    if (each !== null && each.length > MAX_TEXT_CHARS) {
      const bound = `${MAX_TEXT_CHARS} is the bound`
      throw new TypeError(`a text of an audit entry has ${each.length} characters; ${bound}`)
    }
  }
  return text
}
