import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/** A file that is there whole or not at all: written beside, synced, renamed, its folder synced. Throws the error of the file system. */
export async function publishFile(file: string, bytes: Uint8Array, mode = 0o640): Promise<void> {
  const part = `${file}.${process.pid}.part`
  try {
    await writeSynced(part, bytes, { mode })
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(path.dirname(file))
}

/** Its content is on the disk when this returns; its name only once its folder is synced. `wx` refuses a file that is there. Throws the error of the file system. */
export async function writeSynced(file: string, content: string | Uint8Array, { mode, flag = 'w' }: { readonly mode: number, readonly flag?: 'w' | 'wx' }): Promise<void> {
  const handle = await open(file, flag, mode)
  try { await handle.writeFile(content); await handle.sync() } finally { await handle.close() }
}

/** Makes what was renamed or linked in a folder outlast a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try { await handle.sync() } finally { await handle.close() }
}
