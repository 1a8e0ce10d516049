import { isoOf, slotNumber, type AuditEvent, type MonoMs, type VolumeId } from '../domain/index.ts'
import { slotPath } from '../footage/index.ts'
import { isCatalogueFault } from '../platform/catalogue.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import type { Clock } from '../platform/clock.ts'
import type { CatalogueMarks } from './catalogue-mark.ts'
import { FreeSlots } from './free-slots.ts'
import type { RowQueue } from './row-queue.ts'
import { decodeSlotStart } from '../slots/index.ts'
import { spotCheck } from './spot-check.ts'
import type { UnenteredMark } from './unentered-mark.ts'
import { checkVolume, type Volume, type VolumeRefusal } from './volume.ts'
import { VolumeHealth } from './volume-health.ts'
import { VolumeIo } from './volume-io.ts'
import { probeVolume } from './volume-probe.ts'
import type { segmentTable } from './tables/segments.ts'
import type { SlotRow, SlotState, slotTable } from './tables/slots.ts'

/**
 * A configured volume as it is now. Counts follow what was done and are kept in memory: a million rows are
 * not counted each second.
 */
export interface VolumeStatus {
  readonly id: VolumeId
  readonly state: 'ok' | VolumeRefusal | 'failed'
  readonly detail: string
  readonly slots: Readonly<Record<SlotState, number>>
  readonly lastSyncMs: number
  readonly worstSyncMs: number
  readonly errors: number
  /** Slots given to new footage after they held some, since the process began. */
  readonly reusedSlots: number
}

interface Entry {
  readonly id: VolumeId
  readonly path: string
  readonly health: VolumeHealth
  volume: Volume | null
  free: FreeSlots | null
  state: VolumeStatus['state']
  detail: string
  slots: Record<SlotState, number>
  lastSyncMs: number
  syncs: { at: MonoMs, durationMs: number }[]
  errors: number
  reusedSlots: number
  /** Aborted to have the volume looked at sooner; a new one each time. */
  wake: AbortController
  looking: Promise<void>
  /** The last look did not come to an end. */
  isUnseen: boolean
}

const NO_SLOTS: Record<SlotState, number> = { free: 0, preparing: 0, open: 0, sealed: 0, quarantined: 0 }
const SYNC_MEMORY_MS = 60_000 // long enough to see a disk that stutters, short enough to forget one that was busy once
const RECHECK_MS = 10_000
const RELOOK_MS = 1_000
/**
 * A call that takes longer is hung where another volume can be recorded to: the stream goes on there within
 * 10 s, and its queue of 16 s has room left.
 */
const HUNG_MS = 4_000
/** Without another volume it is worth waiting for a disk that remaps a sector. */
const HUNG_ALONE_MS = 15_000
/** A recorder that was asked to stop leaves within 5 s. */
const HUNG_AT_STOP_MS = 2_000

export interface VolumeSetOptions {
  readonly configured: readonly { readonly id: VolumeId, readonly path: string }[]
  readonly fs: VolumeFileSystem
  readonly slots: ReturnType<typeof slotTable>
  readonly segments: ReturnType<typeof segmentTable>
  readonly marks: CatalogueMarks
  readonly unentered: (io: VolumeFileSystem) => UnenteredMark
  readonly rows: RowQueue
  readonly clock: Clock
  readonly log: Logger
}

/** What storage does with a volume that comes into use, before the first slot of it is given away. */
export type Admit = (volume: Volume, facts: { readonly isUnentered: boolean, readonly free: FreeSlots }) => Promise<void>

/**
 * Which of the configured volumes can be recorded to. A refused one is looked at again now and then and
 * never recreated; one that failed is probed until it works again.
 * All calls of storage to the volumes go through `io`, so that one that hangs holds up nobody.
 */
export class VolumeSet {
  readonly #options: VolumeSetOptions
  readonly #entries: Entry[]
  readonly io: VolumeIo
  readonly unentered: UnenteredMark
  #admit: Admit = () => Promise.resolve()
  /** A volume that was set aside or failed can be recorded to again. */
  onBack: (volume: Volume) => void = () => undefined
  readonly #stopped = new AbortController()
  #trial: Promise<void> | null = null
  #usable = Promise.withResolvers<void>()

