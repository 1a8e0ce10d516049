/** Taipei has stood eight hours before UTC without a summer time since 1979. */
const OFFSET_MS = 8 * 3_600_000
export const DAY_MS = 86_400_000

/** Number of the local day. */
export const dayOf = (atMs: number): number => Math.floor((atMs + OFFSET_MS) / DAY_MS)
const startOfDay = (day: number): number => day * DAY_MS - OFFSET_MS

/** 00:00 local after so many whole local days have followed the day of `atMs`. */
export const floorEnd = (atMs: number, days: number): number => startOfDay(dayOf(atMs) + days + 1)

/**
 * 00:00 local after the last day of one calendar year that begins with the day of `atMs`, which is not
 * counted (Civil Code §120-121).
 */
export function yearEnd(atMs: number): number {
  const local = new Date(atMs + OFFSET_MS)
  const month = local.getUTCMonth()
  const same = new Date(Date.UTC(local.getUTCFullYear() + 1, month, local.getUTCDate()))
  const last = same.getUTCMonth() === month ? same : new Date(Date.UTC(local.getUTCFullYear() + 1, month + 1, 0)) // 29 February
  return startOfDay(Math.floor(last.getTime() / DAY_MS) + 1)
}
