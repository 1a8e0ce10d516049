import { noteEvent } from '../audit/index.ts'
import { CustosError, epochMs, generation, isoOf, RetryableError, streamKeyText, SYSTEM, type AuditSink, type CameraUuid, type CameraId, type EpochMs, type StreamKey, type StreamName } from '../domain/index.ts'
import type { InitSegment } from '../media/index.ts'
import { withCatalogue, type Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { chooseSlot, floorRuleText, keepUntil, parseFloorRule, SlotBudget, SlotBudgetError, type FloorRule, type NoSlotReason, type ReuseCandidate, type VolumeChoice } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { LeaseTable } from './leases.ts'
import { decodeSlotStart, encodeSlotStart, freeHeader, SLOT_START_MAX_BYTES, type SlotHeader } from './slot-format.ts'
import { SlotWriter, type SealFacts } from './slot-writer.ts'
import type { holdTable } from './tables/holds.ts'
import type { segmentTable, SegmentRow } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import { slotPath, type Volume } from './volume.ts'
import type { VolumeSet } from './volume-set.ts'

/** Every slot is inside its floor, held or read, or no volume is usable. Recording waits; nothing is overwritten. */
export class RingFullError extends RetryableError {
  readonly freeAt: EpochMs | null
  constructor(freeAt: EpochMs | null, why: NoSlotReason) {
    super('CUSTOS_RING_FULL', `no slot is free and none may be overwritten (${why}) ${freeAt === null ? 'until a person acts' : `before ${isoOf(freeAt)}`}`, {
      remedy: 'Add a volume, lower the bitrate of cameras, or end holds that are no longer needed; footage inside its floor is never overwritten.',
    })
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
  readonly holds: ReturnType<typeof holdTable>
  readonly volumes: VolumeSet
  readonly leases: LeaseTable
  readonly trustedTime: TrustedTime
  readonly audit: AuditSink
  readonly floor: FloorRule
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly log: Logger
}

/** An open slot of a stream, and where it lies. */
export interface OpenSlot {
  readonly volume: Volume
  readonly row: SlotRow
  readonly owner: SegmentOwner
  readonly writer: SlotWriter
  readonly floor: FloorRule
  /** End of the newest frame by trusted time; later than by the wall clock where that was behind. */
  newestAt: EpochMs
}
interface Candidate extends ReuseCandidate { readonly segment: SegmentRow }

/** Gives out slots and takes the oldest back, as the guard allows. The only place that turns sealed footage into a free slot. */
export class Ring {
  readonly #options: RingOptions
  #budget: SlotBudget | null = null
  readonly #expectedBps = new Map<string, number | null>()
  constructor(options: RingOptions) { this.#options = options }

  /** What a stream declared, for its budget of slots; null when it declared nothing. */
  expect(stream: StreamKey, bitrateBps: number | null): void {
    this.#expectedBps.set(streamKeyText(stream), bitrateBps)
    this.#budget?.expect(streamKeyText(stream), bitrateBps, this.#options.clock.monoNow())
  }

  /** Throws SlotBudgetError when the stream has used up its openings of the hour; else returns what takes one. The smallest slots in use are what the budget counts in. */
  #spending(owner: SegmentOwner): () => void {
    const now = this.#options.clock.monoNow()
    const key = streamKeyText(owner)
    if (this.#budget === null) {
      this.#budget = new SlotBudget(Math.min(...this.#options.volumes.usable().map(volume => volume.identity.slotSizeBytes)))
      for (const [stream, bitrateBps] of this.#expectedBps) this.#budget.expect(stream, bitrateBps, now)
    }
    const budget = this.#budget
    if (!budget.mayOpen(key, now)) throw new SlotBudgetError(key, budget.nextAt(key, now), now)
    return () => { budget.note(key, now) }
  }

  get floor(): FloorRule { return this.#options.floor }

  /**
   * Takes a slot for `owner` and makes it ready: row `preparing`, what stands in it compared with the catalogue, the whole slot zeroed and synced, header written and synced, row `open` [INV-2].
   * Throws RingFullError, NoVolumeError, SlotBudgetError, or StorageError after the slot was quarantined.
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
        if (row.generation > 1) volumes.noteReuse(volume)
        const opened = slots.move(row, { generation: row.generation, state: 'open' })
        volumes.countMove(volume, 'preparing', 'open')
        const writer = new SlotWriter({ file: handle, slot: row.slot, generation: row.generation, startAt, init, slotSizeBytes, endByte: start.length })
        return { volume, row: opened, owner, writer, floor: this.#options.floor, newestAt: this.#options.trustedTime.trustedOf(startAt) }
      } catch (error) {
        await handle.close().catch(() => undefined) // the first failure is the one to tell
        throw error
      }
    } catch (error) {
      // A disk that was pulled is no fault of the slot: the row stays `preparing`, and recovery zeroes it when the volume is back [INV-2].
      if (await volumes.recheck(volume)) this.giveUp(volume, row, 'preparing', error) // no frame was ever in it
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
    const { catalogue, slots, volumes, clock, floor, trustedTime } = this.#options
    const usable = volumes.usable()
    if (usable.length === 0) throw new NoVolumeError()
    const spend = this.#spending(owner)
    // Immediate: the guard's answer and the act share one transaction, so no hold can slip between.
    const allocated = withCatalogue(() => catalogue.db.transaction(() => {
      const now = clock.wallNow()
      const choice = chooseSlot(usable.map(volume => this.#choiceOf(volume)), floor, trustedTime.now())
      if (choice.kind === 'none') throw new RingFullError(choice.freeAt, choice.why)
      const volume = usable.find(each => each.identity.id === choice.volume)!
      if (choice.kind === 'free') return { volume, row: this.#begin(volume, slots.firstFree(volume.identity.uuid)!, owner, startAt) }
      this.#free(volume, choice.candidate, now)
      return { volume, row: this.#begin(volume, { ...choice.candidate.segment, state: 'sealed' }, owner, startAt) }
    }).immediate())
    spend()
    return allocated
  }

  #begin(volume: Volume, from: SlotRow, owner: SegmentOwner, startAt: EpochMs): SlotRow {
    const { slots, segments, volumes, floor } = this.#options
    const row = slots.move(from, { generation: generation(from.generation + 1), state: 'preparing' })
    segments.insert({ volumeUuid: row.volumeUuid, slot: row.slot, generation: row.generation, cameraUuid: owner.cameraUuid, stream: owner.stream, startAt, floorRule: floorRuleText(floor) })
    volumes.countMove(volume, from.state, 'preparing')
    return row
  }

  /** What the allocator may choose from: of each floor rule the first that is not being read, since the first is the first to be free; and those before it. */
  #choiceOf(volume: Volume): VolumeChoice<Candidate> {
    const { segments, slots, leases, volumes } = this.#options
    const candidates: Candidate[] = []
    for (const oldestFirst of segments.reusable(volume.identity.uuid)) {
      for (const segment of oldestFirst) {
        const leased = leases.isLeased(segment)
        candidates.push({ segment, newestFrameAt: segment.newestAt, keepUntil: segment.keepUntil, held: false, leased }) // held ones are no candidates, and freeing one throws
        if (!leased) break
      }
    }
    return { id: volume.identity.id, freeSlots: slots.firstFree(volume.identity.uuid) === null ? 0 : Math.max(1, volumes.freeSlots(volume)), totalSlots: volume.identity.slotCount, candidates }
  }

  /** Ends the row of what is overwritten, with the guard's reasons, for the overwrite record (R25) and for whoever asks later. */
  #free(volume: Volume, { segment }: Candidate, at: EpochMs): void {
    const trustedAt = this.#options.trustedTime.now()!
    const keptUntil = epochMs(Math.max(segment.keepUntil!, keepUntil(this.#options.floor, segment.newestAt!)))
    const { audit, segments, floor } = this.#options
    const floorNow = floorRuleText(floor)
    const { seq } = audit.append({
      action: 'slot.overwritten', actor: SYSTEM, object: slotName(volume, segment), application: null, result: 'done',
      detail: {
        camera: segment.cameraId, cameraUuid: segment.cameraUuid, stream: segment.stream, from: isoOf(segment.startAt), to: isoOf(segment.endAt!), newest: isoOf(segment.newestAt!),
        floorThen: segment.floorRule, floorNow, keptUntil: isoOf(keptUntil), trusted: isoOf(trustedAt), records: segment.records, bytes: segment.usedBytes, root: segment.merkleRoot,
      },
    })
    segments.free(segment, { at, trustedAt, keptUntil, floorRule: floorNow, auditSeq: seq })
  }

  /** The slot is not used again until a person looked at the disk. Its footage stays readable as far as it goes. */
  quarantine(volume: Volume, row: SlotRow, from: 'preparing' | 'open', error: unknown): void {
    const { audit, slots, segments, volumes, log } = this.#options
    const reason = error instanceof CustosError ? error.message : String(error)
    slots.move({ ...row, state: from }, { generation: row.generation, state: 'quarantined', reason })
    segments.markQuarantined(row)
    volumes.countMove(volume, from, 'quarantined')
    volumes.noteFault(volume, reason)
    log.error({ volume: volume.identity.id, slot: row.slot, err: error }, 'slot quarantined')
    noteEvent(audit, log, { action: 'slot.quarantined', actor: SYSTEM, object: slotName(volume, row), application: null, result: 'done', detail: { why: reason.slice(0, 500) } })
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
  async seal(open: OpenSlot): Promise<SealFacts> {
    const { volume, row, writer } = open
    const keepUntilOf = () => keepUntil(open.floor, open.newestAt)
    const sealed = await writer.seal(keepUntilOf).catch(() => writer.seal(keepUntilOf)) // after a failure: what was synced, without a write
    const enter = this.#options.catalogue.db.transaction((isTold: boolean) => { this.#enterSealed(open, sealed, isTold) })
    try { enter(true) } catch (error) { // recording goes on without its book [G10]: a sealed segment is in the overwrite entry too
      this.#options.log.error({ err: error, slot: row.slot, volume: volume.identity.id }, 'sealing could not be audited')
      enter(false)
    }
    await writer.close().catch(() => undefined) // everything that counts is synced or given up
    return sealed
  }

  #enterSealed(open: OpenSlot, sealed: SealFacts, isTold: boolean): void {
    const { slots, segments, holds, volumes, clock, audit } = this.#options
    const { volume, row, owner, writer: { failure, startAt } } = open
    segments.seal(row, { ...sealed, newestAt: open.newestAt, sealedAt: clock.wallNow() })
    holds.recount(row)
    if (isTold) {
      audit.append({
        action: 'segment.sealed', actor: SYSTEM, object: slotName(volume, row), application: null, result: failure === null ? 'done' : 'failed',
        detail: {
          camera: owner.cameraId, cameraUuid: owner.cameraUuid, stream: owner.stream, from: isoOf(startAt), to: isoOf(sealed.endAt), keepUntil: isoOf(sealed.keepUntil),
          records: sealed.records, bytes: sealed.usedBytes, root: sealed.merkleRoot.toString('hex'),
        },
      })
    }
    if (failure === null) {
      slots.move({ ...row, state: 'open' }, { generation: row.generation, state: 'sealed' })
      volumes.countMove(volume, 'open', 'sealed')
    } else this.quarantine(volume, row, 'open', failure)
  }

  /** Trusted time was moved forward by `byMs`: what was recorded since then moves with it [G1]. In the transaction of the act. */
  restamp(since: EpochMs, byMs: number, openSlots: Iterable<OpenSlot>): void {
    const { segments, floor } = this.#options
    const moved = segments.restamp(since, byMs, (segment, newestAt) => keepUntil(parseFloorRule(segment.floorRule) ?? floor, newestAt))
    for (const open of openSlots) if (open.newestAt >= since) open.newestAt = epochMs(open.newestAt + byMs)
    this.#options.log.info({ since: isoOf(since), byMs, segments: moved }, 'footage of doubtful time moves with trusted time')
  }
}

/** `disk1/17/4`: volume, slot, generation; how audit entries name a use of a slot. */
export const slotName = (volume: Volume, { slot, generation: use }: Pick<SlotRow, 'slot' | 'generation'>): string => `${volume.identity.id}/${slot}/${use}`
