import path from 'node:path'
import type { SlotNumber } from '../domain/index.ts'
import type { VolumeFile, VolumeFileSystem } from '../platform/file-system.ts'
import { decodeRecord, readSlot, type IndexEntry, type SlotFootage } from '../slots/index.ts'
import { SegmentGoneError } from './errors.ts'
import type { SegmentKey, SegmentRow } from './segment.ts'

/** Who has one keeps a slot generation from reuse, as long as it renews it. The holder's to dispose of. */
export interface Lease extends AsyncDisposable {
  /** False when it lapsed: what is read from now on may belong to another generation. */
  renew(): boolean
}
/** After the last renewal; a reader that is alive renews with every read. */
export const LEASE_LAPSE_MS = 60_000
/** Where leases are to be had. */
export interface Leases { take(segment: SegmentKey): Lease }

/** What is known of a volume by who reads one of its slots. */
export interface SlotPlace { readonly path: string, readonly identity: { readonly slotSizeBytes: number } }

const SLOTS_PER_FOLDER = 1000 // keeps a listing short on a volume of 100,000 slots

export function slotPath(volume: Pick<SlotPlace, 'path'>, slot: SlotNumber): string {
  const folder = String(Math.floor(slot / SLOTS_PER_FOLDER)).padStart(4, '0')
  return path.join(volume.path, 'slots', folder, `${String(slot).padStart(7, '0')}.mp4`)
}

/** Reads the records of one slot generation. `SegmentReader` is one. The caller's to dispose of. */
export interface RecordReader extends AsyncDisposable {
  readonly footage: SlotFootage
  /** The record's bytes as they were recorded. Throws SegmentGoneError. */
  read(position: number): Promise<Buffer>
}

/**
 * Every record is checked against slot, generation, sequence and CRC after it was read, so that bytes of a
 * later use never come out.
 */
export class SegmentReader implements RecordReader {
  readonly footage: SlotFootage
  readonly #file: VolumeFile
  readonly #lease: Lease | null

  private constructor(file: VolumeFile, footage: SlotFootage, lease: Lease | null) {
    this.#file = file
    this.footage = footage
    this.#lease = lease
  }

  /**
   * `leases` is null for a reader outside the recorder, which has no say in reuse and relies on the check
   * alone. Throws SegmentGoneError, StorageError.
   */
  static async open(
    fs: VolumeFileSystem, volume: SlotPlace, key: SegmentKey & Partial<Pick<SegmentRow, 'usedBytes'>>,
    leases: Leases | null,
  ): Promise<SegmentReader> {
    const lease = leases?.take(key) ?? null
    try {
      const file = await fs.open(slotPath(volume, key.slot), 'read', 'read open')
      try {
        const content = await readSlot(file, volume.identity.slotSizeBytes)
        if (content.kind !== 'footage' || !isOf(content, key)) throw new SegmentGoneError(`slot ${key.slot} no longer holds generation ${key.generation}`)
        return new SegmentReader(file, withinClaim(content, key.usedBytes ?? null), lease)
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      await lease?.[Symbol.asyncDispose]()
      throw error
    }
  }

  /**
   * Throws SegmentGoneError when the slot was given to another generation meanwhile, or the bytes rotted.
   */
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

/** Also the volume's own mark: a disk may have been exchanged under its mount point. */
const isOf = ({ header }: SlotFootage, key: SegmentKey): boolean => header.volumeUuid === key.volumeUuid && header.slot === key.slot && header.generation === key.generation

/** A slot that failed may hold more than its row claims: the same fragment was then written to another slot too, or its loss is a gap. */
function withinClaim(footage: SlotFootage, usedBytes: number | null): SlotFootage {
  return usedBytes === null || footage.sealed !== null ? footage : { ...footage, entries: footage.entries.filter(entry => entry.at + entry.sizeBytes <= usedBytes) }
}
