import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import pino from 'pino'
import {
  cameraId, epochMs, isoOf, slotNumber, streamName, volumeId, type AuditSink, type CameraId, type EpochMs,
  type RunEndReason, type RunId,
} from '../../src/domain/index.ts'
import { AuditLog, AuditUnavailableError } from '../../src/audit/index.ts'
import { type SegmentRow, slotPath } from '../../src/footage/index.ts'
import type { InitSegment } from '../../src/media/index.ts'
import { openCatalogue, type Catalogue } from '../../src/platform/catalogue.ts'
import type { StateLock } from '../../src/platform/state-lock.ts'
import type { FloorRule } from '../../src/retention/index.ts'
import { initVolume, Storage, type StreamLane, type Volume } from '../../src/storage/index.ts'
import { readSlot, type SlotContent } from '../../src/slots/index.ts'
import { newestFootageIn, TrustedTime } from '../../src/trusted-time/index.ts'
import { FaultyCatalogue } from './faulty-catalogue.ts'
import { FaultyFileSystem } from './faulty-file-system.ts'
import { builtFragment, builtInit, timedFragment } from './fragments.ts'
import { MemoryFileSystem } from './memory-file-system.ts'
import { VirtualClock, type TestOwner } from './virtual-clock.ts'

export const SLOT_BYTES = 1 << 20
export const START = '2026-11-22T08:00:00.000Z'
export const FLOOR_31_DAYS: FloorRule = { floor: { kind: 'calendar-days', days: 31 }, timezone: 'Asia/Taipei' }
const MAX_INSTANT = epochMs(253402300799000)
const FRAGMENT_MS = 500
const ZEROS = Buffer.alloc(SLOT_BYTES)

export interface RigOptions { readonly slots?: number, readonly volumes?: readonly string[], readonly floor?: FloorRule, readonly start?: string }

export interface StartOptions {
  /** Called while nobody uses what the recorder will start on. */
  readonly arm?: (fs: FaultyFileSystem, catalogue: FaultyCatalogue) => void
  /** A disk may not answer: does not wait until every loop of storage sleeps. */
  readonly mayHang?: boolean
  /** The camera of the configuration from now on; the one before, where it is left out. */
  readonly camera?: CameraId
}

/** One fragment that was handed to storage. */
export interface Appended { readonly name: string, readonly startAt: EpochMs, readonly bytes: number }
/** A record read back through storage. */
export interface FoundRecord { readonly name: string, readonly startAt: EpochMs, readonly segment: SegmentRow, readonly bytes: Buffer }

/** Where the kernel keeps files in memory: hundreds of catalogues that are synced for every row would wait for the disk most of the time. */
const MEMORY_FOLDER = '/dev/shm'
const log = pino({ level: 'silent' })
/** Nobody else is there; the real lock starts a program each time, and has tests of its own. */
const unlocked = (): StateLock => ({ fault: null, close: () => undefined })

let boots = 0

/** A recorder's storage on volumes in memory, with one camera, a clock that stands still, and a switch for every kind of death. */
export class RecorderRig {
  readonly #folder = mkdtempSync(path.join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'custos-rig-'))
  readonly clock: VirtualClock
  memory: MemoryFileSystem
  fs: FaultyFileSystem
  readonly configured: readonly { id: ReturnType<typeof volumeId>, path: string }[]
  readonly volumes: Volume[] = []
  floor: FloorRule
  stateDir: string
  storage!: Storage
  lane!: StreamLane
  time!: TrustedTime
  camera = cameraId('lobby')
  readonly stream = streamName('main')
  init: InitSegment = builtInit()
  readonly appended: Appended[] = []
  run: RunId | null = null
  nextAt: EpochMs
  #catalogue: Catalogue | null = null
  /** Breaks the catalogue of whoever runs on this rig; outlives restarts, as a full disk does. */
  readonly catalogueFaults = new FaultyCatalogue()
  /** A fork has a running time of its own, as after a boot. */
  bootId = `boot-${++boots}`
  #states = 0
  isAuditBroken = false
  #frozen: { memory: MemoryFileSystem, stateDir: string } | null = null

