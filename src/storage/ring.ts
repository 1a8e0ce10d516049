import { AuditUnavailableError } from '../audit/index.ts'
import {
  CustosError, epochMs, generation, isoOf, RetryableError, streamKeyText, SYSTEM, type AuditSink, type CameraUuid, type CameraId, type EpochMs, type MonoMs, type StreamKey, type StreamName,
} from '../domain/index.ts'
import { type SegmentRow, slotPath } from '../footage/index.ts'
import type { InitSegment } from '../media/index.ts'
import { CatalogueFaultError, type Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import { chooseSlot, floorRuleText, keepUntil, parseFloorRule, SlotBudget, SlotBudgetError, type FloorRule, type NoSlotReason, type ReuseCandidate, type VolumeChoice } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { FootageMoves } from './footage-moves.ts'
import type { LeaseTable } from './leases.ts'
import { isCatalogueRefusal, type RowQueue } from './row-queue.ts'
import {
  decodeSlotStart, encodeSlotStart, freeHeader, SLOT_START_MAX_BYTES, type SlotHeader,
} from '../slots/index.ts'
import { SlotWriter, type SealFacts } from './slot-writer.ts'
import type { holdTable } from './tables/holds.ts'
import type { runTable } from './tables/runs.ts'
import type { segmentTable } from './tables/segments.ts'
import type { SlotRow, slotTable } from './tables/slots.ts'
import { type Volume, zeroSlot } from './volume.ts'
import type { VolumeSet } from './volume-set.ts'

/**
 * Every slot is inside its floor, held or read, or no volume is usable. Recording waits; nothing is
 * overwritten.
 */
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
  readonly runs: ReturnType<typeof runTable>
  readonly holds: ReturnType<typeof holdTable>
  readonly rows: RowQueue
  readonly volumes: VolumeSet
  readonly leases: LeaseTable
  readonly trustedTime: TrustedTime
  readonly moves: FootageMoves
  readonly audit: AuditSink
  readonly floor: FloorRule
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
/**
 * A slot that was taken. `before` is what the catalogue has of it: `preparing`, or `free` where it takes no
 * rows just now.
 */
interface Taken { readonly volume: Volume, readonly row: SlotRow, readonly before: SlotRow }

/**
 * A volume that failed is often back within seconds; a stream's fragments wait for it as long as its queue
 * has room.
 */
const WAIT_FOR_VOLUME_MS = 10_000
/** So does a catalogue that another program has locked. */
const WAIT_FOR_CATALOGUE_MS = 10_000
/**
 * So long the ring goes on when the catalogue takes no rows: that many slots are made ready ahead of need.
 */
const RESERVE_FOR_MS = 15 * 60_000
/** Of all slots, at most: a small ring is for footage. */
const RESERVE_SHARE = 8

/**
 * Of the days before a start, from which it knows how many slots are usually taken; and the least of them
 * that tell.
 */
const USUAL_FOR_MS = 3 * 86_400_000, USUAL_LEAST_MS = 3_600_000
/** Slots of so many takes tell how many are usual. */
const MOST_TAKES = 10_000

/** Slots that were taken in the last minutes before this start, or usually are in as many. */
function takesBefore({ segments, clock }: RingOptions): number {
  const now = clock.wallNow()
  const startedAt = segments.lastOpened(MOST_TAKES).filter(at => at >= now - USUAL_FOR_MS)
  const last = startedAt.filter(at => at >= now - RESERVE_FOR_MS).length
  const spanMs = Math.max(0, ...startedAt) - Math.min(now, ...startedAt)
  const usual = spanMs < USUAL_LEAST_MS ? 0 : Math.ceil(startedAt.length * RESERVE_FOR_MS / spanMs)
  return Math.max(last, usual)
}

/**
 * Gives out slots and takes the oldest back, as the guard allows. The only place that turns sealed footage
 * into a free slot.
 */
export class Ring {
  readonly #options: RingOptions
  #budget: SlotBudget | null = null
  #budgetSlotBytes = 0
  readonly #expectedBps = new Map<string, number | null>()
  readonly #takenAt: MonoMs[]
  #reclaiming: Promise<void> | null = null
  readonly #stopped = new AbortController()
  /** Slots that are recorded to, recovered or being sealed. */
  readonly #unsealed = new Set<OpenSlot>()
  #abandoned: { readonly volume: Volume, readonly row: SlotRow }[] = []
  constructor(options: RingOptions) {
    this.#options = options
    this.#takenAt = Array<MonoMs>(takesBefore(options)).fill(options.clock.monoNow())
  }

  /** What a stream declared, for its budget of slots; null when it declared nothing. */
  expect(stream: StreamKey, bitrateBps: number | null): void {
    this.#expectedBps.set(streamKeyText(stream), bitrateBps)
    this.#budget?.expect(streamKeyText(stream), bitrateBps, this.#options.clock.monoNow())
  }

  /**
   * Throws SlotBudgetError when the stream has used up its openings of the hour; else returns what takes
   * one. The smallest slots in use are what the budget counts in.
   */
  #spending(owner: SegmentOwner): () => void {
    const now = this.#options.clock.monoNow()
    const key = streamKeyText(owner)
    const slotBytes = Math.min(...this.#options.volumes.usable().map(volume => volume.identity.slotSizeBytes))
    if (this.#budget === null || slotBytes !== this.#budgetSlotBytes) { // a volume of other slots came or went
      this.#budgetSlotBytes = slotBytes
      if (this.#budget === null) this.#budget = new SlotBudget(slotBytes)
      else this.#budget.resize(slotBytes, now)
      for (const [stream, bitrateBps] of this.#expectedBps) this.#budget.expect(stream, bitrateBps, now)
    }
    const budget = this.#budget
    if (!budget.mayOpen(key, now)) throw new SlotBudgetError(key, budget.nextAt(key, now), now)
    return () => { budget.note(key, now) }
  }

  get floor(): FloorRule { return this.#options.floor }

  /**
   * Takes a slot for `owner` and makes it ready: row `preparing`, what stands in it compared with the
   * catalogue, the whole slot zeroed and synced, header written and synced, row `open` [INV-2].
   * While the catalogue takes no rows a free slot is taken without them, and they follow. Throws
   * RingFullError, NoVolumeError, SlotBudgetError, CatalogueFaultError, or StorageError
   * after the slot was quarantined.
   */
  async open(owner: SegmentOwner, init: InitSegment, startAt: EpochMs): Promise<OpenSlot> {
    const { rows, clock } = this.#options
    const until = clock.monoNow() + WAIT_FOR_CATALOGUE_MS
    for (;;) {
      try { return await this.#openSomewhere(owner, init, startAt) } catch (error) {
        const leftMs = until - clock.monoNow()
        if (!(error instanceof CatalogueFaultError) || leftMs <= 0 || this.#stopped.signal.aborted) throw error
        await rows.whenCaughtUp(leftMs, this.#stopped.signal) // no slot is ready, and the fragments that come meanwhile have room
      }
    }
  }

  async #openSomewhere(owner: SegmentOwner, init: InitSegment, startAt: EpochMs): Promise<OpenSlot> {
    const { volumes } = this.#options
    for (;;) {
      await volumes.whenUsable(WAIT_FOR_VOLUME_MS)
      const calm = volumes.calm()
      if (calm.length > 0) {
        try { return await this.#openOn(calm, owner, init, startAt) } catch (error) {
          if (!(error instanceof RingFullError) || calm.length === volumes.usable().length) throw error
        }
      }
      if (volumes.usable().length === 0) throw new NoVolumeError()
      const tried = await volumes.asTrial(() => this.#openOn(volumes.usable(), owner, init, startAt))
      if (tried !== null) return tried.result
    }
  }

  async #openOn(among: readonly Volume[], owner: SegmentOwner, init: InitSegment, startAt: EpochMs): Promise<OpenSlot> {
    const { slots, segments, volumes, rows, clock, floor } = this.#options
    const taken = await this.#take(among, owner, startAt)
    const { volume, row, before } = taken
    const writer = await this.#prepare(taken, owner, init, startAt)
    if (row.generation > 1) volumes.noteReuse(volume)
    const opened: SlotRow = { ...row, state: 'open' }
    volumes.countMove(volume, 'preparing', 'open')
    rows.write(() => {
      slots.move(before, opened)
      if (before.state === 'free') segments.insert({ ...row, cameraUuid: owner.cameraUuid, stream: owner.stream, startAt, floorRule: floorRuleText(floor) })
    })
    this.#takenAt.push(clock.monoNow())
    this.keepReserve()
    const newestAt = this.#options.trustedTime.trustedOf(startAt)
    return this.track({ volume, row: opened, owner, writer, floor, newestAt })
  }

  /**
   * Zeroes the slot and writes its header. Throws StorageError; the slot is then quarantined, or left for
   * when its volume is back.
   */
  async #prepare(taken: Taken, owner: SegmentOwner, init: InitSegment, startAt: EpochMs): Promise<SlotWriter> {
    const { volume, row } = taken
    const { volumes } = this.#options
    const { slotSizeBytes, uuid } = volume.identity
    const file = slotPath(volume, row.slot)
    try {
      await this.#requireKnown(volume, row)
      await volumes.io.zeroRange(file, 0, slotSizeBytes, 'prepare zero')
      const handle = await volumes.io.open(file, 'read-write', 'prepare open')
      try {
        await handle.datasync('prepare zero sync')
        const header: SlotHeader = {
          volumeUuid: uuid, slot: row.slot, generation: row.generation, cameraId: owner.cameraId, cameraUuid: owner.cameraUuid,
          stream: owner.stream, startAt, floorRule: floorRuleText(this.#options.floor), slotSizeBytes,
        }
        const start = encodeSlotStart(header, init.ftyp, init.moov)
        await handle.write(Buffer.concat([start, freeHeader(slotSizeBytes - start.length)]), 0, 'prepare header')
        await handle.datasync('prepare header sync')
        volumes.noteGood(volume)
        return new SlotWriter({
          file: handle, slot: row.slot, generation: row.generation, startAt, init, slotSizeBytes, endByte: start.length, onFailure: error => { volumes.noteFault(volume, error) },
        })
      } catch (error) {
        await handle.close().catch(() => undefined) // the first failure is the one to tell
        throw error
      }
    } catch (error) {
      if (error instanceof StorageError) await this.#prepareFailed(taken, error)
      throw error
    }
  }

  /**
   * No frame was ever in it. A disk that was pulled or hangs is no fault of the slot: its row is left
   * `preparing`, and it is zeroed when the disk is back [INV-2].
   */
  async #prepareFailed({ volume, row, before }: Taken, error: StorageError): Promise<void> {
    const { volumes, rows, slots } = this.#options
    if (await volumes.recheck(volume)) { this.giveUp(volume, row, before, error); return }
    if (before.state === 'free') rows.write(() => { slots.move(before, row) })
    this.#abandoned.push({ volume, row })
  }

  /** The volume is back: slots that were being made ready when it went are zeroed and free. */
  async freeAbandoned(volume: Volume): Promise<void> {
    const waiting = this.#abandoned.filter(each => each.volume === volume)
    this.#abandoned = this.#abandoned.filter(each => each.volume !== volume)
    for (const each of waiting) {
      try {
        await this.#requireKnown(volume, each.row, { orOwn: true })
        await zeroSlot(this.#options.volumes.io, volume, each.row, 'recover')
        this.setFree(volume, each.row)
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        await this.#prepareFailed({ ...each, before: each.row }, error)
      }
    }
  }

  /**
   * What is about to be zeroed is blank or a generation that the guard let go [G1]. Anything else is
   * footage that this catalogue does not know:
   * it was restored from a backup, or another disk hangs under the mount point.
   */
  async #requireKnown(volume: Volume, row: SlotRow, { orOwn = false } = {}): Promise<void> {
    const file = slotPath(volume, row.slot)
    const start = Buffer.alloc(Math.min(SLOT_START_MAX_BYTES, volume.identity.slotSizeBytes))
    const handle = await this.#options.volumes.io.open(file, 'read', 'prepare look')
    try { await handle.read(start, 0, 'prepare look') } finally { await handle.close() }
    const found = decodeSlotStart(start)
    if (found.kind === 'blank') return
    if (found.kind === 'slot' && found.header.volumeUuid === row.volumeUuid && found.header.slot === row.slot
      && (found.header.generation < row.generation || (orOwn && found.header.generation === row.generation))) return
    const what = found.kind === 'slot' ? `slot ${found.header.slot}, generation ${found.header.generation} of volume ${found.header.volumeUuid}` : found.why
    throw new StorageError('other', 'prepare look', file, new Error(`a generation before ${row.generation} was wanted, found: ${what}`))
  }

  /** Immediate: the guard's answer and the act share one transaction, so no hold can slip between. */
  async #take(among: readonly Volume[], owner: SegmentOwner, startAt: EpochMs): Promise<Taken> {
    const { catalogue, slots, rows, clock, floor, trustedTime } = this.#options
    const spend = this.#spending(owner)
    if (!rows.isBehind) {
      try {
        const taken = catalogue.db.transaction(() => {
          const choice = chooseSlot(among.map(volume => this.#choiceOf(volume)), floor, trustedTime.now())
          if (choice.kind === 'none') throw new RingFullError(choice.freeAt, choice.why)
          const volume = among.find(each => each.identity.id === choice.volume)!
          if (choice.kind === 'free') return { volume, from: slots.firstFree(volume.identity.uuid)!, row: this.#begin(slots.firstFree(volume.identity.uuid)!, owner, startAt) }
          this.#free(volume, choice.candidate, clock.wallNow())
          const from: SlotRow = { ...choice.candidate.segment, state: 'sealed' }
          return { volume, from, row: this.#begin(from, owner, startAt) }
        }).immediate()
        this.#moved(taken)
        spend()
        return { volume: taken.volume, row: taken.row, before: taken.row }
      } catch (error) {
        if (!isCatalogueRefusal(error)) throw error
        rows.noteRefusal(error)
      }
    }
    const taken = await this.#takeUnentered(among)
    spend()
    return taken
  }

  /**
   * While the catalogue takes no rows: the lowest free slot of the volume with the largest free share.
   * Nothing is reused, for that is an act to be written down [G10].
   */
  async #takeUnentered(among: readonly Volume[]): Promise<Taken> {
    const { volumes, rows } = this.#options
    await volumes.unentered.set(among)
    const share = (volume: Volume) => volumes.freeOf(volume).count / volume.identity.slotCount
    const [volume] = among.filter(each => volumes.freeOf(each).count > 0).sort((a, b) => share(b) - share(a))
    const before = volume === undefined ? null : volumes.freeOf(volume).take()
    if (volume === undefined || before === null) throw new CatalogueFaultError({ code: rows.backlog?.cause ?? 'unknown' })
    volumes.countMove(volume, 'free', 'preparing')
    return { volume, before, row: { ...before, generation: generation(before.generation + 1), state: 'preparing' } }
  }

  /** After the transaction that took a slot. */
  #moved({ volume, from, row }: { readonly volume: Volume, readonly from: SlotRow, readonly row: SlotRow }): void {
    const { volumes } = this.#options
    volumes.countMove(volume, from.state, row.state)
    if (from.state === 'free') volumes.freeOf(volume).remove(from.slot)
  }

  #begin(from: SlotRow, owner: SegmentOwner, startAt: EpochMs): SlotRow {
    const { slots, segments, floor } = this.#options
    const row = slots.move(from, { generation: generation(from.generation + 1), state: 'preparing' })
    segments.insert({ ...row, cameraUuid: owner.cameraUuid, stream: owner.stream, startAt, floorRule: floorRuleText(floor) })
    return row
  }

  // ---- the reserve

  /**
   * Makes slots ready ahead of need, in the background: what the guard lets go is zeroed and free before
   * anybody waits for it.
   */
  keepReserve(): void {
    if (this.#reclaiming !== null || this.#stopped.signal.aborted) return
    this.#reclaiming = this.#reclaim()
      .catch((error: unknown) => { this.#options.log.error({ err: error }, 'slots could not be made ready ahead of need') })
      .finally(() => { this.#reclaiming = null })
  }

  /** How many free slots there should be: what was taken in the last minutes, and one for each stream. */
  #reserve(among: readonly Volume[]): number {
    const since = this.#options.clock.monoNow() - RESERVE_FOR_MS
    while (this.#takenAt.length > 0 && this.#takenAt[0]! < since) this.#takenAt.shift()
    const slots = among.reduce((sum, { identity }) => sum + identity.slotCount, 0)
    return Math.min(Math.floor(slots / RESERVE_SHARE), this.#takenAt.length + this.#expectedBps.size)
  }

  async #reclaim(): Promise<void> {
    const { volumes, rows } = this.#options
    while (!this.#stopped.signal.aborted && !rows.isBehind) {
      const calm = volumes.calm()
      if (calm.reduce((sum, volume) => sum + volumes.freeSlots(volume), 0) >= this.#reserve(calm)) return
      if (!await this.#reclaimOldest(calm)) return
    }
  }

  /** False: there is none that may go, or it could not be zeroed. */
  async #reclaimOldest(among: readonly Volume[]): Promise<boolean> {
    const { catalogue, slots, volumes, rows, clock, floor, trustedTime } = this.#options
    let taken: { readonly volume: Volume, readonly from: SlotRow, readonly row: SlotRow } | null
    try {
      taken = catalogue.db.transaction(() => {
        const choice = chooseSlot(among.map(volume => ({ ...this.#choiceOf(volume), freeSlots: 0 })), floor, trustedTime.now())
        if (choice.kind !== 'reuse') return null
        const volume = among.find(each => each.identity.id === choice.volume)!
        this.#free(volume, choice.candidate, clock.wallNow())
        const from: SlotRow = { ...choice.candidate.segment, state: 'sealed' }
        return { volume, from, row: slots.move(from, { generation: generation(from.generation + 1), state: 'preparing' }) }
      }).immediate()
    } catch (error) {
      if (isCatalogueRefusal(error)) rows.noteRefusal(error)
      else if (!(error instanceof AuditUnavailableError)) throw error // without the log nothing is overwritten [G10]
      return false
    }
    if (taken === null) return false
    this.#moved(taken)
    const { volume, row } = taken
    try {
      await this.#requireKnown(volume, row)
      await zeroSlot(volumes.io, volume, row, 'reclaim')
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      await this.#prepareFailed({ volume, row, before: row }, error)
      return false
    }
    this.setFree(volume, row)
    return true
  }

  /** Takes nothing more; returns when what was being made ready is done with. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#reclaiming
  }

  /**
   * What the allocator may choose from: of each floor rule the first that is not being read, since the
   * first is the first to be free; and those before it.
   */
  #choiceOf(volume: Volume): VolumeChoice<Candidate> {
    const { segments, slots, leases, volumes } = this.#options
    const candidates: Candidate[] = []
    for (const oldestFirst of segments.reusable(volume.identity.uuid)) {
      for (const segment of oldestFirst) {
        const leased = leases.isLeased(segment)
        candidates.push({ ...this.#movedYet(segment), held: false, leased }) // held ones are no candidates, and freeing one throws
        if (!leased) break
      }
    }
    return { id: volume.identity.id, freeSlots: slots.firstFree(volume.identity.uuid) === null ? 0 : Math.max(1, volumes.freeSlots(volume)), totalSlots: volume.identity.slotCount, candidates }
  }

  /** As it will stand once footage has moved with trusted time. */
  #movedYet(segment: SegmentRow): Pick<Candidate, 'segment' | 'newestFrameAt' | 'keepUntil'> {
    const asItStands = { segment, newestFrameAt: segment.newestAt, keepUntil: segment.keepUntil }
    if (segment.newestAt === null) return asItStands
    const newestAt = this.#options.moves.latestOf(segment.newestAt)
    if (newestAt === segment.newestAt) return asItStands
    const keptUntil = keepUntil(parseFloorRule(segment.floorRule) ?? this.#options.floor, newestAt)
    return { segment, newestFrameAt: newestAt, keepUntil: epochMs(Math.max(segment.keepUntil!, keptUntil)) }
  }

  /**
   * Ends the row of what is overwritten, with the guard's reasons, for the overwrite record (R25) and for
   * whoever asks later.
   */
  #free(volume: Volume, { segment, newestFrameAt, keepUntil: ownUntil }: Candidate, at: EpochMs): void {
    const trustedAt = this.#options.trustedTime.now()!
    const keptUntil = epochMs(Math.max(ownUntil!, keepUntil(this.#options.floor, newestFrameAt!)))
    const { audit, segments, floor } = this.#options
    const floorNow = floorRuleText(floor)
    const { seq } = audit.append({
      action: 'slot.overwritten', actor: SYSTEM, object: slotName(volume, segment), application: null, result: 'done',
      detail: {
        camera: segment.cameraId, cameraUuid: segment.cameraUuid, stream: segment.stream, from: isoOf(segment.startAt), to: isoOf(segment.endAt!), newest: isoOf(newestFrameAt!),
        floorThen: segment.floorRule, floorNow, keptUntil: isoOf(keptUntil), trusted: isoOf(trustedAt), records: segment.records, bytes: segment.usedBytes, root: segment.merkleRoot,
      },
    })
    segments.free(segment, { at, trustedAt, keptUntil, floorRule: floorNow, auditSeq: seq })
  }

  /**
   * The slot is not used again until a person looked at the disk. Its footage stays readable as far as it
   * goes. `before` is what the catalogue has of it.
   * Only a fault of the volume is a reason.
   */
  #quarantine(volume: Volume, row: SlotRow, before: SlotRow, error: unknown, enterSegment: () => void): void {
    const { slots, volumes, rows, clock, log } = this.#options
    const happenedAt = clock.wallNow()
    const reason = error instanceof CustosError ? error.message : String(error)
    volumes.countMove(volume, row.state, 'quarantined')
    log.error({ volume: volume.identity.id, slot: row.slot, err: error }, 'slot quarantined')
    rows.write(() => {
      slots.move(before, { generation: row.generation, state: 'quarantined', reason })
      enterSegment()
      rows.append({ action: 'slot.quarantined', object: slotName(volume, row), result: 'done', detail: { why: reason.slice(0, 500) } }, happenedAt)
    })
  }

  /**
   * Quarantines a slot whose segment brought nothing. One transaction: a crash between the two would leave
   * a segment without its slot.
   */
  giveUp(volume: Volume, row: SlotRow, before: SlotRow, error: StorageError | RangeError): void {
    const { segments, volumes, clock } = this.#options
    const now = clock.wallNow()
    volumes.noteFault(volume, error)
    this.#quarantine(volume, row, before, error, () => { segments.endIfAny(row, now) })
  }

  /** A slot that was ready when the recorder died, and whose row was not. False: it has no segment. */
  enterOpen(volume: Volume, row: SlotRow): boolean {
    const { slots, segments, volumes, rows } = this.#options
    if (!segments.has(row)) return false
    volumes.countMove(volume, 'preparing', 'open')
    rows.write(() => { slots.move(row, { generation: row.generation, state: 'open' }) })
    return true
  }

  /** A slot that was zeroed is free, and the segment it was prepared for, if any, never was. */
  setFree(volume: Volume, row: SlotRow): void {
    const { slots, segments, volumes, rows, clock } = this.#options
    const now = clock.wallNow(), free: SlotRow = { ...row, state: 'free' }
    volumes.countMove(volume, row.state, 'free')
    rows.write(() => {
      slots.move(row, free)
      segments.endIfAny(row, now)
    }, { done: () => { volumes.freeOf(volume).add(free) } })
  }

  /**
   * Seals the footage of an open slot: on disk first, then in the catalogue as soon as it takes the rows.
   * Returns what they say. What the slot took but never got onto the medium is lost, and lost time is a gap,
   * in the same transaction [G7].
   */
  async seal(open: OpenSlot): Promise<SealFacts> {
    const { writer, owner } = open, { runs, clock } = this.#options
    const keepUntilOf = () => keepUntil(open.floor, open.newestAt)
    try {
      // After a failure: what was synced, without a write.
      const written = await writer.seal(keepUntilOf).catch(() => writer.seal(keepUntilOf))
      // Trusted time may have gone forward while its index was written.
      const sealed = { ...written, keepUntil: epochMs(Math.max(written.keepUntil, keepUntilOf())) }
      this.enterSealed(open, sealed, writer.failure, () => {
        if (sealed.records === writer.records) return
        runs.addGap(owner, sealed.endAt, writer.endAt, 'storage-failed', clock.wallNow())
      })
      return sealed
    } finally {
      this.#unsealed.delete(open)
      await writer.close().catch(() => undefined) // everything that counts is synced or given up
    }
  }

  /** Until it is sealed, what is in it moves with trusted time. Returns `open`. */
  track(open: OpenSlot): OpenSlot {
    this.#unsealed.add(open)
    return open
  }

  /**
   * The rows of a segment to which nothing is added any more; `failure` when its slot is not to be used
   * again.
   */
  enterSealed(
    open: Pick<OpenSlot, 'volume' | 'row' | 'owner' | 'newestAt'> & { readonly writer: { readonly startAt: EpochMs } }, sealed: SealFacts, failure: unknown, enterMore: () => void = () => undefined,
  ): void {
    const { slots, segments, holds, volumes, rows, clock } = this.#options
    const { volume, row, owner, newestAt, writer: { startAt } } = open
    const sealedAt = clock.wallNow()
    const enterSegment = (): void => {
      segments.seal(row, { ...sealed, newestAt, sealedAt })
      enterMore()
      holds.recount(row)
      if (failure !== null) segments.markQuarantined(row)
      rows.append({
        action: 'segment.sealed', object: slotName(volume, row), result: failure === null ? 'done' : 'failed',
        detail: {
          camera: owner.cameraId, cameraUuid: owner.cameraUuid, stream: owner.stream, from: isoOf(startAt), to: isoOf(sealed.endAt), keepUntil: isoOf(sealed.keepUntil),
          records: sealed.records, bytes: sealed.usedBytes, root: sealed.merkleRoot.toString('hex'),
        },
      }, sealedAt)
    }
    if (failure !== null) { this.#quarantine(volume, row, row, failure, enterSegment); return }
    volumes.countMove(volume, 'open', 'sealed')
    rows.write(() => {
      enterSegment()
      slots.move(row, { generation: row.generation, state: 'sealed' })
    })
  }

  /**
   * Trusted time was moved forward by `byMs`: what was recorded since then moves with it [G1]. In the
   * transaction of the act. Throws CatalogueFaultError while rows of recording wait.
   */
  restamp(since: EpochMs, byMs: number): void {
    const { moves, rows } = this.#options
    // A segment whose row waits would be entered with the time of before: the advance is believed once all
    // rows are there.
    if (rows.isBehind) throw new CatalogueFaultError({ code: rows.backlog?.cause ?? 'unknown' })
    moves.add(since, byMs)
    for (const open of this.#unsealed) if (open.newestAt >= since) open.newestAt = epochMs(open.newestAt + byMs)
  }
}

/** `disk1/17/4`: volume, slot, generation; how audit entries name a use of a slot. */
export const slotName = (volume: Volume, { slot, generation: use }: Pick<SlotRow, 'slot' | 'generation'>): string => `${volume.identity.id}/${slot}/${use}`
