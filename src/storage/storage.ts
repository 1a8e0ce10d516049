import {
  epochMs, type AuditSink, type CameraId, type CameraUuid, type EpochMs, type GapCause, type MonoMs, type RunId,
  type StreamKey, type StreamName, type TimeRange, type VolumeId,
} from '../domain/index.ts'
import type { StorageError, VolumeFileSystem } from '../platform/file-system.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { floorRuleText, type FloorRule } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import { LastKnown } from '../platform/last-known.ts'
import { CatalogueMarks } from './catalogue-mark.ts'
import { FootageMoves } from './footage-moves.ts'
import { HoldBook } from './hold-book.ts'
import { LeaseTable } from './leases.ts'
import { OverwriteBook } from './overwrite-book.ts'
import type { FreeSlots } from './free-slots.ts'
import {
  adoptUnentered, recoverOpen, recoverPreparing, runsIn, salvage, tellLostTail, type RecoveredPreparing,
  type RecoveryOptions,
} from './recovery.ts'
import { spansOf, type Span } from './slot-survey.ts'
import { RescueImport } from './rescue-log.ts'
import { Ring, type OpenSlot } from './ring.ts'
import { RowQueue, type RowBacklog } from './row-queue.ts'
import { RunIds } from './run-ids.ts'
import { Scrubber } from './scrubber.ts'
import { SegmentReader, VolumeAwayError } from './segment-reader.ts'
import { StreamLane } from './stream-lane.ts'
import type { IndexEntry } from './slot-format.ts'
import { runSyncLoop } from './sync-loop.ts'
import { cameraTable, mintCameraUuid } from './tables/cameras.ts'
import { holdTable } from './tables/holds.ts'
import { markTable } from './tables/marks.ts'
import { runTable, TRIVIAL_GAP_MS } from './tables/runs.ts'
import { segmentTable, type SegmentRow } from './tables/segments.ts'
import { slotTable, type SlotRow } from './tables/slots.ts'
import { VolumeSet, type VolumeStatus } from './volume-set.ts'
import { TimeFile } from './time-file.ts'
import { UnenteredMark } from './unentered-mark.ts'
import type { Volume } from './volume.ts'

export interface StorageOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditSink
  readonly trustedTime: TrustedTime
  readonly volumes: readonly { readonly id: VolumeId, readonly path: string }[]
  readonly floor: FloorRule
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly log: Logger
}

const BUSY_FOR_MS = 5_000 // several syncs of each slot; many a disk has a slow one a minute, and a copy has to be made there too
const BUSY_SYNC_MS = 250 // half of what G4 allows: reading old footage makes way for recording
/** A start waits for its volumes this long; those that do not answer come when they do. */
const OPEN_WAIT_MS = 3_000
/** Another program that writes to the catalogue has its lock for so long at most; no reason for an alarm. */
const LOCKED_FOR_A_MOMENT_MS = 2_000
/**
 * A slot that was open at the last end and cannot be read is asked again so long: most disks that fail are
 * back.
 */
const UNREADABLE_MS = 3_600_000

interface LaneStream { readonly cameraUuid: CameraUuid, readonly stream: StreamName }
/** Its camera may leave the configuration before its last end is looked up: the lane says what was since. */
interface Unrecovered extends LaneStream { readonly lane: StreamLane }
/** A slot that was open when the recorder last ended. */
interface Unsealed {
  readonly volume: Volume
  readonly segment: SegmentRow
  readonly since: MonoMs
  /** The log says that it cannot be read. */
  isTold: boolean
}

/** A slot that was being prepared when the recorder last ended, and what the disk said when it was asked. */
interface Unread {
  readonly volume: Volume
  readonly row: SlotRow
  readonly error: StorageError
  readonly since: MonoMs
}

