import { epochMs, RetryableError, type EpochMs, type Generation, type RunId, type SlotNumber } from '../domain/index.ts'
import type { TimedFragment } from '../footage/index.ts'
import { patchDecodeTime, patchSequenceNumber, type InitSegment } from '../media/index.ts'
import type { VolumeFile } from '../platform/file-system.ts'
import { merkleRoot } from '../platform/merkle.ts'
import {
  encodeTrailer, endOfFootage, FREE_HEADER_BYTES, freeHeader, MAX_RECORDS_PER_SLOT, RECORD_HEAD_BYTES,
  sha256, trailerBytes, writeRecordHead, type IndexEntry, type RecordLabel,
} from '../slots/index.ts'

/** Room that a fragment's buffer must have before its `moof` and behind its `mdat`. */
export const FRAGMENT_ROOM = { headRoomBytes: RECORD_HEAD_BYTES, tailRoomBytes: FREE_HEADER_BYTES }

export interface SealFacts { readonly endAt: EpochMs, readonly keepUntil: EpochMs, readonly records: number, readonly usedBytes: number, readonly merkleRoot: Buffer }

/** Not even an empty slot can hold it. Nothing was written, and the slot is as good as before. */
export class FragmentTooLargeError extends RetryableError {
  constructor(recordBytes: number, slotSizeBytes: number) {
    super('CUSTOS_FRAGMENT_TOO_LARGE', `half a second of the stream takes ${recordBytes} bytes; a slot has ${slotSizeBytes}`, {
      remedy: 'Lower the bitrate of the camera, or make the volume anew with a larger --slot-size.',
    })
  }
}

/**
 * Appends records to one open slot. One caller appends at a time; `sync` may run beside it.
 * After any failure the slot is spent [INV-4]: `failure` is set and nothing more is written.
 */
export class SlotWriter {
  readonly slot: SlotNumber
  readonly generation: Generation
  readonly startAt: EpochMs
  readonly init: InitSegment
  readonly #file: VolumeFile
  readonly #slotSizeBytes: number
  readonly #entries: IndexEntry[]
  #endByte: number
  #syncedRecords: number
  #failure: unknown = null
  readonly #onFailure: (error: unknown) => void
  #syncing: Promise<void> | null = null
  #largestGopBytes = 0
  #gopBytes = 0
  #placement: { runId: RunId, shiftMs: number } | null = null

  constructor(options: {
    file: VolumeFile, slot: SlotNumber, generation: Generation, startAt: EpochMs, init: InitSegment, slotSizeBytes: number
    entries?: readonly IndexEntry[], endByte: number
    /** How many of `entries` are on the medium for certain. */
    syncedRecords?: number
    /** Called once, with the failure that spent the slot. */
    onFailure?: (error: unknown) => void
  }) {
    this.#file = options.file
    this.#onFailure = options.onFailure ?? (() => undefined)
    this.slot = options.slot
    this.generation = options.generation
    this.startAt = options.startAt
    this.init = options.init
    this.#slotSizeBytes = options.slotSizeBytes
    this.#entries = [...options.entries ?? []]
    this.#endByte = options.endByte
    this.#syncedRecords = options.syncedRecords ?? 0
  }

