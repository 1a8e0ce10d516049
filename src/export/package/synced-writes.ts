import type { FileHandle } from 'node:fs/promises'

const SYNC_EVERY_BYTES = 32 << 20

/** Syncs a file that is being written every so often: a slow medium is told as slow while it is written, and not as hung in one long sync at the end. */
export class SyncedWrites {
  readonly #handle: FileHandle
  readonly #onBytes: (bytes: number) => void
  #unsynced = 0
  constructor(handle: FileHandle, onBytes: (bytes: number) => void) {
    this.#handle = handle
    this.#onBytes = onBytes
  }

  async wrote(bytes: number): Promise<void> {
    this.#unsynced += bytes
    if (this.#unsynced >= SYNC_EVERY_BYTES) {
      await this.#handle.sync()
      this.#unsynced = 0
    }
    this.#onBytes(bytes)
  }
}
