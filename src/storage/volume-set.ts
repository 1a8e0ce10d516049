import { noteEvent } from '../audit/index.ts'
import { isoOf, slotNumber, SYSTEM, type AuditEvent, type AuditSink, type MonoMs, type VolumeId } from '../domain/index.ts'
import { StorageError, type VolumeFileSystem } from '../platform/file-system.ts'
import type { Logger } from '../platform/logger.ts'
import type { Clock } from '../platform/clock.ts'
import type { CatalogueMarks } from './catalogue-mark.ts'
import { decodeSlotStart } from './slot-format.ts'
import { spotCheck } from './spot-check.ts'
import { checkVolume, slotPath, type Volume, type VolumeRefusal } from './volume.ts'
import type { segmentTable } from './tables/segments.ts'
import type { SlotState, slotTable } from './tables/slots.ts'

/** A configured volume as it is now. Counts follow the catalogue and are kept in memory: a million rows are not counted each second. */
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
  volume: Volume | null
  state: VolumeStatus['state']
  detail: string
  slots: Record<SlotState, number>
  lastSyncMs: number
  syncs: { at: MonoMs, durationMs: number }[]
  errors: number
  reusedSlots: number
}

const NO_SLOTS: Record<SlotState, number> = { free: 0, preparing: 0, open: 0, sealed: 0, quarantined: 0 }
const SYNC_MEMORY_MS = 60_000 // long enough to see a disk that stutters, short enough to forget one that was busy once
const FAILURES_UNTIL_OUT = 3 // faults of single slots in a row, without one good sync between

export interface VolumeSetOptions {
  readonly configured: readonly { readonly id: VolumeId, readonly path: string }[]
  readonly fs: VolumeFileSystem
  readonly slots: ReturnType<typeof slotTable>
  readonly segments: ReturnType<typeof segmentTable>
  readonly marks: CatalogueMarks
  readonly audit: AuditSink
  readonly clock: Clock
  readonly log: Logger
}

/** Which of the configured volumes can be recorded to. A refused one is looked at again now and then and never recreated. */
export class VolumeSet {
  readonly #options: VolumeSetOptions
  readonly #entries: Entry[]

