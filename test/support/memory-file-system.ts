import path from 'node:path'
import { StorageError, type FileStep, type MountFacts, type VolumeFile, type VolumeFileSystem } from '../../src/platform/file-system.ts'

/** What a disk writes as a whole or not at all. */
export const SECTOR_BYTES = 512

/** Some sectors in a row, as they were before they were written. */
interface Before { readonly firstSector: number, readonly bytes: Buffer }

const sectorIn = ({ firstSector, bytes }: Before, sector: number): Buffer => {
  const at = (sector - firstSector) * SECTOR_BYTES
  return bytes.subarray(at, at + SECTOR_BYTES)
}
function* sectorsOf({ firstSector, bytes }: Before): Iterable<number> {
  for (let i = 0; i * SECTOR_BYTES < bytes.length; i++) yield firstSector + i
}

/** All of it is written before anybody reads it. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/**
 * A file as the kernel shows it, and every state its sectors went through since the last sync. What is not
 * kept here is on the medium as it is seen.
 */
class MemoryFile {
  readonly seen: Buffer
  /** What each write since the last sync covered, in their order. */
  #unsynced: Before[] = []
  /** What the medium holds of sectors whose write-back was lost. */
  readonly #lacking = new Map<number, Buffer>()

  constructor(seen: Buffer) { this.seen = seen }

  /** Null zeroes. */
  put(at: number, lengthBytes: number, source: Buffer | null): void {
    const firstSector = Math.floor(at / SECTOR_BYTES), end = Math.ceil((at + lengthBytes) / SECTOR_BYTES)
    const covered = this.seen.subarray(firstSector * SECTOR_BYTES, end * SECTOR_BYTES)
    this.#unsynced.push({ firstSector, bytes: copyOf(covered) })
    if (source === null) this.seen.fill(0, at, at + lengthBytes)
    else source.copy(this.seen, at)
  }

  sync(): void {
    if (this.#lacking.size > 0) for (const [sector] of this.#states()) this.#lacking.delete(sector)
    this.#unsynced = []
  }

  loseWriteBack(): void {
    for (const [sector, [medium]] of this.#states()) this.#lacking.set(sector, medium!)
    this.#unsynced = []
  }

  /** Of each sector that was written since the last sync, in the order of their first writes, what the medium holds, and what it had since. */
  #states(): Map<number, Buffer[]> {
    const states = new Map<number, Buffer[]>()
    for (const before of this.#unsynced) {
      for (const sector of sectorsOf(before)) {
        const known = states.get(sector)
        if (known === undefined) states.set(sector, [this.#lacking.get(sector) ?? sectorIn(before, sector)])
        else known.push(sectorIn(before, sector))
      }
    }
    for (const [sector, known] of states) {
      known.push(this.seen.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES))
    }
    return states
  }

  afterKill(): MemoryFile { return new MemoryFile(copyOf(this.seen)) }

  afterPowerCut(random: () => number): MemoryFile {
    const medium = copyOf(this.seen)
    for (const [sector, bytes] of this.#lacking) bytes.copy(medium, sector * SECTOR_BYTES)
    for (const [sector, [before, ...contents]] of this.#states()) {
      const choice = Math.floor(random() * (contents.length + 1))
      const content = contents[choice] ?? before! // one past the last: the old content stayed
      content.copy(medium, sector * SECTOR_BYTES)
    }
    return new MemoryFile(medium)
  }
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

  #copy(copied: (file: MemoryFile) => MemoryFile): MemoryFileSystem {
    const files = new Map([...this.#files].map(([name, file]) => [name, copied(file)]))
    const copy = new MemoryFileSystem(files, new Map(this.#texts), new Set(this.#folders))
    copy.mount = this.mount
    return copy
  }

  /** The volumes as the next process finds them after this one was killed: the kernel still has every write. */
  afterKill(): MemoryFileSystem { return this.#copy(file => file.afterKill()) }

  /** A write-back that failed: the kernel tells it once, shows what was written, and forgets that the medium lacks it. */
  loseWriteBack(): void { for (const file of this.#files.values()) file.loseWriteBack() }

  /** The volumes after a power cut: of each sector that was not synced any content since, or the one before, in no order. */
  afterPowerCut(random: () => number): MemoryFileSystem {
    return this.#copy(file => file.afterPowerCut(random))
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
    this.#files.set(file, new MemoryFile(Buffer.alloc(sizeBytes)))
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
