import { createHash } from 'node:crypto'
import { slotNumber, type SlotNumber } from '../domain/index.ts'
import { slotPath } from '../footage/index.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import { readSlotStart, type SlotStart } from '../slots/index.ts'
import type { segmentTable } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import type { Volume } from './volume.ts'

const NEXT_IN_LINE = 4
const BY_CHANCE = 24

/**
 * Whether the slots hold what the catalogue says, by asking those that would tell first: the ring always
 * takes the lowest free slot, and without one the segment
 * with the oldest newest frame, so a recorder that used this volume with another catalogue has changed just
 * these. Some more are asked by chance.
 * `isUnentered`: slots that are free by the catalogue may hold their next generation. Null: nothing speaks
 * against it. A slot that cannot be read says nothing either way; the ring looks at each again before it
 * zeroes it.
 */
export async function spotCheck(options: { fs: VolumeFileSystem, volume: Volume, slots: ReturnType<typeof slotTable>, segments: ReturnType<typeof segmentTable>, seed: string, isUnentered: boolean }): Promise<string | null> {
  const { fs, volume, slots, segments, seed, isUnentered } = options
  const { uuid, slotCount } = volume.identity
  const known = slots.countWithin(uuid, slotCount)
  if (known !== slotCount) return `the catalogue knows ${known} of its ${slotCount} slots`
  const next = new Set<SlotNumber>(slots.firstFrees(uuid, NEXT_IN_LINE).map(row => row.slot))
  for (const oldestFirst of segments.reusable(uuid)) {
    let taken = 0
    for (const segment of oldestFirst) {
      next.add(segment.slot)
      if (++taken === NEXT_IN_LINE) break
    }
  }
  for (let i = 0; i < BY_CHANCE; i++) next.add(slotNumber(createHash('sha256').update(`${seed}/${uuid}/${i}`).digest().readUInt32BE(0) % slotCount))
  for (const slot of next) {
    const wrong = await contradictionOf(fs, volume, slots.get(uuid, slot)!, isUnentered)
    if (wrong !== null) return wrong
  }
  return null
}

/** The next generation in a slot that the catalogue calls free: recorded while it took no rows. */
export const isUnenteredUse = (start: SlotStart, row: SlotRow): start is UsedSlot =>
  isUse(start, row, g => g === row.generation + 1)

type UsedSlot = Extract<SlotStart, { kind: 'slot' }>
const isUse = (start: SlotStart, row: SlotRow, isWanted: (generation: number) => boolean): boolean =>
  start.kind === 'slot' && start.header.volumeUuid === row.volumeUuid && start.header.slot === row.slot
  && isWanted(start.header.generation)

async function contradictionOf(fs: VolumeFileSystem, volume: Volume, row: SlotRow, isUnentered: boolean): Promise<string | null> {
  if (row.state !== 'free' && row.state !== 'sealed') return null // recovery looks at the others, and what is quarantined may hold anything
  try {
    const file = await fs.open(slotPath(volume, row.slot), 'read', 'spot check')
    try {
      const start = await readSlotStart(file, volume.identity.slotSizeBytes)
      if (start.kind === 'damaged') return null
      if (row.state === 'free' && isUnentered && isUnenteredUse(start, row)) return null
      if (row.state === 'free') {
        // A use that the guard let go: a disk that lies about syncs may have lost its zeroing.
        return start.kind === 'blank' || isUse(start, row, g => g <= row.generation) ? null
          : `slot ${row.slot} is free by the catalogue and holds generation ${start.header.generation}`
      }
      if (start.kind === 'blank') return `slot ${row.slot} is blank where the catalogue has footage`
      const { header } = start
      return isUse(start, row, g => g === row.generation) ? null
        : `slot ${row.slot} holds generation ${header.generation} of slot ${header.slot} where the catalogue has generation ${row.generation}`
    } finally { await file.close() }
  } catch (error) {
    if (error instanceof StorageError && error.fault !== 'hung') return null
    throw error
  }
}
