import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { volumeId } from '../../src/domain/index.ts'
import { initArchive } from '../../src/archive/index.ts'
import { initVolume } from '../../src/storage/index.ts'
import { ArchiveMedium, ProcessArchiveDisk } from './archive-disk.ts'
import { Dice } from './dice.ts'
import { SimDisk } from './disk.ts'
import { EventQueue } from './event-queue.ts'
import { DeathError, Life, type Death } from './life.ts'
import { Machine } from './machine.ts'
import { Oracle } from './oracle/oracle.ts'
import type { Violation } from './oracle/violation.ts'
import type { CatalogueTrouble } from './process-db.ts'
import { Program } from './program.ts'
import { Recorder } from './recorder.ts'
import { SLOT_BYTES } from './scale.ts'
import { SimStream, type SentBy } from './sim-camera.ts'
import type { Site, VolumeSite } from './site.ts'
import type { CutStyle } from './slot-file.ts'
import { textOf, tracedText } from './stream-driver.ts'
import { TimeLedger } from './time-ledger.ts'
import type { Trace } from './trace.ts'

export interface WorldOptions { readonly seed: number, readonly stateDir: string, readonly trace: Trace, readonly cameras: number, readonly counts?: (violation: Violation) => boolean }

export const START = Date.UTC(2026, 10, 22)
const HOUR_MS = 3_600_000
const RESTART_MS = 5_000
/** After a death, until everything is expected to be as it was. */
const RECOVERY_MS = 60_000
/** The kernel writes by itself what is older (dirty_expire_centisecs, and its own pace). */
const WRITE_BACK_MS = 40_000
const STOP_WITHIN_MS = 90_000
const log = pino({ level: 'silent' })

/**
 * The site as it is: the machine with its disks and cameras, the recorder's lives, commands beside it. What
 * happens to it, others decide.
 */
export class World implements Site {
  readonly seed: number
  readonly trace: Trace
  readonly stateDir: string
  readonly queue = new EventQueue(START)
  readonly machine = new Machine(this.queue)
  readonly gains = new TimeLedger(this.machine, () => this.queue.now)
  readonly clock = this.machine.wallClock
  readonly oracle: Oracle
  readonly streams: SimStream[] = []
  readonly volumes: VolumeSite[] = []
  readonly archive: ArchiveMedium
  /** A real folder: what is archived is read from one. */
  readonly copyFolder: string
  readonly dice: Dice
  floorDays = 31
  violation: Violation | null = null
  recorder: Recorder | null = null
  /** Until when something that happened may still show. */
  unsettledUntil = 0
  readonly #lives = new Set<Life>()
  readonly #programs = new Map<Life, Program>()
  #named = 0
  #devices = 0
  #restartAt: number | null = null
  #downAt = START
  /** The operator keeps it stopped. */
  isHeldBack = false
  /** When somebody will rebuild the catalogue; null while nobody has to. */
  rebuildDue: number | null = null
  /** Volumes that are rightly refused until then. */
  readonly outOfStep = new Set<VolumeSite>()
  readonly usualCameras: number
  /** Ids of what happened, in order. */
  readonly happened: string[] = []
  spareDisks = 0
  readonly figures = { kills: 0, cuts: 0, starts: 0, failedStarts: 0, windows: 0, judged: 0 }

  constructor({ seed, stateDir, trace, cameras, counts = () => true }: WorldOptions) {
    this.seed = seed
    this.trace = trace
    this.stateDir = stateDir
    this.usualCameras = cameras
    this.dice = new Dice(seed, 'world')
    this.oracle = new Oracle(this, violation => {
      if (this.violation !== null || !counts(violation)) return
      this.violation ??= violation
      this.queue.halt(violation)
    })
    this.archive = new ArchiveMedium(this.oracle.archive)
    for (let i = 0; i < cameras; i++) this.addStream(`c${String(i).padStart(2, '0')}`)
    mkdirSync(stateDir, { recursive: true })
    this.copyFolder = path.join(stateDir, 'copy')
    mkdirSync(this.copyFolder)
    writeFileSync(path.join(this.copyFolder, 'clip.mp4'), 'pictures')
  }

