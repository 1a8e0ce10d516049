import { statfsSync } from 'node:fs'

/** One commit of the catalogue and the index that processes share want this much. */
const LEAST_BYTES = 128 * 1024

/**
 * Whether the disk of the state folder has no room: no space for who is not root, or no file can be made. A
 * file system that counts no files has always one more. False where it cannot be asked.
 */
export function isStateDiskFull(stateDir: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(stateDir)
    return bavail * bsize < LEAST_BYTES || (files > 0 && ffree === 0)
  } catch { return false }
}
