import type { RetentionFloor } from '../domain/index.ts'
import { LIMITS, RULE_FLOOR_DAYS } from './defaults.ts'

const SIZE = /^(\d{1,10}) ?(KiB|MiB|GiB|TiB)$/
const UNIT_BYTES: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** Bytes of "200GiB", or null. Decimal units are no sizes here: a GB and a GiB differ by 7 %, and disks are planned in both. */
export function parseSize(text: string): number | null {
  const [, count, unit] = SIZE.exec(text) ?? []
  const unitBytes = UNIT_BYTES[unit ?? '']
  if (count === undefined || unitBytes === undefined) return null
  const bytes = Number(count) * unitBytes
  return bytes > 0 && bytes <= LIMITS.quotaBytes ? bytes : null
}

const BITRATE = /^(\d{1,7}(?:\.\d{1,3})?) ?(kbit|Mbit)\/s$/

/** Bits a second of "4Mbit/s" or "800kbit/s" (decimal, as cameras show them), or null. MB/s is refused: bits and bytes differ by eight. */
export function parseBitrate(text: string): number | null {
  const [, count, unit] = BITRATE.exec(text) ?? []
  if (count === undefined) return null
  const bps = Math.round(Number(count) * (unit === 'kbit' ? 1e3 : 1e6))
  return bps >= LIMITS.leastBitrateBps && bps <= LIMITS.mostBitrateBps ? bps : null
}

const FLOOR = /^(\d{1,10}) ?(d|h|m|s)$/
const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000 }
const DAY_MS = 86_400_000

/** "31d" is calendar days; "12h", "45m", "90s" are running time. Null for anything else or beyond ten years. */
export function parseFloor(text: string): RetentionFloor | null {
  const [, digits, unit] = FLOOR.exec(text) ?? []
  const count = Number(digits)
  if (unit === undefined || count < 1) return null
  if (unit === 'd') return count <= LIMITS.floorDays ? { kind: 'calendar-days', days: count } : null
  const durationMs = count * (UNIT_MS[unit] ?? Number.NaN)
  return durationMs <= LIMITS.floorDays * DAY_MS ? { kind: 'plain', durationMs } : null
}

/** A floor below the rule's month, or one that does not count in calendar days at all: a permanent critical state of health. */
export const isTrialFloor = (floor: RetentionFloor): boolean => floor.kind === 'plain' || floor.days < RULE_FLOOR_DAYS
