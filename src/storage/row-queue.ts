import { AuditUnavailableError } from '../audit/index.ts'
import { isoOf, SYSTEM, type AuditEvent, type AuditSink, type EpochMs, type MonoMs } from '../domain/index.ts'
import { isCatalogueFault, type Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'

/**
 * Between tries while the catalogue takes nothing: each try may wait for a lock, and the event loop with
 * it.
 */
const RETRY_MS = 500
/** One transaction: a synced commit each would hold the event loop for seconds after a long outage. */
const ROWS_A_BATCH = 64
/** Rows of an outage of days. Beyond it rows that later ones repeat are dropped first. */
const MAX_PENDING = 50_000
const LOG_EVERY_MS = 30_000
/** Above what writing an entry takes. */
const LATE_MS = 2_000

export interface RowQueueOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly clock: Clock
  readonly log: Logger
}

export type Told = Omit<AuditEvent, 'actor' | 'application'>

/** Rows that the catalogue has not taken yet: how many, for how long, and what it said last. */
export interface RowBacklog { readonly pending: number, readonly lastedMs: number, readonly cause: string }

interface Row {
  readonly enter: () => void
  /** An earlier row says the same: an outage of days may lose it. */
  readonly isRepeated: boolean
  /** Called once the row is durable. */
  readonly done: () => void
}
interface Outage { readonly sinceMono: MonoMs, cause: string, loggedAt: MonoMs, tries: number }

/**
 * Writes what recording has to say into the catalogue, in order. What the catalogue refuses (locked, full,
 * unreadable) is kept and written once it takes rows again, so that
 * no frame waits for the catalogue [G7, G9]. A row is a transaction of its own, or part of a batch after an
 * outage.
 */
export class RowQueue {
  readonly #options: RowQueueOptions
  #pending: Row[] = []
  #outage: Outage | null = null
  #wake = Promise.withResolvers<void>()
  /** Resolved while no row waits. */
  #done = resolvedNow()
  #dropped = 0
  /** Called once when all rows of an outage are written. */
  onCaughtUp: () => void = () => undefined