  get now(): number { return this.queue.now }
  get upUntil(): number { return this.recorder === null ? this.#downAt : this.now }
  note(line: string): void { this.trace.note(line) }
  /** Nothing has been wrong for a minute, and the recorder has been up for as long. */
  get isCalm(): boolean {
    const { recorder, now } = this
    return now >= this.unsettledUntil && recorder?.upSince != null && recorder.upSince < now - RECOVERY_MS
  }
  unsettle(forMs: number): void { this.unsettledUntil = Math.max(this.unsettledUntil, this.now + forMs) }

  // ---- configuration

  addStream(camera: string): SimStream {
    const facts = { camera, stream: 'main', device: this.#devices++, bytesPerHour: 2_000 }
    const stream = new SimStream(facts, this.now, fragment => { this.oracle.sent(fragment) })
    this.streams.push(stream)
    return stream
  }
  removeStream(stream: SimStream): void { this.streams.splice(this.streams.indexOf(stream), 1) }

  sentBy(stream: SimStream): SentBy {
    const { recorder } = this
    return { wallOffsetMs: this.machine.wallOffsetMs, isWanted: this.streams.includes(stream), knownSince: this.oracle.knownSince(stream.facts.device), floorDays: recorder?.upSince == null ? null : recorder.floorDays }
  }

  /**
   * The recorder takes over what the configuration file says now. `onDone` when it has; never when it dies
   * before.
   */
  reconfigure(onDone?: () => void): void {
    const { recorder } = this
    if (recorder?.upSince == null || recorder.isStopping) return
    this.unsettle(RECOVERY_MS)
    recorder.configure().then(() => { if (!recorder.life.isGone) onDone?.() }, (error: unknown) => { this.crashed(recorder.life, textOf(error)) })
  }

  // ---- disks

  async makeVolumes(count: number, slots: number): Promise<void> {
    for (let i = 1; i <= count; i++) {
      const site: VolumeSite = { id: `disk${i}`, path: `/volumes/disk${i}`, home: new SimDisk(`d${i}`, this.oracle.disks) }
      this.volumes.push(site)
      this.machine.mounts.set(site.path, site.home)
      await this.initVolume(site.path, site.id, slots)
    }
  }

  async makeArchive(): Promise<void> {
    await initArchive(new ProcessArchiveDisk(this.archive, new Life('init', () => undefined)), '/archive', new Date(this.now).toISOString())
  }

  async initVolume(folder: string, id: string, slots: number): Promise<void> {
    const { fs } = new Program(this, new Life('init', () => undefined))
    const work = initVolume(fs, { folder, id: volumeId(id), sizeBytes: slots * SLOT_BYTES, slotSizeBytes: SLOT_BYTES, now: new Date(this.now) })
    await this.queue.runWhile(work, HOUR_MS)
    await work
  }

  /** The same by a command beside the recorder. */
  initVolumeBeside(folder: string, id: string, slots: number, onDone: () => void): void {
    this.runCommand('init', ({ fs }) => initVolume(fs, {
      folder, id: volumeId(id), sizeBytes: slots * SLOT_BYTES, slotSizeBytes: SLOT_BYTES, now: new Date(this.now),
    }), onDone)
  }

  // ---- clock and catalogue

  setClock(offsetMs: number, isSynchronised: boolean | null): void {
    this.machine.wallOffsetMs = offsetMs
    this.machine.isSynchronised = isSynchronised
    this.unsettle(RECOVERY_MS)
    this.note(`the wall clock is off by ${Math.round(offsetMs)} ms, synchronised ${isSynchronised}`)
  }

  ailCatalogue(how: string, forMs: number, strike: (trouble: CatalogueTrouble) => void): void {
    strike(this.machine.catalogue)
    this.unsettle(forMs + RECOVERY_MS)
    this.note(`the catalogue is ${how} for ${Math.round(forMs)} ms`)
  }

  /**
   * These volumes and the catalogue are of different days: a person will see that they are refused, and
   * rebuild.
   */
  needRebuild(sites: readonly VolumeSite[], afterMs: number): void {
    for (const site of sites) this.outOfStep.add(site)
    this.rebuildDue = this.now + afterMs
  }

  // ---- the recorder

  start(): void {
    this.#restartAt = null
    if (!this.machine.isOn || this.recorder !== null || this.isHeldBack) return
    const life = this.#newLife(`r${this.#named + 1}`)
    this.figures.starts++
    this.note(`${life.name} starts at ${this.now}`)
    this.unsettle(RECOVERY_MS)
    const made = (recorder: Recorder): void => {
      this.recorder = recorder
      this.#programs.set(life, recorder.program)
    }
    Recorder.start(this, life, log, made).catch((error: unknown) => {
      if (life.isGone) return
      this.figures.failedStarts++
      this.note(`${life.name} could not start: ${textOf(error)}`)
      // A catalogue that cannot be read is tried again, by the daemon as here; locked or full it must do.
      if (this.machine.catalogue.ioErrorUntil <= this.now) {
        this.oracle.violate('start', `the recorder could not start: ${tracedText(error)}`)
      }
      life.die('kill', 'a start that failed')
    })
  }

  #newLife(name: string): Life {
    this.#named++
    const life = new Life(name, (how, call) => { this.#died(life, how, call) })
    this.#lives.add(life)
    return life
  }

  /**
   * As systemd does it: asked to stop, and killed when it does not. Then `next`, if it has not died
   * meanwhile.
   */
  stop(onStopped: () => void): void {
    const { recorder } = this
    if (recorder === null || recorder.upSince === null || recorder.isStopping) return
    this.note(`${recorder.life.name} is asked to stop`)
    this.unsettle(RECOVERY_MS)
    recorder.stop().then(() => {
      if (recorder.life.isGone) return
      recorder.life.leave()
      this.recorder = null
      this.#downAt = this.now
      this.#lives.delete(recorder.life)
      this.note(`${recorder.life.name} has stopped at ${this.now}`)
      for (const stream of this.streams) stream.hangUp('closed-by-camera')
      onStopped()
    }, (error: unknown) => { this.crashed(recorder.life, textOf(error)) })
    this.queue.after(STOP_WITHIN_MS, () => { recorder.life.die('kill', 'a stop that took too long') }, recorder.life)
  }

  crashed(life: Life, why: string): void {
    if (life.isGone || why.includes('DeathError')) return
    this.note(`${life.name} crashed: ${why}`)
    this.oracle.violate('crash', `the recorder ended by itself: ${why}`)
    life.die('kill', 'an error')
  }

  /**
   * A promise that nobody waited for was rejected: the program ends by it, unless its process was gone
   * already.
   */
  unhandled(error: unknown): void {
    const life = this.recorder?.life
    if (life === undefined || error instanceof DeathError || /connection is not open/.test(String(error))) return
    this.crashed(life, `unhandled rejection: ${tracedText(error)}`)
  }

  /** A command beside the recorder. Resolves with what it brought; never when it dies. */
  runCommand<Result>(name: string, work: (program: Program) => Promise<Result>, onDone: (result: Result) => void, onFailed?: (error: unknown) => void): void {
    if (!this.machine.isOn) return
    const life = this.#newLife(`${name}${this.#named + 1}`)
    const program = new Program(this, life)
    this.#programs.set(life, program)
    const end = (): void => {
      life.leave()
      this.#lives.delete(life)
      program.release()
    }
    const failed = (error: unknown): void => {
      if (life.isGone) return
      this.note(`${life.name} failed: ${textOf(error)}`)
      end()
      onFailed?.(error)
    }
    Promise.resolve().then(() => work(program)).then(result => {
      if (life.isGone) return
      this.note(`${life.name} is done`)
      end()
      onDone(result)
    }, failed)
  }

  /** Nothing goes on. */
  end(): void {
    for (const life of [...this.#lives]) {
      life.leave()
      this.#bury(life)
    }
    this.oracle.catalogue.close()
  }

  // ---- death

  #died(life: Life, how: Death, call: string): void {
    this.note(`${life.name}: ${how} ${call} at ${this.now}`)
    this.unsettle(RECOVERY_MS)
    if (how === 'power-cut') { this.cutPower(this.dice.between(20_000, 600_000)); return }
    const isRecorder = this.recorder?.life === life
    this.figures.kills++
    this.#bury(life)
    if (isRecorder && this.#restartAt === null) {
      this.#restartAt = this.now + RESTART_MS
      this.queue.at(this.#restartAt, () => { this.start() })
    }
  }

  #bury(life: Life): void {
    this.#programs.get(life)?.release()
    this.#programs.delete(life)
    this.#lives.delete(life)
    if (this.recorder?.life === life) {
      this.recorder = null
      this.#downAt = this.now
      this.oracle.leases.endAll()
      this.oracle.disks.forgetFailures()
      for (const stream of this.streams) stream.hangUp('closed-by-camera')
    }
    for (const flight of life.inFlight) flight.apply()
    life.inFlight.clear()
  }

  /**
   * Every process ends, each disk keeps what it has. On again after `offMs`; `onBoot` says how the clock
   * stands then.
   */
  cutPower(offMs: number, onBoot?: () => void): void {
    if (!this.machine.isOn) return
    this.figures.cuts++
    this.note(`power is cut at ${this.now} for ${Math.round(offMs)} ms`)
    this.machine.isOn = false
    for (const life of [...this.#lives]) {
      life.leave()
      this.#bury(life)
    }
    this.oracle.lookNow()
    this.oracle.powerCut([...this.machine.mounts.values()].filter(disk => disk !== null).map(disk => this.#cut(disk)))
    this.unsettle(offMs + RECOVERY_MS)
    this.gains.noteOff()
    this.queue.after(offMs, () => { this.boot(onBoot) })
  }

  /** A disk is pulled out: what was not synced is lost, as at a power cut. */
  unplug(disk: SimDisk): void {
    disk.trouble.note(this.now)
    this.oracle.lookNow()
    this.oracle.powerCut([this.#cut(disk)])
  }

  #cut(disk: SimDisk) {
    const troubledAt = disk.trouble.lastAt(this.now)
    const all = [...this.machine.mounts.values(), ...this.volumes.map(({ home }) => home)]
    const anyTroubledAt = Math.max(...all.map(each => each?.trouble.lastAt(this.now) ?? -Infinity))
    const liedAbout = new Set<string>(), files: string[] = []
    for (const [path, file] of disk.files) {
      if (disk.trouble.hungUntil <= this.now) file.writeBack(this.now - WRITE_BACK_MS)
      if (file.isClean) continue
      if (file.wasLiedAbout) liedAbout.add(path)
      files.push(path)
      file.cut(this.dice.weighted<CutStyle>({ nothing: 1, everything: 1, 'in-order': 2, any: 4 }), this.dice.next)
    }
    disk.plugs++
    disk.trouble.end(this.now)
    return { disk, files, liedAbout, troubledAt, anyTroubledAt }
  }

  boot(onBoot?: () => void): void {
    if (this.machine.isOn) return
    onBoot?.()
    this.machine.boot()
    this.gains.noteBoot()
    this.note(`boot at ${this.now}, wall clock off by ${Math.round(this.machine.wallOffsetMs)} ms`)
    this.start()
  }
}
