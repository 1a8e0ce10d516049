import type { PastAdvance, VolumeUuid } from '../domain/index.ts'
import {
  standing, type OwnTime, type Reading, type TimeCopy,
} from '../trusted-time/index.ts'

/** A volume that was read, with the trusted time that stands on it; null: none that can be read. */
export interface TimedVolume { readonly uuid: VolumeUuid, readonly copy: TimeCopy | null }

/** What the catalogue that is rebuilt knows of time by itself. */
export interface KnownTime {
  /** Null: it has never counted. */
  readonly own: OwnTime | null
  readonly advances: readonly PastAdvance[]
  /** Footage is in it that aged by its own trusted time. */
  readonly hasFootage: boolean
}

/** Clocks are set by less every day. */
const LEAST_LAG_MS = 1_000

/** How the stamps in a volume's slots are brought into the catalogue's trusted time. */
export interface StampMove {
  readonly advances: readonly PastAdvance[]
  /** Never less than zero: what is stamped ahead is kept longer, and nobody can tell that it need not be. */
  readonly shiftMs: number
  /**
   * What was not stamped yet is no newer than this, trusted time of the catalogue now. Null: the clock of its
   * frames was right.
   */
  readonly latestMs: number | null
}

export interface TimePlan {
  /** The catalogue goes on from this copy; null: from what it has. */
  readonly take: TimeCopy | null
  readonly moves: ReadonlyMap<VolumeUuid, StampMove>
  /** For what the catalogue knows of volumes that were not read, where it goes on from a copy. */
  readonly rest: readonly PastAdvance[]
}

/**
 * Footage ages by the trusted time under which it was recorded, and slots keep the stamps of then: what the
 * catalogue that was lost knew of it stands beside them on the volumes [G1]. Pure.
 */
export function planTime(
  { own, advances: ownAdvances, hasFootage }: KnownTime, volumes: readonly TimedVolume[], reading: Reading,
): TimePlan {
  const standingOf = ({ time }: OwnTime) => standing(time, reading)
  const copies = volumes.flatMap(({ copy }) => copy === null ? [] : [copy])
    .toSorted((a, b) => standingOf(b) - standingOf(a))
  const take = copyToTake(own, hasFootage, copies, standingOf)
  const base = take ?? own
  const moves = new Map<VolumeUuid, StampMove>()
  if (base === null) return { take, moves, rest: [] }
  const isAgreed = base.time.told === 'agreed' && base.time.doubtSinceMs === null
  const only = new Set([...copies, base].map(({ timeline }) => timeline)).size === 1 ? base.timeline : null
  for (const { uuid, copy } of volumes) {
    const timeline = copy?.timeline ?? only
    if (timeline === null) continue
    const newest = copies.find(each => each.timeline === timeline)
    const advances = merged(timeline === own?.timeline ? ownAdvances : [], newest?.advances ?? [])
    const isOther = timeline !== base.timeline
      || (newest !== undefined && hasParted(newest, ownAdvances, own))
    const shiftMs = isOther && newest !== undefined ? Math.max(0, standingOf(base) - standingOf(newest)) : 0
    if (copy !== null && timeline === base.timeline) {
      advances.push(...partedSince(copy, base, take?.advances ?? ownAdvances, standingOf(base)).lag)
    }
    const isRight = isAgreed && advances.length === 0 && shiftMs === 0
    moves.set(uuid, { advances, shiftMs, latestMs: isRight ? null : standingOf(base) })
  }
  const parted = take === null || own === null || own.timeline !== take.timeline ? null
    : partedSince({ ...own, timeline: take.timeline, advances: ownAdvances }, take, take.advances, standingOf(take))
  return { take, moves, rest: parted === null ? [] : [...parted.gained, ...parted.lag] }
}

/**
 * A catalogue without footage goes on from the newest copy: nothing has aged by its own time. One from a
 * backup takes what came later in its own timeline.
 */
function copyToTake(
  own: OwnTime | null, hasFootage: boolean, copies: readonly TimeCopy[],
  standingOf: (time: OwnTime) => number,
): TimeCopy | null {
  const known = copies.filter(({ time }) => time.isKnown)
  const isMine = own?.time.isKnown === true && hasFootage
  const best = known.find(({ timeline }) => !isMine || timeline === own.timeline)
  if (best === undefined) return null
  const isOlder = own !== null && best.timeline === own.timeline && standingOf(best) <= standingOf(own)
  return isOlder ? null : best
}

/**
 * The catalogue is a backup that was used: it went forward at once where the timeline on the volumes, which
 * is the same one up to the backup, did not.
 */
function hasParted(copy: TimeCopy, ownAdvances: readonly PastAdvance[], own: OwnTime | null): boolean {
  if (copy.timeline !== own?.timeline) return false
  const known = new Set(copy.advances.map(nameOf))
  return ownAdvances.some(advance => advance.atMs <= copy.time.trustedMs && !known.has(nameOf(advance)))
}

/**
 * What a catalogue from a backup, and the volumes it recorded to, lack of what their timeline had counted
 * since: `gained` at once, and by how much their stamps are behind besides (`lag`, one or none): by what the
 * wall clock is further ahead of them than of the time gone on from. A volume that was only away does not lag,
 * for trusted time falls behind the clock, and what it gained at once is told. All move from where both are
 * known to have been one: rather too many than one too few [G1].
 */
function partedSince(
  copy: TimeCopy, base: OwnTime, advances: readonly PastAdvance[], nowMs: number,
): { readonly gained: readonly PastAdvance[], readonly lag: readonly PastAdvance[] } {
  const inBoth = new Set(advances.map(nameOf)), known = new Set(copy.advances.map(nameOf))
  const sinceMs = copy.advances.findLast(advance => inBoth.has(nameOf(advance)))?.atMs ?? 0
  const gained = advances.filter(advance => advance.atMs > sinceMs && !known.has(nameOf(advance)))
  const gainedMs = gained.reduce((sum, { byMs }) => sum + byMs, 0)
  const aheadMs = ({ wallMs, trustedMs }: OwnTime['time']): number => wallMs - trustedMs
  const atMs = copy.time.trustedMs + gainedMs
  const byMs = Math.min(aheadMs(copy.time) - aheadMs(base.time) - gainedMs, nowMs - atMs)
  return { gained, lag: byMs > LEAST_LAG_MS ? [{ sinceMs, atMs, byMs }] : [] }
}

const nameOf = ({ atMs, sinceMs }: PastAdvance): string => `${atMs} ${sinceMs}`

/** Of both, each once, oldest first. */
function merged(...lists: readonly (readonly PastAdvance[])[]): PastAdvance[] {
  const each = new Map(lists.flat().map(advance => [nameOf(advance), advance]))
  return [...each.values()].sort((a, b) => a.atMs - b.atMs)
}