  private constructor(options: RigOptions) {
    this.clock = new VirtualClock(options.start ?? START)
    this.memory = new MemoryFileSystem()
    this.fs = new FaultyFileSystem(this.memory)
    this.configured = (options.volumes ?? ['disk1']).map(name => ({ id: volumeId(name), path: `/volumes/${name}` }))
    this.floor = options.floor ?? FLOOR_31_DAYS
    this.stateDir = path.join(this.#folder, 'state-0')
    this.nextAt = this.clock.wallNow()
  }

  static async open(owner: TestOwner, options: RigOptions = {}): Promise<RecorderRig> {
    const rig = new RecorderRig(options)
    for (const { id, path: folder } of rig.configured) {
      rig.volumes.push(await initVolume(rig.memory, { folder, id, sizeBytes: (options.slots ?? 4) * SLOT_BYTES, slotSizeBytes: SLOT_BYTES, now: new Date(START) }))
    }
    await rig.#start()
    owner.teardown(() => rig.#end())
    return rig
  }

  /** A recorder that starts on a copy of what `base` has on disk, as after a kill: cheaper than recording it again. `base` stays as it is. */
  static async fork(owner: TestOwner, base: RecorderRig): Promise<RecorderRig> {
    const rig = new RecorderRig({ volumes: base.configured.map(({ id }) => id), floor: base.floor, start: isoOf(base.clock.wallNow()) })
    rig.memory = base.memory.afterKill()
    rig.fs = new FaultyFileSystem(rig.memory)
    rig.volumes.push(...base.volumes)
    rig.appended.push(...base.appended)
    rig.nextAt = base.nextAt
    mkdirSync(rig.stateDir)
    base.copyCatalogue(rig.stateDir)
    await rig.#start()
    await rig.lane.recover()
    rig.fs.steps.length = 0
    owner.teardown(() => rig.#end())
    return rig
  }

  async #start({ mayHang = false, camera = this.camera }: StartOptions = {}): Promise<void> {
    this.camera = camera
    const opened = openCatalogue(this.stateDir, this.clock.wallNow(), { lock: unlocked })
    const db = this.catalogueFaults.wrap(opened.db)
    this.#catalogue = { db, [Symbol.dispose]: () => { opened[Symbol.dispose]() } }
    let storage: Storage | null = null
    try {
      storage = await Storage.open({
        catalogue: this.#catalogue, audit: this.#auditOn(db), trustedTime: await this.#openTime(db),
        volumes: this.configured, floor: this.floor, fs: this.fs, clock: this.clock, log,
      })
      this.storage = storage
      if (!mayHang) await this.clock.settle(() => this.idleWaits)
      this.lane = storage.lane(this.camera, this.stream)
    } catch (error) {
      await storage?.[Symbol.asyncDispose]().catch(() => undefined) // the first failure is the one to tell
      opened[Symbol.dispose]()
      throw error
    }
  }

  #auditOn(db: Catalogue['db']): AuditSink {
    const log = new AuditLog({ db, clock: this.clock })
    return { append: event => { if (this.isAuditBroken) throw new AuditUnavailableError(new Error('planted')); return log.append(event) } }
  }

  /** Looked at once, as at the daemon's first tick; then it counts running time. Not disposed of: a rig dies at will. */
  async #openTime(db: Catalogue['db']): Promise<TrustedTime> {
    this.time = await TrustedTime.open({
      db, audit: { append: () => ({ seq: 0 }) }, clock: this.clock, log, newestFootageAt: () => newestFootageIn(db), countsDays: this.floor.floor.kind === 'calendar-days',
      hostClock: { bootId: this.bootId, askSync: () => Promise.resolve({ source: 'chrony', isSynchronised: true, referenceOffsetMs: 0 }) },
    })
    this.time.tick()
    return this.time
  }

  async #end(): Promise<void> {
    await this.fs.releaseAll() // a test that failed must not wait for a call that it left hanging
    await this.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Stops as asked: open slots are sealed. */
  async close(): Promise<void> {
    try { await this.storage[Symbol.asyncDispose]() } finally {
      this.#catalogue?.[Symbol.dispose]()
      this.#catalogue = null
    }
  }

  /** How many waits an idle storage has: one for calls that hang, of each volume one for its next sync and one for its next look, and one while rows wait for the catalogue. */
  get idleWaits(): number { return 1 + 2 * this.configured.length + (this.storage.catalogueStatus().backlog === null ? 0 : 1) }

  // ---- recording

