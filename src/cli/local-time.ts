import { epochMs, FatalError, type EpochMs } from '../domain/index.ts'

/** ISO 8601 with offset, as all commands take it. Throws FatalError that names the option. */
export function instantOption(text: string, option: string): EpochMs {
  const isWhole = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text)
  const at = Date.parse(text)
  if (!isWhole || Number.isNaN(at)) {
    throw new FatalError('CUSTOS_BAD_TIME', `${option} ${JSON.stringify(text)} is no time with an offset`, { remedy: `Write ISO 8601 with offset, e.g. ${option} 2026-11-22T09:30:00+08:00.` })
  }
  return epochMs(at)
}

/** `2026-11-22 17:30:00` in the office's zone. */
export const localText = (at: EpochMs, timezone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).toPlainDateTime().toString({ smallestUnit: 'second' }).replace('T', ' ')

/** First instant of a local day and of the day after. Throws FatalError for what is no day. */
export function localDay(day: string, timezone: string): { startAt: EpochMs, endAt: EpochMs } {
  let date: Temporal.PlainDate
  try { date = Temporal.PlainDate.from(day, { overflow: 'reject' }) } catch {
    throw new FatalError('CUSTOS_BAD_TIME', `--day ${JSON.stringify(day)} is no day`, { remedy: 'Write it as --day 2026-11-22.' })
  }
  return { startAt: epochMs(date.toZonedDateTime(timezone).epochMilliseconds), endAt: epochMs(date.add({ days: 1 }).toZonedDateTime(timezone).epochMilliseconds) }
}
