import cron from 'node-cron'
import type { Logger } from './logger.ts'

export interface ScheduledJob {
  readonly name: string
  /** Five cron fields, in `timezone`. */
  readonly when: string
  /** Idempotent: the schedule only wakes it. A failure is logged; the next time comes all the same. */
  readonly run: () => Promise<void>
}

/** Runs jobs at their times, never two of one job at once. The only user of node-cron. Disposal waits for none of them: they watch their own signal. */
export function openSchedule(jobs: readonly ScheduledJob[], options: { timezone: string, log: Logger }): AsyncDisposable {
  const log = options.log.child({ cap: 'schedule' })
  const logger = {
    info: (message: string) => { log.debug({ said: message }, 'schedule') },
    warn: (message: string) => { log.warn({ said: message }, 'schedule') },
    error: (message: string | Error) => { log.error({ said: String(message) }, 'schedule') },
    debug: (message: string | Error) => { log.trace({ said: String(message) }, 'schedule') },
  }
  const tasks = jobs.map(job => cron.schedule(job.when, async () => {
    try { await job.run() } catch (error) { log.error({ err: error, job: job.name }, 'scheduled job failed') }
  }, { name: job.name, timezone: options.timezone, noOverlap: true, unref: true, logger }))
  return { [Symbol.asyncDispose]: async () => { for (const task of tasks) await task.destroy() } }
}
