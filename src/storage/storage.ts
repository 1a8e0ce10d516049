import type { AuditSink, CameraId, CameraUuid, EpochMs, GapCause, StreamKey, StreamName, TimeRange, VolumeId } from '../domain/index.ts'
import type { VolumeFileSystem } from '../platform/file-system.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { FloorRule } from '../retention/index.ts'
import type { TrustedTime } from '../trusted-time/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import { CatalogueMarks } from './catalogue-mark.ts'
import { HoldBook } from './hold-book.ts'
import { LeaseTable } from './leases.ts'
import { OverwriteBook } from './overwrite-book.ts'
import { recoverOpen, recoverPreparing, type RecoveryOptions } from './recovery.ts'
import { RescueImport } from './rescue-log.ts'
import { Ring, type OpenSlot } from './ring.ts'
import { Scrubber } from './scrubber.ts'
import { SegmentReader, VolumeAwayError } from './segment-reader.ts'
import { StreamLane } from './stream-lane.ts'
import { runSyncLoop } from './sync-loop.ts'
import { cameraTable } from './tables/cameras.ts'
import { holdTable } from './tables/holds.ts'
import { markTable } from './tables/marks.ts'
import { runTable } from './tables/runs.ts'
import { segmentTable, type SegmentRow } from './tables/segments.ts'
import { slotTable } from './tables/slots.ts'
import { VolumeSet, type VolumeStatus } from './volume-set.ts'
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

const VOLUME_RECHECK_MS = 10_000
const BUSY_FOR_MS = 5_000 // several syncs of each slot; many a disk has a slow one a minute, and a copy has to be made there too
const BUSY_SYNC_MS = 250 // half of what G4 allows: reading old footage makes way for recording

/** The footage store: volumes, catalogue, and a lane for each stream. One a state folder. */
export class Storage implements AsyncDisposable {
  readonly #options: StorageOptions
  readonly #tables
  readonly #volumes: VolumeSet
  readonly #leases: LeaseTable
  readonly holds: HoldBook
  readonly overwrites: OverwriteBook
  readonly #ring: Ring
  readonly #rescues: RescueImport
  readonly #lanes = new Map<string, StreamLane>()
  readonly #unsealed = new Map<string, { volume: Volume, segment: SegmentRow }[]>()
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[] = []

