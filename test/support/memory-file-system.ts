import path from 'node:path'
import { StorageError, type FileStep, type MountFacts, type VolumeFile, type VolumeFileSystem } from '../../src/platform/file-system.ts'

/** What a disk writes as a whole or not at all. */
export const SECTOR_BYTES = 512

const ZERO_SECTOR = Buffer.alloc(SECTOR_BYTES)

/** A file as the kernel shows it, and every state its sectors went through since the last sync. */
class MemoryFile {
  readonly seen: Buffer
  readonly medium: Buffer
  /** Sectors that were written since the last sync, with each content they had; any of them, or the old one, may be on the medium. */
  readonly unsynced = new Map<number, Buffer[]>()

  constructor(sizeBytes: number) {
    this.seen = Buffer.alloc(sizeBytes)
    this.medium = Buffer.alloc(sizeBytes)
  }

  /** Null zeroes. */
  put(at: number, lengthBytes: number, source: Buffer | null): void {
    if (source === null) this.seen.fill(0, at, at + lengthBytes)
    else source.copy(this.seen, at)
    for (let sector = Math.floor(at / SECTOR_BYTES); sector * SECTOR_BYTES < at + lengthBytes; sector++) {
      const contents = this.unsynced.get(sector) ?? []
      const isZeroed = source === null && sector * SECTOR_BYTES >= at && (sector + 1) * SECTOR_BYTES <= at + lengthBytes
      contents.push(isZeroed ? ZERO_SECTOR : Buffer.from(this.seen.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)))
      this.unsynced.set(sector, contents)
    }
  }

  sync(): void {
    for (const [sector, contents] of this.unsynced) contents.at(-1)!.copy(this.medium, sector * SECTOR_BYTES)
    this.unsynced.clear()
  }
}

const clone = (from: MemoryFile, fill: (to: MemoryFile) => void): MemoryFile => {
  const to = new MemoryFile(from.seen.length)
  fill(to)
  to.medium.copy(to.seen)
  return to
}

/**
 * Volumes in memory. Keeps apart what the kernel shows and what the medium holds, so that a test can pull the plug.
 * Asserts its own rules: no write leaves its file, and no file is used after it was closed.
 */
export class MemoryFileSystem implements VolumeFileSystem {
  readonly #files: Map<string, MemoryFile>
  readonly #texts: Map<string, string>
  readonly #folders: Set<string>
  mount: MountFacts = { device: '/dev/memory', type: 'ext4', mountPoint: '/', readOnly: false }
  openFiles = 0

  constructor(files = new Map<string, MemoryFile>(), texts = new Map<string, string>(), folders = new Set<string>(['/'])) {
    this.#files = files
    this.#texts = texts
    this.#folders = folders
  }

