import type { EpochMs, VolumeId } from '../domain/index.ts'
import { mayReuse, type ReuseCandidate } from './guard.ts'
import type { FloorRule } from './keep-until.ts'

/** What the allocator sees of a volume that can be recorded to. */
export interface VolumeChoice<Candidate extends ReuseCandidate> {
  readonly id: VolumeId
  readonly freeSlots: number
  readonly totalSlots: number
  /** Segments in its sealed slots; the oldest ones are enough, in any order. */
  readonly candidates: readonly Candidate[]
}

/** `nothing-sealed`: there is no footage that could go; every slot is open or quarantined. */
export type NoSlotReason = 'inside-floor' | 'held' | 'leased' | 'time-in-doubt' | 'nothing-sealed'

export type SlotChoice<Candidate extends ReuseCandidate> =
  | { readonly kind: 'free', readonly volume: VolumeId }
  | { readonly kind: 'reuse', readonly volume: VolumeId, readonly candidate: Candidate }
  /** `freeAt`: the earliest instant at which one of the candidates leaves its floor; null where no clock alone frees one. */
  | { readonly kind: 'none', readonly freeAt: EpochMs | null, readonly why: NoSlotReason }

/**
 * Which slot the next segment takes: a free one of the volume with the largest free share, so that volumes fill alike; else, over all volumes, the footage
 * whose newest frame is oldest among that which the guard lets go (R16) [G1]. Ties keep the order given. Pure; the caller acts in the transaction it asked in.
 */
export function chooseSlot<Candidate extends ReuseCandidate>(
  volumes: readonly VolumeChoice<Candidate>[], floorNow: FloorRule, trustedNow: EpochMs | null,
): SlotChoice<Candidate> {
  const emptiest = volumes.reduce<VolumeChoice<Candidate> | null>((best, volume) =>
    volume.freeSlots > 0 && (best === null || freeShare(volume) > freeShare(best)) ? volume : best, null)
  if (emptiest !== null) return { kind: 'free', volume: emptiest.id }

  const oldestFirst = volumes.flatMap(volume => volume.candidates.map(candidate => ({ volume: volume.id, candidate })))
    .sort((a, b) => newestOf(a.candidate) - newestOf(b.candidate))
  let freeAt: EpochMs | null = null
  const reasons = new Set<NoSlotReason>()
  for (const { volume, candidate } of oldestFirst) {
    const verdict = mayReuse(candidate, floorNow, trustedNow)
    if (verdict.allowed) return { kind: 'reuse', volume, candidate }
    reasons.add(verdict.reason)
    // A floor that was lowered meanwhile frees later footage first.
    if (verdict.reason === 'inside-floor' && (freeAt === null || verdict.until < freeAt)) freeAt = verdict.until
  }
  return { kind: 'none', freeAt, why: REASONS_BY_WEIGHT.find(reason => reasons.has(reason)) ?? 'nothing-sealed' }
}

/** What to tell when candidates differ: what mends itself soonest comes first, but doubt about time blocks them all. */
const REASONS_BY_WEIGHT: readonly NoSlotReason[] = ['time-in-doubt', 'inside-floor', 'leased', 'held']

const freeShare = ({ freeSlots, totalSlots }: { freeSlots: number, totalSlots: number }): number => freeSlots / totalSlots
/** Footage without a frame is the oldest of all: nothing is lost with it. */
const newestOf = ({ newestFrameAt }: ReuseCandidate): number => newestFrameAt ?? Number.MIN_SAFE_INTEGER
