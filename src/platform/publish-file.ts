import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/** A file that is there whole or not at all: written beside, synced, renamed, its folder synced. Throws the error of the file system. */
export async function publishFile(file: string, bytes: Uint8Array, mode = 0o640): Promise<void> {
  const part = `${file}.${process.pid}.part`
  try {
    const handle = await open(part, 'w', mode)
    try { await handle.writeFile(bytes); await handle.sync() } finally { await handle.close() }
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(path.dirname(file))
}

/** Makes what was renamed or linked in a folder outlast a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try { await handle.sync() } finally { await handle.close() }
}
