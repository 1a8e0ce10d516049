import { Archive } from '../../src/archive/index.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { OrderOfSacrifice, RingLoad } from '../../src/capacity/index.ts'
import { cameraId, streamKeyText, streamName, volumeId, type CameraConfig, type RecordingMode } from '../../src/domain/index.ts'
import { applyCameras } from '../../src/daemon/apply-cameras.ts'
import type { Catalogue } from '../../src/platform/catalogue.ts'
import type { Logger } from '../../src/platform/logger.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { Storage } from '../../src/storage/index.ts'
import { newestFootageIn, TrustedTime } from '../../src/trusted-time/index.ts'
import { ProcessArchiveDisk } from './archive-disk.ts'
import type { Life } from './life.ts'
import { Program } from './program.ts'
import type { SimStream } from './sim-camera.ts'
import type { Site } from './site.ts'
import { StreamDriver, textOf, tracedText } from './stream-driver.ts'

const TIMEZONE = 'Asia/Taipei'
export const floorRuleOf = (days: number): FloorRule => ({ floor: { kind: 'calendar-days', days }, timezone: TIMEZONE })
export const configuredVolumes = (site: Site) => site.volumes.map(({ id, path }) => ({ id: volumeId(id), path }))
/** Before a configuration that could not be applied in full is tried again. */
const APPLY_AGAIN_MS = 5_000
const SWEEP_EVERY_MS = 300_000
const ARCHIVE_QUOTA_BYTES = 2 ** 30

interface Driven { readonly driver: StreamDriver, readonly done: Promise<void> }

/** One life of the recorder's process: what the daemon builds, in its order, on the simulated machine. */
export class Recorder {
  readonly life: Life
  readonly floorDays: number
  readonly program: Program
  readonly #site: Site
  readonly #log: Logger
  readonly #drivers = new Map<SimStream, Driven>()
  readonly #stop = new AbortController()
  #modes: ReadonlyMap<string, RecordingMode> = new Map()
  #watching: Promise<unknown> = Promise.resolve()
  #configuring: Promise<unknown> = Promise.resolve()
  #wanted: readonly SimStream[] = []
  storage!: Storage
  time!: TrustedTime
  audit!: AuditLog
  archive!: Archive
  #sacrifice!: OrderOfSacrifice
  /** True time since which all parts are there; null while it starts. */
  upSince: number | null = null
  readonly startedAt: number
  isStopping = false

  private constructor(site: Site, life: Life, log: Logger) {
    this.#site = site
    this.life = life
    this.#log = log
    this.startedAt = site.queue.now
    this.floorDays = site.floorDays
    this.program = new Program(site, life)
  }

  /** `onMade` is called at once, for it may die while it starts. Rejects with what would end the daemon. */
  static async start(site: Site, life: Life, log: Logger, onMade: (recorder: Recorder) => void): Promise<void> {
    const recorder = new Recorder(site, life, log)
    onMade(recorder)
    await recorder.#open()
  }

  async #open(): Promise<void> {
    const { machine, queue } = this.#site
    const { clock, fs } = this.program
    const log = this.#log
    const catalogue = this.program.openCatalogue('own')
    const { db } = catalogue
    this.audit = new AuditLog({ db, clock })
    this.time = await TrustedTime.open({
      db, audit: this.audit, clock, log, hostClock: machine.hostClock(), newestFootageAt: () => newestFootageIn(db), countsDays: true,
    })
    this.audit.setClockState(() => { const { trustedAt, state } = this.time.status(); return { at: trustedAt, state } })
    const floor = floorRuleOf(this.floorDays)
    const volumes = configuredVolumes(this.#site)
    this.storage = await Storage.open({ catalogue, audit: this.audit, trustedTime: this.time, volumes, floor, fs, clock, log })
    this.#watching = this.time.run(this.#stop.signal)
    this.#openSacrifice(catalogue, floor)
    const configured = this.configure()
    await this.#configuring // once; the rest is done while it records
    this.#watching = Promise.all([this.#watching, configured])
    await this.#openArchive()
    this.#atNight('the overwrite record', () => { this.storage.overwrites.writeDue(this.time.now()) })
    this.upSince = queue.now
  }

