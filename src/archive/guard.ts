import type { EpochMs, TimeStamp } from '../domain/index.ts'
import { movedEnd, yearEndOf, type Dates } from './pin.ts'

/** What the guard must know of an item before it may be destroyed. */
export interface DestroyCandidate extends Dates {
  /** As the catalogue says. */
  readonly expiresAt: EpochMs
  /** As the sealed sidecar says; null when it is gone or does not hold. */
  readonly sidecarExpiresAt: EpochMs | null
  /** Null once it is dated. */
  readonly stamp: TimeStamp | null
  readonly holds: readonly { readonly until: EpochMs, readonly endedAt: EpochMs | null }[]
  readonly filed: boolean
  readonly isRead: boolean
}

/** The latest of the three ends. */
const endOf = (item: Pick<DestroyCandidate, 'expiresAt' | 'sidecarExpiresAt' | keyof Dates>): EpochMs =>
  Math.max(movedEnd(Math.max(item.expiresAt, item.sidecarExpiresAt ?? 0) as EpochMs, item), yearEndOf(item)) as EpochMs

export type DestroyVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false, readonly reason: 'pinned', readonly until: EpochMs }
  | { readonly allowed: false, readonly reason: 'filed' | 'held' | 'being-read' | 'time-in-doubt' }

/**
 * The one decision behind every destruction [G3]: no other path leads to one, and no role has any.
 * `now` is trusted time while both clocks agree, else null: then nothing goes. The latest of three ends counts - the calendar year from the dates themselves, the row's, the sidecar's - so that a record made shorter takes nothing.
 * What was put in while the clocks disagreed is dated first.
 */
export function mayDestroy(item: DestroyCandidate, now: EpochMs | null): DestroyVerdict {
  if (item.filed) return { allowed: false, reason: 'filed' }
  if (item.holds.some(hold => hold.endedAt === null && (now === null || now < hold.until))) return { allowed: false, reason: 'held' }
  if (item.isRead) return { allowed: false, reason: 'being-read' }
  if (now === null || item.stamp !== null) return { allowed: false, reason: 'time-in-doubt' }
  const until = endOf(item)
  return now >= until ? { allowed: true } : { allowed: false, reason: 'pinned', until }
}

/** When it goes by itself as things stand; null while it is filed. */
export function destroysAt(item: Omit<DestroyCandidate, 'isRead'>): EpochMs | null {
  if (item.filed) return null
  return Math.max(endOf(item), ...item.holds.filter(hold => hold.endedAt === null).map(hold => hold.until)) as EpochMs
}
