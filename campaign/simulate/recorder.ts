import { AuditLog } from '../../src/audit/index.ts'
import { cameraId, streamName, volumeId } from '../../src/domain/index.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import type { Logger } from '../../src/platform/logger.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { Storage } from '../../src/storage/index.ts'
import { newestFootageIn, TrustedTime } from '../../src/trusted-time/index.ts'
import { Dice } from './dice.ts'
import type { Life } from './life.ts'
import { ProcessClock } from './process-clock.ts'
import { watchConnection } from './process-db.ts'
import { ProcessFileSystem } from './process-fs.ts'
import type { SimStream } from './sim-camera.ts'
import type { Site } from './site.ts'
import { StreamDriver, textOf } from './stream-driver.ts'

export const TIMEZONE = 'Asia/Taipei'
export const floorRuleOf = (days: number): FloorRule => ({ floor: { kind: 'calendar-days', days }, timezone: TIMEZONE })

/** One life of the recorder's process: the parts that the daemon builds, in its order, on the machine of the simulation. */
export class Recorder {
  readonly life: Life
  readonly floorDays: number
  readonly #site: Site
  readonly #clock: ProcessClock
  readonly #dice: Dice
  readonly #drivers = new Map<SimStream, { readonly driver: StreamDriver, readonly done: Promise<void> }>()
  readonly #stop = new AbortController()
  #watching: Promise<void> = Promise.resolve()
  #close: () => void = () => undefined
  storage!: Storage
  time!: TrustedTime
  audit!: AuditLog
  isUp = false

  private constructor(site: Site, life: Life) {
    this.#site = site
    this.life = life
    this.floorDays = site.floorDays
    this.#clock = new ProcessClock(site.queue, site.machine, life)
    this.#dice = new Dice(site.seed, `recorder ${life.name}`)
  }

  /** `onMade` is called at once, for it may die while it starts. Rejects with what would end the daemon. */
  static async start(site: Site, life: Life, log: Logger, onMade: (recorder: Recorder) => void): Promise<void> {
    const recorder = new Recorder(site, life)
    onMade(recorder)
    await recorder.#open(log)
  }

  async #open(log: Logger): Promise<void> {
    const { queue, machine, trace, stateDir } = this.#site
    const clock = this.#clock, life = this.life
    const catalogue = openCatalogue(stateDir, clock.wallNow())
    this.#close = () => { catalogue[Symbol.dispose]() }
    const { db } = catalogue
    watchConnection(db, {
      life, trouble: machine.catalogue, now: () => queue.now, block: ms => { queue.block(ms) }, chance: share => this.#dice.chance(share), note: line => { trace.note(line) },
    })
    const fs = new ProcessFileSystem({ life, queue, mounts: machine, dice: this.#dice, trace })
    this.audit = new AuditLog({ db, clock })
    this.time = await TrustedTime.open({ db, audit: this.audit, clock, log, hostClock: machine.hostClock(), newestFootageAt: () => newestFootageIn(db), countsDays: true })
    this.audit.setClockState(() => { const { trustedAt, state } = this.time.status(); return { at: trustedAt, state } })
    this.storage = await Storage.open({
      catalogue, audit: this.audit, trustedTime: this.time, volumes: [...machine.mounts.keys()].map(path => ({ id: volumeId(path.replace('/volumes/', '')), path })), floor: floorRuleOf(this.floorDays), fs, clock, log,
    })
    this.#watching = this.time.run(this.#stop.signal)
    await this.configure()
    this.storage.overwrites.writeDue(this.time.now())
    this.isUp = true
  }

  /** Takes over the cameras of the site's configuration. */
  async configure(): Promise<void> {
    const { streams } = this.#site
    const leaving = [...this.#drivers].filter(([stream]) => !streams.includes(stream))
    for (const [, { driver }] of leaving) driver.stop('removed-from-config')
    for (const [stream, { done }] of leaving) { await done; this.#drivers.delete(stream) }
    for (const stream of streams) if (!this.#drivers.has(stream)) this.#drive(stream)
    await this.storage.retireAllBut(new Set(streams.map(stream => cameraId(stream.facts.camera))))
  }

  #drive(stream: SimStream): void {
    const { queue, machine, trace, oracle } = this.#site
    const lane = this.storage.lane(cameraId(stream.facts.camera), streamName(stream.facts.stream))
    const driver = new StreamDriver({
      stream, lane, clock: this.#clock, trueNow: () => queue.now, wallOffsetMs: () => machine.wallOffsetMs, sentBy: () => this.#site.sentBy(stream), dice: this.#dice,
      onStored: fragment => { if (!this.life.isGone) { trace.note(`${this.life.name} stored ${fragment.name}`); oracle.acked(fragment) } },
      note: line => { if (!this.life.isGone) trace.note(`${this.life.name} ${line}`) },
    })
    const done = driver.run().catch((error: unknown) => { this.#site.crashed(this.life, textOf(error)) })
    this.#drivers.set(stream, { driver, done })
  }

  /** What the schedule does at night. What fails there is logged and tried again the next night. */
  daily(): void {
    if (!this.isUp) return
    for (const work of [() => { this.storage.overwrites.writeDue(this.time.now()) }, () => { this.storage.upkeep() }]) {
      try { work() } catch (error) { this.#site.trace.note(`${this.life.name} at night: ${textOf(error)}`) }
      if (this.life.isGone) return
    }
  }

  /** In good order, as systemd asks for it. */
  async stop(): Promise<void> {
    for (const { driver } of this.#drivers.values()) driver.stop('recorder-stopped')
    await Promise.all([...this.#drivers.values()].map(({ done }) => done))
    this.#stop.abort()
    await this.#watching
    await this.storage[Symbol.asyncDispose]()
    await this.time[Symbol.asyncDispose]()
    this.release()
  }

  /** Catalogue and lock, as the kernel takes them back from a process that is gone. */
  release(): void { this.#close() }
}
