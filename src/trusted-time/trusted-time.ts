import { randomBytes } from 'node:crypto'
import {
  afterAdvances, epochMs, isoOf, type AuditSink, type EpochMs, type PastAdvance, type TimeStamp,
} from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { entryOf, refusedEntry, type Pair } from './clock-entries.ts'
import { decide } from './confirmation.ts'
import { NO_ANSWER, type HostClock, type SyncAnswer } from './host-clock.ts'
import { submitConfirmation, type ConfirmationOutcome, type SentConfirmation } from './submit-confirmation.ts'
import { timeTables } from './tables.ts'
import type { TimeCopy } from './time-copy.ts'
import {
  AGREED_MS, begin, confirm, instantOf, STAMP_LAG_MS, standIn, stateOf, step, trustedAt, waitingOf,
  type Advance, type Reading, type SavedTime, type Step, type TimeState, type Told,
} from './time-machine.ts'

export interface TrustedTimeOptions {
  /** The catalogue's connection; stays the caller's. */
  readonly db: Db
  readonly audit: AuditSink
  readonly clock: Clock
  readonly hostClock: HostClock
  /** Newest frame that the catalogue knows; asked for only where no trusted time was written down. */
  readonly newestFootageAt: () => EpochMs | null
  /** The floor counts local calendar days: footage of a doubtful hour is then kept a day longer, for its day cannot be told. */
  readonly countsDays: boolean
  readonly log: Logger
}

/** How time stands, for health and the command line. */
export interface TimeStatus {
  readonly state: Told
  /** Wall clock minus trusted time (or its stand-in). */
  readonly offsetMs: number
  readonly sync: SyncAnswer
  /** Null while unknown. */
  readonly trustedAt: EpochMs | null
  /** Time off that is not counted. */
  readonly waitingMs: number
  readonly waitingFor: 'sync' | 'people' | null
}

/** Trusted time went forward by `byMs` at once: what was recorded since `since`, by trusted time, is moved by as much, so that it ages by nothing. */
export type AdvanceListener = (advance: { readonly since: EpochMs, readonly byMs: number }) => void

const TICK_MS = 1_000
const ASK_EVERY_MS = 60_000
const SAVE_EVERY_MS = 60_000
const SAMPLE_EVERY_MS = 600_000 // R76
const DAY_MS = 86_400_000
/** A wall clock that flaps must not fill the log; what is left out is counted in the next entry. */
const TOLD_AN_HOUR = 20
const HOUR_MS = 3_600_000
const COMPLAIN_EVERY_MS = 30_000

/** The time by which footage and archive age [G1][G3]; see docs/design/0003-trusted-time.md. Decides nothing itself: time-machine.ts does. */
export class TrustedTime implements AsyncDisposable {
  readonly #options: TrustedTimeOptions
  readonly #tables: ReturnType<typeof timeTables>
  readonly #listeners: AdvanceListener[] = []
  #state!: TimeState
  #wallBefore: EpochMs | null = null
  #timeline = randomBytes(16).toString('hex')
  #advances: PastAdvance[] = []
  #sync: SyncAnswer
  /** Where the stand-in began; null once what was written down was read. */
  #unreadSinceMs: number | null = null
  #saveDueMono = 0
  #sampleDueMono = 0
  #toldMono: number[] = []
  #unsaid = 0
  #complainedMono = -Infinity

  private constructor(options: TrustedTimeOptions, sync: SyncAnswer) {
    this.#options = options
    this.#sync = sync
    this.#tables = timeTables(options.db)
  }

  /**
   * Asks the host whether its clock is synchronised (1.5 s at most), then goes on from what was written down.
   * Believes nothing before the first tick: who must move footage is not listening yet. A row that cannot be
   * read is tried at every tick; until then time is unknown, and nothing is overwritten.
   */
  static async open(options: TrustedTimeOptions): Promise<TrustedTime> {
    const time = new TrustedTime(options, await options.hostClock.askSync().catch(() => NO_ANSWER))
    const reading = time.#read()
    try { time.#resume(reading) } catch (error) {
      options.log.error({ err: error }, 'trusted time cannot be read; nothing is overwritten until it can')
      let newestMs: number | null = null
      try { newestMs = options.newestFootageAt() } catch { /* the same fault */ }
      time.#state = standIn(newestMs, reading)
      time.#unreadSinceMs = time.#state.trustedMs
    }
    return time
  }