  get records(): number { return this.#entries.length }
  get isDirty(): boolean { return this.#failure === null && this.#syncedRecords < this.#entries.length }
  get failure(): unknown { return this.#failure }
  get endAt(): EpochMs { return endOfFootage(this.#entries.slice(-1)) ?? this.startAt }

  /**
   * False: the slot is full for this fragment, or a key frame begins that had better stand at the start of
   * the next slot.
   */
  takes({ fragment, startsWithKey }: TimedFragment): boolean {
    const recordBytes = fragment.endAt - fragment.moofAt + RECORD_HEAD_BYTES
    if (!this.#fits(recordBytes)) return false
    return !startsWithKey || this.#entries.length === 0 || this.#fits(Math.max(recordBytes, Math.ceil(this.#largestGopBytes * 1.25)))
  }

  #fits(bytes: number): boolean {
    const records = this.#entries.length + Math.max(1, Math.ceil(bytes / 65536))
    return records <= MAX_RECORDS_PER_SLOT && this.#endByte + bytes + trailerBytes(records) <= this.#slotSizeBytes
  }

  /**
   * Body and following `free` header first, the record's first 8 bytes last: a reader alongside meets whole
   * boxes only. Not yet synced on return.
   * Takes `fragment.buffer` over.
   */
  async append(timed: TimedFragment): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    const { fragment } = timed
    const recordAt = fragment.moofAt - RECORD_HEAD_BYTES
    const record = fragment.buffer.subarray(recordAt, fragment.endAt)
    if (!this.#fits(record.length)) throw new FragmentTooLargeError(record.length, this.#slotSizeBytes)
    patchSequenceNumber(fragment.buffer, fragment.moofAt, fragment.moofBytes, this.#entries.length + 1)
    const decodeTimeTicks = this.#placeInSegment(timed)
    const label: RecordLabel = {
      slot: this.slot, generation: this.generation, sequence: this.#entries.length, runId: timed.runId, startAt: timed.startAt,
      decodeTimeTicks, videoTrackId: this.init.video.trackId, cameraClockOffsetMs: timed.cameraClockOffsetMs,
    }
    writeRecordHead(fragment.buffer, recordAt, fragment.endAt, label)
    freeHeader(this.#slotSizeBytes - this.#endByte - record.length).copy(fragment.buffer, fragment.endAt)
    const entry: IndexEntry = {
      at: this.#endByte, sizeBytes: record.length, startAt: timed.startAt, durationMs: timed.durationMs, runId: timed.runId,
      startsWithKey: timed.startsWithKey, decodeTimeTicks, sha256: sha256(record),
    }
    const withFree = fragment.buffer.subarray(recordAt, fragment.endAt + FREE_HEADER_BYTES)
    await this.#guarded(async () => {
      await this.#file.write(withFree.subarray(FREE_HEADER_BYTES), this.#endByte + FREE_HEADER_BYTES, 'append body')
      await this.#file.write(withFree.subarray(0, FREE_HEADER_BYTES), this.#endByte, 'append head')
    })
    this.#entries.push(entry)
    this.#endByte += record.length
    this.#gopBytes = timed.startsWithKey ? record.length : this.#gopBytes + record.length
    this.#largestGopBytes = Math.max(this.#largestGopBytes, this.#gopBytes)
  }

  /**
   * Writes each track's `tfdt`: a run's first record here stands at its wall time since the segment's
   * start, or right behind the run before where that one's
   * media time ran ahead; its later ones at their media time from there. Returns that of the first track in
   * ticks of the video track.
   */
  #placeInSegment({ fragment, trackTimes, runId, startAt }: TimedFragment): bigint {
    const lead = trackTimes.find(({ track }) => track.trackId === this.init.video.trackId) ?? trackTimes[0]!
    const { video } = this.init
    if (this.#placement?.runId !== runId) {
      const last = this.#entries.at(-1)
      const endMs = last === undefined ? 0 : Number(last.decodeTimeTicks) * 1000 / video.timescale + last.durationMs
      this.#placement = { runId, shiftMs: Math.max(startAt - this.startAt, endMs) - Number(lead.ticks) * 1000 / lead.timescale }
    }
    const { shiftMs } = this.#placement
    const place = ({ ticks, timescale }: typeof lead) => BigInt(Math.max(0, Number(ticks) + Math.round(shiftMs * timescale / 1000))) // sound may begin a moment before the first picture
    for (const each of trackTimes) patchDecodeTime(fragment.buffer, fragment.moofAt, each.track, place(each))
    return lead.track.trackId === video.trackId ? place(lead) : BigInt(Math.round(Number(place(lead)) * video.timescale / lead.timescale))
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try { await work() } catch (error) {
      const isFirst = this.#failure === null
      this.#failure ??= error
      if (isFirst) this.#onFailure(error)
      throw error
    }
  }

  /**
   * Ends what stands behind the last record of a slot that is gone on with, on the medium when it returns.
   */
  async writeFree(free: Buffer, step: string): Promise<void> {
    await this.#guarded(async () => {
      await this.#file.write(free, this.#endByte, `${step} free`)
      await this.#file.datasync(`${step} sync`)
    })
  }

  /** Nothing more is written, as after a failed call; what was synced counts. */
  giveUp(error: unknown): void { this.#failure ??= error }

  /**
   * On return every record appended before the call is on the medium. One sync is in flight at a time: the
   * kernel tells a failed write-back to one caller only,
   * so a failure is final for all who wait [INV-4].
   */
  async sync(): Promise<void> { await this.#sync('append sync') }

  /**
   * Of a slot that another process wrote: on return the medium has what was found in it. Of a write-back that
   * failed the kernel tells one process only, and shows the next one what the medium lacks, so what may not
   * have been synced is written again, to the same bytes.
   */
  async syncFound(): Promise<void> {
    const unsynced = this.#entries.slice(this.#syncedRecords), fromByte = unsynced[0]?.at
    if (fromByte === undefined) return
    await this.#guarded(async () => {
      const bytes = Buffer.alloc(this.#endByte - fromByte)
      await this.#file.read(bytes, fromByte, 'recover kept read')
      const isSame = unsynced.every(({ at, sizeBytes, sha256: hash }) =>
        sha256(bytes.subarray(at - fromByte, at - fromByte + sizeBytes)).equals(hash))
      if (!isSame) throw new RangeError('the disk gives other bytes than a moment before')
      await this.#file.write(bytes, fromByte, 'recover kept write')
    })
    await this.#sync('recover kept sync')
  }

  async #sync(step: string): Promise<void> {
    if (this.#syncing !== null) await this.#syncing
    if (this.#failure !== null) throw this.#failure
    if (this.#syncedRecords === this.#entries.length) return
    this.#syncing ??= this.#syncNow(step).finally(() => { this.#syncing = null })
    await this.#syncing
  }

  async #syncNow(step: string): Promise<void> {
    const records = this.#entries.length
    await this.#guarded(() => this.#file.datasync(step))
    this.#syncedRecords = Math.max(this.#syncedRecords, records)
  }

  /**
   * Syncs, writes index and `mfra` at the end, then shortens `free` up to them. Repeating it after a crash
   * gives the same bytes.
   * With a failure behind it only what was synced counts, and nothing is written.
   */
  async seal(keepUntilOf: (endAt: EpochMs) => EpochMs): Promise<SealFacts> {
    if (this.isDirty) await this.sync() // an index must never be durable before what it lists
    const entries = this.#failure === null ? this.#entries : this.#entries.slice(0, this.#syncedRecords)
    const last = entries.at(-1)
    const usedBytes = last === undefined ? 0 : last.at + last.sizeBytes
    const endAt = endOfFootage(entries) ?? this.startAt
    const facts: SealFacts = { endAt: epochMs(Math.max(endAt, this.startAt)), keepUntil: keepUntilOf(endAt), records: entries.length, usedBytes, merkleRoot: merkleRoot(entries.map(entry => entry.sha256)) }
    if (this.#failure === null) {
      const trailer = encodeTrailer({ slot: this.slot, generation: this.generation, entries, endAt: facts.endAt, keepUntil: facts.keepUntil, merkleRoot: facts.merkleRoot }, this.init.video.trackId)
      const trailerAt = this.#slotSizeBytes - trailer.length
      await this.#guarded(async () => {
        await this.#file.write(trailer, trailerAt, 'seal trailer')
        await this.#file.datasync('seal trailer sync')
        await this.#file.write(freeHeader(trailerAt - this.#endByte), this.#endByte, 'seal free')
        await this.#file.datasync('seal free sync')
      })
    }
    return facts
  }

  async close(): Promise<void> { await this.#file.close() }
}
