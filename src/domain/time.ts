import type { Branded } from './brand.ts'

/** A wall instant: whole UTC milliseconds since 1970. Stored and shown, never used for deadlines. */
export type EpochMs = Branded<number, 'EpochMs'>
/** Milliseconds of running time from an arbitrary start; never steps. Deadlines, stalls and backoff use it. */
export type MonoMs = Branded<number, 'MonoMs'>

/** Rounds to whole milliseconds. Throws RangeError on what is no instant of the years 1900-9999. */
export function epochMs(value: number): EpochMs {
  const rounded = Math.round(value)
  if (!(rounded >= -2208988800000 && rounded < 253402300800000)) throw new RangeError(`not an instant: ${value}`)
  return rounded as EpochMs
}

export const monoMs = (value: number): MonoMs => value as MonoMs

/** Half-open: `[startAt, endAt)`. */
export interface TimeRange { readonly startAt: EpochMs, readonly endAt: EpochMs }

export const isoOf = (at: EpochMs): string => new Date(at).toISOString()
