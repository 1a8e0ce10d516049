/** One year of 政府行政機關辦公日曆表, every day of it. */
export interface CalendarYear {
  readonly year: number
  /** Days nobody works, as `2026-01-01`: weekends but for make-up working days, and holidays. */
  readonly restDays: ReadonlySet<string>
  /** 備註 of the days that have one. */
  readonly remarks: ReadonlyMap<string, string>
  /** SHA-256 of the file it came from, hex. */
  readonly sourceSha256: string
}

/** What working days are known. A year that was never imported has Saturdays and Sundays only, and says so. */
export class OfficeCalendar {
  readonly #years: ReadonlyMap<number, CalendarYear>

  /** A later year of the same number replaces an earlier one. */
  constructor(years: Iterable<CalendarYear> = []) {
    this.#years = new Map([...years].map(year => [year.year, year]))
  }

  get years(): readonly number[] { return [...this.#years.keys()].sort((a, b) => a - b) }

  isKnown(day: Temporal.PlainDate): boolean { return this.#years.has(day.year) }

  isWorkingDay(day: Temporal.PlainDate): boolean {
    const year = this.#years.get(day.year)
    return year === undefined ? day.dayOfWeek <= 5 : !year.restDays.has(day.toString())
  }

  /** 備註, such as 中秋節 or 補行上班; null when there is none. */
  remark(day: Temporal.PlainDate): string | null { return this.#years.get(day.year)?.remarks.get(day.toString()) ?? null }

  /** The years of `from` to `to` (both included) that nobody imported: deadlines in them may be off. */
  unknownYears(from: Temporal.PlainDate, to: Temporal.PlainDate): readonly number[] {
    return Array.from({ length: Math.max(0, to.year - from.year + 1) }, (_, index) => from.year + index).filter(year => !this.#years.has(year))
  }
}
