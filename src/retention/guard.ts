import type { EpochMs } from '../domain/index.ts'
import { keepUntil, type FloorRule } from './keep-until.ts'

/** What the guard must know of a segment before its slot may be used again. */
export interface ReuseCandidate {
  /** Time of the newest frame; null when the slot was opened but no frame arrived. */
  readonly newestFrameAt: EpochMs | null
  /** Fixed when the segment was recorded; null only together with `newestFrameAt`. */
  readonly keepUntil: EpochMs | null
  readonly held: boolean
  readonly leased: boolean
}

export type ReuseVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false, readonly reason: 'inside-floor', readonly until: EpochMs }
  | { readonly allowed: false, readonly reason: 'held' | 'leased' | 'time-in-doubt' }

/**
 * The one decision behind every reuse and erasure [G1][G2]: no other path leads to either.
 * `trustedNow` is null while time is in doubt; then nothing may go. The larger of the floor at recording and the floor now counts,
 * so that a lowered floor takes nothing from footage that was promised more.
 */
export function mayReuse(candidate: ReuseCandidate, floorNow: FloorRule, trustedNow: EpochMs | null): ReuseVerdict {
  if (candidate.held) return { allowed: false, reason: 'held' }
  if (candidate.leased) return { allowed: false, reason: 'leased' }
  if (trustedNow === null) return { allowed: false, reason: 'time-in-doubt' }
  if (candidate.newestFrameAt === null) return { allowed: true }
  const until = Math.max(candidate.keepUntil ?? 0, keepUntil(floorNow, candidate.newestFrameAt)) as EpochMs
  return trustedNow >= until ? { allowed: true } : { allowed: false, reason: 'inside-floor', until }
}
