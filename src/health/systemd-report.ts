import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { SystemdNotify } from '../platform/systemd-notify.ts'
import type { Assessment } from './health-state.ts'
import { isWanted } from './views.ts'
import { decideWatchdog } from './watchdog.ts'

const STATUS_INTERVAL_MS = 10_000

/** One line for `systemctl status`: level, streams, the most urgent reason. */
export function statusLine({ level, facts, reasons }: Assessment): string {
  const wanted = facts.streams.filter(isWanted)
  const recording = wanted.filter(stream => stream.state === 'recording').length
  const worst = reasons.find(reason => reason.level === level && level !== 'healthy')
  return `${level}: ${recording} of ${wanted.length} streams recording${worst ? `; ${worst.en}` : ''}`
}

export interface SystemdReportOptions {
  readonly notify: SystemdNotify
  /** May throw; then the watchdog goes hungry. */
  readonly assess: () => Assessment
  readonly clock: Clock
  readonly log: Logger
}

/** Feeds systemd's watchdog from the state of the recorder, never from a bare timer, and keeps the status line. */
export class SystemdReport implements AsyncDisposable {
  readonly #options: SystemdReportOptions
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>
  #hungry: string | null = null

  private constructor(options: SystemdReportOptions) {
    this.#options = options
    this.#loop = options.notify.active ? this.#run() : Promise.resolve()
  }

  static open(options: SystemdReportOptions): SystemdReport { return new SystemdReport(options) }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { clock, notify } = this.#options
    const intervalMs = notify.watchdogIntervalMs ?? STATUS_INTERVAL_MS
    let dueAt: number = clock.monoNow()
    while (!this.#stop.signal.aborted) {
      this.#tell()
      // By the clock and not by the last time: what telling takes would add up until a word comes an interval late.
      dueAt = Math.max(dueAt + intervalMs, clock.monoNow())
      await clock.wait(dueAt - clock.monoNow(), this.#stop.signal)
    }
  }

  #tell(): void {
    const { notify, assess, log } = this.#options
    try {
      const assessment = assess()
      notify.status(statusLine(assessment))
      const decision = decideWatchdog(assessment.facts)
      if (decision.pet) notify.watchdog()
      this.#noteHunger(decision.pet ? null : [decision.why, decision.subject].filter(part => part !== null).join(' '))
    } catch (err) {
      if (this.#hungry === null) log.error({ err }, 'watchdog cannot see the recorder')
      this.#hungry = 'blind'
    }
  }

  #noteHunger(why: string | null): void {
    if (why !== null && why !== this.#hungry) this.#options.log.error({ why }, 'watchdog not fed: systemd will restart the recorder')
    if (why === null && this.#hungry !== null) this.#options.log.info({ was: this.#hungry }, 'watchdog fed again')
    this.#hungry = why
  }
}
