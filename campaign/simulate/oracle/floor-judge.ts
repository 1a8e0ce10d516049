import { floorEnd } from './calendar.ts'
import type { SentFragment } from './sent-footage.ts'

/** Trusted time may follow a wall clock by so much (docs/design/0003, TIME-1). */
export const MAX_SLEW = 500e-6
export const ROUNDING_MS = 2_000

/**
 * What trusted time may have gained over true time since an instant, by the rules of docs/design/0003
 * alone.
 */
export interface TimeGains {
  since(atMs: number): number
  /** For how long the machine was on. */
  ranBetween(from: number, to: number): number
}

/**
 * The first true instant at which a fragment may be gone [G1]: whole local days after the day it was filmed
 * on, by true time or by the wall clock of then, whichever is earlier,
 * less what trusted time may be ahead by the rules.
 */
export function mayGoAt(fragment: SentFragment, floorNowDays: number, now: number, gains: TimeGains): number {
  const days = Math.max(fragment.floorDays ?? 0, floorNowDays)
  const byTrueTime = floorEnd(fragment.endAt - 1, days)
  const byWallClock = floorEnd(fragment.endAt - 1 + fragment.wallOffsetMs, days) - fragment.wallOffsetMs
  return Math.min(byTrueTime, byWallClock) - (now - fragment.endAt) * MAX_SLEW - gains.since(fragment.endAt) - ROUNDING_MS
}
