import { epochMs, type EpochMs } from '../domain/index.ts'
import { type SegmentKey, type SegmentRow, slotPath } from '../footage/index.ts'
import { MOST_FAULTS } from '../link/index.ts'
import { StorageError, type VolumeFile, type VolumeFileSystem } from '../platform/file-system.ts'
import { merkleRoot } from '../platform/merkle.ts'
import {
  encodeTrailer, FREE_HEADER_BYTES, freeHeader, readSlotStart, readTrailer, sha256, walkRecords, type
  IndexEntry, type SegmentIndex, type SlotStart,
} from '../slots/index.ts'
import type { Volume } from './volume.ts'

/**
 * `record`: bytes of footage differ from those that were sealed. `unreadable`: the disk does not give them. `header`, `index`: what describes the footage; the pictures may be whole.
 * `frame`: the box between records and index, which players need and no picture does. `missing`: the slot does not hold this footage at all.
 */
export type FaultKind = 'record' | 'unreadable' | 'header' | 'index' | 'frame' | 'missing'
/** `[fromAt, toAt)` is the footage in doubt; of a header or an index the whole segment's. */
export interface SegmentFault { readonly kind: FaultKind, readonly fromAt: EpochMs, readonly toAt: EpochMs, readonly firstRecord: number | null, readonly records: number | null }

/** What a slot is compared with. */
export type CheckedSegment = SegmentKey & { readonly isQuarantined: boolean }
  & Pick<SegmentRow, 'cameraId' | 'cameraUuid' | 'stream' | 'startAt' | 'endAt' | 'records' | 'usedBytes' | 'merkleRoot'>

export interface CheckOptions {
  readonly fs: VolumeFileSystem
  readonly volume: Volume
  readonly segment: CheckedSegment
  /** SCRUB_BUFFER_BYTES of the caller's, used again for each segment: fresh ones every second would pile up as garbage that hardly anything ever collects. */
  readonly buffer: Buffer
  /** Called before each read of footage with its size; false gives up. */
  readonly pace: (bytes: number) => Promise<boolean>
}

export const SCRUB_BUFFER_BYTES = 1 << 20

/** Reads a whole sealed segment again and compares every byte that means something with what was sealed. Changes nothing. Null when `pace` gave up. Throws StorageError for a volume that hangs. */
export async function checkSegment(options: CheckOptions): Promise<SegmentFault[] | null> {
  const { fs, volume, segment } = options
  const whole = wholeOf(segment)
  let file: VolumeFile
  try { file = await fs.open(slotPath(volume, segment.slot), 'read', 'scrub open') } catch (error) {
    if (error instanceof StorageError && error.fault !== 'hung') return [whole(error.fault === 'missing' ? 'missing' : 'unreadable')]
    throw error
  }
  try {
    const faults: SegmentFault[] = []
    const start = await orUnreadable(() => readSlotStart(file, volume.identity.slotSizeBytes))
    if (start !== null && start.kind !== 'damaged' && !isOf(start, segment)) return [whole('missing')]
    if (start?.kind !== 'slot') faults.push(whole(start === null ? 'unreadable' : 'header'))
    const index = await orUnreadable(() => readTrailer(file, volume.identity.slotSizeBytes))
    if (index !== null && describes(index, segment)) {
      // A slot that failed may have failed while it was sealed: its index stands, the rest was not written.
      if (start?.kind === 'slot' && !segment.isQuarantined) {
        faults.push(...await checkFrame(file, options, start, index))
      }
      const found = await checkRecords(file, options, index.entries)
      return found === null ? null : [...faults, ...found]
    }
    if (!segment.isQuarantined) faults.push(whole('index')) // a slot that failed was never given one
    if (start?.kind === 'slot') faults.push(...await checkByWalking(file, options, start))
    return faults
  } finally { await file.close() }
}

const wholeOf = (segment: CheckedSegment) => (kind: FaultKind): SegmentFault => ({ kind, fromAt: segment.startAt, toAt: segment.endAt ?? segment.startAt, firstRecord: null, records: null })

async function orUnreadable<Result>(read: () => Promise<Result>): Promise<Result | null> {
  try { return await read() } catch (error) {
    if (error instanceof StorageError && error.fault !== 'hung') return null // a disk that does not answer has not said that it lost anything
    throw error
  }
}

const isOf = (start: Exclude<SlotStart, { kind: 'damaged' }>, segment: CheckedSegment): boolean =>
  start.kind === 'slot' && start.header.volumeUuid === segment.volumeUuid && start.header.slot === segment.slot && start.header.generation === segment.generation

/** Also the hashes in it: whoever changes a record and its hash, but not the catalogue, is found here. */
const describes = (index: SegmentIndex, segment: CheckedSegment): boolean => index.slot === segment.slot && index.generation === segment.generation
  && index.merkleRoot.toString('hex') === segment.merkleRoot && merkleRoot(index.entries.map(entry => entry.sha256)).equals(index.merkleRoot)

