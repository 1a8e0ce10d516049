import type { VolumeUuid } from '../domain/index.ts'
import {
  copyToTake, shiftOf, standing, type OwnTime, type PastAdvance, type Reading, type TimeCopy,
} from '../trusted-time/index.ts'

/** A volume that was read, as far as its footage's age is concerned. */
export interface TimedVolume {
  readonly uuid: VolumeUuid
  /** The catalogue remembers that it used it last: what it says of its footage's age is right. */
  readonly isOwn: boolean
  readonly copy: TimeCopy | null
}

/** How the stamps in a volume's slots are brought into the catalogue's trusted time. */
export interface StampMove {
  readonly advances: readonly PastAdvance[]
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
}

/**
 * Footage ages by the trusted time under which it was recorded, and slots keep the stamps of then: what the
 * catalogue that was lost knew of it stands beside them on the volumes [G1]. Pure.
 * `own`: what the catalogue has; `ownAdvances`: how it went forward at once.
 */
export function planTime(
  own: OwnTime | null, ownAdvances: readonly PastAdvance[], volumes: readonly TimedVolume[], reading: Reading,
): TimePlan {
  const strangers = volumes.flatMap(({ isOwn, copy }) => isOwn || copy === null ? [] : [copy])
  const take = copyToTake(own, strangers, reading)
  const base = take ?? own
  const moves = new Map<VolumeUuid, StampMove>()
  if (base === null) return { take, moves }
  const nowMs = standing(base.time, reading)
  const isAgreed = base.time.told === 'agreed' && base.time.doubtSinceMs === null
  const newestOf = (timeline: string | null): TimeCopy | undefined => strangers
    .filter(copy => copy.timeline === timeline)
    .toSorted((a, b) => standing(b.time, reading) - standing(a.time, reading))[0]
  for (const { uuid, isOwn, copy } of volumes) {
    const timeline = isOwn ? own?.timeline ?? null : copy?.timeline ?? null
    const newest = newestOf(timeline)
    const advances = merged(timeline === own?.timeline ? ownAdvances : [], newest?.advances ?? [])
    const shiftMs = isOwn || newest === undefined || newest === take ? 0 : shiftOf(newest, base, reading)
    const isRight = isAgreed && advances.length === 0 && shiftMs === 0
    if (timeline !== null) moves.set(uuid, { advances, shiftMs, latestMs: isRight ? null : nowMs })
  }
  return { take, moves }
}

/** Of both, each once, oldest first. */
function merged(...lists: readonly (readonly PastAdvance[])[]): PastAdvance[] {
  const nameOf = ({ atMs, sinceMs }: PastAdvance) => `${atMs} ${sinceMs}`
  const each = new Map(lists.flat().map(advance => [nameOf(advance), advance]))
  return [...each.values()].sort((a, b) => a.atMs - b.atMs)
}
