import type { EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import type { AuditLog } from './audit-log.ts'
import { CheckpointBook, type KeyState } from './checkpoint-book.ts'
import { OtherLogs } from './other-logs.ts'
import { AuditReserve, type ReserveState } from './reserve.ts'
import { signedTextOf } from './tables/checkpoints.ts'
import { channelsOf, type WitnessChannel, type WitnessSettings } from './witness-channel.ts'

export interface AuditKeeperOptions {
  readonly db: Db
  readonly log: AuditLog
  readonly stateDir: string
  readonly witness: WitnessSettings | null
  /** Of the site: a checkpoint is made on each of its days. */
  readonly timezone: string
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly logger: Logger
  /** Tests give their own. */
  readonly channels?: readonly WitnessChannel[]
  /** Called at each look while the log can be written. Must not throw. */
  readonly onRoom?: () => void
}

/** For health. */
export interface AuditView {
  readonly state: 'ok' | 'failed'
  readonly failedSince: EpochMs | null
  readonly entries: number
  readonly reserve: ReserveState
  readonly key: KeyState
  /** False when no checkpoint can be made over the entries there are: some are gone. */
  readonly isWhole: boolean
  /** Since when the office's log does not fit what was signed of it before; null while it does, or is none. */
  readonly officeLogRefusedSince: EpochMs | null
}
export interface WitnessView {
  readonly configured: boolean
  /** When a checkpoint last left the machine, and how many entries it covers. */
  readonly lastAt: EpochMs | null
  readonly lastSize: number | null
  /** None left for longer than agreed; since when it is missed. */
  readonly overdueSince: EpochMs | null
}

interface Way { readonly channel: WitnessChannel, failures: number, nextMono: number }

/** R73: an alarm within a minute. */
const LOOK_EVERY_MS = 5_000
const PROBE_EVERY_LOOKS = 6
const ENTRIES_PER_CHECKPOINT = 10_000
const RETRY_MINUTES = [1, 5, 15, 60] as const
const HOUR_MS = 3_600_000
/** A day, and half of one for a mail server that was down. */
const OVERDUE_AFTER_MS = 36 * HOUR_MS
/** Nobody prints on a long weekend. */
const PRINT_OVERDUE_AFTER_MS = 5 * 24 * HOUR_MS

/** Looks after the log while the recorder runs: checkpoints at start, each day, every 10,000 entries and at the end; brings each day's out of the house; tries a failed log again. */
export class AuditKeeper implements AsyncDisposable {
  readonly #options: AuditKeeperOptions
  readonly #book: CheckpointBook
  readonly #others: OtherLogs
  readonly #reserve: AuditReserve
  readonly #channels: readonly Way[]
  readonly #stop = new AbortController()
  #loops: Promise<unknown> = Promise.resolve()
  #looks = 0
  #trouble: string | null = null
  #isWhole = true
  #lastView: AuditView = { state: 'ok', failedSince: null, entries: 0, reserve: 'checking', key: 'unusable', isWhole: true, officeLogRefusedSince: null }
  #lastOutside: ReturnType<CheckpointBook['lastOutside']> = { at: null, size: null, since: null }

  private constructor(options: AuditKeeperOptions) {
    this.#options = options
    const { db, log, clock, stateDir, fs } = options
    this.#others = new OtherLogs({ db, log, clock, key: () => this.#book.key })
    this.#book = new CheckpointBook({ db, log, clock, others: () => this.#others.newest() })
    this.#reserve = new AuditReserve(stateDir, fs)
    this.#channels = (options.channels ?? channelsOf(options.witness)).map(channel => ({ channel, failures: 0, nextMono: Number.NEGATIVE_INFINITY }))
  }

  /** Never refuses to start: a log that cannot be written or a key that cannot be read are reasons of health, recording goes on [G9]. */
  static open(options: AuditKeeperOptions): AuditKeeper {
    const keeper = new AuditKeeper(options)
    options.log.onFull = () => { keeper.#reserve.release() }
    keeper.#try('signing key cannot be used', () => { keeper.#book.openKey(options.stateDir) })
    keeper.#checkpoint(() => { if (keeper.#book.entriesSince() > 0) keeper.#book.make('start') })
    // A start on a full disk: the first write gave the reserve up, and the next can succeed.
    if (options.log.auditState().state === 'failed') options.log.probe()
    keeper.#loops = Promise.all([keeper.#watch(), keeper.#deliver()])
    return keeper
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    await this.#loops
    this.#settle()
    this.#checkpoint(() => { if (this.#book.entriesSince() > 0) this.#book.make('stop') })
  }

  get checkpoints(): CheckpointBook { return this.#book }
  /** Signs for the office. */
  get otherLogs(): OtherLogs { return this.#others }

  /** Never throws: a database that cannot even be read is a failed log. */
  auditView(): AuditView {
    const { log, clock } = this.#options
    try { this.#lastView = this.#look() } catch {
      const known = log.auditState()
      this.#lastView = { ...this.#lastView, state: 'failed', failedSince: known.state === 'failed' ? known.since : this.#lastView.failedSince ?? clock.wallNow() }
    }
    return this.#lastView
  }

  #look(): AuditView {
    const state = this.#options.log.auditState()
    return {
      state: state.state, failedSince: state.state === 'failed' ? state.since : null,
      entries: this.#options.log.size(), reserve: this.#reserve.state, key: this.#book.keyState(),
      isWhole: this.#isWhole, officeLogRefusedSince: this.#others.refused()?.since ?? null,
    }
  }

  witnessView(): WitnessView {
    const { witness, clock } = this.#options
    const configured = this.#channels.length > 0 || witness?.print === true
    try { this.#lastOutside = this.#book.lastOutside() } catch { /* the audit view says what is wrong */ }
    const { at, size, since } = this.#lastOutside
    const afterMs = this.#channels.length > 0 ? OVERDUE_AFTER_MS : PRINT_OVERDUE_AFTER_MS
    return { configured, lastAt: at, lastSize: size, overdueSince: configured && since !== null && clock.wallNow() - since > afterMs ? since : null }
  }

  async #watch(): Promise<void> {
    const { clock, log, timezone } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      if (log.auditState().state === 'failed' || this.#looks % PROBE_EVERY_LOOKS === 0) log.probe()
      this.#looks += 1
      if (log.auditState().state === 'ok') {
        this.#checkpoint(() => {
          const day = dayIn(timezone, clock.wallNow())
          if (this.#book.table.newestDay()?.day !== day) this.#book.make('day', day)
          else if (this.#book.entriesSince() >= ENTRIES_PER_CHECKPOINT) this.#book.make('entries')
        })
        this.#settle()
        await this.#reserve.restore()
        this.#options.onRoom?.()
      }
      await clock.wait(LOOK_EVERY_MS, signal)
    }
  }

  async #deliver(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      for (const entry of this.#channels) if (clock.monoNow() >= entry.nextMono) await this.#deliverBy(entry)
      await clock.wait(LOOK_EVERY_MS, signal)
    }
  }

  async #deliverBy(entry: Way): Promise<void> {
    const { channel } = entry
    const { logger, clock } = this.#options
    try {
      const stored = this.#book.table.newestDay()
      const checkpoint = stored === null ? null : signedTextOf(stored)
      if (stored === null || checkpoint === null || this.#book.table.isWitnessed(stored.id, channel.how)) return
      const end = await channel.deliver(checkpoint, this.#stop.signal)
      if (!end.ok) throw new Error(end.why)
      this.#book.witnessed(stored, channel.how)
      logger.info({ how: channel.how, size: stored.size, failuresBefore: entry.failures }, 'checkpoint left the machine')
      entry.failures = 0
    } catch (err) {
      if (this.#stop.signal.aborted) return
      const minutes = RETRY_MINUTES[Math.min(entry.failures, RETRY_MINUTES.length - 1)] ?? 60
      entry.failures += 1
      entry.nextMono = clock.monoNow() + minutes * 60_000
      logger.warn({ err, how: channel.how, failures: entry.failures, retryInMinutes: minutes }, 'checkpoint could not leave the machine')
    }
  }

  #settle(): void {
    const { log, logger } = this.#options
    try { log.settle() } catch (err) { logger.error({ err }, 'events that wait cannot be audited') }
  }

  #checkpoint(make: () => void): void {
    this.#try('no checkpoint can be made', () => {
      try {
        make()
        this.#isWhole = true
      } catch (error) {
        if (error instanceof RangeError) this.#isWhole = false // the tree lacks entries
        throw error
      }
    })
  }

  /** A failure is logged once, not at every look. */
  #try(what: string, work: () => void): void {
    try {
      work()
      this.#trouble = null
    } catch (err) {
      if (this.#trouble !== what) this.#options.logger.error({ err }, what)
      this.#trouble = what
    }
  }
}

/** `2026-11-22`, the local day of an instant. */
export const dayIn = (timezone: string, at: EpochMs): string => Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).toPlainDate().toString()