  #openSacrifice(catalogue: Catalogue, floor: FloorRule): void {
    const { clock } = this.program
    const ringLoad = new RingLoad(catalogue.db)
    this.#sacrifice = new OrderOfSacrifice({
      catalogue, audit: this.audit, floor, clock, log: this.#log, trustedNow: () => this.time.now(),
      ring: () => ringLoad.read(this.storage.volumeStatus()), streams: () => [...this.#drivers.values()].map(({ driver }) => driver.report()),
      setModes: modes => {
        this.#modes = modes
        for (const [stream, { driver }] of this.#drivers) driver.setMode(this.#modeOf(stream))
      },
    })
  }
  #modeOf({ facts }: SimStream): RecordingMode {
    return this.#modes.get(streamKeyText({ cameraId: cameraId(facts.camera), stream: streamName(facts.stream) })) ?? 'full'
  }

  async #openArchive(): Promise<void> {
    const { db } = this.program.openOffice()
    const { stateDir, archive: medium, queue } = this.#site
    const { clock } = this.program
    this.archive = await Archive.open({
      db, audit: new AuditLog({ db, clock: this.program.clock }), rights: { requireRight: () => undefined }, trustedTime: this.time, time: { wallNow: () => clock.wallNow(), steadyNow: () => clock.monoNow() },
      rule: () => ({ period: { years: 1 }, from: 'copied' }), dir: '/archive', quotaBytes: ARCHIVE_QUOTA_BYTES, stateDir, disk: new ProcessArchiveDisk(medium, this.life), log: this.#log,
    })
    const { signal } = this.#stop
    const sweeping = (async () => {
      while (!signal.aborted) {
        const swept = this.archive.sweep().catch((error: unknown) => { this.#note(`sweep: ${textOf(error)}`) })
        queue.hold(Promise.race([swept, this.life.gone]))
        await swept
        await clock.wait(SWEEP_EVERY_MS, signal)
      }
    })()
    this.#watching = Promise.all([this.#watching, sweeping])
  }

  #note(line: string): void { if (!this.life.isGone) this.#site.trace.note(`${this.life.name} ${line}`) }

  /** Takes over the cameras of the site's configuration as it is now; what cannot be done is tried again. */
  async configure(): Promise<void> {
    const streams = this.#wanted = [...this.#site.streams]
    const { signal } = this.#stop
    while (!await this.#isApplied(streams) && !signal.aborted) await this.program.clock.wait(APPLY_AGAIN_MS, signal)
  }

  /** One application after the other. True also for streams that are no longer wanted. */
  #isApplied(streams: readonly SimStream[]): Promise<boolean> {
    const done = this.#configuring.then(async () => {
      if (this.#wanted !== streams) return true
      const ingest = { configure: (cameras: readonly CameraConfig[]) => this.#followOnly(streams, cameras) }
      try {
        await applyCameras(camerasOf(streams), { storage: this.storage, ingest, sacrifice: this.#sacrifice })
        return true
      } catch (error) {
        this.#note(`configuration: ${textOf(error)}`)
        return false
      }
    })
    this.#configuring = done
    return done
  }

  /** Ends the streams that left, and begins those of `cameras`. */
  async #followOnly(streams: readonly SimStream[], cameras: readonly CameraConfig[]): Promise<void> {
    const leaving = [...this.#drivers].filter(([stream]) => !streams.includes(stream))
    for (const [, { driver }] of leaving) driver.stop('removed-from-config')
    for (const [stream, { done }] of leaving) {
      await done
      this.#drivers.delete(stream)
    }
    const ready = new Set<string>(cameras.map(({ id }) => id))
    for (const stream of streams) if (ready.has(stream.facts.camera) && !this.#drivers.has(stream)) this.#drive(stream)
  }

  #drive(stream: SimStream): void {
    const { queue, machine, oracle } = this.#site
    const lane = this.storage.lane(cameraId(stream.facts.camera), streamName(stream.facts.stream))
    oracle.laneOpened(stream.facts)
    const driver = new StreamDriver({
      stream, lane, mode: this.#modeOf(stream), clock: this.program.clock, trueNow: () => queue.now, wallOffsetMs: () => machine.wallOffsetMs,
      sentBy: () => this.#site.sentBy(stream), dice: this.program.dice, note: line => { this.#note(line) },
      onStored: fragment => {
        if (this.life.isGone) return
        this.#note(`stored ${fragment.name}`)
        oracle.acked(fragment)
      },
    })
    const done = driver.run().catch((error: unknown) => { this.#site.crashed(this.life, tracedText(error)) })
    this.#drivers.set(stream, { driver, done })
  }

  modeOf(stream: SimStream): RecordingMode { return this.#modeOf(stream) }

  /** One look of the order of sacrifice; the daemon has one a minute. */
  async lookAtRing(): Promise<void> {
    if (this.upSince === null || this.isStopping) return
    await this.#sacrifice.look().catch((error: unknown) => { this.#note(`order of sacrifice: ${textOf(error)}`) })
  }

  /** What the schedule does at night. */
  daily(): void {
    if (this.upSince === null) return
    this.#atNight('the overwrite record', () => { this.storage.overwrites.writeDue(this.time.now()) })
    if (!this.life.isGone) this.#atNight('upkeep', () => { this.storage.upkeep() })
  }

  /** What fails is logged and tried again the next night. */
  #atNight(what: string, work: () => void): void {
    try { work() } catch (error) { this.#note(`${what}: ${textOf(error)}`) }
  }

  /** In good order, as systemd asks for it. */
  async stop(): Promise<void> {
    this.isStopping = true
    for (const { driver } of this.#drivers.values()) driver.stop('recorder-stopped')
    await Promise.all([...this.#drivers.values()].map(({ done }) => done))
    this.#stop.abort()
    await this.#watching
    await this.storage[Symbol.asyncDispose]()
    await this.time[Symbol.asyncDispose]()
    this.program.release()
  }
}

/**
 * As the configuration file would have them: the first ones matter most, and every other one has a lower
 * profile.
 */
function camerasOf(streams: readonly SimStream[]): CameraConfig[] {
  return streams.map(({ facts }, index) => ({
    id: cameraId(facts.camera), name: facts.camera, place: null, credential: null, audio: false, priority: Math.min(9, 1 + index),
    streams: [{
      name: streamName(facts.stream), source: { kind: 'url', url: 'rtsp://camera/main' }, declaredBps: facts.bytesPerHour * 8 / 3600,
      lower: index % 2 === 0 ? { kind: 'url', url: 'rtsp://camera/sub' } : null,
    }],
  }))
}