  async beginRun(): Promise<RunId> {
    this.nextAt = epochMs(Math.max(this.nextAt, this.clock.wallNow()))
    this.run = await this.lane.beginRun(this.init, this.nextAt)
    return this.run
  }

  /** Appends fragments of half a second, each with a name of its own, and lets their time pass. Throws what the lane throws. */
  async append(count: number, { dataBytes = 3000, prefix = 'f' } = {}): Promise<void> {
    if (this.run === null) await this.beginRun()
    for (let i = 0; i < count; i++) {
      const name = `${prefix}${String(this.appended.length).padStart(5, '0')}`
      const startAt = this.nextAt
      const fragment = builtFragment({ init: this.init, name, dataBytes, isKey: this.appended.length % 2 === 0, decodeTimeMs: this.appended.length * FRAGMENT_MS })
      await this.lane.append(timedFragment(this.init, fragment, { runId: this.run!, startAt, cameraClockOffsetMs: 40 }))
      this.appended.push({ name, startAt, bytes: dataBytes })
      this.clock.drift(FRAGMENT_MS, 0)
      this.nextAt = epochMs(startAt + FRAGMENT_MS)
    }
  }

  endRun(reason: RunEndReason = 'closed-by-camera'): void {
    this.lane.endRun(reason, this.nextAt)
    this.run = null
  }

  /** Lets the sync loop run once. */
  async sync(): Promise<void> {
    await this.clock.advance(800)
    await this.clock.settle(() => this.idleWaits)
  }

  /** Lets the volumes be looked at again. */
  async recheck(): Promise<void> {
    await this.clock.advance(10_000)
    await this.clock.settle(() => this.idleWaits)
  }

  /** Fills slots with so many large fragments each. */
  async fillSlots(slots: number, perSlot = 4): Promise<void> { await this.append(slots * perSlot, { dataBytes: 220_000 }) }

  // ---- dying

