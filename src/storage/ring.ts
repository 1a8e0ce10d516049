import { CustosError, generation, isoOf, RetryableError, type CameraUuid, type CameraId, type EpochMs, type StreamName } from '../domain/index.ts'
import type { InitSegment } from '../media/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { floorRuleText, keepUntil, mayReuse, type FloorRule } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { LeaseTable } from './leases.ts'
import { decodeSlotStart, encodeSlotStart, freeHeader, SLOT_START_MAX_BYTES, type SlotHeader } from './slot-format.ts'
import { SlotWriter, type SealFacts } from './slot-writer.ts'
import type { segmentTable, SegmentRow } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import { slotPath, type Volume } from './volume.ts'
import type { VolumeSet } from './volume-set.ts'

/** Every slot is inside its floor, held or read, or no volume is usable. Recording waits; nothing is overwritten. */
export class RingFullError extends RetryableError {
  readonly freeAt: EpochMs | null
  constructor(message: string, freeAt: EpochMs | null) {
    super('CUSTOS_RING_FULL', message, { remedy: 'Add a volume, or lower the bitrate of cameras; footage inside its floor is never overwritten.' })
    this.freeAt = freeAt
  }
}
export class NoVolumeError extends RetryableError {
  constructor() { super('CUSTOS_NO_VOLUME', 'no volume can be recorded to', { remedy: 'See `custos status`: mount or replace the disk.' }) }
}

export interface SegmentOwner { readonly cameraId: CameraId, readonly cameraUuid: CameraUuid, readonly stream: StreamName }

export interface RingOptions {
  readonly catalogue: Catalogue
  readonly slots: ReturnType<typeof slotTable>
  readonly segments: ReturnType<typeof segmentTable>
  readonly volumes: VolumeSet
  readonly leases: LeaseTable
  readonly trustedTime: TrustedTime
  readonly floor: FloorRule
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly log: Logger
}

const CANDIDATES = 64 // leased ones are passed over; more readers than this at the oldest end do not happen
/** An open slot of a stream, and where it lies. */
export interface OpenSlot { readonly volume: Volume, readonly row: SlotRow, readonly writer: SlotWriter, readonly floor: FloorRule }