  /** The first state of this process. Throws when what was written down cannot be read. */
  #resume(reading: Reading): void {
    const { newestFootageAt, log } = this.#options
    const saved = this.#tables.load()
    this.#wallBefore = saved === null ? null : instantOf(saved.wallMs)
    this.#timeline = this.#tables.timeline() ?? this.#timeline
    this.#advances = this.#tables.advances()
    const { state, events } = begin(saved, { ...reading, isSynchronised: false }, newestFootageAt)
    const first = { ...state, told: saved?.told ?? 'agreed' } as const
    const began = events.filter(event => event.kind === 'began')
    if (this.#unreadSinceMs === null) {
      this.#state = first
      this.#take({ state: first, events: began, advance: null }, reading, null)
      return
    }
    // What was recorded by the stand-in is as old as this says, and not as the stand-in did.
    const byMs = state.trustedMs - this.#trustedMs
    const advance = byMs > 0 ? { sinceMs: this.#unreadSinceMs - STAMP_LAG_MS, byMs } : null
    if (this.#take({ state: first, events: began, advance }, reading, null)) {
      log.info('trusted time can be read again')
    }
  }

  #read(): Reading {
    const { clock, hostClock } = this.#options
    return { wallMs: clock.wallNow(), monoMs: clock.monoNow(), bootId: hostClock.bootId, isSynchronised: this.#sync.isSynchronised === true }
  }

  get #trustedMs(): number { return trustedAt(this.#state, this.#options.clock.monoNow()) }

