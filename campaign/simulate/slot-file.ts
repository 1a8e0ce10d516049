import { isZero, PAGE, SparseBytes } from './sparse-bytes.ts'

/** What a disk writes as a whole or not at all. */
const SECTOR_BYTES = 512

/**
 * A change that the kernel shows and the medium may lack. `data` null zeroes. `isLost`: its write-back
 * failed.
 */
interface Change {
  readonly at: number, readonly length: number, readonly data: Buffer | null
  readonly serial: number
  /** True time. */
  readonly madeAt: number
  isLost: boolean, isLiedAbout: boolean
}

export type CutStyle = 'nothing' | 'everything' | 'in-order' | 'any'

/** A file as the kernel shows it, what of it is on the medium, and each change between the two. */
export class SlotFile {
  seen: SparseBytes
  #medium: SparseBytes
  #unsynced: Change[] = []
  #hasLost = false
  #serial = 0

  constructor(sizeBytes: number, content?: SparseBytes) {
    this.seen = content ?? new SparseBytes(sizeBytes)
    this.#medium = this.seen.copy()
  }

  get sizeBytes(): number { return this.seen.sizeBytes }
  /** Number of the newest change; a sync that begins now covers those up to it. */
  get newest(): number { return this.#serial }
  /** The medium has it all. */
  get isClean(): boolean { return this.#unsynced.length === 0 && !this.#hasLost }

  write(source: Buffer, at: number, now: number): void {
    this.seen.write(source, at)
    this.#unsynced.push({ at, length: source.length, data: Buffer.from(source), serial: ++this.#serial, madeAt: now, isLost: false, isLiedAbout: false })
  }
  zero(at: number, length: number, now: number): void {
    this.seen.zero(at, length)
    this.#unsynced.push({ at, length, data: null, serial: ++this.#serial, madeAt: now, isLost: false, isLiedAbout: false })
  }

  /** The changes up to this one are on the medium from now on. */
  sync(upTo: number): void {
    const kept: Change[] = []
    for (const change of this.#unsynced) {
      if (change.serial > upTo) kept.push(change)
      else if (!change.isLost) apply(this.#medium, change)
    }
    this.#unsynced = kept
  }

  /**
   * What the kernel has written by itself, for it was made before `beforeMs`; unless the disk lied about
   * it.
   */
  writeBack(beforeMs: number): void {
    const young = this.#unsynced.find(change => change.madeAt >= beforeMs || change.isLiedAbout)
    this.sync(young === undefined ? this.#serial : young.serial - 1)
  }

  /**
   * A write-back that failed: the kernel forgets that these pages were dirty, tells it once, and shows them
   * on.
   */
  loseUnsynced(upTo: number): void {
    for (const change of this.#unsynced) if (change.serial <= upTo) { change.isLost = true; this.#hasLost = true }
  }
  /** The disk says that it has them and has not. */
  lieAbout(upTo: number): void {
    for (const change of this.#unsynced) if (change.serial <= upTo) change.isLiedAbout = true
  }
  /** Whether the medium has what the kernel shows. */
  isOnMedium(at: number, length: number): boolean { return this.isClean || this.seen.slice(at, length).equals(this.#medium.slice(at, length)) }
  get wasLiedAbout(): boolean { return this.#unsynced.some(change => change.isLiedAbout) }

  /** Power is lost: of each sector that was not synced any content since, or the one before, by `style`. */
  cut(style: CutStyle, random: () => number): void {
    const changes = this.#unsynced.filter(change => !change.isLost)
    this.#unsynced = []
    const whole = style === 'everything' ? changes.length : style === 'in-order' ? Math.floor(random() * (changes.length + 1)) : 0
    for (const change of changes.slice(0, whole)) apply(this.#medium, change)
    if (style === 'any') this.#mix(changes, random)
    this.seen = this.#medium.copy()
    this.#hasLost = false
  }

  #mix(changes: readonly Change[], random: () => number): void {
    const contents = new Map<number, Buffer[]>()
    const latest = (sector: number): Buffer => contents.get(sector)?.at(-1) ?? this.#medium.slice(sector * SECTOR_BYTES, SECTOR_BYTES)
    for (const change of changes) {
      for (const sector of this.#sectorsOf(change, contents)) {
        const before = latest(sector)
        const after = Buffer.from(before)
        const from = Math.max(change.at, sector * SECTOR_BYTES), to = Math.min(change.at + change.length, (sector + 1) * SECTOR_BYTES)
        if (change.data === null) after.fill(0, from - sector * SECTOR_BYTES, to - sector * SECTOR_BYTES)
        else change.data.copy(after, from - sector * SECTOR_BYTES, from - change.at, to - change.at)
        if (after.equals(before)) continue
        const known = contents.get(sector)
        if (known === undefined) contents.set(sector, [after])
        else known.push(after)
      }
    }
    for (const [sector, states] of contents) {
      const chosen = states[Math.floor(random() * (states.length + 1))] // one past the last: the old content stayed
      if (chosen !== undefined) this.#medium.write(chosen, sector * SECTOR_BYTES)
    }
  }

  /** Sectors that the change may alter: of a zeroing only those that hold anything. */
  #sectorsOf({ at, length, data }: Change, touched: ReadonlyMap<number, unknown>): number[] {
    const first = Math.floor(at / SECTOR_BYTES), end = Math.ceil((at + length) / SECTOR_BYTES)
    if (data !== null) {
      return Array.from({ length: end - first }, (_, i) => first + i).filter(sector => {
        const part = data.subarray(Math.max(0, sector * SECTOR_BYTES - at), Math.min(length, (sector + 1) * SECTOR_BYTES - at))
        return !isZero(part) || touched.has(sector) || !isZero(this.#medium.slice(sector * SECTOR_BYTES, SECTOR_BYTES))
      })
    }
    const found = new Set([...touched.keys()].filter(sector => sector >= first && sector < end))
    for (const page of this.#medium.pagesIn(at, at + length)) {
      for (let i = 0; i < PAGE / SECTOR_BYTES; i++) {
        const sector = page * PAGE / SECTOR_BYTES + i
        if (sector >= first && sector < end) found.add(sector)
      }
    }
    return [...found].sort((a, b) => a - b)
  }
}

function apply(target: SparseBytes, { at, length, data }: Change): void {
  if (data === null) target.zero(at, length)
  else target.write(data, at)
}
