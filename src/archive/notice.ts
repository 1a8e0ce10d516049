import type { EpochMs } from '../domain/index.ts'
import { startOfOfficeDay } from '../rules/index.ts'
import { lastDayBefore } from './pin.ts'

/** Local days before the last day (R23). */
export const NOTICE_DAYS = [30, 7, 1] as const
export type NoticeDays = typeof NOTICE_DAYS[number]

/** 00:00 of the day on which the notice is given. */
export const noticeAt = (destroysAt: EpochMs, days: NoticeDays): EpochMs => startOfOfficeDay(lastDayBefore(destroysAt).subtract({ days }))

/**
 * The notice to give now, or null. Each once for one end date; after a time off only the latest that is due, for the earlier ones are out of date.
 * `given` are those of this end date.
 */
export function noticeDue({ destroysAt, given, now }: { readonly destroysAt: EpochMs, readonly given: readonly number[], readonly now: EpochMs }): NoticeDays | null {
  if (now >= destroysAt) return null
  const latest = NOTICE_DAYS.findLast(days => now >= noticeAt(destroysAt, days))
  return latest === undefined || given.some(days => days <= latest) ? null : latest
}
