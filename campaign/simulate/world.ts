import { mkdirSync } from 'node:fs'
import pino from 'pino'
import { volumeId } from '../../src/domain/index.ts'
import { initVolume } from '../../src/storage/index.ts'
import { Dice } from './dice.ts'
import { SimDisk } from './disk.ts'
import { EventQueue } from './event-queue.ts'
import { Life, type Death } from './life.ts'
import { Machine } from './machine.ts'
import { DAY_MS } from './oracle/calendar.ts'
import { Oracle } from './oracle/oracle.ts'
import type { SentFragment } from './oracle/sent-footage.ts'
import type { Violation } from './oracle/violation.ts'
import { ProcessFileSystem } from './process-fs.ts'
import { Recorder } from './recorder.ts'
import { SLOT_BYTES } from './scale.ts'
import { SimStream, type SentBy } from './sim-camera.ts'
import type { Site } from './site.ts'
import type { CutStyle } from './slot-file.ts'
import { textOf } from './stream-driver.ts'
import type { Trace } from './trace.ts'

export interface WorldOptions { readonly seed: number, readonly days: number, readonly stateDir: string, readonly trace: Trace, readonly cameras?: number }

const START = Date.UTC(2026, 10, 22)
const HOUR_MS = 3_600_000
const RESTART_MS = 5_000
const log = pino({ level: 'silent' })

/** A recorder's years: the machine, its disks and cameras, and all that happens to them. */
export class World implements Site {
  readonly seed: number
  readonly trace: Trace
  readonly stateDir: string
  readonly queue = new EventQueue(START)
  readonly machine = new Machine(this.queue)
  readonly oracle: Oracle
  readonly streams: SimStream[] = []
  floorDays = 31
  violation: Violation | null = null
  readonly #days: number
  readonly #dice: Dice
  readonly #disks: SimDisk[] = []
  #recorder: Recorder | null = null
  #lives = 0
  readonly figures = { kills: 0, cuts: 0, starts: 0, failedStarts: 0, windows: 0 }