  #copy(fill: (from: MemoryFile) => (to: MemoryFile) => void): MemoryFileSystem {
    const files = new Map([...this.#files].map(([name, file]) => [name, clone(file, fill(file))]))
    const copy = new MemoryFileSystem(files, new Map(this.#texts), new Set(this.#folders))
    copy.mount = this.mount
    return copy
  }

  /** The volumes as the next process finds them after this one was killed: the kernel still has every write. */
  afterKill(): MemoryFileSystem { return this.#copy(from => to => { from.seen.copy(to.medium) }) }

  /** A write-back that failed: the kernel tells it once, shows what was written, and forgets that the medium lacks it. */
  loseWriteBack(): void { for (const file of this.#files.values()) file.unsynced.clear() }

  /** The volumes after a power cut: of each sector that was not synced any content since, or the one before, in no order. */
  afterPowerCut(random: () => number): MemoryFileSystem {
    return this.#copy(from => to => {
      from.medium.copy(to.medium)
      for (const [sector, contents] of from.unsynced) {
        const choice = Math.floor(random() * (contents.length + 1))
        contents[choice]?.copy(to.medium, sector * SECTOR_BYTES) // one past the last: the old content stayed
      }
    })
  }

  /** The bytes of a file as the kernel shows them; a test may change them. */
  bytesOf(file: string): Buffer { return this.#file(file, 'test').seen }
  hasSlots(folder: string): boolean { return [...this.#files.keys()].some(name => name.startsWith(`${folder}/`)) }
  /** Takes a whole tree away, as a disk that is not there; `giveBack` mounts it again. */
  takeAway(folder: string): () => void {
    const under = (name: string) => name === folder || name.startsWith(`${folder}/`)
    const files = [...this.#files].filter(([name]) => under(name)), texts = [...this.#texts].filter(([name]) => under(name)), folders = [...this.#folders].filter(under)
    for (const [name] of files) this.#files.delete(name)
    for (const [name] of texts) this.#texts.delete(name)
    for (const name of folders) this.#folders.delete(name)
    return () => {
      for (const [name, file] of files) this.#files.set(name, file)
      for (const [name, text] of texts) this.#texts.set(name, text)
      for (const name of folders) this.#folders.add(name)
    }
  }

  #file(file: string, step: FileStep): MemoryFile {
    const found = this.#files.get(file)
    if (found === undefined) throw new StorageError('missing', step, file, undefined)
    return found
  }

  async open(file: string, mode: 'read' | 'read-write', step: FileStep): Promise<VolumeFile> {
    const memory = this.#file(file, step)
    let isOpen = true
    this.openFiles++
    const use = (what: FileStep) => { if (!isOpen) throw new TypeError(`${what} on ${file} after it was closed`) }
    return {
      read: async (target, position, what) => {
        use(what)
        return memory.seen.copy(target, 0, Math.min(position, memory.seen.length), Math.min(position + target.length, memory.seen.length))
      },
      write: async (source, position, what) => {
        use(what)
        if (mode === 'read') throw new TypeError(`${what}: ${file} is open for reading`)
        if (position < 0 || position + source.length > memory.seen.length) throw new TypeError(`${what} leaves ${file}: ${position} + ${source.length}`)
        memory.put(position, source.length, source)
      },
      datasync: async what => { use(what); memory.sync() },
      close: async () => {
        if (isOpen) this.openFiles--
        isOpen = false
      },
    }
  }

  async createAllocated(file: string, sizeBytes: number, step: FileStep): Promise<void> {
    if (this.#files.has(file)) throw new StorageError('exists', step, file, undefined)
    this.#files.set(file, new MemoryFile(sizeBytes))
  }
  async zeroRange(file: string, offset: number, lengthBytes: number, step: FileStep): Promise<void> {
    const memory = this.#file(file, step)
    if (offset < 0 || offset + lengthBytes > memory.seen.length) throw new TypeError(`${step} leaves ${file}`)
    memory.put(offset, lengthBytes, null)
  }
  async readText(file: string, maxBytes: number, step: FileStep): Promise<string> {
    const text = this.#texts.get(file)
    if (text === undefined) throw new StorageError('missing', step, file, undefined)
    if (Buffer.byteLength(text) > maxBytes) throw new StorageError('too-large', step, file, undefined)
    return text
  }
  async publishText(file: string, text: string): Promise<void> { this.#texts.set(file, text) }
  async appendTextDurably(file: string, text: string): Promise<void> { this.#texts.set(file, (this.#texts.get(file) ?? '') + text) }
  async list(folder: string, step: FileStep): Promise<string[]> {
    if (!this.#folders.has(folder)) throw new StorageError('missing', step, folder, undefined)
    const names = [...this.#files.keys(), ...this.#texts.keys(), ...this.#folders].filter(name => name.startsWith(`${folder}/`))
    return [...new Set(names.map(name => name.slice(folder.length + 1).split('/')[0]!))]
  }
  async makeFolder(folder: string): Promise<void> { for (let at = folder; !this.#folders.has(at); at = path.dirname(at)) this.#folders.add(at) }
  async syncFolder(): Promise<void> { /* names are durable at once: their loss is the real file system's test */ }
  async mountOf(): Promise<MountFacts> { return this.mount }
  async freeBytes(): Promise<number> { return 1 << 30 }
}
