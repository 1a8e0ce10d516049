import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { FatalError, slotNumber, volumeId, volumeUuid, type SlotNumber, type VolumeId, type VolumeUuid } from '../domain/index.ts'
import { slotPath } from '../footage/index.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'

/** The identity file at a volume's root. A folder without it is no volume and is never written to. */
export const IDENTITY_FILE = 'custos-volume.json'
export const MIN_SLOT_BYTES = 1 << 20
export const MAX_SLOT_BYTES = 1 << 30 // positions inside a slot are kept in 32 bits
const MAX_SLOTS = 1 << 24 // 1 PiB of the default size; an identity that says more is damaged
const FILE_SYSTEMS = new Set(['ext4', 'xfs'])

export interface VolumeIdentity {
  readonly format: 1
  readonly id: VolumeId
  readonly uuid: VolumeUuid
  readonly slotSizeBytes: number
  readonly slotCount: number
  readonly createdAt: string
}

export interface Volume { readonly path: string, readonly identity: VolumeIdentity }

export type VolumeRefusal = 'missing' | 'foreign' | 'read-only' | 'unsupported' | 'not-mounted' | 'damaged'
export type VolumeCheck = { readonly kind: 'ok', readonly volume: Volume } | { readonly kind: 'refused', readonly state: VolumeRefusal, readonly detail: string }

/** Makes the whole slot read as zeros, on the medium when it returns [INV-2]. Throws StorageError. */
export async function zeroSlot(fs: VolumeFileSystem, volume: Volume, { slot }: { readonly slot: SlotNumber }, step: string): Promise<void> {
  const file = slotPath(volume, slot)
  await fs.zeroRange(file, 0, volume.identity.slotSizeBytes, `${step} zero`)
  const handle = await fs.open(file, 'read-write', `${step} open`)
  try { await handle.datasync(`${step} zero sync`) } finally { await handle.close() }
}

/**
 * Looks whether `folder` is the volume `id` and may be recorded to. Writes nothing.
 * An empty folder where a mount should be has no identity file and is refused: the system disk is never filled by mistake.
 */
export async function checkVolume(fs: VolumeFileSystem, folder: string, id: VolumeId): Promise<VolumeCheck> {
  const refused = (state: VolumeRefusal, detail: string): VolumeCheck => ({ kind: 'refused', state, detail })
  try {
    const entries = await fs.list(folder, 'volume list')
    if (!entries.includes(IDENTITY_FILE)) {
      return entries.length === 0 ? refused('not-mounted', 'the folder is empty: is the disk mounted? If it is a new disk, run `custos volume init`.')
        : refused('foreign', `the folder has no ${IDENTITY_FILE}: it is not a Custos volume`)
    }
    const identity = parseIdentity(await fs.readText(path.join(folder, IDENTITY_FILE), 4096, 'volume identity'))
    if (identity === null) return refused('damaged', `${IDENTITY_FILE} cannot be read`)
    if (identity.id !== id) return refused('foreign', `this is volume "${identity.id}", not "${id}"`)
    const mount = await fs.mountOf(folder, 'volume mount')
    if (!FILE_SYSTEMS.has(mount.type)) return refused('unsupported', `the file system is ${mount.type}; ext4 or XFS is needed`)
    if (mount.readOnly) return refused('read-only', 'the file system is mounted read-only')
    return { kind: 'ok', volume: { path: folder, identity } }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return refused(error.fault === 'missing' ? 'missing' : 'damaged', error.message)
  }
}

const isSlotSize = (bytes: number): boolean => Number.isSafeInteger(bytes) && bytes >= MIN_SLOT_BYTES && bytes <= MAX_SLOT_BYTES && bytes % 4096 === 0

