import { Dice } from './dice.ts'

/**
 * How often each befalls a recorder in a year. What weighs on guarantees is far more frequent than in any
 * office.
 */
export const YEARLY = {
  'kill': 60, 'power cut': 60, 'restart': 12, 'reboot': 8,
  'disk hangs': 16, 'disk is slow': 10, 'disk errors': 24, 'disk read-only': 4, 'disk full': 4, 'disk pulled': 10, 'disk lies': 8,
  'disk swapped': 1.5, 'foreign disk': 1.5, 'disk image': 2,
  'catalogue locked': 16, 'catalogue full': 6, 'catalogue errors': 8, 'catalogue lost': 1, 'catalogue backup': 1.5,
  'clock stepped': 10, 'clock unsynchronised': 4, 'clock battery dead': 2, 'clock years off': 1, 'off for days': 4,
  'time server lies': 1,
  'floor changed': 7, 'camera added': 4, 'camera removed': 4, 'camera exchanged': 4,
  'camera unreachable': 60, 'camera flaps': 25, 'camera rate': 10, 'camera picture': 15,
  'hold placed': 45, 'hold ended': 40, 'reader': 80, 'copy archived': 20,
} as const
export type HappeningKind = keyof typeof YEARLY

export interface Happening { readonly id: string, readonly kind: HappeningKind, readonly offsetMs: number, readonly dice: Dice }

export const WINDOWS_A_YEAR = 730
/** Within a window, while pieces come twice a second. */
const FINE_MS = 4_000

/**
 * What happens in a window: by the seed and its number alone, whatever happened before. `without`: ids and
 * kinds that are left out.
 */
export function happeningsIn(seed: number, window: number, without: ReadonlySet<string>): Happening[] {
  const found: Happening[] = []
  for (const [kind, yearly] of Object.entries(YEARLY) as [HappeningKind, number][]) {
    const id = `${window} ${kind}`
    const dice = new Dice(seed, `happening ${id}`)
    if (!dice.chance(yearly / WINDOWS_A_YEAR) || without.has(id) || without.has(kind)) continue
    found.push({ id, kind, offsetMs: dice.between(0, FINE_MS), dice })
  }
  return found.sort((a, b) => a.offsetMs - b.offsetMs)
}