  private constructor(options: StorageOptions) {
    this.#options = options
    const { db } = options.catalogue
    this.#tables = { cameras: cameraTable(db), holds: holdTable(db), runs: runTable(db), segments: segmentTable(db), slots: slotTable(db) }
    this.#volumes = new VolumeSet({ ...options, ...this.#tables, configured: options.volumes, marks: new CatalogueMarks(options.fs, markTable(db), options.clock.wallNow()) })
    this.#leases = new LeaseTable(options.clock)
    this.#rescues = new RescueImport(options)
    this.holds = new HoldBook({ ...options, ...this.#tables, volumes: () => this.#volumes.usable() })
    this.overwrites = new OverwriteBook({ ...options, timezone: options.floor.timezone })
    this.#ring = new Ring({ ...options, ...this.#tables, volumes: this.#volumes, leases: this.#leases })
  }

  /** Opens the volumes; the catalogue stays the caller's. Does not wait for open slots to be recovered: lanes do that when they are first used. */
  static async open(options: StorageOptions): Promise<Storage> {
    const storage = new Storage(options)
    options.trustedTime.onAdvance(advance => { storage.advanceAge(advance) })
    await storage.#takeIntoUse()
    const { signal } = storage.#stop
    storage.#loops.push(
      runSyncLoop({ clock: options.clock, volumes: storage.#volumes, openSlots: () => storage.#openSlots() }, signal),
      storage.#recheckVolumes(signal),
    )
    return storage
  }

  async #recheckVolumes(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.wait(VOLUME_RECHECK_MS, signal)
      if (!signal.aborted) await this.#takeIntoUse().catch((error: unknown) => { this.#options.log.error({ err: error }, 'volume check failed') })
    }
  }

  async #takeIntoUse(): Promise<void> {
    const came = await this.#volumes.refresh()
    for (const volume of came) {
      const { fault } = await this.holds.import(volume)
      if (fault !== null) this.#options.log.error({ volume: volume.identity.id, fault }, 'the holds on a volume cannot be read')
      await recoverPreparing(this.#recovery(), volume)
      for (const segment of this.#tables.segments.unsealed(volume.identity.uuid)) {
        const key = laneKey(segment.cameraUuid, segment.stream)
        const waiting = this.#unsealed.get(key) ?? []
        waiting.push({ volume, segment })
        this.#unsealed.set(key, waiting)
      }
    }
    if (came.length > 0) await this.holds.publish().catch((error: unknown) => { this.#options.log.error({ err: error }, 'holds could not be written to every volume') })
    await this.#sealLateComers()
    for (const volume of this.#volumes.usable()) {
      await this.#rescues.take(volume).catch((error: unknown) => { this.#options.log.error({ err: error, volume: volume.identity.id }, 'the rescue log of a volume could not be taken in') })
    }
  }

  /** Footage that somebody took with `custos rescue`, past the book, as far as it was learnt of in the last seven days. */
  rescues(): { count: number, newestAt: EpochMs | null } { return this.#rescues.recent() }

  /** A volume that came back after its streams went on elsewhere: what was open on it is history now. */
  async #sealLateComers(): Promise<void> {
    for (const [key, [first]] of [...this.#unsealed]) {
      if (first === undefined || this.#lanes.get(key)?.isRecovered !== true) continue
      const open = await this.#recoverSlots(key) // its run and its gap were settled long ago; another run may be going on
      if (open !== null) await this.#ring.seal(open)
    }
  }

  #recovery(): RecoveryOptions { return { ...this.#options, slots: this.#tables.slots, ring: this.#ring } }

  /** The lane of a stream; the camera's uuid is minted at first use. Recovery starts at once, in the background. */
  lane(camera: CameraId, stream: StreamName): StreamLane {
    const { clock, log } = this.#options
    const cameraUuid = this.#tables.cameras.ensure(camera, clock.wallNow())
    const key = laneKey(cameraUuid, stream)
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    const lane = new StreamLane({
      cameraId: camera, cameraUuid, stream, ring: this.#ring, runs: this.#tables.runs, clock, log,
      trustedTime: this.#options.trustedTime, recovered: () => this.#recoverLane(cameraUuid, stream),
    })
    this.#lanes.set(key, lane)
    return lane
  }

  /** Ends what the last recorder left unended: its slots, its runs, and the gap since. All but the newest slot are sealed. */
  async #recoverLane(cameraUuid: CameraUuid, stream: StreamName): Promise<OpenSlot | null> {
    const { runs, segments } = this.#tables
    const newest = await this.#recoverSlots(laneKey(cameraUuid, stream))
    const lastFrameEnd = newest?.writer.endAt ?? segments.newestFrameOfStream(cameraUuid, stream)
    for (const run of runs.unended().filter(each => each.cameraUuid === cameraUuid && each.stream === stream)) {
      const endAt = lastFrameEnd ?? run.startAt
      const gap = runs.gapNow(run)
      if (gap !== null && gap.startAt < run.startAt && run.startAt < endAt) runs.closeGap(run, run.startAt, 0) // killed between its first fragment and the row that ends the gap before
      runs.end(run.id, endAt, 'recorder-killed')
      runs.openGapBefore(run, endAt, 'recorder-killed', this.#options.clock.wallNow())
    }
    return newest
  }

  /** Recovers the open slots of a stream that volumes brought. All but the newest are sealed. */
  async #recoverSlots(key: string): Promise<OpenSlot | null> {
    const waiting = (this.#unsealed.get(key) ?? []).sort((a, b) => a.segment.startAt - b.segment.startAt)
    this.#unsealed.delete(key)
    let newest: OpenSlot | null = null
    for (const { volume, segment } of waiting) {
      const open = await recoverOpen(this.#recovery(), volume, segment)
      if (open === null) continue
      if (newest !== null) await this.#ring.seal(newest)
      newest = open
    }
    return newest
  }

  /** Cameras that are no longer configured: their open slots are sealed; the id may come back as another camera. */
  async retireAllBut(ids: ReadonlySet<CameraId>): Promise<void> {
    this.#tables.cameras.retireAllBut(ids, this.#options.clock.wallNow())
    for (const [key, lane] of [...this.#lanes]) {
      if (ids.has(lane.cameraId)) continue
      await lane.close()
      this.#lanes.delete(key)
    }
    const live = new Set(this.#lanes.keys())
    for (const [key, [first]] of [...this.#unsealed]) {
      if (live.has(key) || first === undefined) continue
      const { segment } = first
      const open = await this.#recoverLane(segment.cameraUuid, segment.stream)
      if (open !== null) await this.#ring.seal(open)
    }
  }

  /** What a stream declared, for its budget of slots; null when it declared nothing. */
  expectRate(stream: StreamKey, bitrateBps: number | null): void { this.#ring.expect(stream, bitrateBps) }

  /** Segments of a stream that overlap the range, oldest first; the newest may still grow. */
  segmentsIn(camera: CameraId, stream: StreamName, range: TimeRange): SegmentRow[] {
    const { cameras, segments } = this.#tables
    return segments.inRange(cameras.ensure(camera, this.#options.clock.wallNow()), stream, range)
  }

  /** The same by the camera's own mark, so that a device whose id was given to another is still found, and never the other. */
  segmentsOf(camera: CameraUuid, stream: StreamName, range: TimeRange): SegmentRow[] { return this.#tables.segments.inRange(camera, stream, range) }

  /** Whether a volume syncs so slowly just now that who reads old footage for somebody is to wait. The scrubber, who has thirty days, waits a minute. */
  get isBusy(): boolean { return this.#volumes.worstSyncMs(BUSY_FOR_MS) > BUSY_SYNC_MS }

  /** Owned by the caller, who disposes it. Throws SegmentGoneError. */
  async openReader(segment: SegmentRow): Promise<SegmentReader> {
    const volume = this.#volumes.byUuid(segment.volumeUuid)
    if (volume === null) throw new VolumeAwayError()
    return SegmentReader.open(this.#options.fs, volume, segment, this.#leases)
  }

  /** Trusted time went forward at once: what was recorded since, in open slots too, moves with it. Inside the transaction of the act. */
  advanceAge({ since, byMs }: { readonly since: EpochMs, readonly byMs: number }): void { this.#ring.restamp(since, byMs, this.#openSlots()) }

  /** Reads what is sealed again, as long as its `run` lasts; the caller runs it. */
  scrubber(random: () => number): Scrubber {
    const volumes = () => {
      const worstMs = new Map(this.#volumes.status().map(status => [status.id, status.worstSyncMs]))
      return this.#volumes.usable().map(volume => ({ volume, isSlow: worstMs.get(volume.identity.id)! > BUSY_SYNC_MS }))
    }
    return new Scrubber({ ...this.#options, random, volumes })
  }

  /** Every camera that was ever recorded, those in use first. */
  cameras(): { uuid: CameraUuid, id: CameraId, isRetired: boolean }[] { return this.#tables.cameras.all() }

  volumeStatus(): (VolumeStatus & { oldestFrameAt: EpochMs | null, heldSlots: number })[] {
    const { segments } = this.#tables
    return this.#volumes.status().map(status => ({
      ...status,
      oldestFrameAt: this.#volumes.askOf(status.id, uuid => segments.oldestFrameOfVolume(uuid)) ?? null, heldSlots: this.#volumes.askOf(status.id, uuid => segments.heldSlots(uuid)) ?? 0,
    }))
  }
  gapNow(camera: CameraId, stream: StreamName): { startAt: EpochMs, cause: GapCause } | null { return this.lane(camera, stream).gapNow() }

  /** Nightly: lets SQLite bring its statistics up to date and its log back to a small file. Milliseconds. */
  upkeep(): void {
    this.#options.catalogue.db.pragma('optimize')
    this.#options.catalogue.db.pragma('wal_checkpoint(TRUNCATE)')
  }

  /** The last answer of the catalogue: recording needs it at every slot. */
  catalogueStatus(): { state: 'ok' | 'failed', detail: string } {
    try {
      this.#options.catalogue.db.prepare('SELECT 1 FROM schema_migration LIMIT 1').get()
      return { state: 'ok', detail: '' }
    } catch (error) { return { state: 'failed', detail: (error as Error).message } }
  }

  oldestFrameAt(camera: CameraId, stream: StreamName): EpochMs | null {
    return this.#tables.segments.oldestFrameOfStream(this.#tables.cameras.ensure(camera, this.#options.clock.wallNow()), stream)
  }

  *#openSlots(): Generator<OpenSlot> {
    for (const lane of this.#lanes.values()) if (lane.openSlot !== null) yield lane.openSlot
  }

  /** Seals every open slot. Ingest must have stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
    await Promise.all([...this.#lanes.values()].map(lane => lane.close()))
  }
}

const laneKey = (cameraUuid: CameraUuid, stream: StreamName): string => `${cameraUuid}/${stream}`