/** The footage store: volumes, catalogue, and a lane for each stream. One a state folder. */
export class Storage implements AsyncDisposable {
  readonly #options: StorageOptions
  readonly #tables
  readonly #rows: RowQueue
  readonly #runIds: RunIds
  readonly #volumes: VolumeSet
  readonly #leases: LeaseTable
  readonly holds: HoldBook
  readonly overwrites: OverwriteBook
  readonly #ring: Ring
  readonly #rescues: RescueImport
  readonly #lanes = new Map<string, StreamLane>()
  /** The configuration was applied: a stream that has no lane is recorded no more. */
  #areLanesKnown = false
  readonly #cameras = new Map<CameraId, CameraUuid>()
  readonly #unsealed = new Map<string, Unsealed[]>()
  #unread: Unread[] = []
  /** Streams whose last end could not be looked up: the catalogue could not be read. */
  readonly #unrecovered = new Map<string, Unrecovered>()
  readonly #known = new LastKnown()
  /** Of what is tried at each look at a volume. */
  readonly #failures = new Map<string, FailureLog>()
  readonly #time: TimeFile
  readonly #moves: FootageMoves
  /** Lower numbers are those of recorders before this one. */
  readonly #firstRunId: number
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[] = []

  private constructor(options: StorageOptions) {
    this.#options = options
    const { catalogue: { db }, clock, log } = options
    this.#tables = { cameras: cameraTable(db), holds: holdTable(db), runs: runTable(db), segments: segmentTable(db), slots: slotTable(db) }
    const rows = this.#rows = new RowQueue(options)
    const newestRun = this.#tables.runs.newest()
    this.#firstRunId = newestRun + 1
    this.#runIds = new RunIds(newestRun)
    const marks = new CatalogueMarks(markTable(db), clock.wallNow(), row => { rows.write(row) })
    this.#volumes = new VolumeSet({ ...options, ...this.#tables, rows, configured: options.volumes, marks, unentered: fs => new UnenteredMark({ fs, clock, log }) })
    const fs = this.#volumes.io
    this.#leases = new LeaseTable(clock)
    this.#rescues = new RescueImport({ ...options, fs })
    this.holds = new HoldBook({ ...options, ...this.#tables, fs, volumes: () => this.#volumes.usable() })
    this.#time = new TimeFile({ ...options, fs })
    this.overwrites = new OverwriteBook({ ...options, timezone: options.floor.timezone })
    this.#moves = new FootageMoves({ ...options, floor: options.floor, rows })
    this.#ring = new Ring({ ...options, ...this.#tables, rows, volumes: this.#volumes, leases: this.#leases, moves: this.#moves })
    rows.onCaughtUp = () => { void this.#volumes.unentered.clear(this.#volumes.usable()).then(() => this.#publishHolds()) }
    this.#volumes.onBack = volume => {
      this.holds.forget(volume)
      this.#time.forget(volume)
      void this.#ring.freeAbandoned(volume).catch((error: unknown) => {
        log.error({ err: error, volume: volume.identity.id }, 'slots of a volume that is back could not be freed')
      })
    }
    this.#volumes.onAdmission((volume, facts) => this.#admit(volume, facts))
  }

