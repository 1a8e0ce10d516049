import { constants } from 'node:fs'
import { mkdir, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { Problem } from '../config/index.ts'
import { publishFile } from '../platform/publish-file.ts'
import { CALENDAR_LIMITS, parseCalendarFile } from './calendar-file.ts'
import { OfficeCalendar, type CalendarYear } from './office-calendar.ts'

const YEAR_FILE = /^(\d{4})\.csv$/

export interface KeptCalendars {
  readonly years: readonly CalendarYear[]
  /** Of files that cannot be read as what they should be; their years count as not imported. */
  readonly problems: readonly Problem[]
}

/** `2026.csv` is a file as it was published, of which that year counts. Missing folder: no years. Throws the error of the file system for anything else. */
export async function readCalendarFolder(folder: string): Promise<KeptCalendars> {
  const names = await readdir(folder).catch((error: unknown) => { if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; throw error })
  const years: CalendarYear[] = [], problems: Problem[] = []
  for (const name of names.filter(each => YEAR_FILE.test(each)).sort()) {
    const file = path.join(folder, name), parsed = parseCalendarFile(await boundedBytes(file), file)
    if (parsed.ok) years.push(...parsed.years.filter(({ year }) => `${year}.csv` === name))
    else problems.push(...parsed.problems)
  }
  return { years, problems }
}

export const calendarOf = ({ years }: KeptCalendars): OfficeCalendar => new OfficeCalendar(years)

/** One byte more than is allowed at most: the parser refuses that then. Follows no link. */
export async function boundedBytes(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const target = Buffer.alloc(CALENDAR_LIMITS.bytes + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(target, length, target.length - length, length)
      length += bytesRead
      if (bytesRead === 0 || length === target.length) return target.subarray(0, length)
    }
  } finally { await handle.close() }
}

/** Puts a checked file in force for a year, whole or not at all, durably on return. */
export async function keepCalendarYear(folder: string, year: number, bytes: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o750 })
  await publishFile(path.join(folder, `${year}.csv`), bytes)
}
