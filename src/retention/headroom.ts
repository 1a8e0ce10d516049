import { epochMs, type EpochMs } from '../domain/index.ts'
import { plannedSpanMs } from './capacity.ts'
import type { FloorRule } from './keep-until.ts'

export interface Headroom {
  /** Trusted. */
  readonly now: EpochMs
  readonly floor: FloorRule
  /** Slots that are free now, and those that the guard would let go now; all in milliseconds of recording. */
  readonly availableMs: number
  /** Footage of before now that leaves its floor later. */
  readonly releases: readonly { readonly at: EpochMs, readonly ms: number }[]
}

interface Boundary { readonly at: number, readonly ms: number }

/**
 * The first instant at which no slot can be had, when everything goes on as it does now; null when that never comes.
 * Recording takes one millisecond a millisecond; footage gives back what it took when it leaves its floor: at its own midnight under a calendar floor, after so long under a plain one.
 * Looks as far as the floor reaches back: from then on nothing gets scarcer, but for the odd day of 25 hours.
 */
export function stopsAt({ now, floor, availableMs, releases }: Headroom): EpochMs | null {
  const boundaries = [...releases.map(({ at, ms }) => ({ at, ms })), ...ownReleases(now, floor)].sort((a, b) => a.at - b.at)
  const horizon = boundaries.reduce((latest, { at, ms }) => ms === 0 ? Math.max(latest, at) : latest, now + plannedSpanMs(floor))
  let at: number = now
  let leftMs = availableMs
  for (const next of [...boundaries.filter(boundary => boundary.at <= horizon), { at: horizon, ms: 0 }]) {
    const spanMs = Math.max(0, next.at - at)
    if (leftMs < spanMs) return epochMs(at + Math.max(0, leftMs))
    leftMs += next.ms - spanMs
    at += spanMs
  }
  return null
}

/** When footage recorded from now on comes free. The last boundary, of nothing, ends the look ahead where in and out are even. */
function ownReleases(now: EpochMs, { floor, timezone }: FloorRule): Boundary[] {
  if (floor.kind === 'plain') return [{ at: now + floor.durationMs, ms: 0 }]
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timezone).toPlainDate()
  const midnight = (daysOn: number): number => today.add({ days: daysOn }).toZonedDateTime(timezone).epochMilliseconds
  // What is recorded today may go at the midnight that begins day `days + 1`; the day after shows the whole swing.
  const first = midnight(floor.days + 1)
  return [{ at: first, ms: midnight(1) - now }, { at: midnight(floor.days + 2), ms: 0 }]
}
