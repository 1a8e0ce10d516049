import {
  AGREED_MS, ALLOWANCE_MS, begin, trustedAt, type Reading, type SavedTime, type Told,
} from './time-machine.ts'

/** Trusted time went forward at once: what was recorded from `sinceMs` to `atMs` moved by as much. */
export interface PastAdvance { readonly sinceMs: number, readonly atMs: number, readonly byMs: number }

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
  const advance = { sinceMs: numberIn(raw, 'sinceMs'), atMs: numberIn(raw, 'atMs'), byMs: numberIn(raw, 'byMs') }
  if (!Object.values(advance).every(Number.isInteger) || advance.byMs <= 0) throw new RangeError('advance')
  return advance
}

/** What was written down, as it stands at `reading`, before anything more is believed. */
export function standing(time: SavedTime, reading: Reading): number {
  const { state } = begin(time, { ...reading, isSynchronised: false }, () => null)
  return trustedAt(state, reading.monoMs)
}

/** What a rebuild has to go by: the catalogue's own trusted time, if it has any. */
export interface OwnTime { readonly timeline: string | null, readonly time: SavedTime }

/**
 * The copy that the catalogue goes on from: where it has no trusted time of its own, or an older one of the
 * same timeline. Null: it keeps its own.
 */
export function copyToTake(
  own: OwnTime | null, copies: readonly TimeCopy[], reading: Reading,
): TimeCopy | null {
  const newest = copies.filter(({ time }) => time.isKnown)
    .toSorted((a, b) => standing(b.time, reading) - standing(a.time, reading))
  if (own === null || !own.time.isKnown) return newest[0] ?? null
  const same = newest.find(({ timeline }) => timeline === own.timeline)
  return same !== undefined && standing(same.time, reading) > standing(own.time, reading) ? same : null
}

/**
 * By how much the stamps of footage that aged by `copy` are moved so that it does not age early by `own`:
 * of the time since the copy was written only what surely passed counts, as at a start (docs/design/0003).
 * Less than zero only between two timelines.
 */
export function shiftOf(copy: TimeCopy, own: OwnTime, reading: Reading): number {
  const ownMs = standing(own.time, reading)
  const byMs = ownMs - standing(copy.time, reading)
  if (Math.abs(byMs) <= AGREED_MS) return 0
  if (copy.timeline === own.timeline && byMs < 0) return 0
  const isOtherBoot = copy.time.bootId !== reading.bootId
  const offMs = reading.wallMs - copy.time.wallMs
  const isAgreed = copy.time.told === 'agreed' && copy.time.doubtSinceMs === null
    && Math.abs(reading.wallMs - ownMs) <= AGREED_MS
  return isOtherBoot && isAgreed && offMs >= 0 && offMs <= ALLOWANCE_MS ? 0 : byMs
}
