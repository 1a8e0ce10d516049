import { RetryableError } from '../domain/index.ts'
import type { VolumeFile, VolumeFileSystem } from '../platform/file-system.ts'
import type { Lease, LeaseTable } from './leases.ts'
import { decodeRecord, type IndexEntry } from './slot-format.ts'
import { readSlot, type SlotFootage } from './slot-walk.ts'
import type { SegmentKey } from './tables/segments.ts'
import { slotPath, type Volume } from './volume.ts'

/** The footage that was asked for was overwritten, or never was there. */
export class SegmentGoneError extends RetryableError {
  constructor(why: string) { super('CUSTOS_SEGMENT_GONE', why, { remedy: 'Ask again: the ring has moved on.' }) }
}

/** Reads one slot generation. Every record is checked against slot, generation, sequence and CRC after it was read, so that bytes of a later use never come out. */
export class SegmentReader implements AsyncDisposable {
  readonly footage: SlotFootage
  readonly #file: VolumeFile
  readonly #lease: Lease | null

  private constructor(file: VolumeFile, footage: SlotFootage, lease: Lease | null) {
    this.#file = file
    this.footage = footage
    this.#lease = lease
  }

  /** `leases` is null for a reader outside the recorder, which has no say in reuse and relies on the check alone. Throws SegmentGoneError, StorageError. */
  static async open(fs: VolumeFileSystem, volume: Volume, key: SegmentKey, leases: LeaseTable | null): Promise<SegmentReader> {
    const lease = leases?.take(key) ?? null
    try {
      const file = await fs.open(slotPath(volume, key.slot), 'read', 'read open')
      try {
        const content = await readSlot(file, volume.identity.slotSizeBytes)
        if (content.kind !== 'footage' || content.header.generation !== key.generation) throw new SegmentGoneError(`slot ${key.slot} no longer holds generation ${key.generation}`)
        return new SegmentReader(file, content, lease)
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      await lease?.[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The record's bytes as they were recorded. Throws SegmentGoneError when the slot was given to another generation meanwhile, or the bytes rotted. */
  async read(position: number): Promise<Buffer> {
    const entry: IndexEntry | undefined = this.footage.entries[position]
    if (entry === undefined) throw new RangeError(`no record ${position}`)
    if (this.#lease?.renew() === false) throw new SegmentGoneError('the lease lapsed')
    const record = Buffer.allocUnsafe(entry.sizeBytes)
    await this.#file.read(record, entry.at, 'read segment')
    const label = decodeRecord(record)
    const { slot, generation } = this.footage.header
    if (label === null || label.slot !== slot || label.generation !== generation || label.sequence !== position) {
      throw new SegmentGoneError(`record ${position} of slot ${slot}, generation ${generation} does not hold`)
    }
    return record
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
    await this.#lease?.[Symbol.asyncDispose]()
  }
}