  constructor(options: VolumeSetOptions) {
    this.#options = options
    this.#entries = options.configured.map(({ id, path }) => ({
      id, path, volume: null, state: 'missing', detail: '', slots: { ...NO_SLOTS }, lastSyncMs: 0, syncs: [], errors: 0, reusedSlots: 0,
    }))
  }

  /** Looks whether a volume in use is still there and may be written. False: it was set aside, and is taken back when it is there again. */
  async recheck(volume: Volume): Promise<boolean> {
    await this.#look(this.#of(volume), volume)
    return this.#of(volume).state === 'ok'
  }

  /** Pulled, unmounted or remounted read-only: the next slot is taken elsewhere. What is open there goes on as long as it can. */
  async #look(entry: Entry, volume: Volume): Promise<void> {
    let check = await checkVolume(this.#options.fs, entry.path, entry.id)
    if (check.kind === 'refused') check = await checkVolume(this.#options.fs, entry.path, entry.id) // one bad read is no reason to stop
    const refusal = check.kind === 'refused' ? check : check.volume.identity.uuid === volume.identity.uuid ? null : { state: 'foreign' as const, detail: 'another disk is mounted where this volume was' }
    if (refusal === null) {
      if (entry.state === 'ok') return
      Object.assign(entry, { state: 'ok', detail: '' })
      this.#options.log.info({ volume: entry.id }, 'volume is back')
      this.#note('volume.in-use', entry, 'done', { uuid: volume.identity.uuid })
    } else this.#refuse(entry, refusal)
  }

  #refuse(entry: Entry, { state, detail }: { readonly state: VolumeRefusal, readonly detail: string }): void {
    if (entry.state !== state || entry.detail !== detail) {
      this.#options.log.error({ volume: entry.id, state, detail }, 'volume refused')
      this.#note('volume.refused', entry, 'refused', { state, why: detail.slice(0, 500) })
    }
    entry.state = state
    entry.detail = detail
  }

  /** Checks every volume, those in use too. Returns those that came into use with this call for the first time. */
  async refresh(): Promise<Volume[]> {
    const came: Volume[] = []
    for (const entry of this.#entries) {
      if (entry.state === 'failed') continue
      if (entry.volume !== null) {
        await this.#look(entry, entry.volume)
        continue
      }
      const check = await checkVolume(this.#options.fs, entry.path, entry.id)
      const refusal = check.kind === 'refused' ? check : await this.#refusalOf(check.volume)
      if (refusal !== null) {
        this.#refuse(entry, refusal)
      } else if (check.kind === 'ok') {
        Object.assign(entry, { volume: check.volume, state: 'ok', detail: '', slots: this.#options.slots.counts(check.volume.identity.uuid) })
        this.#options.log.info({ volume: entry.id, slots: check.volume.identity.slotCount }, 'volume in use')
        this.#note('volume.in-use', entry, 'done', { uuid: check.volume.identity.uuid, slots: check.volume.identity.slotCount, slotSizeBytes: check.volume.identity.slotSizeBytes })
        came.push(check.volume)
      }
    }
    return came
  }

  /** A volume that this catalogue may give slots of: known to it and used with it last, or blank. */
  async #refusalOf(volume: Volume): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const { slots, marks, log } = this.#options
    try {
      const refusal = slots.knowsVolume(volume.identity.uuid) ? await this.#contradiction(volume) : await this.#register(volume)
      if (refusal !== null) return refusal
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      return { state: 'damaged', detail: error.message }
    }
    await marks.publish(volume).catch((error: unknown) => { log.error({ err: error, volume: volume.identity.id }, 'volume could not be marked') }) // the mark before it is remembered too
    return null
  }

  /** Null when nothing says that the catalogue is older than the volume, or the volume older than the catalogue [G1]. */
  async #contradiction(volume: Volume): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const { marks, log } = this.#options
    const foreign = (why: string) => ({ state: 'foreign' as const, detail: `${why}; stop the recorder and run \`custos rebuild\`. Nothing was changed.` })
    const verdict = await marks.judge(volume)
    if (verdict === 'unknown-start') return foreign('it was used since by a recorder start that this catalogue does not know: the catalogue came from a backup, or the volume from another recorder')
    if (verdict === 'older-volume') return foreign('it is older than this catalogue: an image of it was restored')
    if (verdict === 'doubtful') log.warn({ volume: volume.identity.id }, 'the mark of the catalogue is gone from a volume; its slots are asked')
    const wrong = await spotCheck({ ...this.#options, volume, seed: marks.seed })
    return wrong === null ? null : foreign(`it is not as the catalogue says: ${wrong}`)
  }

  /** Enters a volume that the catalogue does not know, if it is really unused: footage without rows would be overwritten. */
  async #register(volume: Volume): Promise<{ state: VolumeRefusal, detail: string } | null> {
    const { slots, fs, clock } = this.#options
    const { uuid, id, slotSizeBytes, slotCount, createdAt } = volume.identity
    const start = Buffer.alloc(4096)
    for (let slot = 0; slot < slotCount; slot++) {
      const file = await fs.open(slotPath(volume, slotNumber(slot)), 'read', 'register slot')
      try { await file.read(start, 0, 'register slot') } finally { await file.close() }
      if (decodeSlotStart(start).kind !== 'blank') {
        return { state: 'foreign', detail: `it holds footage (made ${createdAt}) that this catalogue does not know; run \`custos rebuild\`. Nothing was changed.` }
      }
    }
    slots.registerVolume({ uuid, id, slotSizeBytes, slotCount, now: clock.wallNow() })
    this.#options.log.info({ volume: id, at: isoOf(clock.wallNow()) }, 'volume registered')
    return null
  }

  usable(): Volume[] { return this.#entries.flatMap(entry => entry.volume !== null && entry.state === 'ok' ? [entry.volume] : []) }
  byUuid(uuid: string): Volume | null { return this.#entries.find(entry => entry.volume?.identity.uuid === uuid)?.volume ?? null }
  #of(volume: Volume): Entry { return this.#entries.find(entry => entry.volume?.identity.uuid === volume.identity.uuid)! }

  countMove(volume: Volume, from: SlotState, to: SlotState): void {
    const { slots } = this.#of(volume)
    slots[from]--
    slots[to]++
  }
  noteReuse(volume: Volume): void { this.#of(volume).reusedSlots++ }
  freeSlots(volume: Volume): number { return this.#of(volume).slots.free }

  noteSync(volume: Volume, durationMs: number): void {
    const entry = this.#of(volume)
    entry.lastSyncMs = durationMs
    const at = this.#options.clock.monoNow()
    entry.syncs.push({ at, durationMs })
    while (entry.syncs[0]!.at < at - SYNC_MEMORY_MS) entry.syncs.shift()
    if (entry.state === 'ok') entry.errors = 0
  }
  /** A fault of one slot. Several in a row without a good sync take the volume out until a person looked at it. */
  noteFault(volume: Volume, detail: string): void {
    const entry = this.#of(volume)
    entry.errors++
    entry.detail = detail
    if (entry.errors >= FAILURES_UNTIL_OUT && entry.state === 'ok') {
      entry.state = 'failed'
      this.#options.log.error({ volume: entry.id, detail }, 'volume taken out')
      this.#note('volume.failed', entry, 'done', { why: detail.slice(0, 500) })
    }
  }

  #note(action: string, { id }: Entry, result: AuditEvent['result'], detail: AuditEvent['detail']): void {
    noteEvent(this.#options.audit, this.#options.log, { action, actor: SYSTEM, object: id, application: null, result, detail })
  }

  /** Longest sync of the last `ms`, at most a minute, over all volumes. */
  worstSyncMs(withinMs: number): number { return Math.max(0, ...this.#entries.map(entry => this.#worstSyncMs(entry, withinMs))) }

  #worstSyncMs({ syncs }: Entry, withinMs: number): number {
    const oldest = this.#options.clock.monoNow() - withinMs // also while nothing is recorded and nothing is synced
    return syncs.reduce((worst, { at, durationMs }) => at < oldest ? worst : Math.max(worst, durationMs), 0)
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