/** Everything but records and the unused room: sealing writes it from the index alone, so it can be written again and compared. */
async function checkFrame(file: VolumeFile, { volume, segment }: CheckOptions, start: Extract<SlotStart, { kind: 'slot' }>, index: SegmentIndex): Promise<SegmentFault[]> {
  const { slotSizeBytes } = volume.identity
  const last = index.entries.at(-1)
  const endByte = last === undefined ? start.dataAt : last.at + last.sizeBytes
  const trailer = encodeTrailer(index, start.init.video.trackId)
  const free = freeHeader(slotSizeBytes - trailer.length - endByte)
  const same = async (wanted: Buffer, at: number): Promise<boolean | null> => orUnreadable(async () => {
    const found = Buffer.alloc(wanted.length)
    await file.read(found, at, 'scrub frame')
    return found.equals(wanted)
  })
  const answers = [await same(trailer, slotSizeBytes - trailer.length), await same(free.subarray(0, FREE_HEADER_BYTES), endByte)]
  return answers.every(answer => answer === true) ? [] : [wholeOf(segment)(answers.includes(null) ? 'unreadable' : 'frame')]
}

async function checkRecords(file: VolumeFile, { pace, buffer }: CheckOptions, entries: readonly IndexEntry[]): Promise<SegmentFault[] | null> {
  const bad: { position: number, kind: FaultKind }[] = []
  for (let from = 0; from < entries.length;) {
    const to = batchEnd(entries, from)
    const first = entries[from]!, last = entries[to - 1]!
    const bytes = last.at + last.sizeBytes - first.at
    if (!await pace(bytes)) return null
    const target = bytes <= buffer.length ? buffer.subarray(0, bytes) : Buffer.allocUnsafe(bytes)
    const isRead = await orUnreadable(async () => await file.read(target, first.at, 'scrub read') === bytes)
    for (let position = from; position < to; position++) {
      const entry = entries[position]!
      const record = target.subarray(entry.at - first.at, entry.at - first.at + entry.sizeBytes)
      // One bad sector must not condemn its neighbours.
      const isThere = isRead === true || (to - from > 1 && await orUnreadable(async () => await file.read(record, entry.at, 'scrub read one') === entry.sizeBytes)) === true
      if (!isThere) bad.push({ position, kind: 'unreadable' })
      else if (!sha256(record).equals(entry.sha256)) bad.push({ position, kind: 'record' })
    }
    from = to
  }
  return joined(bad, entries)
}

/** Records that lie one behind the other, up to SCRUB_BUFFER_BYTES; at least one. */
function batchEnd(entries: readonly IndexEntry[], from: number): number {
  const startByte = entries[from]!.at
  let to = from + 1
  for (let next = entries[to]; next !== undefined && next.at === entries[to - 1]!.at + entries[to - 1]!.sizeBytes && next.at + next.sizeBytes - startByte <= SCRUB_BUFFER_BYTES; next = entries[to]) to++
  return to
}

/** Header and frame have their own. */
const MOST_OF_RECORDS = MOST_FAULTS - 2

/** Neighbours with the same fault are told as one; the last of very many reaches to the end of all of them. */
function joined(bad: readonly { position: number, kind: FaultKind }[], entries: readonly IndexEntry[]): SegmentFault[] {
  const faults: { kind: FaultKind, fromAt: EpochMs, toAt: EpochMs, firstRecord: number, records: number }[] = []
  for (const { position, kind } of bad) {
    const { startAt, durationMs } = entries[position]!
    const last = faults.at(-1)
    const isNext = last?.kind === kind && last.firstRecord + last.records === position
    if (last !== undefined && (isNext || faults.length === MOST_OF_RECORDS)) {
      last.records = position - last.firstRecord + 1
      last.toAt = epochMs(Math.max(last.toAt, startAt + durationMs))
    } else faults.push({ kind, fromAt: startAt, toAt: epochMs(startAt + durationMs), firstRecord: position, records: 1 })
  }
  return faults
}

/** Without an index: the walk over the records stops at the first that rotted, and what is behind it cannot be told apart. */
async function checkByWalking(file: VolumeFile, { volume, segment, pace }: CheckOptions, { header, init, dataAt }: Extract<SlotStart, { kind: 'slot' }>): Promise<SegmentFault[]> {
  const records = segment.records ?? 0
  if (!await pace(segment.usedBytes ?? 0)) return []
  const walked = await orUnreadable(() => walkRecords(file, { header, init, dataAt, slotSizeBytes: volume.identity.slotSizeBytes }))
  if (walked === null) return [wholeOf(segment)('unreadable')]
  const entries = walked.entries.slice(0, records)
  if (merkleRoot(entries.map(entry => entry.sha256)).toString('hex') === segment.merkleRoot) return []
  const good = entries.length < records ? entries.length : 0
  const before = entries[good - 1]
  const fromAt = before === undefined ? segment.startAt : epochMs(before.startAt + before.durationMs)
  return [{ kind: 'record', fromAt, toAt: epochMs(Math.max(fromAt, segment.endAt ?? fromAt)), firstRecord: good, records: records - good }]
}
