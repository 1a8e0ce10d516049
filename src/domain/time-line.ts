import { epochMs, type EpochMs } from './time.ts'

/** An instant of one counting of trusted time. It stands elsewhere once that went forward at once. */
export interface TimeStamp { readonly timeline: string, readonly at: EpochMs }

/** Trusted time went forward at once: what was recorded from `sinceMs` to `atMs` moved by as much. */
export interface PastAdvance { readonly sinceMs: number, readonly atMs: number, readonly byMs: number }

/** Where an instant stands after these advances, the oldest first. */
export function afterAdvances(at: EpochMs, advances: readonly PastAdvance[]): EpochMs {
  const moved = (to: number, { sinceMs, atMs, byMs }: PastAdvance): number =>
    to >= sinceMs && to <= atMs ? to + byMs : to
  return epochMs(advances.reduce(moved, at))
}
