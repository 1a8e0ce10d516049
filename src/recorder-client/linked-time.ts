import { afterAdvances, epochMs, type EpochMs, type TimeStamp } from '../domain/index.ts'
import type { Answer } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { ConnectedLoop } from './connected-loop.ts'
import { RecorderAwayError } from './errors.ts'
import type { RecorderConnection } from './recorder-connection.ts'

const ASK_EVERY_MS = 5_000
/** What the recorder said last holds for so long. */
export const TIME_HOLDS_MS = 30_000

export interface LinkedTimeOptions {
  readonly connection: Pick<RecorderConnection, 'ask' | 'onConnected'>
  /** Of this process: running time of another boot says nothing. */
  readonly bootId: string
  readonly clock: Clock
  readonly log: Logger
}
type Told = Answer<'recorder.time'>

/**
 * Trusted time as the recorder told it last, running on by the kernel's running time. What was given out once
 * is never fallen behind: where the recorder's time went back, it stands still until that has caught up.
 */
export class LinkedTime implements AsyncDisposable {
  readonly #options: LinkedTimeOptions
  readonly #failures: FailureLog
  readonly #asking: ConnectedLoop
  readonly #first = Promise.withResolvers<void>()
  #told: Told | null = null
  #nowMs = -Infinity
  #steadyMs = -Infinity

  private constructor(options: LinkedTimeOptions) {
    this.#options = options
    const { connection, clock, log } = options
    this.#failures = new FailureLog({
      clock, log, failed: 'the recorder does not tell the time', recovered: 'the recorder tells the time',
    })
    this.#asking = new ConnectedLoop(connection, signal => this.#ask(signal))
  }
  static open(options: LinkedTimeOptions): LinkedTime { return new LinkedTime(options) }

  /** Resolves once a recorder of this boot has told the time. */
  get told(): Promise<void> { return this.#first.promise }

  /** Null while unknown: to the recorder, for 30 s nobody told it, or what was told is of another boot. */
  now(): EpochMs | null {
    const told = this.#fresh()
    return told?.trustedAt == null ? null : this.#notBehind(this.#runOn(told, told.trustedAt))
  }

  /** Null unless wall clock and trusted time agree; by the wall clock of now. */
  nowForArchive(): EpochMs | null {
    const told = this.#fresh()
    if (told?.archiveAt == null) return null
    const now = this.#notBehind(this.#runOn(told, told.archiveAt))
    return Math.abs(this.#options.clock.wallNow() - now) <= told.agreedMs ? now : null
  }

  /**
   * For spans that are counted: trusted time or its stand-in, running on however long the recorder is away.
   * Null until a recorder of this boot has told it.
   */
  steadyNow(): EpochMs | null {
    const told = this.#told
    if (told === null) return null
    this.#steadyMs = Math.max(this.#steadyMs, Math.floor(this.#runOn(told, told.steadyMs)))
    return epochMs(this.#steadyMs)
  }

  /** Of now, for what is dated while the clocks disagree. Throws RecorderAwayError where nobody told it lately. */
  stamp(): TimeStamp {
    const told = this.#fresh()
    if (told === null) throw new RecorderAwayError('it has not told the time')
    const { timeline, at } = told.stamp
    return { timeline, at: epochMs(Math.floor(this.#runOn(told, at))) }
  }

  /**
   * When that was, as it was told last; null: nobody can tell. A stamp made here may have run on past an advance
   * that was not told yet: never earlier than it was.
   */
  standing({ timeline, at }: TimeStamp): EpochMs | null {
    const told = this.#told, oldest = told?.advances[0]
    if (told === null || timeline !== told.stamp.timeline) return null
    if (told.hasEarlierAdvances && oldest !== undefined && at < oldest.atMs) return null
    // It was taken up to so long before, wherever an advance cuts that span.
    const moments = [at - TIME_HOLDS_MS, at, ...told.advances.flatMap(({ sinceMs, atMs }) => [sinceMs, atMs])]
      .filter(moment => moment >= at - TIME_HOLDS_MS && moment <= at)
    return epochMs(Math.max(...moments.map(moment =>
      afterAdvances(epochMs(moment), told.advances) + at - moment)))
  }

  /** As it was told, with what E5 needs of the clock; null where it is too old. */
  status(): Omit<Told, 'isBusy'> | null { return this.#fresh() }
  /** True where nobody tells: who reads old footage waits. */
  get isBusy(): boolean { return this.#fresh()?.isBusy ?? true }

  #fresh(): Told | null {
    const told = this.#told
    return told === null || this.#options.clock.monoNow() - told.monoMs > TIME_HOLDS_MS ? null : told
  }

  #runOn({ monoMs }: Told, atMs: number): number {
    return atMs + Math.max(0, this.#options.clock.monoNow() - monoMs)
  }

  #notBehind(atMs: number): EpochMs {
    this.#nowMs = Math.max(this.#nowMs, Math.floor(atMs))
    return epochMs(this.#nowMs)
  }

  /** Each five seconds until `signal` is aborted. Never rejects. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { connection, bootId, clock } = this.#options
    while (!signal.aborted) {
      try {
        const told = await connection.ask('recorder.time', {})
        if (told.bootId === bootId) {
          this.#told = told
          this.#first.resolve()
        }
        this.#failures.success()
      } catch (error) { if (!signal.aborted) this.#failures.failure({ err: error }) }
      await clock.wait(ASK_EVERY_MS, signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#asking[Symbol.asyncDispose]() }
}
