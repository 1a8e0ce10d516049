import { setImmediate as turn } from 'node:timers/promises'
import type { AccessTime, AuditBook } from '../access/index.ts'
import { epochMs, type EpochMs, type MonoMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { ApplicationNumber } from './cases/application-number.ts'
import { HoldCarrier, type Outcome } from './hold-carrier.ts'
import { HoldReconciler } from './hold-reconciler.ts'
import { holdingOf, type Holding } from './holding.ts'
import type { HoldsPort } from './holds-port.ts'
import { caseHoldTable } from './tables/case-holds.ts'
import { unknownHoldTable } from './tables/unknown-holds.ts'
import { within } from './within.ts'

/** The link takes 64 requests at once; each of these is a transaction of the recorder. */
const AT_ONCE = 8
/** Index 0: all is well. */
export const LOOK_DELAYS_MS = [60_000, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000] as const
/** Somebody may have ended a hold at the recorder. */
const RECONCILE_EACH_MS = 6 * 3_600_000
/** While it holds what nobody here knows: a person is to end it. */
const RECONCILE_UNKNOWN_EACH_MS = 10 * 60_000
/** A person waits for the recorder's word no longer. */
export const HELD_WITHIN_MS = 5_000
/** Health tells of what waits longer. */
export const WAITS_MS = 60_000

export interface HoldKeeperOptions {
  readonly db: Db
  readonly audit: AuditBook
  readonly port: HoldsPort
  readonly time: Pick<AccessTime, 'wallNow'>
  readonly clock: Clock
  readonly log: Logger
}
export interface HoldsView {
  /** Placed or ended by a case, and not confirmed by the recorder for a minute. */
  readonly waiting: number
  readonly waitingSince: EpochMs | null
  /** Held for an application, and wanted by no case here. */
  readonly unknown: number
  readonly unknownSince: EpochMs | null
}

/** Has the recorder hold what cases want, and end what they let go: after each step, and for ever after. */
export class HoldKeeper {
  readonly #options: HoldKeeperOptions
  readonly #holds: ReturnType<typeof caseHoldTable>
  readonly #unknown: ReturnType<typeof unknownHoldTable>
  readonly #carrier: HoldCarrier
  readonly #reconciler: HoldReconciler
  #passing: Promise<void> | null = null
  #isAskedFor = false
  #last: Outcome['kind'] = 'done'
  /** Null: to be compared as soon as the recorder answers. */
  #reconciledAt: MonoMs | null = null
  #wake = new AbortController()

  constructor(options: HoldKeeperOptions) {
    const { db, port, audit, clock, log } = this.#options = options
    const holds = this.#holds = caseHoldTable(db), unknown = this.#unknown = unknownHoldTable(db)
    this.#carrier = new HoldCarrier({ holds, port, clock, log })
    this.#reconciler = new HoldReconciler({ holds, unknown, port, audit, clock, log })
  }

  /** Until `signal` aborts: looks each minute, sooner after a failure, and compares both sides where it may be needed. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      this.#wake = new AbortController()
      failures = await this.#round() ? 0 : failures + 1
      if (signal.aborted) return
      const delayMs = LOOK_DELAYS_MS[Math.min(failures, LOOK_DELAYS_MS.length - 1)] ?? 0
      await this.#options.clock.wait(delayMs, failures > 0 ? signal : AbortSignal.any([signal, this.#wake.signal]))
    }
  }

  /** What is wanted is asked for, what was let go is ended; each once, as far as the recorder answers. Never rejects. */
  settle(): Promise<void> {
    this.#isAskedFor = true
    return this.#passing ??= this.#passes().finally(() => { this.#passing = null })
  }

  /** How the holds of a case stand, once the recorder has answered or five seconds have passed. */
  async holding(application: ApplicationNumber): Promise<Holding> {
    if (this.#holds.ofApplication(application).some(({ state }) => state !== 'held')) {
      await within(this.#options.clock, HELD_WITHIN_MS, this.settle()).catch(() => undefined) // the rows tell
    }
    return holdingOf(this.#holds.ofApplication(application))
  }

  /** For health. */
  view(): HoldsView {
    const waiting = this.#holds.waitingSince(epochMs(this.#options.time.wallNow() - WAITS_MS))
    const unknown = this.#unknown.counted()
    return { waiting: waiting.count, waitingSince: waiting.since, unknown: unknown.count, unknownSince: unknown.since }
  }

  async #round(): Promise<boolean> {
    await this.settle()
    if (this.#last === 'away' || !this.#isReconcilingDue()) return this.#last === 'done'
    const { clock, log } = this.#options
    try {
      const isMore = await this.#reconciler.reconcile()
      this.#reconciledAt = clock.monoNow()
      if (isMore) await this.settle()
      return this.#last === 'done'
    } catch (error) {
      log.warn({ err: error }, 'what is held for cases could not be compared with the recorder, and is again')
      return false
    }
  }

  #isReconcilingDue(): boolean {
    if (this.#reconciledAt === null) return true
    const eachMs = this.#unknown.counted().count > 0 ? RECONCILE_UNKNOWN_EACH_MS : RECONCILE_EACH_MS
    return this.#options.clock.monoNow() - this.#reconciledAt >= eachMs
  }

  async #passes(): Promise<void> {
    while (this.#isAskedFor) {
      this.#isAskedFor = false
      const { kind, error } = await this.#pass().catch((thrown: unknown): Outcome => ({ kind: 'failed', error: thrown }))
      if (error !== null) this.#options.log.error({ err: error }, 'holds of cases could not be carried out, and are again')
      if (kind === 'away') this.#reconciledAt = null
      this.#last = kind
    }
    if (this.#last !== 'done') this.#wake.abort()
  }

  async #pass(): Promise<Outcome> {
    const placed = await this.#through('wanted')
    const ended = placed.kind === 'away' ? placed : await this.#through('ending')
    return worse(placed, ended)
  }

  /** Row after row, a few at a time. A recorder that does not answer at all is not asked for the others. */
  async #through(state: 'wanted' | 'ending'): Promise<Outcome> {
    let worst: Outcome = { kind: 'done', error: null }
    for (let after = 0; worst.kind !== 'away';) {
      const rows = this.#holds.toDo(state, after, AT_ONCE)
      if (rows.length === 0) break
      after = rows.at(-1)!.place
      const asked: Promise<Outcome>[] = []
      for (const row of rows.filter(each => this.#carrier.isDue(each))) {
        asked.push(this.#carrier.carryOut(row))
        await turn() // in one process each is a transaction on this loop
      }
      worst = (await Promise.all(asked)).reduce(worse, worst)
    }
    return worst
  }
}

const RANKS = { done: 0, failed: 1, away: 2 } as const
const worse = (a: Outcome, b: Outcome): Outcome => RANKS[b.kind] > RANKS[a.kind] ? b : a
