import type { EpochMs } from '../domain/index.ts'

const DAY_MS = 86_400_000
/** Beyond a year what is put in now has gone again: the archive then neither grows nor shrinks. */
export const HORIZON_DAYS = 400

export interface SpaceFacts {
  readonly now: EpochMs
  readonly quotaBytes: number
  readonly usedBytes: number
  readonly perDayBytes: number
  /** What is there, by when it goes; null: it stays. */
  readonly leaving: readonly { readonly at: EpochMs | null, readonly bytes: number }[]
}

/** Whole days until the quota is reached at this rate, with what goes meanwhile; null when not within HORIZON_DAYS. */
export function daysUntilFull({ now, quotaBytes, usedBytes, perDayBytes, leaving }: SpaceFacts): number | null {
  const ends = leaving.filter(({ at }) => at !== null).map(({ at, bytes }) => ({ day: Math.max(0, Math.ceil(((at ?? now) - now) / DAY_MS)), bytes })).sort((a, b) => a.day - b.day)
  let gone = 0, next = 0
  for (let day = 0; day <= HORIZON_DAYS; day++) {
    for (; next < ends.length && (ends[next]?.day ?? 0) < day; next++) gone += ends[next]?.bytes ?? 0
    if (usedBytes + perDayBytes * day - gone >= quotaBytes) return day
  }
  return null
}