export function parseIdentity(text: string): VolumeIdentity | null {
  try {
    const raw = JSON.parse(text) as Record<string, unknown>
    const { id, uuid, slotSizeBytes, slotCount, createdAt } = raw
    if (raw['format'] !== 1 || typeof id !== 'string' || typeof uuid !== 'string' || typeof createdAt !== 'string') return null
    if (typeof slotSizeBytes !== 'number' || !isSlotSize(slotSizeBytes) || typeof slotCount !== 'number' || !Number.isSafeInteger(slotCount) || slotCount < 2 || slotCount > MAX_SLOTS) return null
    return { format: 1, id: volumeId(id), uuid: volumeUuid(uuid), slotSizeBytes, slotCount, createdAt }
  } catch { return null } // whatever is wrong with it, it is no identity
}

export interface InitOptions { readonly folder: string, readonly id: VolumeId, readonly sizeBytes: number, readonly slotSizeBytes: number, readonly now: Date, readonly onSlot?: (done: number, of: number) => void }

/** Allocates a volume once. Refuses a folder that is not empty (a fresh file system's lost+found aside), so no existing volume is ever touched. */
export async function initVolume(fs: VolumeFileSystem, options: InitOptions): Promise<Volume> {
  const { folder, id, sizeBytes, slotSizeBytes } = options
  const refuse = (code: string, message: string, remedy: string): never => { throw new FatalError(code, message, { remedy }) }
  if (!isSlotSize(slotSizeBytes)) {
    refuse('CUSTOS_SLOT_SIZE', `a slot of ${slotSizeBytes} bytes is not possible`, 'Give a slot size from 1MiB to 1GiB, e.g. --slot-size 64MiB.')
  }
  const slotCount = Math.floor(sizeBytes / slotSizeBytes)
  if (slotCount < 2) refuse('CUSTOS_VOLUME_TOO_SMALL', `${sizeBytes} bytes hold ${slotCount} slots of ${slotSizeBytes}`, 'Give a larger --size or a smaller --slot-size; at least two slots are needed.')
  await fs.makeFolder(folder, 'init folder')
  const entries = (await fs.list(folder, 'init list')).filter(name => name !== 'lost+found')
  if (entries.includes(IDENTITY_FILE)) refuse('CUSTOS_VOLUME_EXISTS', `${folder} is a volume already`, 'Use it as it is, or give another folder. An existing volume is never overwritten.')
  if (entries.length > 0) refuse('CUSTOS_FOLDER_NOT_EMPTY', `${folder} is not empty (${entries.slice(0, 3).join(', ')})`, 'Give an empty folder: the root of a disk of its own, freshly formatted.')
  const mount = await fs.mountOf(folder, 'init mount')
  if (!FILE_SYSTEMS.has(mount.type)) refuse('CUSTOS_FILE_SYSTEM', `${folder} is on ${mount.type}`, 'Format the disk as ext4 or XFS.')
  if (mount.readOnly) refuse('CUSTOS_READ_ONLY', `${folder} is mounted read-only`, 'Mount it read-write.')
  const freeBytes = await fs.freeBytes(folder, 'init free')
  if (freeBytes < slotCount * slotSizeBytes) {
    refuse('CUSTOS_NO_SPACE', `${slotCount} slots need ${slotCount * slotSizeBytes} bytes, ${freeBytes} are free`, 'Give a smaller --size.')
  }
  const identity: VolumeIdentity = { format: 1, id, uuid: volumeUuid(randomBytes(16).toString('hex')), slotSizeBytes, slotCount, createdAt: options.now.toISOString() }
  const volume: Volume = { path: folder, identity }
  const folders = new Set<string>()
  for (let slot = 0; slot < slotCount; slot++) {
    const file = slotPath(volume, slotNumber(slot))
    const parent = path.dirname(file)
    if (!folders.has(parent)) { await fs.makeFolder(parent, 'init slots'); folders.add(parent) }
    await fs.createAllocated(file, slotSizeBytes, 'init slot')
    options.onSlot?.(slot + 1, slotCount)
  }
  for (const parent of folders) await fs.syncFolder(parent, 'init sync')
  await fs.syncFolder(path.join(folder, 'slots'), 'init sync')
  await fs.publishText(path.join(folder, IDENTITY_FILE), `${JSON.stringify(identity, null, 2)}\n`, 'init identity') // last: until then it is no volume
  return volume
}
