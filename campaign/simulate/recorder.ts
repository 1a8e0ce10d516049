import { AuditLog } from '../../src/audit/index.ts'
import { cameraId, streamName, volumeId } from '../../src/domain/index.ts'
import type { Logger } from '../../src/platform/logger.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { Storage } from '../../src/storage/index.ts'
import { newestFootageIn, TrustedTime } from '../../src/trusted-time/index.ts'
import type { Life } from './life.ts'
import { Program } from './program.ts'
import type { SimStream } from './sim-camera.ts'
import type { Site } from './site.ts'
import { StreamDriver, textOf, tracedText } from './stream-driver.ts'

export const TIMEZONE = 'Asia/Taipei'
export const floorRuleOf = (days: number): FloorRule => ({ floor: { kind: 'calendar-days', days }, timezone: TIMEZONE })
export const configuredVolumes = (site: Site) => site.volumes.map(({ id, path }) => ({ id: volumeId(id), path }))

interface Driven { readonly driver: StreamDriver, readonly done: Promise<void> }

/** One life of the recorder's process: what the daemon builds, in its order, on the simulated machine. */
export class Recorder {
  readonly life: Life
  readonly floorDays: number
  readonly program: Program
  readonly #site: Site
  readonly #drivers = new Map<SimStream, Driven>()
  readonly #stop = new AbortController()
  #watching: Promise<void> = Promise.resolve()
  #configuring: Promise<void> = Promise.resolve()
  storage!: Storage
  time!: TrustedTime
  audit!: AuditLog
  /** True time since which all parts are there; null while it starts. */
  upSince: number | null = null
  isStopping = false

  private constructor(site: Site, life: Life) {
    this.#site = site
    this.life = life
    this.floorDays = site.floorDays
    this.program = new Program(site, life)
  }

  /** `onMade` is called at once, for it may die while it starts. Rejects with what would end the daemon. */
  static async start(site: Site, life: Life, log: Logger, onMade: (recorder: Recorder) => void): Promise<void> {
    const recorder = new Recorder(site, life)
    onMade(recorder)
    await recorder.#open(log)
  }

  async #open(log: Logger): Promise<void> {
    const { machine, queue } = this.#site
    const { clock, fs } = this.program
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
    await this.configure()
    this.#atNight('the overwrite record', () => { this.storage.overwrites.writeDue(this.time.now()) })
    this.upSince = queue.now
  }

  /** Takes over the cameras of the site's configuration as it is now, one change after the other. */
  configure(): Promise<void> {
    const streams = [...this.#site.streams]
    const done = this.#configuring.then(() => this.#apply(streams))
    this.#configuring = done.catch(() => undefined)
    return done
  }

  async #apply(streams: readonly SimStream[]): Promise<void> {
    const leaving = [...this.#drivers].filter(([stream]) => !streams.includes(stream))
    for (const [, { driver }] of leaving) driver.stop('removed-from-config')
    for (const [stream, { done }] of leaving) {
      await done
      this.#drivers.delete(stream)
    }
    for (const stream of streams) if (!this.#drivers.has(stream)) this.#drive(stream)
    for (const { facts } of streams) this.storage.expectRate({ cameraId: cameraId(facts.camera), stream: streamName(facts.stream) }, facts.bytesPerHour * 8 / 3600)
    await this.storage.retireAllBut(new Set(streams.map(stream => cameraId(stream.facts.camera))))
  }

  #drive(stream: SimStream): void {
    const { queue, machine, trace, oracle } = this.#site
    const lane = this.storage.lane(cameraId(stream.facts.camera), streamName(stream.facts.stream))
    oracle.laneOpened(stream.facts)
    const driver = new StreamDriver({
      stream, lane, clock: this.program.clock, trueNow: () => queue.now, wallOffsetMs: () => machine.wallOffsetMs,
      sentBy: () => this.#site.sentBy(stream), dice: this.program.dice,
      onStored: fragment => {
        if (this.life.isGone) return
        trace.note(`${this.life.name} stored ${fragment.name}`)
        oracle.acked(fragment)
      },
      note: line => { if (!this.life.isGone) trace.note(`${this.life.name} ${line}`) },
    })
    const done = driver.run().catch((error: unknown) => { this.#site.crashed(this.life, tracedText(error)) })
    this.#drivers.set(stream, { driver, done })
  }

  /** What the schedule does at night. */
  daily(): void {
    if (this.upSince === null) return
    this.#atNight('the overwrite record', () => { this.storage.overwrites.writeDue(this.time.now()) })
    if (!this.life.isGone) this.#atNight('upkeep', () => { this.storage.upkeep() })
  }

  /** What fails is logged and tried again the next night. */
  #atNight(what: string, work: () => void): void {
    try { work() } catch (error) { this.#site.trace.note(`${this.life.name} ${what}: ${textOf(error)}`) }
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
