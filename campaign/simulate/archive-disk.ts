import path from 'node:path'
import type { ArchiveDisk, FreshFile, StoredFile } from '../../src/archive/index.ts'
import { StorageError, type FileStep, type MountFacts } from '../../src/platform/file-system.ts'
import type { Life } from './life.ts'

/** Sees what becomes of archived items. */
export interface ArchiveWatcher {
  /** The file is being removed, renamed or written over. */
  touching(file: string): void
}

/** The archive's volume and the folder of its keys: what was written is there whichever process dies. */
export class ArchiveMedium {
  readonly files = new Map<string, Buffer>()
  readonly folders = new Set<string>(['/', '/archive'])
  readonly watcher: ArchiveWatcher
  constructor(watcher: ArchiveWatcher) { this.watcher = watcher }
}

/**
 * The archive's disk as one process uses it. Each call counts, and takes no time: the process may die at
 * any.
 */
export class ProcessArchiveDisk implements ArchiveDisk {
  readonly #medium: ArchiveMedium
  readonly #life: Life
  constructor(medium: ArchiveMedium, life: Life) {
    this.#medium = medium
    this.#life = life
  }

  async #call<Result>(step: FileStep, apply: () => Result): Promise<Result> {
    const forEver = new Promise<never>(() => undefined)
    if (this.#life.isGone || this.#life.begins(step)) return await forEver
    const result = apply()
    return this.#life.ended(step) ? await forEver : result
  }
  #file(file: string, step: FileStep): Buffer {
    const content = this.#medium.files.get(file)
    if (content === undefined) throw new StorageError('missing', step, file, undefined)
    return content
  }

  mountOf(folder: string, step: FileStep): Promise<MountFacts> {
    return this.#call(step, () => ({ device: '/dev/archive', type: 'ext4', mountPoint: folder, readOnly: false }))
  }
  freeBytes(_folder: string, step: FileStep): Promise<number> { return this.#call(step, () => 2 ** 40) }
  list(folder: string, step: FileStep): Promise<string[]> {
    return this.#call(step, () => {
      if (!this.#medium.folders.has(folder)) throw new StorageError('missing', step, folder, undefined)
      const inside = [...this.#medium.files.keys(), ...this.#medium.folders].filter(name => path.dirname(name) === folder && name !== folder)
      return inside.map(name => path.basename(name)).sort()
    })
  }
  makeFolder(folder: string, step: FileStep): Promise<void> {
    return this.#call(step, () => { for (let at = folder; !this.#medium.folders.has(at); at = path.dirname(at)) this.#medium.folders.add(at) })
  }
  async create(file: string, step: FileStep): Promise<FreshFile> {
    await this.#call(step, () => {
      if (this.#medium.files.has(file)) throw new StorageError('exists', step, file, undefined)
      this.#medium.files.set(file, Buffer.alloc(0))
    })
    return {
      write: (source, what) => this.#call(what, () => { this.#medium.files.set(file, Buffer.concat([this.#file(file, what), source])) }),
      sync: what => this.#call(what, () => undefined),
      close: () => Promise.resolve(),
    }
  }
  open(file: string, step: FileStep): Promise<StoredFile> {
    return this.#call(step, () => {
      const content = this.#file(file, step)
      return {
        sizeBytes: content.length, close: () => Promise.resolve(),
        read: (target: Buffer, position: number, what: FileStep) => this.#call(what, () => content.copy(target, 0, position, position + target.length)),
      }
    })
  }
  readAll(file: string, maxBytes: number, step: FileStep): Promise<Buffer> {
    return this.#call(step, () => {
      const content = this.#file(file, step)
      if (content.length > maxBytes) throw new StorageError('other', step, file, undefined)
      return Buffer.from(content)
    })
  }
  publish(file: string, content: Buffer, step: FileStep): Promise<void> {
    return this.#call(step, () => { this.#medium.files.set(file, Buffer.from(content)) })
  }
  rename(from: string, to: string, step: FileStep): Promise<void> {
    return this.#call(step, () => {
      const { files, folders, watcher } = this.#medium
      const moved = (name: string): string | null => name === from ? to : name.startsWith(`${from}/`) ? to + name.slice(from.length) : null
      for (const [name, content] of [...files]) {
        const target = moved(name)
        if (target === null) continue
        watcher.touching(name)
        files.delete(name)
        files.set(target, content)
      }
      for (const name of [...folders]) {
        const target = moved(name)
        if (target !== null) { folders.delete(name); folders.add(target) }
      }
    })
  }
  wipe(file: string, step: FileStep): Promise<void> { return this.remove(file, step) }
  remove(file: string, step: FileStep): Promise<void> {
    return this.#call(step, () => {
      this.#medium.watcher.touching(file)
      this.#medium.files.delete(file)
    })
  }
  removeFolder(folder: string, step: FileStep): Promise<void> { return this.#call(step, () => { this.#medium.folders.delete(folder) }) }
  syncFolder(_folder: string, step: FileStep): Promise<void> { return this.#call(step, () => undefined) }
  sizeOf(file: string, step: FileStep): Promise<number | null> { return this.#call(step, () => this.#medium.files.get(file)?.length ?? null) }
}
