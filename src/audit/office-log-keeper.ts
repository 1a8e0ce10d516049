import type { EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import type { AuditLog } from './audit-log.ts'
import { headNow } from './checkpoint-book.ts'
import { originOf, type WholeHead } from './checkpoint.ts'
import { partedEvent } from './parting.ts'
import { checkpointTable } from './tables/checkpoints.ts'

/** Who remembers heads of this log, and names them in its checkpoints: the recorder. */
export interface HeadRememberer {
  /** Rejects with OfficeLogRefusedError, and with what keeps the recorder from being told. */
  tell(head: WholeHead): Promise<void>
}

export interface OfficeLogKeeperOptions {
  readonly db: Db
  readonly log: AuditLog
  readonly recorder: HeadRememberer
  readonly clock: Clock
  readonly logger: Logger
}

const LOOK_EVERY_MS = 5_000
const PROBE_EVERY_LOOKS = 6
/** The recorder's checkpoint of the day names a head that is no older than this. */
const TELL_EVERY_MS = 15 * 60_000
const TELL_AGAIN_MS = 60_000

/**
 * Looks after the office's log while the office runs: tries a failed one again, enters what waited, and tells
 * the recorder its head. Its first entry says from which log it parted.
 */
export class OfficeLogKeeper implements AsyncDisposable {
  readonly #options: OfficeLogKeeperOptions
  readonly #stop = new AbortController()
  readonly #failures: FailureLog
  readonly #running: Promise<void>
  #toldSize: number | null = null
  #tellDueMono = 0

  private constructor(options: OfficeLogKeeperOptions) {
    this.#options = options
    const { clock, logger: log } = options
    this.#failures = new FailureLog({
      clock, log, failed: 'the recorder could not be told how far the audit log of the office goes',
      recovered: 'the recorder knows again how far the audit log of the office goes',
    })
    this.#running = this.#run()
  }
  /** Never refuses to start: a log that cannot be written is a reason of health. */
  static open(options: OfficeLogKeeperOptions): OfficeLogKeeper { return new OfficeLogKeeper(options) }

  /** Since when acts cannot be written down; null while they can. */
  get failedSince(): EpochMs | null {
    const state = this.#options.log.auditState()
    return state.state === 'failed' ? state.since : null
  }

  async #run(): Promise<void> {
    const { clock, log, logger } = this.#options, { signal } = this.#stop
    for (let looks = 0; !signal.aborted; looks++) {
      if (log.auditState().state === 'failed' || looks % PROBE_EVERY_LOOKS === 0) log.probe()
      try {
        this.#noteParting()
        log.settle()
        await this.#tell()
      } catch (err) { logger.error({ err }, 'the audit log of the office cannot be looked after') }
      await clock.wait(LOOK_EVERY_MS, signal)
    }
  }

  #noteParting(): void {
    const { db, log } = this.#options, parting = checkpointTable(db).parting()
    if (parting === null || log.size() > parting.size) return
    log.append(partedEvent(originOf(parting.from), parting.size))
  }

  async #tell(): Promise<void> {
    const { db, log, clock, recorder } = this.#options
    if (clock.monoNow() < this.#tellDueMono || log.size() === this.#toldSize) return
    const head = headNow(log, checkpointTable(db).logId())
    try {
      await recorder.tell(head)
      this.#toldSize = head.size
      this.#tellDueMono = clock.monoNow() + TELL_EVERY_MS
      this.#failures.success()
    } catch (error) {
      this.#tellDueMono = clock.monoNow() + TELL_AGAIN_MS
      this.#failures.failure({ err: error }, 'error')
    }
  }

  /** Tells the last head. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    await this.#running
    this.#options.log.settle()
    this.#tellDueMono = 0
    await this.#tell()
  }
}
