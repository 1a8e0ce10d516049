import { epochMs, type EpochMs, type RetentionFloor } from '../domain/index.ts'

/** A floor with the zone its days are counted in: all that is needed to say when a frame may go. */
export interface FloorRule { readonly floor: RetentionFloor, readonly timezone: string }

/**
 * The first instant at which a frame recorded at `recordedAt` is past its floor [G1].
 * Calendar days: 00:00 local after `days` whole local days behind the recording day (R18). With 31 that is never before the end of
 * the calendar month of 民法 §121, whatever month it is (R47). Plain: so many milliseconds later.
 */
export function keepUntil(rule: FloorRule, recordedAt: EpochMs): EpochMs {
  if (rule.floor.kind === 'plain') return epochMs(recordedAt + rule.floor.durationMs)
  const recordingDay = Temporal.Instant.fromEpochMilliseconds(recordedAt).toZonedDateTimeISO(rule.timezone).toPlainDate()
  const firstFreeDay = recordingDay.add({ days: rule.floor.days + 1 })
  return epochMs(firstFreeDay.toZonedDateTime(rule.timezone).epochMilliseconds)
}

const QUARTER_MS = 900_000
/**
 * As `keepUntil`, for very many segments: a calendar floor ends with a local day, and days of every zone
 * begin on a quarter of an hour, so one answer serves all of a quarter.
 * (measured, a million segments in one transaction: see docs/reliability.md)
 * `floorOf`: what a rule's text means; null for none, and then nothing is kept longer than it was recorded.
 */
export function keepUntilByQuarter(
  floorOf: (rule: string) => FloorRule | null,
): (rule: string, newestAt: EpochMs) => EpochMs {
  const floors = new Map<string, FloorRule | null>(), known = new Map<string, EpochMs>()
  return (rule, newestAt) => {
    let floor = floors.get(rule)
    if (floor === undefined) floors.set(rule, floor = floorOf(rule))
    if (floor === null) return newestAt
    if (floor.floor.kind !== 'calendar-days') return keepUntil(floor, newestAt)
    const key = `${Math.floor(newestAt / QUARTER_MS)} ${rule}`
    let until = known.get(key)
    if (until === undefined) known.set(key, until = keepUntil(floor, newestAt))
    return until
  }
}

/**
 * The latest instant that `keepUntil` sends to `until`: what a sealed segment's newest frame was at most, where only its keepUntil is left.
 * An `until` that the rule never gives is taken for the next one before it.
 */
export function latestRecordedAt(rule: FloorRule, until: EpochMs): EpochMs {
  if (rule.floor.kind === 'plain') return epochMs(until - rule.floor.durationMs)
  const firstFreeDay = Temporal.Instant.fromEpochMilliseconds(until).toZonedDateTimeISO(rule.timezone).toPlainDate()
  const dayAfter = firstFreeDay.subtract({ days: rule.floor.days })
  return epochMs(dayAfter.toZonedDateTime(rule.timezone).epochMilliseconds - 1)
}

/** `31d Asia/Taipei`, `90000ms Asia/Taipei`: how a floor stands in a slot's header. */
export function floorRuleText(rule: FloorRule): string {
  return `${rule.floor.kind === 'plain' ? `${rule.floor.durationMs}ms` : `${rule.floor.days}d`} ${rule.timezone}`
}

/** Null for what floorRuleText does not write. */
export function parseFloorRule(text: string): FloorRule | null {
  const match = /^(\d{1,13})(ms|d) ([A-Za-z0-9_+/-]{1,40})$/.exec(text)
  if (match === null) return null
  const amount = Number(match[1])
  const floor: RetentionFloor = match[2] === 'd' ? { kind: 'calendar-days', days: amount } : { kind: 'plain', durationMs: amount }
  return { floor, timezone: match[3]! }
}
