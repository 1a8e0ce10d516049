import type { EpochMs } from '../domain/index.ts'
import type { OfficeCalendar } from './office-calendar.ts'
import { lastDayOf, type Period } from './period.ts'
import { noonOfOfficeDay, startOfOfficeDay } from './roc-date.ts'

/** When something is due, after 行政程序法 §48 IV. */
export interface DueDay {
  readonly day: Temporal.PlainDate
  /** A last day on a Saturday ends on the Monday's morning. */
  readonly until: 'midnight' | 'noon'
  /** The first instant that is too late. */
  readonly dueAt: EpochMs
  /** The day the period itself ends, before it was moved. */
  readonly nominal: Temporal.PlainDate
  /** Years without an office calendar: the day may have to move further. Show a warning when not empty. */
  readonly unknownYears: readonly number[]
}

/** More rest days in a row than any calendar ever had; beyond it the calendar is wrong. */
const MOST_REST_DAYS = 60

/**
 * Moves a last day off rest days: a resting Saturday to the Monday's morning, any other rest day to the next day, again and again.
 * A Saturday made a working day (補行上班) stays: 法務部 99-02-03 法律字第099004718號 says such a day is no rest day.
 */
export function dueDayOf(nominal: Temporal.PlainDate, calendar: OfficeCalendar): DueDay {
  let day = nominal
  let until: DueDay['until'] = 'midnight'
  for (let moved = 0; !calendar.isWorkingDay(day); moved++) {
    if (moved > MOST_REST_DAYS) throw new RangeError(`the office calendar has no working day in the ${MOST_REST_DAYS} days after ${nominal.toString()}`)
    until = day.dayOfWeek === 6 ? 'noon' : 'midnight'
    day = day.add({ days: day.dayOfWeek === 6 ? 2 : 1 })
  }
  const dueAt = until === 'noon' ? noonOfOfficeDay(day) : startOfOfficeDay(day.add({ days: 1 }))
  return { day, until, dueAt, nominal, unknownYears: calendar.unknownYears(nominal, day) }
}

/** What a rule set says about one kind of deadline. */
export interface DeadlineRule {
  readonly id: string
  readonly name: string
  readonly basis: string
  readonly period: Period
  /** How long the one extension may be at most; null where there is none. */
  readonly extension: Period | null
}

/** A running deadline (R56). Days are ISO text, so that it can be stored; the due day is derived, never stored: a calendar may come later. */
export interface Deadline {
  readonly rule: string
  readonly startedOn: string
  readonly period: Period
  readonly extension: { readonly period: Period, readonly on: string, readonly by: string, readonly reason: string } | null
  /** Days the applicant took to complete the application: they do not count (行政程序法 §51 V; 法務部 88-11-19 法88律字第040516號). */
  readonly pausedDays: number
  readonly pausedSince: string | null
}

export const startDeadline = (rule: DeadlineRule, onDay: Temporal.PlainDate): Deadline =>
  ({ rule: rule.id, startedOn: onDay.toString(), period: rule.period, extension: null, pausedDays: 0, pausedSince: null })

/** The last day before it is moved off rest days. */
export function nominalDayOf(deadline: Deadline): Temporal.PlainDate {
  const plain = lastDayOf(deadline.period, Temporal.PlainDate.from(deadline.startedOn)).add({ days: deadline.pausedDays })
  return deadline.extension === null ? plain : lastDayOf(deadline.extension.period, plain)
}

export const dueOf = (deadline: Deadline, calendar: OfficeCalendar): DueDay => dueDayOf(nominalDayOf(deadline), calendar)

export const pauseDeadline = (deadline: Deadline, onDay: Temporal.PlainDate): Deadline =>
  deadline.pausedSince === null ? { ...deadline, pausedSince: onDay.toString() } : deadline

export function resumeDeadline(deadline: Deadline, onDay: Temporal.PlainDate): Deadline {
  if (deadline.pausedSince === null) return deadline
  const days = Math.max(0, Temporal.PlainDate.from(deadline.pausedSince).until(onDay, { largestUnit: 'day' }).days)
  return { ...deadline, pausedDays: deadline.pausedDays + days, pausedSince: null }
}

/** Paused, it is never overdue. */
export const isOverdue = (deadline: Deadline, now: EpochMs, calendar: OfficeCalendar): boolean =>
  deadline.pausedSince === null && now >= dueOf(deadline, calendar).dueAt

export type ExtensionRefusal = 'no-extension' | 'extended-before' | 'overdue' | 'too-long' | 'paused'
export type ExtensionResult = { readonly ok: true, readonly deadline: Deadline } | { readonly ok: false, readonly refusal: ExtensionRefusal }

export interface Extension { readonly now: EpochMs, readonly onDay: Temporal.PlainDate, readonly by: string, readonly reason: string, readonly period: Period }

/** Once, before the due day, at most as long as the rule says. The reason is the caller's to check for length. */
export function extendDeadline(deadline: Deadline, rule: DeadlineRule, { now, onDay, by, reason, period }: Extension, calendar: OfficeCalendar): ExtensionResult {
  if (rule.extension === null) return { ok: false, refusal: 'no-extension' }
  if (deadline.extension !== null) return { ok: false, refusal: 'extended-before' }
  if (deadline.pausedSince !== null) return { ok: false, refusal: 'paused' }
  if (isOverdue(deadline, now, calendar)) return { ok: false, refusal: 'overdue' }
  const end = nominalDayOf(deadline)
  if (Temporal.PlainDate.compare(lastDayOf(period, end), lastDayOf(rule.extension, end)) > 0) return { ok: false, refusal: 'too-long' }
  return { ok: true, deadline: { ...deadline, extension: { period, on: onDay.toString(), by, reason } } }
}
