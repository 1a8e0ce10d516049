import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  cameraId, cameraUuid, epochMs, generation, runId, slotNumber, streamName, volumeUuid, type EpochMs,
  type TimeRange
} from '../../src/domain/index.ts'
import type { FootageSource } from '../../src/export/index.ts'
import { type SegmentRow, slotPath, type TimedFragment } from '../../src/footage/index.ts'
import type { InitSegment } from '../../src/media/index.ts'
import type { StreamLane } from '../../src/storage/index.ts'
import { encodeSlotStart, freeHeader } from '../../src/slots/slot-format.ts'
import { readSlot } from '../../src/slots/slot-walk.ts'
import { SlotWriter } from '../../src/storage/slot-writer.ts'
import { IDENTITY_FILE } from '../../src/storage/volume.ts'
import { MemoryFileSystem } from './memory-file-system.ts'

export const LANE_CAMERA = cameraUuid('1'.repeat(32)), LANE_STREAM = streamName('main'), LANE_CAMERA_ID =
  cameraId('lobby')
const VOLUME = volumeUuid('0'.repeat(32))
const SLOT_BYTES = 1 << 20

interface Slot { readonly writer: SlotWriter, readonly fs: MemoryFileSystem }
interface Read extends FootageSource { readonly row: SegmentRow, readonly bytes: Buffer }

/**
 * A stream's lane over slots in memory, and its footage as clip, package and viewing read it. A slot takes
 * `recordsASlot` records.
 */
export class MemoryLane {
  readonly #recordsASlot: number
  readonly #slots: Slot[] = []
  #init: InitSegment | null = null
  #runs = 0
  readonly holes: TimeRange[] = []
  readonly ends: string[] = []

  constructor(recordsASlot: number) { this.#recordsASlot = recordsASlot }

  get lane(): StreamLane {
    const own: Pick<StreamLane, 'beginRun' | 'append' | 'showLive' | 'endRun' | 'noteHole' | 'noteNoFootage'> = {
      beginRun: async init => { this.#init = init; return runId(++this.#runs) },
      append: timed => this.#append(timed),
      showLive: () => true,
      endRun: reason => { this.ends.push(reason) },
      noteHole: (startAt, endAt) => { this.holes.push({ startAt, endAt }) },
      noteNoFootage: () => undefined,
    }
    return own as unknown as StreamLane
  }

  async #append(timed: TimedFragment): Promise<void> {
    const last = this.#slots.at(-1)
    const goesOn = last !== undefined && last.writer.records < this.#recordsASlot
      && last.writer.init.moov.equals(this.#init!.moov)
    const { writer } = goesOn ? last : await this.#open(timed.startAt)
    await writer.append(timed)
  }

  async #open(startAt: EpochMs): Promise<Slot> {
    const init = this.#init!, fs = new MemoryFileSystem()
    const header = {
      volumeUuid: VOLUME, slot: slotNumber(this.#slots.length), generation: generation(1), cameraId: LANE_CAMERA_ID, cameraUuid: LANE_CAMERA,
      stream: LANE_STREAM, startAt, floorRule: '31d Asia/Taipei', slotSizeBytes: SLOT_BYTES,
    }
    await fs.createAllocated('/slot', SLOT_BYTES, 'test')
    const file = await fs.open('/slot', 'read-write', 'test'), start =
      encodeSlotStart(header, init.ftyp, init.moov)
    await file.write(Buffer.concat([start, freeHeader(SLOT_BYTES - start.length)]), 0, 'test')
    const writer = new SlotWriter({ file, ...header, init, endByte: start.length })
    this.#slots.push({ writer, fs })
    return this.#slots.at(-1)!
  }

  async read(): Promise<Read[]> {
    return await Promise.all(this.#slots.map(async ({ writer, fs }) => {
      const sealed = await writer.seal(endAt => endAt), file =
        await fs.open('/slot', 'read', 'test'), footage = await readSlot(file, SLOT_BYTES)
      if (footage.kind !== 'footage') throw new Error(`slot is ${footage.kind}`)
      const row = { ...footage.header, ...sealed, newestAt: null } as unknown as SegmentRow
      const read = async (position: number) => {
        const { at, sizeBytes } = footage.entries[position]!
        return Buffer.from(fs.bytesOf('/slot').subarray(at, at + sizeBytes))
      }
      return { footage, row, read, bytes: fs.bytesOf('/slot') }
    }))
  }

  /** The same as a volume in a folder, for `custos rescue`. */
  async writeVolume(folder: string): Promise<void> {
    const slots = await this.read()
    const identity = {
      format: 1, id: 'v1', uuid: VOLUME, slotSizeBytes: SLOT_BYTES, slotCount: Math.max(2, slots.length),
      createdAt: '2026-11-20T00:00:00.000Z',
    }
    const volume = { path: folder, identity: identity as never }
    for (let slot = 0; slot < identity.slotCount; slot++) {
      const file = slotPath(volume, slotNumber(slot))
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, slots[slot]?.bytes ?? Buffer.alloc(SLOT_BYTES))
    }
    await writeFile(path.join(folder, IDENTITY_FILE), `${JSON.stringify(identity)}\n`)
  }
}

/** What is in the range, as storage tells it. */
export const rowsIn = (slots: readonly Read[], { startAt, endAt }: TimeRange): SegmentRow[] =>
  slots.map(({ row }) => row).filter(row => row.startAt < endAt && epochMs(row.endAt ?? endAt) > startAt)

export const openRow = (slots: readonly Read[], row: SegmentRow) => {
  const { footage, read } = slots.find(slot => slot.row === row)!
  return Promise.resolve({ footage, read, [Symbol.asyncDispose]: () => Promise.resolve() })
}