  constructor({ seed, days, stateDir, trace, cameras = 16 }: WorldOptions) {
    this.seed = seed
    this.trace = trace
    this.stateDir = stateDir
    this.#days = days
    this.#dice = new Dice(seed, 'world')
    const world = this
    this.oracle = new Oracle({ get now() { return world.queue.now }, get floorDays() { return world.floorDays }, gains: { since: () => 0 } }, violation => {
      this.violation ??= violation
      this.queue.halt(violation)
    })
    for (let i = 0; i < cameras; i++) {
      this.streams.push(new SimStream({ camera: `c${String(i).padStart(2, '0')}`, stream: 'main', device: i, bytesPerHour: 2_000 }, START, fragment => { this.#sent(fragment) }))
    }
  }

  #sent(fragment: SentFragment): void { this.oracle.sent(fragment) }

  sentBy(stream: SimStream): SentBy {
    return { wallOffsetMs: this.machine.wallOffsetMs, isWanted: this.streams.includes(stream), floorDays: this.#recorder?.isUp === true ? this.#recorder.floorDays : null }
  }

  async run(): Promise<void> {
    mkdirSync(this.stateDir, { recursive: true })
    for (const name of ['disk1', 'disk2']) await this.#makeVolume(name)
    this.#start()
    const end = START + this.#days * DAY_MS
    for (let window = 0; this.queue.now < end; window++) await this.#window(window)
    if (this.#recorder !== null) await this.queue.runWhile(this.#recorder.stop(), HOUR_MS)
    this.#recorder?.release()
  }

  async #makeVolume(name: string): Promise<void> {
    const disk = new SimDisk(name.replace('disk', 'd'), this.oracle.disks)
    const path = `/volumes/${name}`
    this.#disks.push(disk)
    this.machine.mounts.set(path, disk)
    const life = new Life('init', () => undefined)
    const fs = new ProcessFileSystem({ life, queue: this.queue, mounts: this.machine, dice: this.#dice, trace: this.trace })
    const slots = Math.ceil(this.streams.length * 37 / 2)
    await this.queue.runWhile(initVolume(fs, { folder: path, id: volumeId(name), sizeBytes: slots * SLOT_BYTES, slotSizeBytes: SLOT_BYTES, now: new Date(START) }), HOUR_MS)
  }

  #start(): void {
    if (!this.machine.isOn || this.#recorder !== null) return
    const life = new Life(`r${++this.#lives}`, (how, call) => { this.#died(life, how, call) })
    this.figures.starts++
    this.trace.note(`${life.name} starts at ${this.queue.now}`)
    Recorder.start(this, life, log, recorder => { this.#recorder = recorder }).catch((error: unknown) => {
      if (life.isGone) return
      this.figures.failedStarts++
      this.trace.note(`${life.name} could not start: ${textOf(error)}`)
      life.die('kill', 'start failed')
    })
  }

  crashed(life: Life, why: string): void {
    if (life.isGone) return
    this.trace.note(`${life.name} crashed: ${why}`)
    this.oracle.violate('crash', why)
    life.die('kill', 'crash')
  }

  /** A promise that nobody waited for was rejected: the program ends by it, unless its process was gone already. */
  unhandled(error: unknown): void {
    const life = this.#recorder?.life
    if (life !== undefined && !/connection is not open|this process is dead/.test(String(error))) this.crashed(life, textOf(error))
  }

  #died(life: Life, how: Death, call: string): void {
    this.trace.note(`${life.name} ${how} at ${call}, ${this.queue.now}`)
    this.#recorder?.release()
    this.#recorder = null
    for (const stream of this.streams) stream.hangUp('closed-by-camera')
    for (const flight of life.inFlight) flight.apply()
    if (how === 'power-cut') this.#cutPower()
    else {
      this.figures.kills++
      this.queue.after(RESTART_MS, () => { this.#start() })
    }
  }

  #cutPower(): void {
    this.figures.cuts++
    this.oracle.lookNow()
    const dice = this.#dice
    const hurt = this.#disks.map(disk => {
      const wasLiedAbout = new Set<string>(), files: string[] = []
      for (const [path, file] of disk.files) {
        if (file.isClean) continue
        if (file.wasLiedAbout) wasLiedAbout.add(path)
        files.push(path)
        file.cut(dice.weighted<CutStyle>({ nothing: 1, everything: 1, 'in-order': 2, any: 4 }), dice.next)
      }
      return { disk, files, wasLiedAbout, troubledSince: null }
    })
    this.oracle.powerCut(hurt)
    this.machine.isOn = false
    this.queue.after(dice.chance(0.9) ? dice.between(20_000, 600_000) : dice.between(1, 48) * HOUR_MS, () => {
      this.machine.boot()
      this.trace.note(`boot at ${this.queue.now}`)
      this.#start()
    })
  }

  /** Some seconds of which every moment counts; then hours pass at once. */
  async #window(index: number): Promise<void> {
    const { queue } = this
    const dice = new Dice(this.seed, `window ${index}`)
    this.figures.windows++
    const startAt = queue.now + dice.between(6, 10) * HOUR_MS
    queue.jumpTo(startAt - 70_000)
    await queue.runUntil(startAt)
    this.trace.note(`window ${index} at ${startAt}`)
    for (const stream of this.streams) {
      for (let i = 0, at = startAt + dice.between(0, 500); i < 5; i++, at += 500) queue.at(at, () => { stream.film(queue.now, this.sentBy(stream)) })
    }
    const life = this.#recorder?.life
    if (life !== undefined && dice.chance(0.2)) life.doom = { atCall: life.calls + dice.whole(1, 500), how: dice.chance(0.5) ? 'kill' : 'power-cut', side: dice.chance(0.5) ? 'before' : 'after' }
    await queue.runUntil(startAt + 6_000)
    if (this.#recorder === null || !this.#recorder.isUp) await queue.runUntil(startAt + 60_000)
    this.oracle.checkStored()
    if (index % 3 === 0) {
      this.oracle.footage.forgetBefore(queue.now - 80 * DAY_MS)
      this.#recorder?.daily()
    }
  }
}
