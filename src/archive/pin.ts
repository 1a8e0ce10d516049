import type { EpochMs } from '../domain/index.ts'
import { endOfPeriod, lastDayOf, officeDay, periodText, rocDateText, type Period } from '../rules/index.ts'
import type { ArchiveItem, CountsFrom } from './item.ts'

/** What the rule set says of archived copies (R22). */
export interface ArchiveRule { readonly period: Period, readonly from: CountsFrom }
/** G3: no rule set makes it shorter. */
export const CALENDAR_YEAR: Period = { years: 1 }

export interface Dates {
  readonly madeAt: EpochMs
  /** End of the newest range, exclusive. */
  readonly recordedTo: EpochMs
  readonly countsFrom: CountsFrom
  /** By so much it was later than these say. */
  readonly laterMs: number
}

/** The day the period begins with; it is not counted itself (民法 §120). */
export const startDayOf = ({ madeAt, recordedTo, countsFrom, laterMs }: Dates): Temporal.PlainDate =>
  officeDay(((countsFrom === 'copied' ? madeAt : recordedTo - 1) + laterMs) as EpochMs)

const DAY_MS = 86_400_000
/** The end that was computed from the dates as they were told, moved by the days that they were later. */
export function movedEnd(endAt: EpochMs, dates: Dates): EpochMs {
  const { days } = startDayOf({ ...dates, laterMs: 0 }).until(startDayOf(dates))
  return (endAt + days * DAY_MS) as EpochMs
}

/** When a copy expires, by all that is known of its dates now. */
export const expiryOf = (item: Pick<ArchiveItem, 'expiresAt' | 'ranges' | Exclude<keyof Dates, 'recordedTo'>>): EpochMs =>
  movedEnd(item.expiresAt, { ...item, recordedTo: Math.max(...item.ranges.map(({ to }) => to)) as EpochMs })

/** 00:00 after the last day of one calendar year. No pin ends before, whatever any record says. */
export const yearEndOf = (dates: Dates): EpochMs => endOfPeriod(CALENDAR_YEAR, startDayOf(dates))

/** When a copy expires, and how that was computed, in words that the destruction record keeps (R22, R24, R47). */
export function pinOf(rule: ArchiveRule, told: Omit<Dates, 'countsFrom' | 'laterMs'>, clocksAgreed: boolean): { readonly expiresAt: EpochMs, readonly expiryText: string } {
  const dates: Dates = { ...told, countsFrom: rule.from, laterMs: 0 }
  const start = startDayOf(dates)
  const last = lastDayOf(rule.period, start)
  const year = yearEndOf(dates), ruled = endOfPeriod(rule.period, start)
  const [period, lastDay, expiresAt] = year > ruled ? ['1年', lastDayOf(CALENDAR_YEAR, start), year] as const : [periodText(rule.period), last, ruled] as const
  const from = rule.from === 'copied' ? '複製' : '攝錄'
  const doubt = clocksAgreed ? '' : '（存入時系統時間未經確認，取兩時鐘中較晚者）'
  return { expiresAt, expiryText: `${rocDateText(start)}${from}，始日不算入（民法第120條），${period}，至${rocDateText(lastDay)}終止時屆滿（民法第121條）${doubt}` }
}

/** The last day of what ends at `endAt`, 00:00 after it. */
export const lastDayBefore = (endAt: EpochMs): Temporal.PlainDate => officeDay((endAt - 1) as EpochMs)
