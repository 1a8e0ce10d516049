import path from 'node:path'
import { isoOf } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import type { Volume } from './volume.ts'

/** At a volume's root: whether slots were filled there that the catalogue had not entered yet. */
export const UNENTERED_FILE = 'custos-unentered.json'
const MAX_FILE_BYTES = 4096

/**
 * Says on the volumes that recording goes on without the catalogue. A start that finds the mark enters
 * footage that stands in free slots; without it such footage means that
 * the catalogue came from a backup, and the volume is refused.
 */
export class UnenteredMark {
  readonly #fs: VolumeFileSystem
  readonly #clock: Clock
  readonly #log: Logger
  readonly #marked = new Set<string>()
  #last: Promise<void> = Promise.resolve()

  constructor({ fs, clock, log }: { readonly fs: VolumeFileSystem, readonly clock: Clock, readonly log: Logger }) {
    this.#fs = fs
    this.#clock = clock
    this.#log = log
  }

  /** On return the mark is durable on each of them that can take it. Never throws. */
  set(volumes: readonly Volume[]): Promise<void> {
    if (volumes.every(({ identity }) => this.#marked.has(identity.uuid))) return this.#last
    return this.#afterLast(async () => {
      await Promise.all(volumes.filter(({ identity }) => !this.#marked.has(identity.uuid)).map(volume => this.#publish(volume, true)))
    })
  }

  /** All that was recorded is entered. Never throws. */
  clear(volumes: readonly Volume[]): Promise<void> {
    return this.#afterLast(async () => { await Promise.all(volumes.filter(({ identity }) => this.#marked.has(identity.uuid)).map(volume => this.#publish(volume, false))) })
  }

  /** Resolves when what was begun is written. */
  settled(): Promise<void> { return this.#last }

  #afterLast(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work)
    return this.#last
  }

  async #publish(volume: Volume, isUnentered: boolean): Promise<void> {
    try {
      await this.#fs.publishText(path.join(volume.path, UNENTERED_FILE), `${JSON.stringify({ format: 1, unentered: isUnentered, at: isoOf(this.#clock.wallNow()) })}\n`, 'unentered mark')
      if (isUnentered) this.#marked.add(volume.identity.uuid)
      else this.#marked.delete(volume.identity.uuid)
    } catch (error) { this.#log.error({ err: error, volume: volume.identity.id }, 'the volume could not be marked as ahead of the catalogue') }
  }

  /** Whether the volume is marked. Throws StorageError where that cannot be read. */
  async read(volume: Volume): Promise<boolean> {
    try {
      const { unentered } = JSON.parse(await this.#fs.readText(path.join(volume.path, UNENTERED_FILE), MAX_FILE_BYTES, 'unentered mark')) as { unentered?: unknown }
      if (unentered === true) this.#marked.add(volume.identity.uuid)
      return unentered === true
    } catch (error) {
      if (error instanceof StorageError && error.fault !== 'missing') throw error
      return false
    }
  }
}
