import type { FileHandle } from 'node:fs/promises'
import { Reader, Writer } from '@zip.js/zip.js'
import { SyncedWrites } from './synced-writes.ts'

/** Reads a ZIP from an open file, so that no whole file is ever in memory. The handle stays the caller's. */
export class FileZipReader extends Reader<FileHandle> {
  readonly #handle: FileHandle
  constructor(handle: FileHandle, sizeBytes: number) {
    super(handle)
    this.#handle = handle
    this.size = sizeBytes
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - index)))
    let done = 0
    while (done < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, index + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return bytes.subarray(0, done)
  }
}

/** Writes a ZIP into an open file from its start. The handle stays the caller's. */
export class FileZipWriter extends Writer<undefined> {
  readonly #handle: FileHandle
  readonly #synced: SyncedWrites
  #at = 0
  constructor(handle: FileHandle, onBytes: (bytes: number) => void) {
    super()
    this.#handle = handle
    this.#synced = new SyncedWrites(handle, onBytes)
  }

  override async writeUint8Array(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#at)
      done += bytesWritten
      this.#at += bytesWritten
    }
    await this.#synced.wrote(bytes.length)
  }
  override getData(): Promise<undefined> { return Promise.resolve(undefined) }
}
