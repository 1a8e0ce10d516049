import { epochMs, type EpochMs } from '../domain/index.ts'
import { BOX_HEADER_BYTES, MalformedMediaError, parseMovieFragment, readBoxHeader, type InitSegment } from '../media/index.ts'
import type { VolumeFile } from '../platform/file-system.ts'
import {
  decodeRecord, decodeSlotStart, decodeTrailer, indexBytesOf, INDEX_TAIL_BYTES, mfraBytesOf, recordSizes, RECORD_HEAD_BYTES, sha256, SLOT_START_MAX_BYTES,
  type IndexEntry, type RecordLabel, type SegmentIndex, type SlotHeader, type SlotStart,
} from './slot-format.ts'

/** What a slot file says of itself. */
export type SlotContent =
  | { readonly kind: 'blank' }
  | { readonly kind: 'damaged', readonly why: string }
  | SlotFootage

export interface SlotFootage {
  readonly kind: 'footage'
  readonly header: SlotHeader
  readonly init: InitSegment
  readonly entries: readonly IndexEntry[]
  /** Where the next record would stand. */
  readonly endByte: number
  /** Null while open. */
  readonly sealed: SegmentIndex | null
}

const LAST_BYTES = 16

/** Reads a slot: by its index when it is sealed, else by walking. Reads only; safe beside a recorder that writes to it. */
export async function readSlot(file: VolumeFile, slotSizeBytes: number): Promise<SlotContent> {
  const start = await readSlotStart(file, slotSizeBytes)
  if (start.kind !== 'slot') return start
  const { header, init, dataAt } = start
  const sealed = await readTrailer(file, slotSizeBytes)
  if (sealed !== null && sealed.slot === header.slot && sealed.generation === header.generation) {
    const last = sealed.entries.at(-1)
    return { kind: 'footage', header, init, entries: sealed.entries, endByte: last === undefined ? dataAt : last.at + last.sizeBytes, sealed }
  }
  return { kind: 'footage', header, init, ...await walkRecords(file, { header, init, dataAt, slotSizeBytes }), sealed: null }
}

/** Header and `moov` of a slot. A few KiB hold them nearly always; the most they may take is read only where less was not enough. */
export async function readSlotStart(file: VolumeFile, slotSizeBytes: number): Promise<SlotStart> {
  const read = async (bytes: number): Promise<SlotStart> => {
    const head = Buffer.alloc(bytes)
    return decodeSlotStart(head.subarray(0, await file.read(head, 0, 'read slot start')))
  }
  const start = await read(USUAL_START_BYTES)
  return start.kind === 'damaged' ? read(Math.min(SLOT_START_MAX_BYTES, slotSizeBytes)) : start
}
const USUAL_START_BYTES = 16 * 1024

/** The index of a sealed slot, found from behind. Null where there is none that holds. */
export async function readTrailer(file: VolumeFile, slotSizeBytes: number): Promise<SegmentIndex | null> {
  const last = Buffer.alloc(LAST_BYTES)
  if (await file.read(last, slotSizeBytes - LAST_BYTES, 'read slot end') < LAST_BYTES) return null
  const mfraBytes = mfraBytesOf(last)
  if (mfraBytes === null || mfraBytes > slotSizeBytes / 2) return null
  const tail = Buffer.alloc(INDEX_TAIL_BYTES)
  await file.read(tail, slotSizeBytes - mfraBytes - INDEX_TAIL_BYTES, 'read slot index tail')
  const indexBytes = indexBytesOf(tail)
  if (indexBytes + mfraBytes > slotSizeBytes) return null
  const index = Buffer.alloc(indexBytes)
  await file.read(index, slotSizeBytes - mfraBytes - indexBytes, 'read slot index')
  return decodeTrailer(index)
}

/** A slot of tiny fragments ends here, so that its index stays near 2 MiB. */
export const MAX_RECORDS_PER_SLOT = 32_768

export interface WalkOptions { readonly header: SlotHeader, readonly init: InitSegment, readonly dataAt: number, readonly slotSizeBytes: number }

