import type { VolumeId } from '../domain/index.ts'
import type { FloorRule } from './keep-until.ts'

export const DAY_MS = 86_400_000
/** What `volume init` makes by default; stands in where no volume is there to ask. */
export const USUAL_SLOT_BYTES = 64 * 2 ** 20

/** Header, `moov`, index head: what no slot can use for footage. */
const SLOT_FIXED_BYTES = 8 * 1024
/** Record head, index entry, `tfra` entry and `moof` of two fragments a second (0.25 KiB each). */
const RECORD_BYTES_PER_MS = 0.5
/** A slot ends at a key frame when the next group of pictures may not fit: about one is left over (design note 0001, next slot). */
const LEFT_OVER_MS = 2_000
/** However odd bitrate and slot size are to each other, this much of a slot is used. */
const LEAST_USED_SHARE = 0.25

/** A volume as capacity sees it. */
export interface SlotSupply {
  readonly id: VolumeId
  readonly slotSizeBytes: number
  /** That can ever be used again: without quarantined and held ones. */
  readonly slots: number
}

export interface VolumeCapacity { readonly id: VolumeId, readonly slotMs: number, readonly capacityMs: number }

/** What these streams make of these volumes. All lengths are milliseconds of all streams being recorded at once. */
export interface Capacity {
  /**
   * How old footage is, by its newest frame, when its slot is used again: what all slots hold without those that are open. Each stream keeps one slot open, and
   * a new run may waste the rest of one.
   */
  readonly capacityMs: number
  readonly volumes: readonly VolumeCapacity[]
  /** Of a slot; where sizes differ, of the largest: that is where streams may have theirs open. */
  readonly slotMs: number
  /** Of volume space that a millisecond takes, what slots lose at their ends included. */
  readonly bytesPerMs: number
  readonly availableBytes: number
}

/** How long a slot of this size lasts when these streams share it. */
export function slotMs(bitratesBps: readonly number[], slotSizeBytes: number): number {
  const slotsPerMs = bitratesBps.reduce((sum, bitrateBps) => {
    const bytesPerMs = bitrateBps / 8_000 + RECORD_BYTES_PER_MS
    return sum + bytesPerMs / Math.max(slotSizeBytes * LEAST_USED_SHARE, slotSizeBytes - SLOT_FIXED_BYTES - bytesPerMs * LEFT_OVER_MS)
  }, 0)
  return 1 / slotsPerMs
}

/** Null without a stream: then nothing is ever overwritten. Without a volume the capacity is below zero: the open slots lack too. */
export function capacityOf(bitratesBps: readonly number[], volumes: readonly SlotSupply[]): Capacity | null {
  if (bitratesBps.length === 0) return null
  const parts = volumes.map(({ id, slotSizeBytes, slots }) => {
    const ms = slotMs(bitratesBps, slotSizeBytes)
    return { id, slotMs: ms, capacityMs: ms * slots }
  })
  const slots = volumes.reduce((sum, volume) => sum + volume.slots, 0)
  const availableBytes = volumes.reduce((sum, volume) => sum + volume.slots * volume.slotSizeBytes, 0)
  const wholeMs = parts.reduce((sum, part) => sum + part.capacityMs, 0)
  const meanBytes = slots > 0 ? availableBytes / slots : volumes[0]?.slotSizeBytes ?? USUAL_SLOT_BYTES
  const meanMs = slots > 0 ? wholeMs / slots : slotMs(bitratesBps, meanBytes)
  const largestMs = parts.reduce((largest, part) => Math.max(largest, part.slotMs), 0) || meanMs
  return { capacityMs: wholeMs - bitratesBps.length * largestMs, volumes: parts, slotMs: largestMs, bytesPerMs: meanBytes / meanMs, availableBytes }
}

/** What capacity is planned for: a calendar floor of 31 days reaches back 32 x 24 h (R18). A plain one is as it is. */
export const plannedSpanMs = ({ floor }: FloorRule): number => floor.kind === 'plain' ? floor.durationMs : (floor.days + 1) * DAY_MS