  constructor(options: VolumeSetOptions) {
    this.#options = options
    this.#entries = options.configured.map(({ id, path }) => ({
      id, path, health: new VolumeHealth(), volume: null, free: null, state: 'missing', detail: 'not looked at yet', slots: { ...NO_SLOTS }, lastSyncMs: 0, syncs: [],
      errors: 0, reusedSlots: 0, wake: new AbortController(), looking: Promise.resolve(), isUnseen: false,
    }))
    this.io = new VolumeIo({
      fs: options.fs, clock: options.clock, volumes: options.configured,
      deadlineMs: id => this.#stopped.signal.aborted ? HUNG_AT_STOP_MS : this.#entries.some(entry => entry.id !== id && entry.volume !== null && entry.state === 'ok') ? HUNG_MS : HUNG_ALONE_MS,
      onHung: (id, detail) => { this.#takeOut(this.#entries.find(entry => entry.id === id)!, detail) },
      onReturned: id => { this.#lookSoon(this.#entries.find(entry => entry.id === id)!) },
    })
    this.unentered = options.unentered(this.io)
  }

  get ids(): VolumeId[] { return this.#entries.map(({ id }) => id) }
  onAdmission(admit: Admit): void { this.#admit = admit }
  /** From now on nobody waits long for a volume. */
  stop(): void {
    this.#stopped.abort()
    this.#usable.resolve()
  }

  // ---- looks

  /**
   * Looks at one volume: checks one in use, probes one that failed, takes one into use that came. Never
   * throws. Returns the volume when it can be recorded to.
   */
  async look(id: VolumeId): Promise<Volume | null> {
    const entry = this.#entries.find(each => each.id === id)!
    const looked = entry.looking.then(() => this.#lookAt(entry)) // one at a time: taking a large volume in may last longer than the wait for the next look
    entry.looking = looked
    await looked
    return entry.state === 'ok' ? entry.volume : null
  }

  async #lookAt(entry: Entry): Promise<void> {
    try {
      if (entry.state === 'failed' && entry.volume !== null) await this.#probe(entry, entry.volume)
      else if (entry.volume !== null) {
        await this.#check(entry, entry.volume)
        await this.#calm(entry, entry.volume)
      } else await this.#takeIn(entry)
      entry.isUnseen = false
    } catch (error) { // mostly a catalogue that cannot be read just now
      if (entry.volume === null) entry.detail = `it could not be looked at: ${(error as Error).message}`
      entry.isUnseen = true
      this.#options.log.error({ err: error, volume: entry.id }, 'a volume could not be looked at')
    }
  }

  /** Until `signal` aborts: looks every ten seconds, at a failed one when its probe is due. */
  async watch(id: VolumeId, signal: AbortSignal, looked: (volume: Volume) => Promise<void>): Promise<void> {
    const { clock } = this.#options
    const entry = this.#entries.find(each => each.id === id)!
    while (!signal.aborted) {
      const wake = entry.wake.signal
      const waitMs = entry.state === 'failed' ? entry.health.probeAt - clock.monoNow() : entry.isUnseen ? RELOOK_MS : RECHECK_MS
      await clock.wait(waitMs, AbortSignal.any([signal, wake]))
      if (signal.aborted) return
      if (wake.aborted) { entry.wake = new AbortController(); continue } // when it is due has changed
      const volume = await this.look(id)
      if (volume !== null && !signal.aborted) await looked(volume)
    }
  }

  #lookSoon(entry: Entry): void {
    entry.health.probeNow(this.#options.clock.monoNow())
    entry.wake.abort()
  }

  /**
   * Looks whether a volume in use is still there and may be written. False: it was set aside, and is taken
   * back when it is there again.
   */
  async recheck(volume: Volume): Promise<boolean> {
    try { await this.#check(this.#of(volume), volume) } catch (error) {
      if (!(error instanceof StorageError)) throw error
      return false // the next look tells
    }
    return this.#of(volume).state === 'ok'
  }

  /**
   * Pulled, unmounted or remounted read-only: the next slot is taken elsewhere. What is open there goes on
   * as long as it can.
   */
  async #check(entry: Entry, volume: Volume): Promise<void> {
    const { io } = this
    let check = await checkVolume(io, entry.path, entry.id)
    if (check.kind === 'refused') check = await checkVolume(io, entry.path, entry.id) // one bad read is no reason to stop
    if (entry.state === 'failed') return // it hung meanwhile; its probe says when it is back
    const refusal = check.kind === 'refused' ? check : check.volume.identity.uuid === volume.identity.uuid ? null : { state: 'foreign' as const, detail: 'another disk is mounted where this volume was' }
    if (refusal !== null) this.#refuse(entry, refusal)
    else if (entry.state !== 'ok') await this.#return(entry, volume, 'volume is back')
  }

  /** While it was away an image of it may have been put in its place. */
  async #return(entry: Entry, volume: Volume, message: string): Promise<void> {
    const contradiction = await this.#contradictionOfMark(volume).catch((error: unknown) => {
      if (!isCatalogueFault(error)) throw error
      return null // recording does not wait for the catalogue
    })
    if (contradiction !== null) this.#refuse(entry, contradiction)
    else this.#back(entry, volume, message)
  }

  #back(entry: Entry, volume: Volume, message: string): void {
    const was = entry.state
    Object.assign(entry, { state: 'ok', detail: '', errors: 0 })
    entry.health.noteBack(this.#options.clock.monoNow())
    this.#options.log.info({ volume: entry.id, was }, message)
    this.#note('volume.in-use', entry, 'done', { uuid: volume.identity.uuid, was })
    this.onBack(volume)
    this.#becameUsable()
  }

  #becameUsable(): void {
    this.#usable.resolve()
    this.#usable = Promise.withResolvers()
  }

  #refuse(entry: Entry, { state, detail }: { readonly state: VolumeRefusal, readonly detail: string }): void {
    if (entry.state !== state || entry.detail !== detail) {
      this.#options.log.error({ volume: entry.id, state, detail }, 'volume refused')
      this.#note('volume.refused', entry, 'refused', { state, why: detail.slice(0, 500) })
    }
    entry.state = state
    entry.detail = detail
  }

  async #takeIn(entry: Entry): Promise<void> {
    const check = await checkVolume(this.io, entry.path, entry.id)
    if (this.io.isHung(entry.id)) { entry.health.noteFailedProbe(this.#options.clock.monoNow()); return }
    const refusal = check.kind === 'refused' ? check : await this.#admission(entry, check.volume)
    if (refusal !== null && this.io.isHung(entry.id)) { entry.health.noteFailedProbe(this.#options.clock.monoNow()); return }
    if (refusal !== null) { this.#refuse(entry, refusal); return }
    if (check.kind !== 'ok') return
    const { volume } = check
    const { uuid, slotCount, slotSizeBytes } = volume.identity
    Object.assign(entry, { state: 'ok', detail: '' })
    this.#options.log.info({ volume: entry.id, slots: slotCount }, 'volume in use')
    this.#note('volume.in-use', entry, 'done', { uuid, slots: slotCount, slotSizeBytes })
    this.#becameUsable()
  }

  /**
   * A volume that this catalogue may give slots of: known to it and used with it last, or blank. Null once
   * it is ready.
   */
  async #admission(entry: Entry, volume: Volume): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const { slots, marks, log } = this.#options
    try {
      const isUnentered = await this.unentered.read(volume)
      const refusal = slots.knowsVolume(volume.identity.uuid) ? await this.#contradiction(volume, isUnentered) : await this.#register(volume)
      if (refusal !== null) return refusal
      const free = new FreeSlots(volume, slots)
      free.load()
      Object.assign(entry, { volume, free, slots: slots.counts(volume.identity.uuid) })
      await this.#admit(volume, { isUnentered, free })
    } catch (error) {
      Object.assign(entry, { volume: null, free: null })
      if (!(error instanceof StorageError)) throw error
      return { state: 'damaged', detail: error.message }
    }
    await marks.publish(volume, this.io).catch((error: unknown) => { log.error({ err: error, volume: volume.identity.id }, 'volume could not be marked') }) // the mark before it is remembered too
    return null
  }

  /**
   * Null when nothing says that the catalogue is older than the volume, or the volume older than the
   * catalogue [G1].
   */
  async #contradiction(volume: Volume, isUnentered: boolean): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const contradiction = await this.#contradictionOfMark(volume)
    if (contradiction !== null) return contradiction
    const wrong = await spotCheck({ ...this.#options, fs: this.io, volume, seed: this.#options.marks.seed, isUnentered })
    return wrong === null ? null : foreign(`it is not as the catalogue says: ${wrong}`)
  }

  async #contradictionOfMark(volume: Volume): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const { marks, log } = this.#options, verdict = await marks.judge(volume, this.io)
    if (verdict === 'unknown-start') return foreign('it was used since by a recorder start that this catalogue does not know: the catalogue came from a backup, or the volume from another recorder')
    if (verdict === 'older-volume') return foreign('it is older than this catalogue: an image of it was restored')
    if (verdict === 'doubtful') log.warn({ volume: volume.identity.id }, 'the mark of the catalogue is gone from a volume; its slots are asked')
    return null
  }

  /**
   * Enters a volume that the catalogue does not know, if it is really unused: footage without rows would be
   * overwritten.
   */
  async #register(volume: Volume): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const { slots, clock } = this.#options
    const { uuid, id, slotSizeBytes, slotCount, createdAt } = volume.identity
    const start = Buffer.alloc(4096)
    for (let slot = 0; slot < slotCount; slot++) {
      const file = await this.io.open(slotPath(volume, slotNumber(slot)), 'read', 'register slot')
      try { await file.read(start, 0, 'register slot') } finally { await file.close() }
      if (decodeSlotStart(start).kind !== 'blank') {
        return { state: 'foreign', detail: `it holds footage (made ${createdAt}) that this catalogue does not know; run \`custos rebuild\`. Nothing was changed.` }
      }
    }
    slots.registerVolume({ uuid, id, slotSizeBytes, slotCount, now: clock.wallNow() })
    this.#options.log.info({ volume: id, at: isoOf(clock.wallNow()) }, 'volume registered')
    return null
  }

  // ---- faults

  #takeOut(entry: Entry, detail: string): void {
    if (entry.state !== 'ok' && entry.volume !== null) return
    Object.assign(entry, { state: 'failed', detail })
    entry.health.noteOut(this.#options.clock.monoNow())
    entry.wake.abort()
    this.#options.log.error({ volume: entry.id, detail }, 'volume failed; it is probed until it works again')
    this.#note('volume.failed', entry, 'done', { why: detail.slice(0, 500) })
  }

  async #probe(entry: Entry, volume: Volume): Promise<void> {
    const { clock, log } = this.#options
    if (this.io.isHung(entry.id)) { entry.health.noteFailedProbe(clock.monoNow()); return }
    const check = await checkVolume(this.io, entry.path, entry.id)
    if (check.kind === 'refused' && !this.io.isHung(entry.id)) { this.#refuse(entry, check); return } // gone altogether: taken back like any that comes
    const slot = entry.free?.take() ?? null
    try {
      if (check.kind === 'refused' || check.volume.identity.uuid !== volume.identity.uuid) throw new StorageError('other', 'probe', entry.path, new Error(check.kind === 'refused' ? check.detail : 'another disk'))
      await probeVolume(this.io, volume, slot)
      await this.#return(entry, volume, 'volume works again')
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      entry.detail = error.message
      entry.health.noteFailedProbe(clock.monoNow())
      log.debug({ err: error, volume: entry.id }, 'volume probed in vain')
    } finally { if (slot !== null) entry.free?.add(slot) }
  }

  /**
   * After a fault slots are taken elsewhere until a write is a good one. Where nothing is open any more, or
   * only slots of silent cameras, none would be tried while another volume has room: the volume would stand
   * idle, and what it holds would outlive younger footage. No slot is written to, for a stream may be given any
   * of them meanwhile.
   */
  async #calm(entry: Entry, volume: Volume): Promise<void> {
    const { state, health } = entry
    if (state !== 'ok' || health.isCalm || this.io.isHung(entry.id)) return
    try {
      await probeVolume(this.io, volume, null)
      this.noteGood(volume)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      // A full file system says nothing of slots: they have their space, and one of them is tried.
      if (error.fault === 'no-space') this.noteGood(volume)
      else this.noteFault(volume, error)
    }
  }

  /**
   * A fault of one slot's writes or syncs. Several bursts in a row without a good sync take the volume out.
   */
  noteFault(volume: Volume, error: unknown): void {
    if (!(error instanceof StorageError)) return // what the catalogue or we ourselves did wrong is not the disk's fault
    const entry = this.#of(volume), detail = error.message
    entry.errors++
    entry.detail = detail
    if (entry.health.noteFault(this.#options.clock.monoNow()) && entry.state === 'ok') this.#takeOut(entry, detail)
  }

  /** A write was synced. */
  noteGood(volume: Volume): void {
    const entry = this.#of(volume)
    if (entry.state !== 'ok') return
    entry.health.noteGood()
    entry.errors = 0
  }

  /**
   * Opens a slot where no volume is calm: one at a time, and after one that failed too only when the next
   * try is due.
   * Null: things have changed while this call waited, and it is to be decided again where the slot goes.
   */
  async asTrial<Result>(open: () => Promise<Result>): Promise<{ readonly result: Result } | null> {
    const { clock } = this.#options
    if (this.#trial !== null) { await this.#trial; return null }
    const over = Promise.withResolvers<void>()
    this.#trial = over.promise
    const suspects = this.#entries.filter(entry => entry.volume !== null && entry.state === 'ok')
    try {
      const waitMs = Math.min(...suspects.map(({ health }) => health.trialAt)) - clock.monoNow()
      if (waitMs > 0 && suspects.length > 0) await clock.wait(waitMs, this.#stopped.signal)
      if (this.usable().length === 0) return null
      return { result: await open() }
    } catch (error) {
      if (error instanceof StorageError) for (const { health } of suspects) health.noteFailedTrial(clock.monoNow())
      throw error
    } finally {
      this.#trial = null
      over.resolve()
    }
  }

  /**
   * Waits for a volume that failed to work again, at most `mostMs`. Returns at once when there is one in
   * use, or none that could come back by itself.
   */
  async whenUsable(mostMs: number): Promise<void> {
    const { clock } = this.#options
    const until = clock.monoNow() + mostMs
    while (!this.#stopped.signal.aborted && this.usable().length === 0 && this.#entries.some(({ state }) => state === 'failed') && clock.monoNow() < until) {
      const over = new AbortController()
      await Promise.race([this.#usable.promise, clock.wait(until - clock.monoNow(), over.signal)])
      over.abort()
    }
  }

  // ---- asking

  /** Volumes are about to be taken in: the oldest footage may be there. */
  get isOneUnseen(): boolean { return this.#entries.some(({ volume, isUnseen }) => volume === null && isUnseen) }
  usable(): Volume[] { return this.#entries.flatMap(entry => entry.volume !== null && entry.state === 'ok' ? [entry.volume] : []) }
  /** Those whose last write was a good one. */
  calm(): Volume[] { return this.#entries.flatMap(entry => entry.volume !== null && entry.state === 'ok' && entry.health.isCalm ? [entry.volume] : []) }
  byUuid(uuid: string): Volume | null { return this.#entries.find(entry => entry.volume?.identity.uuid === uuid)?.volume ?? null }
  #of(volume: Volume): Entry { return this.#entries.find(entry => entry.volume?.identity.uuid === volume.identity.uuid)! }
  freeOf(volume: Volume): FreeSlots { return this.#of(volume).free! }

  /** After the act, never inside a transaction that may still fail. */
  countMove(volume: Volume, from: SlotState, to: SlotState): void {
    const { slots } = this.#of(volume)
    slots[from]--
    slots[to]++
  }
  noteReuse(volume: Volume): void { this.#of(volume).reusedSlots++ }
  freeSlots(volume: Volume): number { return this.#of(volume).slots.free }
  freeRow(volume: Volume): SlotRow | null { return this.#options.slots.firstFree(volume.identity.uuid) }

  /** A slot's records were synced. */
  noteSync(volume: Volume, durationMs: number): void {
    const entry = this.#of(volume)
    entry.lastSyncMs = durationMs
    const at = this.#options.clock.monoNow()
    entry.syncs.push({ at, durationMs })
    while (entry.syncs[0]!.at < at - SYNC_MEMORY_MS) entry.syncs.shift()
    this.noteGood(volume)
  }

  #note(action: string, { id }: Entry, result: AuditEvent['result'], detail: AuditEvent['detail']): void {
    this.#options.rows.note({ action, object: id, result, detail })
  }

  /** Longest sync of the last `ms`, at most a minute, over the volumes that are recorded to. */
  worstSyncMs(withinMs: number): number {
    return Math.max(0, ...this.#entries.filter(({ state }) => state === 'ok').map(entry => this.#worstSyncMs(entry, withinMs)))
  }

  /** The age of one in flight counts as its duration. */
  #worstSyncMs({ id, syncs }: Entry, withinMs: number): number {
    const now = this.#options.clock.monoNow()
    const oldest = now - withinMs // also while nothing is recorded and nothing is synced
    const done = syncs.reduce((worst, { at, durationMs }) => at < oldest ? worst : Math.max(worst, durationMs), 0)
    return Math.max(done, now - (this.io.oldestSync(id) ?? now))
  }

  status(): VolumeStatus[] {
    return this.#entries.map(entry => ({
      id: entry.id, state: entry.state, detail: entry.detail, slots: { ...entry.slots }, lastSyncMs: entry.lastSyncMs,
      worstSyncMs: this.#worstSyncMs(entry, SYNC_MEMORY_MS), errors: entry.errors, reusedSlots: entry.reusedSlots,
    }))
  }
  /** Null while the volume is not in use. */
  askOf<Answer>(id: VolumeId, ask: (uuid: Volume['identity']['uuid']) => Answer): Answer | null {
    const volume = this.#entries.find(entry => entry.id === id)?.volume
    return volume == null ? null : ask(volume.identity.uuid)
  }
}

const foreign = (why: string): { state: VolumeRefusal, detail: string } =>
  ({ state: 'foreign', detail: `${why}; stop the recorder and run \`custos rebuild\`. Nothing was changed.` })