/**
 * The records of one generation, from `dataAt` on, up to the first that does not hold [INV-3]: slot, generation and sequence as expected, a run not
 * older than the one before, and a CRC-32 over every byte. What lies behind it is never looked at.
 */
export async function walkRecords(file: VolumeFile, { header, init, dataAt, slotSizeBytes }: WalkOptions): Promise<{ entries: IndexEntry[], endByte: number }> {
  const entries: IndexEntry[] = []
  let at = dataAt
  let runBefore = 0
  while (entries.length < MAX_RECORDS_PER_SLOT) {
    const record = await readRecord(file, at, slotSizeBytes)
    const label = record && decodeRecord(record)
    if (!record || !label) break
    if (label.slot !== header.slot || label.generation !== header.generation || label.sequence !== entries.length || label.runId < runBefore) break
    const entry = indexEntryOf(record, at, label, init)
    if (entry === null) break
    entries.push(entry)
    runBefore = label.runId
    at += record.length
  }
  return { entries, endByte: at }
}

async function readRecord(file: VolumeFile, at: number, slotSizeBytes: number): Promise<Buffer | null> {
  const head = Buffer.alloc(RECORD_HEAD_BYTES + BOX_HEADER_BYTES)
  if (at + head.length > slotSizeBytes || await file.read(head, at, 'read record head') < head.length) return null
  const sizes = recordSizes(head)
  if (sizes === null) return null
  const mdatAt = at + RECORD_HEAD_BYTES + sizes.moofBytes
  const mdatHead = Buffer.alloc(BOX_HEADER_BYTES)
  if (mdatAt + BOX_HEADER_BYTES > slotSizeBytes || await file.read(mdatHead, mdatAt, 'read record data head') < BOX_HEADER_BYTES) return null
  const mdat = readBoxHeader(mdatHead, 0)
  if (mdat?.type !== 'mdat' || mdat.sizeBytes < BOX_HEADER_BYTES || mdatAt + mdat.sizeBytes > slotSizeBytes) return null
  const record = Buffer.allocUnsafe(mdatAt + mdat.sizeBytes - at)
  return await file.read(record, at, 'read record') < record.length ? null : record
}

/** Index facts of a record whose CRC holds. Null when its media does not parse, which only a forged record can do. */
export function indexEntryOf(record: Buffer, at: number, label: RecordLabel, init: InitSegment): IndexEntry | null {
  try {
    const tracks = parseMovieFragment(record.subarray(RECORD_HEAD_BYTES), record.length - RECORD_HEAD_BYTES)
    const pictures = tracks.find(each => each.trackId === init.video.trackId)
    const lead = pictures ?? tracks[0]
    const timescale = init.tracks.find(each => each.trackId === lead?.trackId)?.timescale
    if (lead === undefined || timescale === undefined) return null
    return {
      at, sizeBytes: record.length, startAt: label.startAt, runId: label.runId, decodeTimeTicks: label.decodeTimeTicks,
      durationMs: Math.round(lead.durationTicks * 1000 / timescale), startsWithKey: pictures?.samples[0]?.isKey === true, sha256: sha256(record),
    }
  } catch (error) {
    if (error instanceof MalformedMediaError) return null
    throw error
  }
}

/** End of the newest frame among `entries`; null when there is none. */
export function endOfFootage(entries: readonly IndexEntry[]): EpochMs | null {
  let end: number | null = null
  for (const entry of entries) end = Math.max(end ?? -Infinity, entry.startAt + entry.durationMs)
  return end === null ? null : epochMs(end)
}

/** Up to where the next record of the same run stands; as much as it likes where none is known. */
export function roomTicksOf({ entries }: SlotFootage, position: number): number {
  const entry = entries[position], next = entries[position + 1]
  return entry === undefined || next === undefined || next.runId !== entry.runId
    ? Infinity : Number(next.decodeTimeTicks - entry.decodeTimeTicks)
}
