import {
  type AuditSink, type CameraId, type CameraUuid, type EpochMs, type GapCause, type StreamKey, type StreamName,
  type TimeRange, type VolumeId,
} from '../domain/index.ts'
import {
  SegmentReader, VolumeAwayError, type Footage, type FragmentWatcher, type SegmentRow,
} from '../footage/index.ts'
import type { Asker } from '../link/index.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import type { FloorRule } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import { LastKnown } from '../platform/last-known.ts'
import { CatalogueMarks } from './catalogue-mark.ts'
import { FootageMoves } from './footage-moves.ts'
import { HoldBook } from './hold-book.ts'
import { holdDesk, type HoldDesk, type RefusedVolume } from './hold-desk.ts'
import { footageRequests } from './footage-requests.ts'
import { leaseRequests } from './lease-requests.ts'
import { LeaseTable } from './leases.ts'
import { liveRequests } from './live-requests.ts'
import { LocalFootage } from './local-footage.ts'
import { LoopShare } from '../platform/loop-share.ts'
import { OverwriteBook } from './overwrite-book.ts'
import type { FreeSlots } from './free-slots.ts'
import { RescueImport } from './rescue-log.ts'
import { Ring, type OpenSlot } from './ring.ts'
import { RowQueue, type RowBacklog } from './row-queue.ts'
import { RunIds } from './run-ids.ts'
import { scrubRequests } from './scrub-requests.ts'
import { Scrubber } from './scrubber.ts'
import { StreamLane } from './stream-lane.ts'
import { runSyncLoop } from './sync-loop.ts'
import { cameraTable, mintCameraUuid } from './tables/cameras.ts'
import { holdTable } from './tables/holds.ts'
import { markTable } from './tables/marks.ts'
import { runTable } from './tables/runs.ts'
import { segmentTable } from './tables/segments.ts'
import { slotTable } from './tables/slots.ts'
import { VolumeSet, type VolumeStatus } from './volume-set.ts'
import { TimeFile } from './time-file.ts'
import { UnenteredMark } from './unentered-mark.ts'
import { laneKey, UnfinishedFootage } from './unfinished-footage.ts'
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
/** The footage store: volumes, catalogue, and a lane for each stream. One a state folder. */
export class Storage implements AsyncDisposable {
  readonly #options: StorageOptions
  readonly #tables
  readonly #rows: RowQueue
  readonly #runIds: RunIds
  readonly #volumes: VolumeSet
  readonly #leases: LeaseTable
  readonly holds: HoldBook
  readonly holdDesk: HoldDesk
  readonly scrubRequests: ReturnType<typeof scrubRequests>
  readonly overwrites: OverwriteBook
  /** For those who show and copy it. */
  readonly footage: Footage
  readonly #footageRequests
  readonly #ring: Ring
  readonly #rescues: RescueImport
  readonly #lanes = new Map<string, StreamLane>()
  readonly #cameras = new Map<CameraId, CameraUuid>()
  /** Cameras that were kept when others left, as far as the catalogue has not taken it yet. */
  readonly #retiring = new Set<ReadonlySet<CameraId>>()
  readonly #known = new LastKnown()
  /** Of what is tried at each look at a volume. */
  readonly #failures = new Map<string, FailureLog>()
  readonly #time: TimeFile
  readonly #moves: FootageMoves
  readonly #unfinished: UnfinishedFootage
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[] = []
  /** All volumes were looked at, or did not answer in time. */
  #isOpen = false

