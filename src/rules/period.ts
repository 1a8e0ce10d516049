import { startOfOfficeDay } from './roc-date.ts'
import type { EpochMs } from '../domain/index.ts'

/** A length as rule and law give it. Exactly one unit; months and years are those of the calendar. */
export type Period = { readonly days: number } | { readonly weeks: number } | { readonly months: number } | { readonly years: number }

/** `1個月`, `15日`. */
export function periodText(period: Period): string {
  if ('days' in period) return `${period.days}日`
  if ('weeks' in period) return `${period.weeks}週`
  return 'months' in period ? `${period.months}個月` : `${period.years}年`
}

/**
 * The last day of a period that begins with something done on `onDay` (民法 §§120-121, and word for word 行政程序法 §48 II-III).
 * 1. The first day is not counted: it starts on the day after.
 * 2. Days and weeks: the day before the matching one.
 * 3. Months and years: the day before the matching day of the last month; where that month has no such day, its last day. A start on the
 *    first of a month needs no case of its own: the day before the matching first is the end of the month.
 */
export function lastDayOf(period: Period, onDay: Temporal.PlainDate): Temporal.PlainDate {
  if ('days' in period) return onDay.add({ days: period.days })
  if ('weeks' in period) return onDay.add({ weeks: period.weeks })
  const start = onDay.add({ days: 1 })
  const matching = start.add(period, { overflow: 'constrain' })
  return matching.day === start.day ? matching.subtract({ days: 1 }) : matching
}

/** 00:00 local after the last day: from then on the thing may be erased. §122's roll-over does not move it (R47). */
export const endOfPeriod = (period: Period, onDay: Temporal.PlainDate): EpochMs => startOfOfficeDay(lastDayOf(period, onDay).add({ days: 1 }))
