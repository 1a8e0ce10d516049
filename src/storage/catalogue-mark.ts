import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { isoOf, type EpochMs, type VolumeUuid } from '../domain/index.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { markTable } from './tables/marks.ts'
import type { slotTable } from './tables/slots.ts'
import type { Volume } from './volume.ts'

/** At a volume's root: which start of which catalogue used it last. */
export const MARK_FILE = 'custos-catalogue.json'
const MAX_FILE_BYTES = 4096

/** The file as it was found. `damaged` is a file that this program did not write. */
export type FoundMark = { readonly kind: 'none' } | { readonly kind: 'damaged' } | { readonly kind: 'start', readonly startId: string }

/** `doubtful`: the file is gone or spoilt where one should be; nothing says that the catalogue is old, so its slots are asked. */
export type MarkVerdict = 'agrees' | 'doubtful' | 'unknown-start' | 'older-volume'

/**
 * Whether this catalogue is the one that the volume was last used with. Pure.
 * `startNo`: number of the start named on the volume among those the catalogue remembers, null when it remembers no such start; `markedNo`: the one it believes to be there.
 * Counting starts would not do: a backup that is restored and started counts up to the same number again.
 */
export function judgeMark(found: FoundMark, startNo: number | null, markedNo: number | null): MarkVerdict {
  if (found.kind !== 'start') return markedNo === null && found.kind === 'none' ? 'agrees' : 'doubtful'
  if (startNo === null) return 'unknown-start'
  return markedNo !== null && startNo < markedNo ? 'older-volume' : 'agrees'
}

export async function readMark(fs: VolumeFileSystem, volume: Volume): Promise<FoundMark> {
  try {
    const raw = JSON.parse(await fs.readText(path.join(volume.path, MARK_FILE), MAX_FILE_BYTES, 'mark read')) as { format?: unknown, start?: unknown }
    return raw.format === 1 && typeof raw.start === 'string' && /^[0-9a-f]{32}$/.test(raw.start) ? { kind: 'start', startId: raw.start } : { kind: 'damaged' }
  } catch (error) {
    if (error instanceof StorageError && error.fault === 'missing') return { kind: 'none' }
    if (error instanceof StorageError) throw error
    return { kind: 'damaged' } // no JSON
  }
}

interface MarkTables { readonly slots: ReturnType<typeof slotTable>, readonly marks: ReturnType<typeof markTable> }

/** For whoever writes to a volume beside the recorder: whether this catalogue knows the volume and nothing says that it is not the one last used with it. Throws StorageError. */
export async function agreesWith({ fs, volume, ...tables }: { fs: VolumeFileSystem, volume: Volume } & MarkTables): Promise<boolean> {
  return knowsAs(tables, volume.identity.uuid, await readMark(fs, volume))
}

/** The same, of a mark that was read. */
export function knowsAs({ slots, marks }: MarkTables, uuid: VolumeUuid, found: FoundMark): boolean {
  if (!slots.knowsVolume(uuid)) return false
  const verdict = judgeMark(found, found.kind === 'start' ? marks.numberOf(found.startId) : null, marks.markOf(uuid))
  return verdict === 'agrees' || verdict === 'doubtful'
}

/** One start of the recorder: remembered by the catalogue first, then written to each volume it uses. */
export class CatalogueMarks {
  readonly #marks: ReturnType<typeof markTable>
  readonly #startId = randomBytes(16).toString('hex')
  readonly #startedAt: EpochMs

  /** `write` enters a row now, or as soon as the catalogue takes it. */
  constructor(marks: ReturnType<typeof markTable>, now: EpochMs, write: (row: () => void) => void = row => { row() }) {
    this.#marks = marks
    this.#startedAt = now
    write(() => { marks.begin(this.#startId, now) })
  }

  /** Random bytes that nobody could foresee, for choosing what to look at. */
  get seed(): string { return this.#startId }

  async judge(volume: Volume, fs: VolumeFileSystem): Promise<MarkVerdict> {
    const found = await readMark(fs, volume)
    return judgeMark(found, found.kind === 'start' ? this.#marks.numberOf(found.startId) : null, this.#marks.markOf(volume.identity.uuid))
  }

  /**
   * Volume first: a crash between the two leaves a start that is remembered anyway. While the catalogue has not taken this start, the volume keeps the mark it has.
   * Throws StorageError, and what the catalogue throws.
   */
  async publish(volume: Volume, fs: VolumeFileSystem): Promise<void> {
    const startNo = this.#marks.numberOf(this.#startId)
    if (startNo === null) return
    await fs.publishText(path.join(volume.path, MARK_FILE), `${JSON.stringify({ format: 1, start: this.#startId, startedAt: isoOf(this.#startedAt) })}\n`, 'mark publish')
    this.#marks.setMark(volume.identity.uuid, startNo)
  }
}