  constructor(options: RowQueueOptions) { this.#options = options }

  /** True while rows wait: whoever needs the catalogue for a decision should not ask it now. */
  get isBehind(): boolean { return this.#pending.length > 0 }
  get backlog(): RowBacklog | null {
    const outage = this.#outage
    return outage === null ? null : { pending: this.#pending.length, lastedMs: this.#options.clock.monoNow() - outage.sinceMono, cause: outage.cause }
  }

  /** Writes the row now, or keeps it. Throws only what is no fault of the catalogue. */
  write(enter: () => void, { isRepeated = false, done = () => undefined }: Partial<Omit<Row, 'enter'>> = {}): void {
    if (this.#pending.length === 0) {
      try {
        this.#transaction(enter)
        done()
        return
      } catch (error) {
        if (!isRefused(error)) throw error
        this.#refused(error)
      }
    }
    if (this.#pending.length >= MAX_PENDING) this.#drop()
    this.#pending.push({ enter, isRepeated, done })
    this.#wake.resolve()
  }

  /** An audit entry of its own about what has happened already. */
  note(event: Told): void {
    const at = this.#options.clock.wallNow()
    this.write(() => { this.append(event, at) })
  }

  /**
   * Inside a row: its audit entry, in the same transaction. One that is written late says when it happened.
   * An audit log that cannot be written for another reason than
   * the catalogue's gets a log line instead [G10].
   */
  append(event: Told, happenedAt: EpochMs): void {
    const { audit, log, clock } = this.#options
    const detail = Math.abs(clock.wallNow() - happenedAt) < LATE_MS ? event.detail : { ...event.detail, happenedAt: isoOf(happenedAt) }
    try { audit.append({ actor: SYSTEM, application: null, ...event, detail }) } catch (error) {
      if (!(error instanceof AuditUnavailableError) || isRefused(error)) throw error
      log.error({ err: error, action: event.action, object: event.object }, 'an event could not be audited')
    }
  }

  /**
   * For a decision that needs the catalogue at once: says that it was refused, so that nobody else asks for
   * a while.
   */
  noteRefusal(error: unknown): void { this.#refused(error); this.#outageProbe() }

  /** Waits until all rows are written, at most `mostMs`. */
  async whenCaughtUp(mostMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    await Promise.race([this.#done.promise, this.#options.clock.wait(mostMs, AbortSignal.any([signal, over.signal]))])
    over.abort()
  }

  /** Until `signal` aborts: writes what is pending as soon as the catalogue takes it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const over = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => { over.resolve() }, { once: true })
    if (signal.aborted) over.resolve()
    while (!signal.aborted) {
      if (this.#pending.length === 0) {
        this.#wake = Promise.withResolvers()
        await Promise.race([this.#wake.promise, over.promise])
        continue
      }
      await clock.wait(RETRY_MS, signal)
      while (!signal.aborted && this.#pending.length > 0 && this.#writeBatch()) await new Promise(resolve => { setImmediate(resolve) })
    }
  }

  /** Tries to write all that is pending. False: the catalogue still refuses. */
  flush(): boolean {
    while (this.#pending.length > 0) if (!this.#writeBatch()) return false
    return true
  }

  #outageProbe(): void { // an outage that no row waits for would never end
    if (this.#pending.length > 0) return
    this.#pending.push({ enter: () => undefined, isRepeated: true, done: () => undefined })
    this.#wake.resolve()
  }

  #writeBatch(): boolean {
    const batch = this.#pending.slice(0, ROWS_A_BATCH)
    try {
      this.#transaction(() => { for (const row of batch) row.enter() })
    } catch (error) {
      if (isRefused(error)) { this.#refused(error); return false }
      return this.#writeEach(batch)
    }
    this.#written(batch.length)
    return true
  }

  #written(rows: number): void {
    for (const row of this.#pending.splice(0, rows)) row.done()
    if (this.#pending.length === 0) this.#caughtUp()
  }

  /** One row of the batch is wrong in itself: it is dropped with a log line, the others are written. */
  #writeEach(batch: readonly Row[]): boolean {
    for (const row of batch) {
      try { this.#transaction(row.enter) } catch (error) {
        if (isRefused(error)) { this.#refused(error); return false }
        this.#options.log.error({ err: error }, 'the catalogue contradicts a row of the recorder; the row is dropped')
      }
      this.#written(1)
    }
    return true
  }

  #transaction(enter: () => void): void {
    const { db } = this.#options.catalogue
    if (db.inTransaction) enter()
    else db.transaction(enter).immediate()
  }

  #refused(error: unknown): void {
    const { clock, log } = this.#options
    const now = clock.monoNow(), cause = causeOf(error)
    const isFirst = this.#outage === null
    if (isFirst) this.#done = Promise.withResolvers()
    this.#outage ??= { sinceMono: now, cause, loggedAt: now, tries: 0 }
    this.#outage.cause = cause
    this.#outage.tries++
    if (isFirst || now - this.#outage.loggedAt >= LOG_EVERY_MS) {
      this.#outage.loggedAt = now
      const { tries } = this.#outage
      log.warn({ cause, pending: this.#pending.length, tries }, 'the catalogue takes no rows; recording goes on and they are kept')
    }
  }

  #caughtUp(): void {
    if (this.#outage === null) return
    const { clock, log } = this.#options
    log.info({ outageMs: Math.round(clock.monoNow() - this.#outage.sinceMono), tries: this.#outage.tries, dropped: this.#dropped }, 'the catalogue takes rows again')
    this.#outage = null
    this.#dropped = 0
    this.#done.resolve()
    this.onCaughtUp()
  }

  #drop(): void {
    const at = this.#pending.findIndex(row => row.isRepeated)
    if (at < 0) return // rows of slots are bounded by the slots there are
    this.#pending.splice(at, 1)
    this.#dropped++
  }
}

function resolvedNow(): PromiseWithResolvers<void> {
  const done = Promise.withResolvers<void>()
  done.resolve()
  return done
}

/** A fault of the catalogue, told by SQLite itself or by the audit log that writes to it. */
function isRefused(error: unknown): boolean {
  return isCatalogueFault(error) || (error instanceof AuditUnavailableError && isCatalogueFault(error.cause))
}
export { isRefused as isCatalogueRefusal }

const causeOf = (error: unknown): string => {
  const source = error instanceof AuditUnavailableError ? error.cause : error
  return (source as { code?: string } | null)?.code ?? String(source)
}