  /** Keeps disk and catalogue as they are at this instant; what the process does afterwards is lost to the world. */
  freeze(memory: MemoryFileSystem): void {
    const stateDir = path.join(this.#folder, `state-${++this.#states}`)
    mkdirSync(stateDir)
    this.copyCatalogue(stateDir)
    this.#frozen = { memory, stateDir }
    this.catalogueFaults.retire()
    this.fs.die()
  }

  /** The catalogue as its files say it now: no transaction is under way while a test runs. */
  copyCatalogue(to: string): void {
    for (const file of readdirSync(this.stateDir)) if (/^catalogue\.db(-wal)?$/.test(file)) copyFileSync(path.join(this.stateDir, file), path.join(to, file))
  }

  /** The volumes that `reopen` will find. */
  get frozenMemory(): MemoryFileSystem | null { return this.#frozen?.memory ?? null }

  /** Starts again after `freeze`, on what was frozen. `before` sees the catalogue while nobody has it. */
  async reopen({ before, arm, ...how }: { before?: () => void } & StartOptions = {}): Promise<void> {
    if (this.#frozen === null) throw new Error('nothing was frozen')
    await this.close().catch(() => undefined) // a dead process cannot complain
    this.memory = this.#frozen.memory
    this.stateDir = this.#frozen.stateDir
    this.#frozen = null
    this.fs = new FaultyFileSystem(this.memory)
    this.run = null
    this.clock.drift(3_000, 0)
    before?.()
    arm?.(this.fs, this.catalogueFaults)
    await this.#start(how)
  }

  async killAndReopen(options: StartOptions = {}): Promise<void> {
    this.freeze(this.memory.afterKill())
    await this.reopen(options)
  }

  async restart({ arm, ...how }: StartOptions = {}): Promise<void> {
    await this.close()
    this.fs.die() // what still hangs is not done by the next process
    this.fs = new FaultyFileSystem(this.memory)
    this.run = null
    arm?.(this.fs, this.catalogueFaults)
    await this.#start(how)
  }

  // ---- looking

  /** A second connection to the catalogue, to look or to break something. */
  catalogue<Result>(use: (db: Database.Database) => Result): Result {
    const file = path.join(this.stateDir, 'catalogue.db')
    if (!existsSync(file)) throw new Error('no catalogue')
    const db = new Database(file)
    try { return use(db) } finally { db.close() }
  }

  rows<Row>(sql: string): Row[] { return this.catalogue(db => db.prepare<[], Row>(sql).all()) }

  segments(): SegmentRow[] { return this.storage.segmentsIn(this.camera, this.stream, { startAt: epochMs(0), endAt: MAX_INSTANT }) }

  /** All that a reader gets, in the order of the segments. */
  async found(): Promise<FoundRecord[]> {
    const found: FoundRecord[] = []
    for (const segment of this.segments()) {
      await using reader = await this.storage.openReader(segment)
      for (const [position, entry] of reader.footage.entries.entries()) {
        const bytes = await reader.read(position)
        found.push({ name: nameIn(bytes), startAt: entry.startAt, segment, bytes })
      }
    }
    return found
  }

  async content(slot: number, volume = this.volumes[0]!): Promise<SlotContent> {
    const file = await this.memory.open(slotPath(volume, slotNumber(slot)), 'read', 'test')
    try { return await readSlot(file, SLOT_BYTES) } finally { await file.close() }
  }

  rawSlot(slot: number, volume = this.volumes[0]!): Buffer { return this.memory.bytesOf(slotPath(volume, slotNumber(slot))) }
}

/** The name that builtFragment wrote into a record's pictures. */
export function nameIn(record: Buffer): string {
  const dataAt = record.indexOf('mdat') + 4
  return record.toString('latin1', dataAt, record.indexOf(' ', dataAt))
}

/** The pictures of a record as builtFragment made them. */
export const picturesOf = (record: Buffer): Buffer => record.subarray(record.indexOf('mdat') + 4)

/** What must hold of catalogue and slots whenever the recorder is up and no slot is being prepared [INV-1..4]. */
export async function checkInvariants(rig: RecorderRig): Promise<string[]> {
  const wrong: string[] = []
  interface Slot { volume_uuid: string, slot: number, generation: number, state: string }
  interface Segment extends Omit<Slot, 'state'> {
    end_at: number | null, keep_until: number | null, records: number | null, used_bytes: number | null
    merkle_root: string | null, sealed_at: number | null
  }
  const [slots, segments] = rig.catalogue(db => [
    db.prepare<[], Slot>('SELECT volume_uuid, slot, generation, state FROM slot').all(),
    db.prepare<[], Segment>('SELECT * FROM segment WHERE ended_at IS NULL').all(),
  ] as const)
  for (const slot of slots) {
    const volume = rig.volumes.find(each => each.identity.uuid === slot.volume_uuid)!
    const where = `slot ${slot.slot}/${slot.generation} (${slot.state})`
    const rows = segments.filter(each => each.slot === slot.slot && each.volume_uuid === slot.volume_uuid)
    const content = await rig.content(slot.slot, volume)
    if (rows.some(row => row.generation !== slot.generation)) wrong.push(`${where} has a segment of another generation`)
    if (rows.length > 1) wrong.push(`${where} has ${rows.length} segments`)
    if (slot.state === 'preparing') wrong.push(`${where} is left in preparation`)
    if (slot.state === 'free' && (content.kind !== 'blank' || rows.length > 0)) wrong.push(`${where} is ${content.kind} with ${rows.length} segments`)
    if (slot.state === 'free' && !rig.rawSlot(slot.slot, volume).equals(ZEROS)) wrong.push(`${where} holds bytes`)
    if (slot.state !== 'sealed' && slot.state !== 'open') continue
    if (content.kind !== 'footage') { wrong.push(`${where} is ${content.kind}`); continue }
    if (content.header.generation !== slot.generation || content.header.slot !== slot.slot || content.header.volumeUuid !== slot.volume_uuid) wrong.push(`${where} has the header of ${content.header.slot}/${content.header.generation}`)
    const row = rows[0]
    if (row === undefined) { wrong.push(`${where} has no segment`); continue }
    if ((row.sealed_at !== null) !== (slot.state === 'sealed')) wrong.push(`${where} disagrees with its segment on being sealed`)
    if (slot.state !== 'sealed') continue
    const { sealed } = content
    if (sealed === null) { wrong.push(`${where} has no index`); continue }
    if (sealed.merkleRoot.toString('hex') !== row.merkle_root || sealed.endAt !== row.end_at || sealed.keepUntil !== row.keep_until || sealed.entries.length !== row.records) {
      wrong.push(`${where}: index and row differ`)
    }
  }
  return wrong
}
