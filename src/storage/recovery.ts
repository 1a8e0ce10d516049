import { epochMs, isoOf, type CameraUuid, type EpochMs, type RunId } from '../domain/index.ts'
import { type SegmentRow, slotPath, without } from '../footage/index.ts'
import { StorageError, type VolumeFile, type VolumeFileSystem } from '../platform/file-system.ts'
import { merkleRoot } from '../platform/merkle.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { keepUntil, parseFloorRule } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { FreeSlots } from './free-slots.ts'
import { slotName, type OpenSlot, type Ring } from './ring.ts'
import type { RowQueue } from './row-queue.ts'
import type { RunIds } from './run-ids.ts'
import {
  endOfFootage, freeHeader, readSlot, readSlotStart, type IndexEntry, type SlotFootage, type SlotStart,
} from '../slots/index.ts'
import { SlotWriter } from './slot-writer.ts'
import { isUnenteredUse } from './spot-check.ts'
import type { cameraTable } from './tables/cameras.ts'
import { TRIVIAL_GAP_MS, type runTable } from './tables/runs.ts'
import type { segmentTable } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import { type Volume, zeroSlot } from './volume.ts'
import type { VolumeSet } from './volume-set.ts'

export interface RecoveryOptions {
  readonly ring: Ring
  readonly volumes: VolumeSet
  readonly rows: RowQueue
  readonly runIds: RunIds
  readonly slots: ReturnType<typeof slotTable>
  readonly segments: ReturnType<typeof segmentTable>
  readonly cameras: ReturnType<typeof cameraTable>
  readonly runs: ReturnType<typeof runTable>
  readonly trustedTime: TrustedTime
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Slots are taken lowest first, by many streams at once: behind so many that are blank there is none that
 * was used.
 */
const BLANKS_UNTIL_END = 64

/** What a recorder that died may not have synced: what it may lose if the power goes [G4]. */
const UNSYNCED_MS = 2_000

/** What became of slots that were being prepared when the recorder died. */
export interface RecoveredPreparing {
  /** No longer what the catalogue may still say. */
  readonly settled: ReadonlySet<number>
  /** The disk does not give them just now, or does not take the zeroing. */
  readonly unread: readonly { readonly row: SlotRow, readonly error: StorageError }[]
}

/**
 * Repeats the zeroing of slots that were being prepared when the recorder died [INV-2]; they held no frame
 * of their new generation. One that was ready and holds frames is open: only its row was missing. One that
 * holds anything else is quarantined.
 */
export async function recoverPreparing(
  options: RecoveryOptions, volume: Volume, rows: readonly SlotRow[],
): Promise<RecoveredPreparing> {
  const { ring } = options
  const settled = new Set<number>(), unread: { row: SlotRow, error: StorageError }[] = []
  for (const row of rows) {
    try {
      if (!await recoverOnePreparing(options, volume, row)) settled.add(row.slot)
    } catch (error) {
      if (error instanceof StorageError) unread.push({ row, error })
      else if (error instanceof RangeError) {
        ring.giveUp(volume, row, row, error)
        settled.add(row.slot)
      } else throw error
    }
  }
  return { settled, unread }
}

/** True: it is open, as its segment says. */
async function recoverOnePreparing(options: RecoveryOptions, volume: Volume, row: SlotRow): Promise<boolean> {
  const { ring, log } = options
  const content = await readWhole(options, volume, row)
  if (content.kind === 'footage') {
    const { header, entries } = content
    if (header.generation === row.generation && entries.length > 0) {
      if (ring.enterOpen(volume, row)) return true
      throw new RangeError('it holds footage that the catalogue has no segment for')
    }
    if (!isUnfinished(content, row)) {
      throw new RangeError(
        `it holds ${entries.length} records of slot ${header.slot}, generation ${header.generation}`)
    }
  }
  await zeroSlot(options.volumes.io, volume, row, 'recover')
  ring.setFree(volume, row)
  log.info({ volume: volume.identity.id, slot: row.slot }, 'unfinished slot zeroed again')
  return false
}

async function readWhole({ volumes }: RecoveryOptions, volume: Volume, { slot }: Pick<SlotRow, 'slot'>): ReturnType<typeof readSlot> {
  const handle = await volumes.io.open(slotPath(volume, slot), 'read-write', 'recover open')
  try { return await readSlot(handle, volume.identity.slotSizeBytes) } finally { await handle.close().catch(() => undefined) }
}

/**
 * The generation before, or a header of this one: what a preparation that was cut short leaves. Anything
 * else a catalogue from a backup does not know.
 */
const isUnfinished = ({ header, entries }: SlotFootage, row: SlotRow): boolean => header.volumeUuid === row.volumeUuid && header.slot === row.slot
  && (header.generation === row.generation - 1 || (header.generation === row.generation && entries.length === 0))

/**
 * Enters footage that was recorded while the catalogue took no rows, and whose rows died with the recorder:
 * the next generation in slots that the catalogue calls free.
 * Returns their segments, which are open as far as the catalogue is concerned.
 */
export async function adoptUnentered(options: RecoveryOptions, volume: Volume, free: FreeSlots): Promise<SegmentRow[]> {
  const { volumes, log } = options
  const adopted: SegmentRow[] = []
  let blanks = 0
  for (const row of free.all()) {
    const start = await lookAt(volumes.io, volume, row)
    if (!isUnenteredUse(start, row)) {
      if (++blanks >= BLANKS_UNTIL_END) break
      continue
    }
    blanks = 0
    const segment = enterAdopted(options, volume, row, start)
    free.remove(row.slot)
    adopted.push(segment)
  }
  if (adopted.length > 0) {
    options.runIds.skip()
    log.warn({ volume: volume.identity.id, slots: adopted.length }, 'footage that the catalogue had not taken yet was found and entered')
  }
  return adopted
}

async function lookAt(fs: VolumeFileSystem, volume: Volume, { slot }: SlotRow): Promise<SlotStart> {
  const file = await fs.open(slotPath(volume, slot), 'read', 'adopt look')
  try { return await readSlotStart(file, volume.identity.slotSizeBytes) } finally { await file.close() }
}

function enterAdopted(options: RecoveryOptions, volume: Volume, row: SlotRow, { header }: Extract<SlotStart, { kind: 'slot' }>): SegmentRow {
  const { rows, slots, segments, cameras, volumes, clock } = options
  const now = clock.wallNow()
  const opened: SlotRow = { ...row, generation: header.generation, state: 'open' }
  const { cameraUuid, cameraId, stream, startAt, floorRule } = header
  volumes.countMove(volume, 'free', 'open')
  rows.write(() => {
    cameras.adopt(cameraUuid, cameraId, startAt)
    slots.move(row, opened)
    segments.insert({ ...opened, cameraUuid, stream, startAt, floorRule })
    rows.append({ action: 'segment.adopted', object: slotName(volume, opened), result: 'done', detail: { camera: cameraId, cameraUuid, stream, from: isoOf(startAt) } }, now)
  })
  return { ...opened, cameraId, cameraUuid, stream, startAt, floorRule, endAt: null, keepUntil: null, newestAt: null, records: null, usedBytes: null, merkleRoot: null }
}

/**
 * What a slot that was open at the last end brings: the slot to go on with, nothing more to do, or a disk
 * that does not give it just now.
 */
export type Recovered =
  | { readonly kind: 'open', readonly open: OpenSlot, readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'settled', readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'unreadable', readonly error: StorageError }

/**
 * Brings back a slot that was open when the recorder died: keeps every record that holds, zeroes what is
 * behind, and leaves it ready for the next.
 */
export async function recoverOpen(options: RecoveryOptions, volume: Volume, segment: SegmentRow): Promise<Recovered> {
  const { ring, log } = options
  const row: SlotRow = { volumeUuid: segment.volumeUuid, slot: segment.slot, generation: segment.generation, state: 'open' }
  try {
    const { content, open } = await reopen(options, volume, segment, row)
    noteRuns(options, segment, content)
    if (content.sealed !== null) { // died between the index on disk and the row: sealing again writes the same bytes
      await ring.seal(open)
      return { kind: 'settled', entries: content.entries }
    }
    if (!await clearTail(options, volume, open, content)) {
      await ring.seal(open) // nothing can be added, but what holds is footage
      return { kind: 'settled', entries: content.entries }
    }
    log.info({ camera: segment.cameraId, stream: segment.stream, slot: row.slot, records: content.entries.length, until: isoOf(open.writer.endAt) }, 'open slot recovered')
    return { kind: 'open', open, entries: content.entries }
  } catch (error) {
    if (error instanceof StorageError) return { kind: 'unreadable', error }
    if (!(error instanceof RangeError)) throw error
    ring.giveUp(volume, row, row, error)
    return { kind: 'settled', entries: [] }
  }
}

/**
 * A slot that the disk does not give, however often it is asked: what can be read of it is footage, and it
 * stays in the catalogue out of use.
 */
export async function salvage(options: RecoveryOptions, volume: Volume, segment: SegmentRow, cause: StorageError): Promise<readonly IndexEntry[]> {
  const { ring, trustedTime } = options
  const row: SlotRow = { volumeUuid: segment.volumeUuid, slot: segment.slot, generation: segment.generation, state: 'open' }
  const floor = parseFloorRule(segment.floorRule) ?? ring.floor
  try {
    const { content, open } = await reopen(options, volume, segment, row, orNothing)
    noteRuns(options, segment, content)
    await open.writer.syncFound().catch(() => undefined) // its failure says how much counts
    open.writer.giveUp(cause)
    await ring.seal(open)
    return content.entries
  } catch (error) {
    if (!(error instanceof StorageError || error instanceof RangeError)) throw error
    const newestAt = trustedTime.trustedOf(segment.startAt)
    const nothing = { endAt: segment.startAt, keepUntil: keepUntil(floor, newestAt), records: 0, usedBytes: 0, merkleRoot: merkleRoot([]) }
    ring.enterSealed({ volume, row, owner: segment, newestAt, writer: segment }, nothing, cause)
    return []
  }
}

/** Reads what the disk gives; where it fails the file seems to end. */
const orNothing = (file: VolumeFile): VolumeFile => ({
  ...file, write: file.write.bind(file), datasync: file.datasync.bind(file), close: file.close.bind(file),
  read: (target, position, step) => file.read(target, position, step).catch((error: unknown) => {
    if (error instanceof StorageError) return 0
    throw error
  }),
})

/**
 * Throws RangeError when the slot holds something else than the catalogue says, StorageError when it cannot
 * be read.
 */
async function reopen(
  options: RecoveryOptions, volume: Volume, segment: SegmentRow, row: SlotRow, through: (file: VolumeFile) => VolumeFile = file => file,
): Promise<{ content: SlotFootage, open: OpenSlot }> {
  const { slotSizeBytes } = volume.identity
  const handle = await options.volumes.io.open(slotPath(volume, row.slot), 'read-write', 'recover open')
  try {
    const content = await readSlot(through(handle), slotSizeBytes)
    const wrong = content.kind === 'damaged' ? content.why : content.kind === 'blank' ? 'it is blank' : belongsTo(content, segment)
    if (content.kind !== 'footage' || wrong !== null) throw new RangeError(`slot is not what the catalogue says: ${wrong}`)
    const writer = new SlotWriter({
      file: handle, slot: row.slot, generation: row.generation, startAt: content.header.startAt, init: content.init, slotSizeBytes,
      entries: content.entries, syncedRecords: syncedOf(content), endByte: content.endByte,
      onFailure: error => { options.volumes.noteFault(volume, error) },
    })
    const floor = parseFloorRule(content.header.floorRule) ?? options.ring.floor
    const newestAt = options.trustedTime.trustedOf(writer.endAt)
    return { content, open: options.ring.track({ volume, row, owner: segment, writer, newestAt, floor }) }
  } catch (error) {
    await handle.close().catch(() => undefined) // the first failure is the one to tell
    throw error
  }
}

/**
 * Of the records that were found, how many are on the medium whatever the next sync says: all that an index
 * lists, else those that the recorder before had the time to sync. By what was recorded behind each: the
 * clock may have been set meanwhile.
 */
function syncedOf({ entries, sealed }: SlotFootage): number {
  if (sealed !== null) return entries.length
  let synced = entries.length
  for (let behindMs = 0; synced > 0 && behindMs < UNSYNCED_MS; synced--) behindMs += entries[synced - 1]!.durationMs
  return synced
}

/** False: the tail could not be cleared, and the writer has failed. */
async function clearTail({ volumes }: RecoveryOptions, volume: Volume, { writer, row }: OpenSlot, { endByte }: SlotFootage): Promise<boolean> {
  const { slotSizeBytes } = volume.identity
  const file = slotPath(volume, row.slot)
  try {
    await writer.syncFound() // [INV-5]
    await volumes.io.zeroRange(file, endByte, slotSizeBytes - endByte, 'recover tail')
    await writer.writeFree(freeHeader(slotSizeBytes - endByte), 'recover')
    return true
  } catch (error) {
    writer.giveUp(error)
    return false
  }
}

/** Runs whose rows died with the recorder, and their numbers, which nobody gets again. */
function noteRuns({ runs, runIds, rows }: RecoveryOptions, segment: SegmentRow, { entries, init }: SlotFootage): void {
  for (const [id, range] of runsIn(entries)) {
    runIds.atLeast(id)
    rows.write(() => { runs.adopt(id, segment, init.video, range) })
  }
}

/**
 * The rows of runs that had ended before the power went say up to when they had recorded; what of it had not
 * reached the medium yet is lost time [G7]. `entries`: what is found in the slot.
 */
export function tellLostTail(
  { runs, segments, rows, clock }: RecoveryOptions, segment: SegmentRow, entries: readonly IndexEntry[],
): void {
  const { startAt } = segment, now = clock.wallNow()
  const foundTo = endOfFootage(entries) ?? startAt
  rows.write(() => {
    const first = entries.at(-1)?.runId ?? runs.runAt(segment, startAt)
    if (first === null) return
    for (const { id, ...run } of runs.endedSince(segment, first, foundTo)) {
      const lost = { startAt: epochMs(Math.max(run.startAt, foundTo)), endAt: run.endAt }
      for (const { startAt, endAt } of without(lost, segments.recordedIn(segment, lost), TRIVIAL_GAP_MS + 1)) {
        runs.addUntoldGap(segment, startAt, endAt, 'recorder-killed', now, { afterRun: id, beforeRun: id })
      }
    }
  })
}

/** From the first frame of each run among the records to the end of its last. */
export function runsIn(entries: readonly IndexEntry[]): Map<RunId, { startAt: EpochMs, endAt: EpochMs }> {
  const runs = new Map<RunId, { startAt: EpochMs, endAt: EpochMs }>()
  for (const { runId, startAt, durationMs } of entries) {
    const known = runs.get(runId), endAt = epochMs(startAt + durationMs)
    runs.set(runId, known === undefined ? { startAt, endAt } : { startAt: epochMs(Math.min(known.startAt, startAt)), endAt: epochMs(Math.max(known.endAt, endAt)) })
  }
  return runs
}

function belongsTo(content: SlotFootage, segment: SegmentRow): string | null {
  const { header } = content
  if (header.volumeUuid !== segment.volumeUuid || header.slot !== segment.slot || header.generation !== segment.generation) return `header says slot ${header.slot}, generation ${header.generation} of volume ${header.volumeUuid}`
  return header.cameraUuid === (segment.cameraUuid satisfies CameraUuid) && header.stream === segment.stream ? null : 'header names another camera'
}
