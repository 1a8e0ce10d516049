import { closeSync, constants, openSync } from 'node:fs'
import path from 'node:path'

/** Below the state folder: what the office and commands say to the recorder. */
export const LINK_FILE = 'link.sock'

/**
 * Runs `use` with a path to a socket in `folder` that is short enough for the kernel, which takes 107 bytes,
 * however deep the folder lies. Throws the error of opening the folder.
 */
export async function withSocketPath<Result>(folder: string, use: (file: string) => Promise<Result>): Promise<Result> {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try { return await use(path.join('/proc/self/fd', String(descriptor), LINK_FILE)) } finally { closeSync(descriptor) }
}
