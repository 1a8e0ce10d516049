import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { realFileSystem, StorageError, storageError, type FileStep, type MountFacts } from '../platform/file-system.ts'

/** A new file that is written from front to back. */
export interface FreshFile {
  write(source: Buffer, step: FileStep): Promise<void>
  sync(step: FileStep): Promise<void>
  close(): Promise<void>
}
export interface StoredFile {
  readonly sizeBytes: number
  /** Fewer than asked for only at the end of the file. */
  read(target: Buffer, position: number, step: FileStep): Promise<number>
  close(): Promise<void>
}

/** The only door to the files of the archive and its keys. Each call names its step, so that a test can break exactly one; every failure is a StorageError. */
export interface ArchiveDisk {
  mountOf(folder: string, step: FileStep): Promise<MountFacts>
  freeBytes(folder: string, step: FileStep): Promise<number>
  list(folder: string, step: FileStep): Promise<string[]>
  makeFolder(folder: string, step: FileStep): Promise<void>
  create(file: string, step: FileStep): Promise<FreshFile>
  open(file: string, step: FileStep): Promise<StoredFile>
  /** At most `maxBytes`; longer files are a fault of kind 'other'. */
  readAll(file: string, maxBytes: number, step: FileStep): Promise<Buffer>
  /** Write beside, sync, rename, sync the folder; mode 0600. One call at a time for a file. */
  publish(file: string, content: Buffer, step: FileStep): Promise<void>
  rename(from: string, to: string, step: FileStep): Promise<void>
  /** For a key: overwritten where it stands, synced, removed. Fine when it is gone already. */
  wipe(file: string, step: FileStep): Promise<void>
  /** Fine when it is gone already. */
  remove(file: string, step: FileStep): Promise<void>
  /** An empty one; fine when it is gone already. */
  removeFolder(folder: string, step: FileStep): Promise<void>
  syncFolder(folder: string, step: FileStep): Promise<void>
  /** Null when there is none. */
  sizeOf(file: string, step: FileStep): Promise<number | null>
}

const unlessGone = (error: unknown): void => { if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error }

async function writeAll(handle: fs.FileHandle, source: Buffer): Promise<void> {
  let done = 0
  while (done < source.length) done += (await handle.write(source, done, source.length - done)).bytesWritten
}

export const realArchiveDisk: ArchiveDisk = {
  mountOf: (folder, step) => realFileSystem.mountOf(folder, step),
  freeBytes: (folder, step) => realFileSystem.freeBytes(folder, step),
  list: (folder, step) => realFileSystem.list(folder, step),
  syncFolder: (folder, step) => realFileSystem.syncFolder(folder, step),
  async makeFolder(folder, step) { await fs.mkdir(folder, { recursive: true, mode: 0o700 }).catch(storageError(step, folder)) },

  async create(file, step) {
    const handle = await fs.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600).catch(storageError(step, file))
    return {
      write: async (source, what) => { await writeAll(handle, source).catch(storageError(what, file)) },
      sync: async what => { await handle.sync().catch(storageError(what, file)) },
      close: () => handle.close(),
    }
  },

  async open(file, step) {
    const handle = await fs.open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch(storageError(step, file))
    try {
      const { size } = await handle.stat()
      return {
        sizeBytes: size, close: () => handle.close(),
        async read(target, position, what) {
          let done = 0
          while (done < target.length) {
            const { bytesRead } = await handle.read(target, done, target.length - done, position + done).catch(storageError(what, file))
            if (bytesRead === 0) break
            done += bytesRead
          }
          return done
        },
      }
    } catch (error) {
      await handle.close()
      return storageError(step, file)(error)
    }
  },

  async readAll(file, maxBytes, step) {
    const stored = await this.open(file, step)
    try {
      if (stored.sizeBytes > maxBytes) throw new StorageError('other', step, file, new RangeError(`it has ${stored.sizeBytes} bytes`))
      const content = Buffer.alloc(stored.sizeBytes)
      return content.subarray(0, await stored.read(content, 0, step))
    } finally { await stored.close() }
  },

  async publish(file, content, step) {
    const part = `${file}.${process.pid}.part`
    await fs.rm(part, { force: true }).catch(storageError(step, file)) // of a predecessor with this pid
    const fresh = await this.create(part, step)
    try { await fresh.write(content, step); await fresh.sync(step) } finally { await fresh.close() }
    await fs.rename(part, file).catch(storageError(step, file))
    await this.syncFolder(path.dirname(file), step)
  },

  async rename(from, to, step) { await fs.rename(from, to).catch(storageError(step, to)) },
  async wipe(file, step) {
    const handle = await fs.open(file, constants.O_WRONLY | constants.O_NOFOLLOW).catch((error: unknown) => { unlessGone(error); return null }).catch(storageError(step, file))
    if (handle !== null) {
      try {
        await writeAll(handle, randomBytes((await handle.stat()).size)).catch(storageError(step, file))
        await handle.sync().catch(storageError(step, file))
      } finally { await handle.close() }
    }
    await this.remove(file, step)
    await this.syncFolder(path.dirname(file), step)
  },
  async remove(file, step) { await fs.unlink(file).catch(unlessGone).catch(storageError(step, file)) },
  async removeFolder(folder, step) { await fs.rmdir(folder).catch(unlessGone).catch(storageError(step, folder)) },
  async sizeOf(file, step) {
    const facts = await fs.lstat(file).catch((error: unknown) => { unlessGone(error); return null }).catch(storageError(step, file))
    return facts === null || !facts.isFile() ? null : facts.size
  },
}
