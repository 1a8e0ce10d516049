import { open } from 'node:fs/promises'
import { openAsBlob } from 'node:fs'
import path from 'node:path'
import { openSource } from './package-source.ts'

export interface ZipOptions {
  /** For carriage only (E15): AES-256. Told to the recipient by another way; kept nowhere here. */
  readonly password: string | null
  /** Written, as they are. */
  readonly onBytes: (bytes: number) => void
}
export const PASSWORD_LEAST_CHARS = 12

/** The package as one ZIP, its folder inside: stored, zip64 where it must be, so that opening it gives the very files. Synced on return; what failed is the caller's to remove. Throws the error of the file system. */
export async function zipPackage(folder: string, file: string, { password, onBytes }: ZipOptions): Promise<void> {
  const [{ ZipWriter }, { FileZipWriter }] = await Promise.all([import('@zip.js/zip.js'), import('./zip-io.ts')]) // loaded at the first ZIP: the recorder that makes none need not hold them
  await using source = await openSource(folder)
  const handle = await open(file, 'wx', 0o600)
  try {
    const zip = new ZipWriter(new FileZipWriter(handle, onBytes), { level: 0, useWebWorkers: false, keepOrder: true, bufferedWrite: false, ...(password === null ? {} : { password, encryptionStrength: 3 as const }) })
    for (const name of [...source.files.keys()].sort()) {
      const blob = await openAsBlob(path.join(folder, name))
      await zip.add(`${path.basename(folder)}/${name}`, blob.stream())
    }
    await zip.close()
    await handle.sync()
  } finally { await handle.close() }
}