  /** By this time footage ages; null while unknown. It counts running time and what was believed, so it is never ahead of the true age of anything. */
  now(): EpochMs | null { return this.#state.isKnown ? instantOf(this.#trustedMs) : null }

  /** The same, or what stands in for it while unknown: for spans that are counted and erase nothing. */
  steadyNow(): EpochMs { return instantOf(this.#trustedMs) }

  /**
   * What the wall clock showed when the recorder before last wrote it down, up to a minute before its end; null
   * while not known.
   */
  get wallBefore(): EpochMs | null { return this.#wallBefore }

  /** For what cannot be undone and can wait: null unless wall clock and trusted time agree. */
  nowForArchive(): EpochMs | null {
    const trustedMs = this.#trustedMs
    return stateOf(this.#state, this.#options.clock.wallNow() - trustedMs) === 'agreed' && this.#state.doubtSinceMs === null ? instantOf(trustedMs) : null
  }

  /**
   * When a frame stamped `wall`, that is being stored now, was recorded by trusted time; never earlier than that, so that it cannot age early.
   * The stamp itself counts while both clocks agree and it lies in the last seconds; else it was taken off a clock that was wrong, and now is the bound.
   */
  trustedOf(wall: EpochMs): EpochMs {
    const trustedMs = this.#trustedMs
    const agrees = this.#state.isKnown && Math.abs(this.#options.clock.wallNow() - trustedMs) <= AGREED_MS
    if (agrees && wall >= trustedMs - STAMP_LAG_MS && wall <= trustedMs + AGREED_MS) return wall
    return epochMs(Math.ceil(trustedMs) + (agrees || !this.#options.countsDays ? 0 : DAY_MS))
  }

  /** For what is dated while the clocks disagree: now, as far as it is known. */
  stamp(): TimeStamp { return { timeline: this.#timeline, at: instantOf(this.#trustedMs) } }

  /** When that was, by what was counted since; null where another counting has begun, which cannot tell. */
  standing({ timeline, at }: TimeStamp): EpochMs | null {
    if (timeline !== this.#timeline) return null
    return afterAdvances(at, this.#advances)
  }

  /** What `stamp` and `standing` are made of, for who counts on from it in another process. */
  line(): { readonly stamp: TimeStamp, readonly advances: readonly PastAdvance[] } {
    return { stamp: this.stamp(), advances: this.#advances }
  }

  /** Called inside the transaction that moves trusted time; a throw undoes the move. */
  onAdvance(listener: AdvanceListener): void { this.#listeners.push(listener) }

  /**
   * One look at the clocks. Never throws: what cannot be written down is tried again at the next. False: the
   * catalogue did not take it, and is not to be asked for more in this turn, for each time may be a wait.
   */
  tick(): boolean {
    const reading = this.#read()
    if (this.#unreadSinceMs !== null) {
      // It was logged at the start; health says that time is unknown.
      try { this.#resume(reading) } catch { return true }
      return false
    }
    const next = step(this.#state, reading)
    if (next.events.length === 0 && next.advance === null) this.#state = next.state
    else if (!this.#take(next, reading, null)) return false
    return reading.monoMs < this.#saveDueMono
      || this.#attempt('trusted time cannot be written down', () => { this.#save() })
  }

  /** Enters the change and its entries in one transaction; without the log nothing is believed [G10]. */
  #take(next: Step, reading: Reading, pair: Pair): boolean {
    const { db, audit } = this.#options
    const fromMs = trustedAt(this.#state, reading.monoMs)
    const advance = next.advance === null || next.advance.byMs <= 0 ? null : pastAdvance(next.advance, fromMs)
    const isTold = this.#mayTell(reading.monoMs)
    const entries = next.events.filter(event => event.kind !== 'told' || isTold)
    const done = this.#attempt('a change of trusted time cannot be written down', () => {
      db.transaction(() => {
        if (advance !== null) this.#advance(advance)
        for (const event of entries) audit.append(entryOf(event, { fromMs, toMs: next.state.trustedMs, isKnown: next.state.isKnown, reading, sync: this.#sync, pair, unsaid: this.#unsaid }))
        if (pair !== null) for (const word of [pair.first, pair.second]) this.#tables.settle(word.id, 'counted', `${Math.round(next.state.trustedMs - fromMs)} ms`, reading.wallMs)
        this.#tables.save(this.#timeline, next.state)
      }).immediate()
    })
    if (!done) {
      this.#state = { ...step(this.#state, { ...reading, isSynchronised: false }).state, told: this.#state.told }
      return false
    }
    this.#state = next.state
    if (advance !== null) this.#advances.push(advance)
    this.#unreadSinceMs = null
    this.#saveDueMono = reading.monoMs + SAVE_EVERY_MS
    for (const event of next.events) {
      if (event.kind === 'told' && isTold) this.#toldMono.push(reading.monoMs)
      if (event.kind === 'told' && !isTold) this.#unsaid++
      this.#options.log[event.kind === 'told' && event.what !== 'agreed' ? 'warn' : 'info']({ ...event, wall: isoOf(epochMs(reading.wallMs)), trusted: isoOf(instantOf(next.state.trustedMs)) }, 'trusted time')
    }
    if (entries.length > 0) this.#unsaid = 0
    return true
  }

  #advance(advance: PastAdvance): void {
    const { sinceMs, byMs } = advance
    for (const listener of this.#listeners) listener({ since: instantOf(sinceMs), byMs })
    this.#tables.addAdvance(advance)
  }

  #mayTell(monoMs: number): boolean {
    this.#toldMono = this.#toldMono.filter(at => at > monoMs - HOUR_MS)
    return this.#toldMono.length < TOLD_AN_HOUR
  }

  #attempt(failed: string, work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      const monoMs = this.#options.clock.monoNow()
      if (monoMs >= this.#complainedMono + COMPLAIN_EVERY_MS) this.#options.log.error({ err: error }, failed)
      if (monoMs >= this.#complainedMono + COMPLAIN_EVERY_MS) this.#complainedMono = monoMs
      return false
    }
  }

  #savedAt(monoMs: number, wallMs: number): SavedTime {
    const { bootId, isKnown, claimMs, allowanceMs, doubtSinceMs, told } = this.#state
    const trustedMs = trustedAt(this.#state, monoMs)
    return { trustedMs, monoMs, wallMs, bootId, isKnown, claimMs, allowanceMs, doubtSinceMs, told }
  }

  /**
   * For the volumes: how trusted time stands, and when it went forward at once. Null while what was written
   * down cannot be read.
   */
  copy(): TimeCopy | null {
    if (this.#unreadSinceMs !== null) return null
    const { monoMs, wallMs } = this.#read()
    return { timeline: this.#timeline, time: this.#savedAt(monoMs, wallMs), advances: [...this.#advances] }
  }

  #save(): void {
    if (this.#unreadSinceMs !== null) return // never over what could not be read
    const { monoMs, wallMs } = this.#read()
    this.#tables.save(this.#timeline, this.#savedAt(monoMs, wallMs))
    this.#saveDueMono = monoMs + SAVE_EVERY_MS
  }

  /** One person's confirmation that the wall clock is right, and its outcome within some seconds. */
  async submitConfirmation(sent: SentConfirmation, signal: AbortSignal): Promise<ConfirmationOutcome> {
    return await submitConfirmation({ ...this.#options, tables: this.#tables }, sent, signal)
  }

  /** Takes in what people confirmed since the last call. */
  takeConfirmations(): void {
    this.#attempt('confirmations of the clock cannot be taken in', () => {
      const open = this.#tables.openConfirmations()
      if (open.length === 0) return
      const reading = this.#read()
      const state = step(this.#state, reading).state
      for (const decision of decide(open, reading, state)) {
        if (decision.kind === 'counted') this.#take(confirm(this.#state, reading), reading, decision)
        else this.#options.db.transaction(() => {
          this.#tables.settle(decision.confirmation.id, 'refused', decision.why, reading.wallMs)
          this.#options.audit.append(refusedEntry(decision.confirmation, decision.why))
        }).immediate()
      }
    })
  }

  /** Looks once a second until `signal` aborts; asks the time service each minute, keeps the offset every ten. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, hostClock } = this.#options
    let askDueMono = clock.monoNow() + ASK_EVERY_MS
    while (!signal.aborted) {
      if (clock.monoNow() >= askDueMono) {
        this.#sync = await hostClock.askSync().catch(() => NO_ANSWER)
        askDueMono = clock.monoNow() + ASK_EVERY_MS
      }
      if (this.tick()) {
        this.takeConfirmations()
        if (clock.monoNow() >= this.#sampleDueMono) this.#sample()
      }
      await clock.wait(TICK_MS, signal)
    }
  }

  #sample(): void {
    const { clock, log } = this.#options
    this.#sampleDueMono = clock.monoNow() + SAMPLE_EVERY_MS
    const { offsetMs, state, sync, trustedAt } = this.status()
    log.info({ state, offsetMs, ...sync }, 'clock offset')
    this.#attempt('a sample of the clock cannot be written down', () => { this.#tables.addSample(clock.wallNow(), trustedAt, sync) })
  }

  status(): TimeStatus {
    const { monoMs, wallMs } = this.#read()
    const state = { ...this.#state, trustedMs: trustedAt(this.#state, monoMs), monoMs }
    const offsetMs = wallMs - state.trustedMs
    const waiting = waitingOf(state, wallMs)
    return {
      state: stateOf(state, offsetMs), offsetMs: Math.round(offsetMs), sync: this.#sync, trustedAt: state.isKnown ? instantOf(state.trustedMs) : null,
      waitingMs: Math.round(waiting?.ms ?? 0), waitingFor: waiting?.needs ?? null,
    }
  }

  /** Writes down where trusted time stands. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.tick()
    this.#attempt('trusted time cannot be written down', () => { this.#save() })
  }
}

/** In whole milliseconds, as it is kept. */
const pastAdvance = ({ sinceMs, byMs }: Advance, atMs: number): PastAdvance =>
  ({ sinceMs: Math.floor(sinceMs), atMs: Math.floor(atMs), byMs: Math.ceil(byMs) })
