import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { StorageError } from '../platform/file-system.ts'
import type { ArchiveDisk } from './disk.ts'
import { ArchiveRefusedError } from './errors.ts'

/** At the root of the archive's volume. A folder without it is no archive and is never written to. */
export const ARCHIVE_FILE = 'custos-archive.json'
export const ITEMS_FOLDER = 'items'

export type VolumeState = 'missing' | 'not-mounted' | 'foreign' | 'damaged' | 'read-only'
export type VolumeLook = { readonly kind: 'ok', readonly uuid: string } | { readonly kind: 'refused', readonly state: VolumeState, readonly detail: string }

/** Whether `folder` is an archive, and the one called `known`, if one is known. Writes nothing: an empty folder where a mount should be is refused. */
export async function lookAtVolume(disk: ArchiveDisk, folder: string, known: string | null): Promise<VolumeLook> {
  const refused = (state: VolumeState, detail: string): VolumeLook => ({ kind: 'refused', state, detail })
  try {
    const names = await disk.list(folder, 'archive list')
    if (!names.includes(ARCHIVE_FILE)) {
      return names.filter(name => name !== 'lost+found').length === 0 ? refused('not-mounted', 'the folder is empty: is the disk mounted? A new archive is made once with `custos archive init`') : refused('foreign', `the folder has no ${ARCHIVE_FILE}: it is not an archive`)
    }
    const uuid = uuidIn(await disk.readAll(path.join(folder, ARCHIVE_FILE), 4096, 'archive identity'))
    if (uuid === null || !names.includes(ITEMS_FOLDER)) return refused('damaged', uuid === null ? `${ARCHIVE_FILE} cannot be read` : `its folder ${ITEMS_FOLDER} is gone`)
    if (known !== null && known !== uuid) return refused('foreign', 'this is another archive than the one this recorder knows')
    if ((await disk.mountOf(folder, 'archive mount')).readOnly) return refused('read-only', 'the file system is mounted read-only')
    return { kind: 'ok', uuid }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    return refused(error.fault === 'missing' ? 'missing' : 'damaged', error.message)
  }
}

function uuidIn(content: Buffer): string | null {
  try {
    const { format, uuid } = JSON.parse(content.toString('utf8')) as Record<string, unknown>
    return format === 'custos-archive/1' && typeof uuid === 'string' && /^[0-9a-f]{32}$/.test(uuid) ? uuid : null
  } catch { return null } // whatever is wrong with it, it is no identity
}

/** Makes an archive in an empty folder, once. Throws ArchiveRefusedError, StorageError. */
export async function initArchive(disk: ArchiveDisk, folder: string, createdAt: string): Promise<string> {
  await disk.makeFolder(folder, 'archive init')
  const names = (await disk.list(folder, 'archive init')).filter(name => name !== 'lost+found')
  if (names.includes(ARCHIVE_FILE)) throw new ArchiveRefusedError('這個資料夾已經是存檔區，照原樣使用即可。', 'the folder is an archive already; use it as it is')
  if (names.length > 0) throw new ArchiveRefusedError('資料夾不是空的，不建立存檔區。', 'the folder is not empty; no archive was made')
  const uuid = randomBytes(16).toString('hex')
  await disk.makeFolder(path.join(folder, ITEMS_FOLDER), 'archive init')
  await disk.syncFolder(folder, 'archive init')
  await disk.publish(path.join(folder, ARCHIVE_FILE), Buffer.from(`${JSON.stringify({ format: 'custos-archive/1', uuid, createdAt }, null, 2)}\n`), 'archive init') // last: until then it is none
  return uuid
}
