import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { slotPath } from '../footage/index.ts'
import { StorageError, type VolumeFile, type VolumeFileSystem } from '../platform/file-system.ts'
import type { SlotRow } from './tables/slots.ts'
import type { Volume } from './volume.ts'

/** At a volume's root, where no slot is free to be tried. */
export const PROBE_FILE = 'custos-probe.json'
const PROBE_BYTES = 4096

/**
 * Whether the volume takes a write, syncs it and gives it back. `free` is a free slot that nobody else uses
 * meanwhile, blank again afterwards; null where there is none. Throws StorageError.
 */
export async function probeVolume(fs: VolumeFileSystem, volume: Volume, free: SlotRow | null): Promise<void> {
  if (free === null) {
    const file = path.join(volume.path, PROBE_FILE), text = `${JSON.stringify({ format: 1, probe: randomBytes(16).toString('hex') })}\n`
    await fs.publishText(file, text, 'probe publish')
    if (await fs.readText(file, PROBE_BYTES, 'probe publish') !== text) throw misread('probe publish', file)
    return
  }
  const file = slotPath(volume, free.slot)
  const handle = await fs.open(file, 'read-write', 'probe open')
  try { await probeSlot(handle, file, Math.floor(volume.identity.slotSizeBytes / 2 / PROBE_BYTES) * PROBE_BYTES) } finally { await handle.close().catch(() => undefined) }
}

/**
 * In the middle of the slot: its start stays blank whenever this is cut short, so nothing takes it for
 * footage, and it is zeroed again before its next use [INV-2].
 */
async function probeSlot(handle: VolumeFile, file: string, at: number): Promise<void> {
  const pattern = randomBytes(PROBE_BYTES), back = Buffer.alloc(PROBE_BYTES)
  await handle.write(pattern, at, 'probe write')
  await handle.datasync('probe sync')
  await handle.read(back, at, 'probe read')
  await handle.write(Buffer.alloc(PROBE_BYTES), at, 'probe clear')
  await handle.datasync('probe clear sync')
  if (!back.equals(pattern)) throw misread('probe read', file)
}

const misread = (step: string, file: string): StorageError => new StorageError('io', step, file, new Error('what was written came back changed'))
