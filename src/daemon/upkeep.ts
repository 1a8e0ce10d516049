import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { openSchedule, type ScheduledJob } from '../platform/schedule.ts'
import type { FaultTeller, PartFaults } from '../platform/part-faults.ts'

/** What failed at night is not to wait for the next night. */
const RETRY_MS = 10 * 60_000

export interface UpkeepJob extends ScheduledJob {
  /** Also once when the recorder starts. */
  readonly atStart?: true
}

export interface UpkeepOptions {
  readonly jobs: readonly UpkeepJob[]
  readonly timezone: string
  readonly faults: PartFaults
  readonly clock: Clock
  readonly log: Logger
  /** Tests give their own. */
  readonly schedule?: typeof openSchedule
}

/**
 * The recorder's own jobs at their times. One that fails, or a schedule that cannot be opened, is a reason of
 * health and is tried again.
 */
export class Upkeep implements AsyncDisposable {
  readonly #options: UpkeepOptions
  readonly #stop = new AbortController()
  readonly #failed = new Set<UpkeepJob>()
  readonly #fault: FaultTeller
  #schedule: AsyncDisposable | null = null
  #loop: Promise<void> = Promise.resolve()

  private constructor(options: UpkeepOptions) {
    this.#options = options
    this.#fault = options.faults.teller('upkeep-failed')
  }

  /** Throws nothing; jobs of the start are under way when it returns. */
  static open(options: UpkeepOptions): Upkeep {
    const upkeep = new Upkeep(options)
    upkeep.#openSchedule()
    upkeep.#loop = upkeep.#run(options.jobs.filter(job => job.atStart))
    return upkeep
  }

  async #run(first: readonly UpkeepJob[]): Promise<void> {
    const { clock } = this.#options, { signal } = this.#stop
    for (const job of first) await this.#do(job)
    while (!signal.aborted) {
      await clock.wait(RETRY_MS, signal)
      if (signal.aborted) return
      if (this.#schedule === null) this.#openSchedule()
      for (const job of this.#failed) await this.#do(job)
    }
  }

  #openSchedule(): void {
    const { jobs, timezone, log, schedule = openSchedule } = this.#options
    const told = jobs.map(job => ({ ...job, run: () => this.#do(job) }))
    try { this.#schedule = schedule(told, { timezone, log }) } catch (error) {
      log.error({ err: error }, 'the schedule cannot be opened and is tried again')
    }
    this.#tell()
  }

  /** Never rejects. */
  async #do(job: UpkeepJob): Promise<void> {
    try {
      await job.run()
      this.#failed.delete(job)
    } catch (error) {
      this.#failed.add(job)
      this.#options.log.error({ err: error, job: job.name }, 'upkeep failed and is tried again')
    }
    this.#tell()
  }

  #tell(): void {
    const jobs = [...this.#failed].map(({ name }) => name)
    if (this.#schedule === null) jobs.unshift('schedule')
    if (jobs.length === 0) this.#fault.clear()
    else this.#fault.tell({ jobs: jobs.join(', ') })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
    await this.#schedule?.[Symbol.asyncDispose]()
  }
}
