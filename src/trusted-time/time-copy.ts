import type { PastAdvance } from '../domain/index.ts'
import { begin, trustedAt, type Reading, type SavedTime, type Told } from './time-machine.ts'

/**
 * Trusted time as it stands on the volumes, beside the footage that ages by it. A timeline is one counting
 * of trusted time, from its beginning; instants of two timelines do not compare.
 */
export interface TimeCopy {
  readonly timeline: string
  readonly time: SavedTime
  /** Oldest first. */
  readonly advances: readonly PastAdvance[]
}

const TOLD: readonly Told[] = ['agreed', 'disagrees', 'waiting', 'unknown']
const MOST_ADVANCES = 200

/** At most some 20 KiB. */
export function timeCopyText({ timeline, time, advances }: TimeCopy): string {
  return `${JSON.stringify({ format: 1, timeline, time, advances: advances.slice(-MOST_ADVANCES) })}\n`
}

/** Null for what `timeCopyText` did not write. */
export function parseTimeCopy(text: string): TimeCopy | null {
  try {
    const { format, timeline, time, advances } = JSON.parse(text) as Record<string, unknown>
    if (format !== 1 || typeof timeline !== 'string' || !/^[0-9a-f]{32}$/.test(timeline)) return null
    if (!Array.isArray(advances) || advances.length > MOST_ADVANCES) return null
    return { timeline, time: savedOf(time as Record<string, unknown>), advances: advances.map(advanceOf) }
  } catch { return null } // whatever is wrong with it, it is not ours
}

const LATEST_MS = 253_402_300_800_000
const numberIn = (raw: Record<string, unknown>, name: string): number => {
  const value = raw[name]
  if (typeof value === 'number' && Math.abs(value) <= LATEST_MS) return value
  throw new RangeError(name)
}
const numberOrNull = (raw: Record<string, unknown>, name: string): number | null =>
  raw[name] === null ? null : numberIn(raw, name)

function savedOf(raw: Record<string, unknown>): SavedTime {
  const { bootId, isKnown, told } = raw
  if (typeof bootId !== 'string' || bootId.length > 100) throw new RangeError('boot')
  if (typeof isKnown !== 'boolean') throw new RangeError('known')
  if (!TOLD.includes(told as Told)) throw new RangeError('told')
  return {
    trustedMs: numberIn(raw, 'trustedMs'), monoMs: numberIn(raw, 'monoMs'), bootId,
    wallMs: numberIn(raw, 'wallMs'), isKnown, claimMs: numberOrNull(raw, 'claimMs'),
    allowanceMs: numberIn(raw, 'allowanceMs'), doubtSinceMs: numberOrNull(raw, 'doubtSinceMs'),
    told: told as Told,
  }
}

function advanceOf(raw: Record<string, unknown>): PastAdvance {
  const [sinceMs, atMs, byMs] = ['sinceMs', 'atMs', 'byMs'].map(name => numberIn(raw, name)) as
    [number, number, number]
  const advance = { sinceMs, atMs, byMs }
  if (!Object.values(advance).every(Number.isInteger) || advance.byMs <= 0) throw new RangeError('advance')
  return advance
}

/** What was written down, as it stands at `reading`, before anything more is believed. */
export function standing(time: SavedTime, reading: Reading): number {
  const { state } = begin(time, { ...reading, isSynchronised: false }, () => null)
  return trustedAt(state, reading.monoMs)
}

/** A trusted time with the timeline it belongs to; null: one that was never named. */
export interface OwnTime { readonly timeline: string | null, readonly time: SavedTime }
