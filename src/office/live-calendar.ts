import { mkdir } from 'node:fs/promises'
import { formatProblems } from '../config/index.ts'
import type { Logger } from '../platform/logger.ts'
import { calendarOf, OfficeCalendar, readCalendarFolder } from '../rules/index.ts'

/** The office calendar as it stands on disk. A file that cannot be read counts as not imported: deadlines then know Saturdays and Sundays only, and health says so. */
export class LiveCalendar {
  readonly folder: string
  readonly #log: Logger
  #calendar = new OfficeCalendar()
  #problems = 0
  constructor(options: { readonly folder: string, readonly log: Logger }) { this.folder = options.folder; this.#log = options.log.child({ cap: 'calendar' }) }

  get now(): OfficeCalendar { return this.#calendar }
  get problems(): number { return this.#problems }

  /** Reads the folder again; never throws. */
  async reload(): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o750 }) // a folder that is not there cannot be watched
      const kept = await readCalendarFolder(this.folder)
      if (kept.problems.length > 0 && kept.problems.length !== this.#problems) this.#log.error({ problems: formatProblems(kept.problems) }, 'an office calendar cannot be read')
      const calendar = calendarOf(kept)
      if (calendar.years.join() !== this.#calendar.years.join()) this.#log.info({ years: calendar.years }, 'office calendars read')
      this.#calendar = calendar
      this.#problems = kept.problems.length
    } catch (error) {
      if (this.#problems === 0) this.#log.error({ err: error }, 'the folder of office calendars cannot be read')
      this.#problems = Math.max(1, this.#problems)
    }
  }
}
