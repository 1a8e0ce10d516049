import type { CameraId, CameraUuid, DeviceFacts, EpochMs } from '../domain/index.ts'
import type { SlotHeader } from '../slots/index.ts'

/** One use of a slot: what its header says. `endAt` and what follows are null until it is sealed. */
export interface SegmentRow extends Omit<SlotHeader, 'slotSizeBytes'> {
  readonly endAt: EpochMs | null
  readonly keepUntil: EpochMs | null
  /** The newest frame by trusted time: what floors count from. */
  readonly newestAt: EpochMs | null
  readonly records: number | null
  readonly usedBytes: number | null
  readonly merkleRoot: string | null
}
export type SegmentKey = Pick<SegmentRow, 'volumeUuid' | 'slot' | 'generation'>

/** The key as one text: the same for the same segment alone. */
export const segmentKeyText = ({ volumeUuid, slot, generation }: SegmentKey): string =>
  `${volumeUuid}/${slot}/${generation}`

/** What a camera said that it is, and when it was first and last heard to say so. */
export interface SeenDevice extends DeviceFacts { readonly firstSeenAt: EpochMs, readonly lastSeenAt: EpochMs }

/** A camera that was recorded at least once. `isRetired`: it is in the configuration no more. */
export interface RecordedCamera { readonly uuid: CameraUuid, readonly id: CameraId, readonly isRetired: boolean }
