import { SlotFile } from './slot-file.ts'
import type { SparseBytes } from './sparse-bytes.ts'

export type CallKind = 'read' | 'write' | 'sync' | 'zero' | 'open' | 'list' | 'text-read' | 'text-write' | 'look'

/** Sees each change of a slot file before it is made. The same bytes written again are none. */
export interface DiskWatcher {
  changing(disk: SimDisk, file: string, at: number, length: number): void
  /** Somebody was told in good time that what he wrote is on the medium. */
  synced(disk: SimDisk, file: string): void
  /** Somebody was told that a call on it failed. */
  failed(disk: SimDisk, file: string): void
}

/** Everything on a disk at one instant. */
export interface DiskImage { readonly files: ReadonlyMap<string, SparseBytes>, readonly texts: ReadonlyMap<string, string>, readonly folders: ReadonlySet<string> }

/** What ails a disk. Instants are of true time; what lies in the past is over. */
export class DiskTrouble {
  hungUntil = 0
  slowUntil = 0
  slowMs = 0
  faultyUntil = 0
  faultShare = 0
  faultKinds: ReadonlySet<CallKind> = new Set()
  readOnlyUntil = 0
  fullUntil = 0
  lyingUntil = 0

  #lastAt = -Infinity

  #until(): number { return Math.max(this.hungUntil, this.slowUntil, this.faultyUntil, this.readOnlyUntil, this.fullUntil) }
  isOver(now: number): boolean { return this.#until() <= now }
  /** When something ailed it last, or it was not there. */
  lastAt(now: number): number { return Math.max(this.#lastAt, Math.min(now, this.#until() === 0 ? -Infinity : this.#until())) }
  note(now: number): void { this.#lastAt = now }
  end(now: number): void {
    this.#lastAt = this.lastAt(now)
    this.hungUntil = this.slowUntil = this.faultyUntil = this.readOnlyUntil = this.fullUntil = this.lyingUntil = 0
  }
}

/** A physical disk with one file system on it. Paths are relative to its root. */
export class SimDisk {
  readonly name: string
  readonly files = new Map<string, SlotFile>()
  readonly texts = new Map<string, string>()
  readonly folders = new Set<string>([''])
  readonly trouble = new DiskTrouble()
  readonly #watcher: DiskWatcher
  /** Open files of before were cut off. */
  plugs = 0
  /** How many times anything went wrong with it. */
  faults = 0
  /** It belongs to another recorder. */
  isForeign = false
  /** Pulled out. */
  isAway = false

  constructor(name: string, watcher: DiskWatcher) {
    this.name = name
    this.#watcher = watcher
  }

  file(path: string): SlotFile | null { return this.files.get(path) ?? null }

  write(path: string, file: SlotFile, source: Buffer, at: number, now: number): void {
    const isSame = file.seen.slice(at, source.length).equals(source)
    if (!isSame) this.#watcher.changing(this, path, at, source.length)
    file.write(source, at, now)
  }
  zero(path: string, file: SlotFile, at: number, length: number, now: number): void {
    this.#watcher.changing(this, path, at, length)
    file.zero(at, length, now)
  }
  sync(path: string, file: SlotFile, upTo: number, { isLie, isLate }: { readonly isLie: boolean, readonly isLate: boolean }): void {
    if (isLie) file.lieAbout(upTo)
    else file.sync(upTo)
    if (!isLate) this.#watcher.synced(this, path)
  }

  fail(path: string): void { if (this.files.has(path)) this.#watcher.failed(this, path) }

  list(folder: string): string[] | null {
    if (!this.folders.has(folder)) return null
    const names = folder === '' ? [...this.texts.keys()] : [] // texts stand at the root, slots in folders of their own
    const prefix = folder === '' ? '' : `${folder}/`
    for (const name of this.folders) {
      if (name !== '' && name.startsWith(prefix) && !name.slice(prefix.length).includes('/')) names.push(name.slice(prefix.length))
    }
    return names.sort()
  }
  makeFolder(folder: string): void {
    const parts = folder.split('/')
    for (let i = 1; i <= parts.length; i++) this.folders.add(parts.slice(0, i).join('/'))
  }

  image(): DiskImage {
    return { files: new Map([...this.files].map(([name, file]) => [name, file.seen.copy()])), texts: new Map(this.texts), folders: new Set(this.folders) }
  }
  /** The same content under another identity. */
  restoreAs(image: DiskImage, file: string, text: string): void {
    for (const folder of image.folders) this.folders.add(folder)
    this.restore(image)
    this.texts.set(file, text)
  }
  /** Only while nothing uses the disk. */
  restore(image: DiskImage): void {
    for (const [name, bytes] of image.files) this.files.set(name, new SlotFile(bytes.sizeBytes, bytes.copy()))
    this.texts.clear()
    for (const [name, text] of image.texts) this.texts.set(name, text)
    this.plugs++
  }
}