/** Gives out slots and takes the oldest back, as the guard allows. The only place that turns sealed footage into a free slot. */
export class Ring {
  readonly #options: RingOptions
  constructor(options: RingOptions) { this.#options = options }

  get floor(): FloorRule { return this.#options.floor }

  /**
   * Takes a slot for `owner` and makes it ready: row `preparing`, what stands in it compared with the catalogue, the whole slot zeroed and synced, header written and synced, row `open` [INV-2].
   * Throws RingFullError, NoVolumeError, or StorageError after the slot was quarantined.
   */
  async open(owner: SegmentOwner, init: InitSegment, startAt: EpochMs): Promise<OpenSlot> {
    const { volume, row } = this.#allocate(owner, startAt)
    const { fs, slots, volumes } = this.#options
    const file = slotPath(volume, row.slot)
    try {
      const slotSizeBytes = volume.identity.slotSizeBytes
      await this.#requireKnown(volume, row)
      await fs.zeroRange(file, 0, slotSizeBytes, 'prepare zero')
      const handle = await fs.open(file, 'read-write', 'prepare open')
      try {
        await handle.datasync('prepare zero sync')
        const header: SlotHeader = {
          volumeUuid: volume.identity.uuid, slot: row.slot, generation: row.generation, cameraId: owner.cameraId, cameraUuid: owner.cameraUuid,
          stream: owner.stream, startAt, floorRule: floorRuleText(this.#options.floor), slotSizeBytes,
        }
        const start = encodeSlotStart(header, init.ftyp, init.moov)
        await handle.write(Buffer.concat([start, freeHeader(slotSizeBytes - start.length)]), 0, 'prepare header')
        await handle.datasync('prepare header sync')
        const opened = slots.move(row, { generation: row.generation, state: 'open' })
        volumes.countMove(volume, 'preparing', 'open')
        const writer = new SlotWriter({ file: handle, slot: row.slot, generation: row.generation, startAt, init, slotSizeBytes, endByte: start.length })
        return { volume, row: opened, writer, floor: this.#options.floor }
      } catch (error) {
        await handle.close().catch(() => undefined) // the first failure is the one to tell
        throw error
      }
    } catch (error) {
      this.giveUp(volume, row, 'preparing', error) // no frame was ever in it
      throw error
    }
  }

  /**
   * What is about to be zeroed is blank or the generation that the guard let go [G1]. Anything else is footage that this catalogue does not know:
   * it was restored from a backup, or another disk hangs under the mount point.
   */
  async #requireKnown(volume: Volume, row: SlotRow): Promise<void> {
    const file = slotPath(volume, row.slot)
    const start = Buffer.alloc(Math.min(SLOT_START_MAX_BYTES, volume.identity.slotSizeBytes))
    const handle = await this.#options.fs.open(file, 'read', 'prepare look')
    try { await handle.read(start, 0, 'prepare look') } finally { await handle.close() }
    const found = decodeSlotStart(start)
    if (found.kind === 'blank') return
    if (found.kind === 'slot' && found.header.volumeUuid === row.volumeUuid && found.header.slot === row.slot && found.header.generation === row.generation - 1) return
    const what = found.kind === 'slot' ? `slot ${found.header.slot}, generation ${found.header.generation} of volume ${found.header.volumeUuid}` : found.why
    throw new StorageError('other', 'prepare look', file, new Error(`generation ${row.generation - 1} was wanted, found: ${what}`))
  }

  #allocate(owner: SegmentOwner, startAt: EpochMs): { volume: Volume, row: SlotRow } {
    const { catalogue, slots, segments, volumes, clock } = this.#options
    const usable = volumes.usable()
    if (usable.length === 0) throw new NoVolumeError()
    // Immediate: the guard's answer and the act share one transaction, so no hold can slip between.
    return catalogue.db.transaction(() => {
      const now = clock.wallNow()
      const byFree = [...usable].sort((a, b) => volumes.freeShare(b) - volumes.freeShare(a))
      for (const volume of byFree) {
        const free = slots.firstFree(volume.identity.uuid)
        if (free !== null) return { volume, row: this.#begin(volume, free, owner, startAt) }
      }
      const { allowed, freeAt } = this.#oldestReusable(usable)
      if (allowed === null) throw new RingFullError(`all slots are in use and none may be overwritten before ${freeAt === null ? 'time is trusted again' : isoOf(freeAt)}`, freeAt)
      segments.end(allowed.segment, now)
      return { volume: allowed.volume, row: this.#begin(allowed.volume, { ...allowed.segment, state: 'sealed' }, owner, startAt) }
    }).immediate()
  }

  #begin(volume: Volume, from: SlotRow, owner: SegmentOwner, startAt: EpochMs): SlotRow {
    const { slots, segments, volumes, floor } = this.#options
    const row = slots.move(from, { generation: generation(from.generation + 1), state: 'preparing' })
    segments.insert({ volumeUuid: row.volumeUuid, slot: row.slot, generation: row.generation, cameraUuid: owner.cameraUuid, stream: owner.stream, startAt, floorRule: floorRuleText(floor) })
    volumes.countMove(volume, from.state, 'preparing')
    return row
  }

  /** The sealed segment whose newest frame is oldest, over all volumes, that the guard lets go; else when the first will be. */
  #oldestReusable(usable: readonly Volume[]): { allowed: { volume: Volume, segment: SegmentRow } | null, freeAt: EpochMs | null } {
    const { segments, leases, trustedTime, floor } = this.#options
    const candidates = usable.flatMap(volume => segments.oldest(volume.identity.uuid, CANDIDATES).map(segment => ({ volume, segment })))
      .sort((a, b) => (a.segment.endAt ?? 0) - (b.segment.endAt ?? 0))
    const now = trustedTime.now()
    let freeAt: EpochMs | null = null
    for (const candidate of candidates) {
      const { segment } = candidate
      const verdict = mayReuse({ newestFrameAt: segment.endAt, keepUntil: segment.keepUntil, held: false, leased: leases.isLeased(segment) }, floor, now)
      if (verdict.allowed) return { allowed: candidate, freeAt: null }
      if (verdict.reason === 'inside-floor' && (freeAt === null || verdict.until < freeAt)) freeAt = verdict.until // a floor that was lowered frees later footage first
    }
    return { allowed: null, freeAt }
  }

  /** The slot is not used again until a person looked at the disk. Its footage stays readable as far as it goes. */
  quarantine(volume: Volume, row: SlotRow, from: 'preparing' | 'open', error: unknown): void {
    const { slots, volumes, log } = this.#options
    const reason = error instanceof CustosError ? error.message : String(error)
    slots.move({ ...row, state: from }, { generation: row.generation, state: 'quarantined', reason })
    volumes.countMove(volume, from, 'quarantined')
    volumes.noteFault(volume, reason)
    log.error({ volume: volume.identity.id, slot: row.slot, err: error }, 'slot quarantined')
  }

  /** Quarantines a slot whose segment brought nothing. One transaction: a crash between the two would leave a segment without its slot. */
  giveUp(volume: Volume, row: SlotRow, from: 'preparing' | 'open', error: unknown): void {
    const { catalogue, segments, clock } = this.#options
    catalogue.db.transaction(() => {
      this.quarantine(volume, row, from, error)
      segments.end(row, clock.wallNow())
    })()
  }

  /** A slot that was zeroed again is free, and the segment it was prepared for never was. */
  setFree(volume: Volume, row: SlotRow): void {
    const { catalogue, slots, segments, volumes, clock } = this.#options
    catalogue.db.transaction(() => {
      slots.move(row, { generation: row.generation, state: 'free' })
      segments.end(row, clock.wallNow())
    })()
    volumes.countMove(volume, row.state, 'free')
  }

  /** Seals the footage of an open slot, on disk first, then in the catalogue. Returns what the catalogue now says. */
  async seal({ volume, row, writer, floor }: OpenSlot): Promise<SealFacts> {
    const { catalogue, slots, segments, volumes, clock } = this.#options
    const keepUntilOf = (endAt: EpochMs) => keepUntil(floor, endAt)
    const sealed = await writer.seal(keepUntilOf).catch(() => writer.seal(keepUntilOf)) // after a failure: what was synced, without a write
    const failure = writer.failure
    catalogue.db.transaction(() => {
      segments.seal(row, { ...sealed, sealedAt: clock.wallNow() })
      if (failure === null) {
        slots.move({ ...row, state: 'open' }, { generation: row.generation, state: 'sealed' })
        volumes.countMove(volume, 'open', 'sealed')
      } else this.quarantine(volume, row, 'open', failure)
    })()
    await writer.close().catch(() => undefined) // everything that counts is synced or given up
    return sealed
  }
}