  private constructor(options: StorageOptions) {
    this.#options = options
    const { catalogue: { db }, clock, log } = options
    this.#tables = { cameras: cameraTable(db), holds: holdTable(db), runs: runTable(db), segments: segmentTable(db), slots: slotTable(db) }
    const rows = this.#rows = new RowQueue(options)
    this.#runIds = new RunIds(this.#tables.runs.newest(), options.trustedTime.now())
    const marks = new CatalogueMarks(markTable(db), clock.wallNow(), row => { rows.write(row) })
    this.#volumes = new VolumeSet({ ...options, ...this.#tables, rows, configured: options.volumes, marks, unentered: fs => new UnenteredMark({ fs, clock, log }) })
    const fs = this.#volumes.io
    this.#leases = new LeaseTable(clock)
    this.#rescues = new RescueImport({ ...options, fs })
    this.holds = new HoldBook({ ...options, ...this.#tables, fs, volumes: () => this.#volumes.usable() })
    this.holdDesk = holdDesk({ catalogue: options.catalogue, clock, book: this.holds, refused: () => this.#refused() })
    this.scrubRequests = scrubRequests(options)
    this.footage = new LocalFootage(db, this)
    this.#footageRequests = footageRequests({ db, footage: this.footage, share: new LoopShare(clock) })
    this.#time = new TimeFile({ ...options, fs })
    this.overwrites = new OverwriteBook({ ...options, timezone: options.floor.timezone })
    this.#moves = new FootageMoves({ ...options, floor: options.floor, rows })
    this.#ring = new Ring({ ...options, ...this.#tables, rows, volumes: this.#volumes, leases: this.#leases, moves: this.#moves })
    this.#unfinished = new UnfinishedFootage({
      ...options, ...this.#tables, volumes: this.#volumes, rows, runIds: this.#runIds, ring: this.#ring,
      lanes: this.#lanes, firstRunId: this.#runIds.first,
    })
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
    storage.#isOpen = true
    storage.#ring.keepReserve()
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
    await this.#unfinished.admit(volume, isUnentered ? free : null)
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
    await attempt('slots that were being prepared could not be read', () => this.#unfinished.recoverUnread(volume))
    await attempt('slots that were open could not be sealed', () => this.#unfinished.settle())
    await attempt('the rescue log of a volume could not be taken in', () => this.#rescues.take(volume))
    // Among some of the volumes at a start, the oldest is not the oldest of all.
    if (this.#isOpen && !this.#volumes.isOneUnseen) this.#ring.keepReserve()
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
      recovered: () => this.#unfinished.recoverLane({ cameraUuid, stream }, () => lane),
      markUnentered: () => this.#volumes.unentered.set(this.#volumes.usable()),
    })
    this.#lanes.set(key, lane)
    return lane
  }

  #cameraUuid(id: CameraId): CameraUuid {
    const cached = this.#cameras.get(id)
    if (cached !== undefined) return cached
    const { cameras } = this.#tables
    // Its row may still say that it is in use, and be about to say that it is not.
    let uuid = this.#retiring.values().some(kept => !kept.has(id)) ? null : cameras.inUse(id)
    if (uuid === null) {
      const minted = uuid = mintCameraUuid(), now = this.#options.clock.wallNow()
      this.#rows.write(() => { cameras.insert(minted, id, now) })
    }
    this.#cameras.set(id, uuid)
    return uuid
  }

  /**
   * Cameras that are no longer configured: their open slots are sealed; the id may come back as another
   * camera.
   */
  async retireAllBut(ids: ReadonlySet<CameraId>): Promise<void> {
    const now = this.#options.clock.wallNow()
    this.#retiring.add(ids)
    this.#rows.write(() => { this.#tables.cameras.retireAllBut(ids, now) }, { done: () => { this.#retiring.delete(ids) } })
    for (const id of [...this.#cameras.keys()]) if (!ids.has(id)) this.#cameras.delete(id)
    for (const [key, lane] of [...this.#lanes]) {
      if (ids.has(lane.cameraId)) continue
      await lane.close()
      this.#lanes.delete(key)
    }
    await this.#unfinished.recoverLeft()
  }

  /** What a stream declared, for its budget of slots; null when it declared nothing. */
  expectRate(stream: StreamKey, bitrateBps: number | null): void { this.#ring.expect(stream, bitrateBps) }

  /** Segments of a stream that overlap the range, oldest first; the newest may still grow. */
  segmentsIn(camera: CameraId, stream: StreamName, range: TimeRange): SegmentRow[] {
    return this.#tables.segments.inRange(this.#cameraUuid(camera), stream, range)
  }

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

  /** What the office asks of footage on one connection: leases and watches end with it. */
  officeRequests(asker: Asker) {
    const { segments } = this.#tables
    return {
      ...this.#footageRequests,
      ...leaseRequests({
        leases: this.#leases, clock: this.#options.clock,
        place: volume => this.#volumes.byUuid(volume), isThere: segment => segments.has(segment),
      }, asker),
      ...liveRequests({ watch: (...of) => this.#watchLive(...of) }, asker),
    }
  }

  /** Null for a stream that this recorder has not begun to record: asking mints no camera. */
  #watchLive(id: CameraId, stream: StreamName, watcher: FragmentWatcher): (() => void) | null {
    const camera = this.#cameras.get(id), lane = camera && this.#lanes.get(laneKey(camera, stream))
    return lane?.watch(watcher) ?? null
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

  #refused(): RefusedVolume[] {
    return this.#volumes.status().filter(({ state }) => state !== 'ok').map(({ id, detail }) => ({ id, detail }))
  }

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