  /**
   * Opens the volumes; the catalogue stays the caller's. Does not wait for open slots to be recovered:
   * lanes do that when they are first used; nor for a volume that does not
   * answer: it is taken into use when it does.
   */
  static async open(options: StorageOptions): Promise<Storage> {
    const storage = new Storage(options)
    const { clock } = options
    options.trustedTime.onAdvance(advance => { storage.advanceAge(advance) })
    const { signal } = storage.#stop
    storage.#loops.push(storage.#volumes.io.run(signal), storage.#rows.run(signal))
    const waited = new AbortController()
    const looked = Promise.all(storage.#volumes.ids.map(async id => {
      const volume = await storage.#volumes.look(id)
      if (volume !== null) await storage.#looked(volume)
    }))
    await Promise.race([looked, clock.wait(OPEN_WAIT_MS, AbortSignal.any([signal, waited.signal]))])
    waited.abort()
    for (const id of storage.#volumes.ids) {
      storage.#loops.push(
        runSyncLoop({ clock, volumes: storage.#volumes, openSlots: () => storage.#openSlots(id) }, signal),
        storage.#volumes.watch(id, signal, volume => storage.#looked(volume)),
      )
    }
    return storage
  }

  /** Before the first slot of a volume is given away: what its holds say, and what stood open there. */
  async #admit(volume: Volume, { isUnentered, free }: { readonly isUnentered: boolean, readonly free: FreeSlots }): Promise<void> {
    const { log } = this.#options
    this.holds.forget(volume)
    this.#time.forget(volume)
    const { fault } = await this.holds.import(volume)
    if (fault !== null) log.error({ volume: volume.identity.id, fault }, 'the holds on a volume cannot be read')
    const { segments, slots } = this.#tables, { uuid } = volume.identity
    const preparing = slots.inState(uuid, 'preparing')
    const { settled, unread } = await recoverPreparing(this.#recovery(), volume, preparing)
    this.#unread = this.#unread.filter(each => each.volume !== volume)
    this.#noteUnread(volume, unread, this.#options.clock.monoNow())
    const isElse = new Set<number>([...settled, ...unread.map(({ row }) => row.slot)])
    const unsealed = segments.unsealed(uuid).filter(({ slot }) => !isElse.has(slot))
    if (isUnentered) unsealed.push(...await adoptUnentered(this.#recovery(), volume, free))
    for (const segment of unsealed) this.#noteUnsealed(volume, segment)
  }

  #noteUnsealed(volume: Volume, segment: SegmentRow): void {
    const key = laneKey(segment.cameraUuid, segment.stream)
    const waiting = this.#unsealed.get(key) ?? []
    waiting.push({ volume, segment, since: this.#options.clock.monoNow(), isTold: false })
    this.#unsealed.set(key, waiting)
  }

  #noteUnread(volume: Volume, unread: RecoveredPreparing['unread'], since: MonoMs): void {
    for (const { row, error } of unread) {
      this.#options.log.warn({ err: error, volume: volume.identity.id, slot: row.slot },
        'a slot that was being prepared cannot be read; it is tried again')
      this.#unread.push({ volume, row, error, since })
    }
  }

  /** Slots that were being prepared, and that the disk did not give at the start: they may hold footage. */
  async #recoverUnread(volume: Volume): Promise<void> {
    for (const waiting of this.#unread.filter(each => each.volume === volume)) {
      const { row, since, error } = waiting
      // Asked first: what fails here leaves the slot for the next look.
      const unsealed = this.#tables.segments.unsealed(volume.identity.uuid)
      const segment = unsealed.find(({ slot }) => slot === row.slot)
      const isOver = this.#options.clock.monoNow() - since > UNREADABLE_MS
      if (isOver) this.#ring.giveUp(volume, row, row, error)
      else {
        const { settled, unread } = await recoverPreparing(this.#recovery(), volume, [row])
        for (const each of unread) this.#unread.push({ volume, ...each, since })
        const isOpen = settled.size === 0 && unread.length === 0
        if (isOpen && segment !== undefined) this.#noteUnsealed(volume, segment)
      }
      this.#unread = this.#unread.filter(each => each !== waiting)
    }
  }

  /** After each look at a volume that can be recorded to. Never throws. */
  async #looked(volume: Volume): Promise<void> {
    const { clock, log } = this.#options
    const id = volume.identity.id
    const attempt = async (failed: string, work: () => Promise<void>) => {
      const key = `${id} ${failed}`
      const failures = this.#failures.get(key)
        ?? new FailureLog({ clock, log, failed, recovered: `no longer: ${failed}` })
      this.#failures.set(key, failures)
      try {
        await work()
        failures.success()
      } catch (error) { failures.failure({ err: error, volume: id }, 'error') }
    }
    if (!this.#rows.isBehind) await this.#volumes.unentered.clear([volume])
    await attempt('holds could not be written to a volume', () => this.holds.catchUp(volume))
    await attempt('trusted time could not be copied to a volume', () => this.#time.catchUp(volume))
    await attempt('slots that were being prepared could not be read', () => this.#recoverUnread(volume))
    await attempt('slots that were open could not be sealed', () => this.#settleLate())
    await attempt('the rescue log of a volume could not be taken in', () => this.#rescues.take(volume))
    this.#ring.keepReserve()
  }

  async #publishHolds(): Promise<void> {
    await this.holds.publish().catch((error: unknown) => { this.#options.log.error({ err: error }, 'holds could not be written to every volume') })
  }

  /**
   * Footage that somebody took with `custos rescue`, past the book, as far as it was learnt of in the last
   * seven days.
   */
  rescues(): { count: number, newestAt: EpochMs | null } { return this.#rescues.recent() }

  /**
   * What was open when the last recorder ended, and whose streams went on elsewhere, or are recorded no more:
   * of a volume that came back, or that could not be read at the start; or the catalogue could not. It is
   * history now.
   */
  #settleLate(): Promise<void> {
    const settled = this.#settling.then(() => this.#settleStreams()) // each volume's look asks for it
    this.#settling = settled.catch(() => undefined)
    return settled
  }
  #settling: Promise<void> = Promise.resolve()

  async #settleStreams(): Promise<void> {
    for (const [key, of] of [...this.#unrecovered]) {
      await this.#settleStream(key, of)
      this.#unrecovered.delete(key)
    }
    for (const [key, [first]] of [...this.#unsealed]) {
      const isHistory = this.#lanes.get(key)?.isRecovered ?? this.#areLanesKnown
      if (first === undefined || !isHistory) continue
      const { cameraUuid, stream } = first.segment
      this.#cutGaps({ cameraUuid, stream }, (await this.#sealLate(key)).values())
    }
  }

  /** Footage that is found late: a gap that was noted meanwhile begins behind it. */
  #cutGaps(of: LaneStream, ranges: Iterable<TimeRange>): void {
    for (const range of ranges) this.#rows.write(() => { this.#tables.runs.cutGap(of, range) })
  }

  /** Returns the runs that were found. */
  async #sealLate(key: string): Promise<ReadonlyMap<RunId, TimeRange>> {
    const { open, slots } = await this.#recoverSlots(key)
    if (open !== null) await this.#ring.seal(open)
    return runsIn(slots.flat())
  }

  /**
   * Ends the runs of the recorder before, and tells the time until this one knew something of the stream
   * [G7]. What
   * is found of them later still moves the gap's beginning.
   */
  async #settleStream(key: string, of: Unrecovered): Promise<void> {
    const { runs, segments } = this.#tables
    const now = this.#options.clock.wallNow()
    const unended = this.#unendedOf(of)
    const knownAt = of.lane.firstKnownAt
    const newestAt = segments.newestFrameBefore(of.cameraUuid, of.stream, knownAt ?? now)
    const found = await this.#sealLate(key)
    for (const run of unended) {
      const endAt = epochMs(Math.max(run.startAt, found.get(run.id)?.endAt ?? newestAt ?? run.startAt))
      this.#rows.write(() => {
        runs.end(run.id, endAt, 'recorder-killed')
        if (knownAt === null) runs.openGapBefore(of, endAt, 'recorder-killed', now)
        else if (knownAt - endAt > TRIVIAL_GAP_MS) runs.addGap(of, endAt, knownAt, 'recorder-killed', now)
      })
    }
  }

  /** Runs of recorders before this one. */
  #unendedOf({ cameraUuid, stream }: LaneStream) {
    return this.#tables.runs.unended().filter(run =>
      run.cameraUuid === cameraUuid && run.stream === stream && run.id < this.#firstRunId)
  }

  #recovery(): RecoveryOptions { return { ...this.#options, ...this.#tables, volumes: this.#volumes, rows: this.#rows, runIds: this.#runIds, ring: this.#ring } }

  /**
   * The lane of a stream; the camera's uuid is minted at first use. Recovery starts when it is first asked
   * for.
   */
  lane(camera: CameraId, stream: StreamName): StreamLane {
    const { clock, log, trustedTime } = this.#options
    const cameraUuid = this.#cameraUuid(camera)
    const key = laneKey(cameraUuid, stream)
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    const lane = new StreamLane({
      cameraId: camera, cameraUuid, stream, ring: this.#ring, runs: this.#tables.runs, runIds: this.#runIds, rows: this.#rows, clock, log, trustedTime,
      recovered: () => this.#recoverLane(cameraUuid, stream).catch((error: unknown) => {
        this.#unrecovered.set(key, { cameraUuid, stream, lane })
        throw error
      }),
      markUnentered: () => this.#volumes.unentered.set(this.#volumes.usable()),
    })
    this.#lanes.set(key, lane)
    return lane
  }

  #cameraUuid(id: CameraId): CameraUuid {
    const cached = this.#cameras.get(id)
    if (cached !== undefined) return cached
    const { cameras } = this.#tables
    let uuid = cameras.inUse(id)
    if (uuid === null) {
      const minted = uuid = mintCameraUuid(), now = this.#options.clock.wallNow()
      this.#rows.write(() => { cameras.insert(minted, id, now) })
    }
    this.#cameras.set(id, uuid)
    return uuid
  }

  /**
   * Ends what the last recorder left unended: its slots, its runs, and the gap since. All but the newest
   * slot are sealed.
   */
  async #recoverLane(cameraUuid: CameraUuid, stream: StreamName): Promise<OpenSlot | null> {
    const { runs, segments } = this.#tables
    const now = this.#options.clock.wallNow(), of = { cameraUuid, stream }
    // Asked first: what fails here leaves the slots for the next round.
    const unended = this.#unendedOf(of)
    const gap = runs.gapNow(of), newestFrameAt = segments.newestFrameOfStream(cameraUuid, stream)
    const { open: newest, slots } = await this.#recoverSlots(laneKey(cameraUuid, stream))
    const spans = runsIn(slots.flat())
    this.#cutGaps(of, spans.values())
    const recoveredTo = newest?.writer.endAt ?? lastEnd(spans.values())
    // Its stream may have gone on elsewhere since; a time that is still to come was of a clock that ran
    // ahead.
    const isLater = newestFrameAt !== null
      && (recoveredTo === null || (newestFrameAt > recoveredTo && newestFrameAt <= now))
    const lastFrameEnd = isLater ? newestFrameAt : recoveredTo
    for (const run of unended) {
      const endAt = spans.get(run.id)?.endAt ?? lastFrameEnd ?? run.startAt
      this.#rows.write(() => {
        if (gap !== null && gap.startAt < run.startAt && run.startAt < endAt) runs.closeGap(run, run.startAt, 0) // killed between its first fragment and the row that ends the gap before
        runs.end(run.id, endAt, 'recorder-killed')
        runs.openGapBefore(run, lastFrameEnd ?? endAt, 'recorder-killed', now)
      })
    }
    this.#noteUntoldGaps(of, slots.flatMap(spansOf), now)
    // It was left for later once, and its stream went on elsewhere: a segment must not reach over another.
    // Nor does
    // one go on under another floor than that in its header [G1].
    const isPassed = newest !== null && newestFrameAt !== null && newestFrameAt > newest.writer.endAt
    if (newest !== null && (isPassed || floorRuleText(newest.floor) !== floorRuleText(this.#options.floor))) {
      await this.#ring.seal(newest)
      return null
    }
    return newest
  }

  /**
   * Of what was recorded while the catalogue took no rows, nothing may be known of the time that was lost:
   * between
   * runs, inside one, or with a slot that failed and whose run went on in another [G7].
   */
  #noteUntoldGaps(of: LaneStream, spans: readonly Span[], now: EpochMs): void {
    const { runs } = this.#tables
    const ordered = spans.toSorted((a, b) => a.startAt - b.startAt)
    for (const [position, { runId, startAt }] of ordered.entries()) {
      const before = ordered.slice(0, position), endAt = lastEnd(before)
      if (endAt === null || startAt - endAt <= TRIVIAL_GAP_MS) continue
      const cause = before.some(span => span.runId === runId) ? 'unknown' : 'recorder-killed'
      this.#rows.write(() => { runs.addUntoldGap(of, endAt, startAt, cause, now) })
    }
  }

  /**
   * Recovers the open slots of a stream that volumes brought. All but the newest are sealed; one that
   * cannot be read is left for the next round.
   */
  async #recoverSlots(key: string): Promise<{ open: OpenSlot | null, slots: (readonly IndexEntry[])[] }> {
    const waiting = (this.#unsealed.get(key) ?? []).sort((a, b) => a.segment.startAt - b.segment.startAt)
    this.#unsealed.delete(key)
    let newest: OpenSlot | null = null
    const slots: (readonly IndexEntry[])[] = []
    for (const each of waiting) {
      const recovered = await recoverOpen(this.#recovery(), each.volume, each.segment)
      const entries = recovered.kind === 'unreadable'
        ? await this.#leaveForLater(key, each, recovered.error) : recovered.entries
      if (entries === null) continue
      tellLostTail(this.#recovery(), each.segment, entries)
      slots.push(entries)
      if (recovered.kind !== 'open') continue
      if (newest !== null) await this.#ring.seal(newest)
      newest = recovered.open
    }
    return { open: newest, slots }
  }

  /** Null: it is tried again. */
  async #leaveForLater(
    key: string, unsealed: Unsealed, error: StorageError,
  ): Promise<readonly IndexEntry[] | null> {
    const { volume, segment, since } = unsealed, { clock, log } = this.#options
    if (clock.monoNow() - since > UNREADABLE_MS) {
      return await salvage(this.#recovery(), volume, segment, error)
    }
    if (!unsealed.isTold) {
      log.warn({ err: error, volume: volume.identity.id, slot: segment.slot },
        'a slot that was open cannot be read; it is tried again')
    }
    unsealed.isTold = true
    this.#unsealed.set(key, [...this.#unsealed.get(key) ?? [], unsealed])
    return null
  }

  /**
   * Cameras that are no longer configured: their open slots are sealed; the id may come back as another
   * camera.
   */
  async retireAllBut(ids: ReadonlySet<CameraId>): Promise<void> {
    const now = this.#options.clock.wallNow()
    this.#rows.write(() => { this.#tables.cameras.retireAllBut(ids, now) })
    for (const id of [...this.#cameras.keys()]) if (!ids.has(id)) this.#cameras.delete(id)
    for (const [key, lane] of [...this.#lanes]) {
      if (ids.has(lane.cameraId)) continue
      await lane.close()
      this.#lanes.delete(key)
    }
    await this.#recoverLeft()
    this.#areLanesKnown = true
  }

  /**
   * What the recorder before left of streams that have no lane now: slots, or only a run, where the volume of
   * its slot is away [G7].
   */
  async #recoverLeft(): Promise<void> {
    const unsealed = [...this.#unsealed.values()].flat().map(({ segment }) => segment)
    const unended = this.#tables.runs.unended().filter(({ id }) => id < this.#firstRunId)
    const left = new Map([...unsealed, ...unended].map(({ cameraUuid, stream }) =>
      [laneKey(cameraUuid, stream), { cameraUuid, stream }] as const))
    for (const [key, { cameraUuid, stream }] of left) {
      if (this.#lanes.has(key) || this.#unrecovered.has(key)) continue
      const open = await this.#recoverLane(cameraUuid, stream)
      if (open !== null) await this.#ring.seal(open)
    }
  }

  /** What a stream declared, for its budget of slots; null when it declared nothing. */
  expectRate(stream: StreamKey, bitrateBps: number | null): void { this.#ring.expect(stream, bitrateBps) }

  /** Segments of a stream that overlap the range, oldest first; the newest may still grow. */
  segmentsIn(camera: CameraId, stream: StreamName, range: TimeRange): SegmentRow[] {
    return this.#tables.segments.inRange(this.#cameraUuid(camera), stream, range)
  }

  /**
   * The same by the camera's own mark, so that a device whose id was given to another is still found, and
   * never the other.
   */
  segmentsOf(camera: CameraUuid, stream: StreamName, range: TimeRange): SegmentRow[] { return this.#tables.segments.inRange(camera, stream, range) }

  /**
   * Whether a volume syncs so slowly just now that who reads old footage for somebody is to wait. The
   * scrubber, who has thirty days, waits a minute.
   */
  get isBusy(): boolean { return this.#volumes.worstSyncMs(BUSY_FOR_MS) > BUSY_SYNC_MS }

  /** Owned by the caller, who disposes it. Throws SegmentGoneError. */
  async openReader(segment: SegmentRow): Promise<SegmentReader> {
    const volume = this.#volumes.byUuid(segment.volumeUuid)
    if (volume === null) throw new VolumeAwayError()
    return SegmentReader.open(this.#volumes.io, volume, segment, this.#leases)
  }

  /**
   * Trusted time went forward at once: what was recorded since, in open slots too, moves with it. Inside
   * the transaction of the act.
   */
  advanceAge({ since, byMs }: { readonly since: EpochMs, readonly byMs: number }): void { this.#ring.restamp(since, byMs) }

  /** Reads what is sealed again, as long as its `run` lasts; the caller runs it. */
  scrubber(random: () => number): Scrubber {
    const volumes = () => {
      const worstMs = new Map(this.#volumes.status().map(status => [status.id, status.worstSyncMs]))
      return this.#volumes.usable().map(volume => ({ volume, isSlow: worstMs.get(volume.identity.id)! > BUSY_SYNC_MS }))
    }
    return new Scrubber({ ...this.#options, fs: this.#volumes.io, random, volumes })
  }

  /** Every camera that was ever recorded, those in use first. */
  cameras(): { uuid: CameraUuid, id: CameraId, isRetired: boolean }[] { return this.#tables.cameras.all() }

  volumeStatus(): (VolumeStatus & { oldestFrameAt: EpochMs | null, heldSlots: number })[] {
    const { segments } = this.#tables
    return this.#volumes.status().map(status => ({
      ...status,
      oldestFrameAt: this.#known.ask(`oldest ${status.id}`, () => this.#volumes.askOf(status.id, uuid => segments.oldestFrameOfVolume(uuid)), null),
      heldSlots: this.#known.ask(`held ${status.id}`, () => this.#volumes.askOf(status.id, uuid => segments.heldSlots(uuid)), null) ?? 0,
    }))
  }
  gapNow(camera: CameraId, stream: StreamName): { startAt: EpochMs, cause: GapCause } | null { return this.lane(camera, stream).gapNow() }

  /** Nightly: lets SQLite bring its statistics up to date and its log back to a small file. Milliseconds. */
  upkeep(): void {
    this.#options.catalogue.db.pragma('optimize')
    this.#options.catalogue.db.pragma('wal_checkpoint(TRUNCATE)')
  }

  /**
   * Whether the catalogue can be read and takes the rows of recording; `backlog` are those it has not taken
   * yet.
   */
  catalogueStatus(): { state: 'ok' | 'failed', detail: string, backlog: RowBacklog | null } {
    const { backlog } = this.#rows
    try {
      this.#options.catalogue.db.prepare('SELECT 1 FROM schema_migration LIMIT 1').get()
      return backlog === null || backlog.lastedMs < LOCKED_FOR_A_MOMENT_MS ? { state: 'ok', detail: '', backlog }
        : { state: 'failed', detail: `${backlog.cause}; ${backlog.pending} rows wait`, backlog }
    } catch (error) { return { state: 'failed', detail: (error as Error).message, backlog } }
  }

  oldestFrameAt(camera: CameraId, stream: StreamName): EpochMs | null {
    return this.#tables.segments.oldestFrameOfStream(this.#cameraUuid(camera), stream)
  }

  *#openSlots(id: VolumeId): Generator<OpenSlot> {
    for (const { openSlot } of this.#lanes.values()) if (openSlot?.volume.identity.id === id) yield openSlot
  }

  /** Seals every open slot. Ingest must have stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#volumes.stop()
    await this.#ring.stop()
    await this.#moves.stop()
    await Promise.all([...this.#lanes.values()].map(lane => lane.close()))
    this.#rows.flush()
    await this.#volumes.unentered.settled()
    this.#stop.abort()
    await Promise.all(this.#loops)
  }
}

const laneKey = (cameraUuid: CameraUuid, stream: StreamName): string => `${cameraUuid}/${stream}`
const lastEnd = (spans: Iterable<TimeRange>): EpochMs | null => [...spans].reduce<EpochMs | null>((latest, { endAt }) => latest === null || endAt > latest ? endAt : latest, null)
