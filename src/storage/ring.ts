import { CustosError, generation, isoOf, RetryableError, type CameraUuid, type CameraId, type EpochMs, type StreamName } from '../domain/index.ts'
import type { InitSegment } from '../media/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { floorRuleText, keepUntil, mayReuse, type FloorRule } from '../retention/index.ts'
import type { Catalogue } from './catalogue.ts'
import type { LeaseTable } from './leases.ts'
import { encodeSlotStart, freeHeader, type SlotHeader } from './slot-format.ts'
import { SlotWriter } from './slot-writer.ts'
import type { segmentTable, SegmentRow } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import type { TrustedTime } from './trusted-time.ts'
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
   * Takes a slot for `owner` and makes it ready: row `preparing`, the whole slot zeroed and synced, header written and synced, row `open` [INV-2].
   * Throws RingFullError, NoVolumeError, or StorageError after the slot was quarantined.
   */
  async open(owner: SegmentOwner, init: InitSegment, startAt: EpochMs): Promise<OpenSlot> {
    const { volume, row } = this.#allocate(owner, startAt)
    const { fs, slots, segments, volumes, clock } = this.#options
    const file = slotPath(volume, row.slot)
    try {
      const slotSizeBytes = volume.identity.slotSizeBytes
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
      this.quarantine(volume, row, 'preparing', error)
      segments.end(row, clock.wallNow()) // no frame was ever in it
      throw error
    }
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
      if (verdict.reason === 'inside-floor') freeAt ??= verdict.until
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

  /** Seals the footage of an open slot, on disk first, then in the catalogue. */
  async seal({ volume, row, writer, floor }: OpenSlot): Promise<void> {
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
  }
}
