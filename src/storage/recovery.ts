import { isoOf } from '../domain/index.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { parseFloorRule } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { OpenSlot, Ring } from './ring.ts'
import { freeHeader } from './slot-format.ts'
import { readSlot, type SlotFootage } from './slot-walk.ts'
import { SlotWriter } from './slot-writer.ts'
import type { SegmentRow } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import { slotPath, type Volume } from './volume.ts'

export interface RecoveryOptions {
  readonly ring: Ring
  readonly fs: VolumeFileSystem
  readonly slots: ReturnType<typeof slotTable>
  readonly trustedTime: TrustedTime
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Repeats the zeroing of slots that were being prepared when the recorder died [INV-2]; they held no frame of their new generation.
 * A slot that cannot be zeroed is quarantined.
 */
export async function recoverPreparing(options: RecoveryOptions, volume: Volume): Promise<void> {
  const { fs, slots, ring, log } = options
  for (const row of slots.inState(volume.identity.uuid, 'preparing')) {
    try {
      const file = slotPath(volume, row.slot)
      const handle = await fs.open(file, 'read-write', 'recover open')
      try {
        const content = await readSlot(handle, volume.identity.slotSizeBytes)
        if (content.kind === 'footage' && !isUnfinished(content, row)) throw new RangeError(`it holds ${content.entries.length} records of slot ${content.header.slot}, generation ${content.header.generation}`)
        await fs.zeroRange(file, 0, volume.identity.slotSizeBytes, 'recover zero')
        await handle.datasync('recover zero sync')
      } finally { await handle.close() }
      ring.setFree(volume, row)
      log.info({ volume: volume.identity.id, slot: row.slot }, 'unfinished slot zeroed again')
    } catch (error) { ring.giveUp(volume, row, 'preparing', error) }
  }
}

/** The generation before, or a header of this one: what a preparation that was cut short leaves. Anything else a catalogue from a backup does not know. */
const isUnfinished = ({ header, entries }: SlotFootage, row: SlotRow): boolean => header.volumeUuid === row.volumeUuid && header.slot === row.slot
  && (header.generation === row.generation - 1 || (header.generation === row.generation && entries.length === 0))

/**
 * Brings back a slot that was open when the recorder died: keeps every record that holds, zeroes what is behind, and leaves it ready for the next.
 * Null when there is nothing to go on with; the slot is then sealed or quarantined.
 */
export async function recoverOpen(options: RecoveryOptions, volume: Volume, segment: SegmentRow): Promise<OpenSlot | null> {
  const { fs, ring, log } = options
  const row: SlotRow = { volumeUuid: segment.volumeUuid, slot: segment.slot, generation: segment.generation, state: 'open' }
  const file = slotPath(volume, segment.slot)
  const { slotSizeBytes } = volume.identity
  try {
    const handle = await fs.open(file, 'read-write', 'recover open')
    try {
      const content = await readSlot(handle, slotSizeBytes)
      const wrong = content.kind === 'damaged' ? content.why : content.kind === 'blank' ? 'it is blank' : belongsTo(content, segment)
      if (content.kind !== 'footage' || wrong !== null) throw new RangeError(`slot is not what the catalogue says: ${wrong}`)
      const writer = new SlotWriter({
        file: handle, slot: row.slot, generation: row.generation, startAt: content.header.startAt, init: content.init, slotSizeBytes,
        entries: content.entries, endByte: content.endByte,
      })
      const open: OpenSlot = { volume, row, owner: segment, writer, newestAt: options.trustedTime.trustedOf(writer.endAt), floor: parseFloorRule(content.header.floorRule) ?? ring.floor }
      if (content.sealed !== null) { // died between the index on disk and the row: sealing again writes the same bytes
        await ring.seal(open)
        return null
      }
      try {
        await fs.zeroRange(file, content.endByte, slotSizeBytes - content.endByte, 'recover tail')
        await handle.write(freeHeader(slotSizeBytes - content.endByte), content.endByte, 'recover free')
        await handle.datasync('recover sync')
      } catch (error) { // nothing can be added, but what holds is footage
        writer.giveUp(error)
        await ring.seal(open)
        return null
      }
      log.info({ camera: segment.cameraId, stream: segment.stream, slot: row.slot, records: content.entries.length, until: isoOf(writer.endAt) }, 'open slot recovered')
      return open
    } catch (error) {
      await handle.close().catch(() => undefined) // the first failure is the one to tell
      throw error
    }
  } catch (error) {
    ring.giveUp(volume, row, 'open', error)
    return null
  }
}


function belongsTo(content: SlotFootage, segment: SegmentRow): string | null {
  const { header } = content
  if (header.volumeUuid !== segment.volumeUuid || header.slot !== segment.slot || header.generation !== segment.generation) return `header says slot ${header.slot}, generation ${header.generation} of volume ${header.volumeUuid}`
  return header.cameraUuid === segment.cameraUuid && header.stream === segment.stream ? null : 'header names another camera'
}
