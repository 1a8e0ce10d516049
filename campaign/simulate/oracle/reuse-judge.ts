import type { SimDisk } from '../disk.ts'
import type { AuditJudge, Overwriting } from './audit-judge.ts'
import { DAY_MS, floorEnd } from './calendar.ts'
import type { VolumeInPlace } from './catalogue-judge.ts'
import type { CatalogueReader, HoldFact, SealedFact } from './catalogue-reader.ts'
import type { DiskViews, SlotView, ViewedRecord } from './disk-view.ts'
import type { TimeGains } from './floor-judge.ts'
import type { Leases } from './leases.ts'

const HOUR_MS = 3_600_000
/**
 * Two segments may stand in the other order by so much: while the clocks disagree a frame counts as one day
 * younger (docs/design/0003), and a segment is as old as its newest frame.
 */
const OUT_OF_ORDER_MS = DAY_MS + 2 * HOUR_MS
/** A reader that was not heard of for so long has no lease. */
const LEASE_OVER_MS = 120_000

interface Candidate extends SealedFact { readonly volumeId: string, readonly disk: SimDisk }
interface Snapshot {
  readonly at: number
  /** In use, and how often each had failed, by volume. */
  readonly faults: ReadonlyMap<string, number>
  /** Slots out of use, by volume. */
  readonly quarantined: ReadonlyMap<string, number>
  readonly candidates: ReadonlyMap<string, Candidate>
  readonly endedHolds: ReadonlySet<string>
}
interface Gone { readonly endAt: number, readonly days: number }
export interface ReuseFacts {
  readonly now: number
  readonly floorDays: number
  readonly gains: TimeGains
  /** Streams that the ring refused last, by name. */
  readonly refused: readonly string[]
  /** Wall clock and trusted time have agreed, and been right, for a day. */
  readonly hasAgreed: boolean
}

const keyOf = ({ volume_uuid: volume, slot, generation }: SealedFact): string =>
  `${volume}/${slot}/${generation}`
const nameOf = ({ volumeId, slot, generation }: Candidate): string => `${volumeId}/${slot}/${generation}`
const daysOf = (floorRule: string): number => Number.parseInt(floorRule, 10)
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 19)

/**
 * Footage that stays too long [G1, order of sacrifice]: what was told as overwritten is not to be found any
 * more; what goes is the oldest that may go; and a ring that tells that it is full has none. A segment stays
 * rightly while it is held, read, quarantined, or on a volume that is away or failed: only what was free to
 * go at two looks, on a volume without any fault between and before, is held against the recorder.
 */
export class ReuseJudge {
  readonly #catalogue: CatalogueReader
  readonly #views: DiskViews
  readonly #audit: AuditJudge
  readonly #leases: Leases
  #before: Snapshot | null = null
  /** By name, what was told as overwritten. */
  readonly #told = new Map<string, Overwriting>()
  /** By name, when the newest frame of what went was filmed. */
  readonly #gone = new Map<string, Gone>()
  /** What was recorded before may have been given a later date. */
  #datedAnewAt = -Infinity
  /** The log was read from its beginning: not all of it is of these volumes. */
  #isLogNew = false
  overwritten = 0

  constructor(catalogue: CatalogueReader, views: DiskViews, audit: AuditJudge, leases: Leases) {
    this.#catalogue = catalogue
    this.#views = views
    this.#audit = audit
    this.#leases = leases
  }

  /** Another catalogue, or one that was rebuilt. */
  datedAnew(now: number): void {
    this.#before = null
    this.#datedAnewAt = now
  }
  /** The same, and its audit log is another one. */
  startOver(now: number): void {
    this.datedAnew(now)
    this.#told.clear()
    this.#gone.clear()
    this.#isLogNew = true
  }
  /** What was overwritten there may be there again. */
  imageRestored(volumeId: string, now: number): void {
    this.datedAnew(now)
    for (const each of this.#audit.takeOverwritings()) this.#told.set(each.object, each)
    for (const object of this.#told.keys()) if (object.startsWith(`${volumeId}/`)) this.#told.delete(object)
  }

  gone(object: string, floorRule: string, records: readonly ViewedRecord[]): void {
    const ends = records.map(({ fragment }) => fragment?.endAt ?? -Infinity)
    const endAt = Math.max(this.#gone.get(object)?.endAt ?? -Infinity, ...ends)
    if (endAt > -Infinity) this.#gone.set(object, { endAt, days: daysOf(floorRule) })
  }

  judge(volumes: readonly VolumeInPlace[], facts: ReuseFacts): string[] {
    const inUse = volumes.filter(({ isInUse }) => isInUse)
    const fresh = this.#audit.takeOverwritings()
    if (this.#isLogNew) fresh.length = 0
    this.#isLogNew = false
    for (const each of fresh) this.#told.set(each.object, each)
    this.overwritten += fresh.length
    const before = this.#before, snapshot = this.#before = this.#look(inUse, facts.now, before)
    const wrong = this.#stillThere(inUse)
    if (before !== null && isSameSet(before.faults, snapshot.faults)) {
      const all = [...snapshot.candidates]
      const stayed = all.filter(([key, each]) => this.#hasStayed(key, each, before, snapshot))
        .map(([, each]) => each)
      wrong.push(...this.#outOfOrder(fresh, stayed, facts), ...this.#overdue(stayed, facts))
    }
    this.#gone.clear()
    return wrong
  }

  #look(inUse: readonly VolumeInPlace[], at: number, before: Snapshot | null): Snapshot {
    const byUuid = new Map(inUse.map(volume => [volume.uuid, volume]))
    const holds = this.#catalogue.holds()
    const ended = before?.endedHolds
    const inForce = holds.filter(hold => hold.ended_at === null || ended?.has(hold.hold_id) !== true)
    const candidates = new Map<string, Candidate>()
    for (const row of this.#catalogue.sealed()) {
      const volume = byUuid.get(row.volume_uuid)
      if (volume === undefined || inForce.some(hold => isHeld(row, hold))) continue
      candidates.set(keyOf(row), { ...row, volumeId: volume.id, disk: volume.disk })
    }
    const endedHolds = new Set(holds.filter(hold => hold.ended_at !== null).map(hold => hold.hold_id))
    const quarantined = new Map<string, number>()
    for (const { volume_uuid: volume, state } of this.#catalogue.slots()) {
      if (state === 'quarantined') quarantined.set(volume, (quarantined.get(volume) ?? 0) + 1)
    }
    const faults = new Map(inUse.map(({ uuid, disk }) => [uuid, disk.faults]))
    return { at, faults, quarantined, candidates, endedHolds }
  }

  #hasStayed(
    key: string, { newest_at: newestAt, volume_uuid: volume, disk }: Candidate,
    before: Snapshot, now: Snapshot,
  ): boolean {
    const { at, candidates, faults } = before
    // A volume with a fault is left alone until its next good write: also where a slot held something else.
    const isQuiet = before.quarantined.get(volume) === now.quarantined.get(volume)
    const isSound = isQuiet && faults.get(volume) === disk.faults && disk.trouble.lastAt(at) < at - DAY_MS
    return isSound && candidates.get(key)?.newest_at === newestAt
      && this.#leases.lastAsked(key) < at - LEASE_OVER_MS
  }

  // ---- what was told as overwritten

  #stillThere(inUse: readonly VolumeInPlace[]): string[] {
    const wrong: string[] = []
    const segments = new Map(this.#catalogue.segments().map(row => [`${row.volume_uuid}/${row.slot}`, row]))
    const slots = new Map(this.#catalogue.slots().map(row => [`${row.volume_uuid}/${row.slot}`, row]))
    for (const { id, uuid, disk } of inUse) {
      for (const view of this.#views.viewsOf(disk)) {
        const { header, slot } = view
        const told = this.#told.get(`${id}/${slot}/${header?.generation ?? 0}`)
        if (header === null || told === undefined || view.records.length === 0 || !isOf(told, view)) continue
        const row = segments.get(`${uuid}/${slot}`)
        if (row?.generation === header.generation) {
          wrong.push(`${told.object} was told as overwritten, and can still be found`)
        }
        const state = slots.get(`${uuid}/${slot}`)?.state
        if (state === 'preparing' || state === 'quarantined' || view.isSpoilt) continue // its zeroing failed
        wrong.push(`${told.object} was told as overwritten, and still stands in its slot, which is ${state}`)
      }
    }
    return wrong
  }

  // ---- what might have gone, and stayed

  #outOfOrder(fresh: readonly Overwriting[], stayed: readonly Candidate[], { gains }: ReuseFacts): string[] {
    const wrong: string[] = []
    if (fresh.length === 0) return wrong
    const filmedAt = this.#newestOf(stayed)
    for (const { object, newestAt, trustedAt, floorNow } of fresh) {
      const gone = this.#gone.get(object)
      for (const each of stayed) {
        const mayGoAt = Math.max(each.keep_until, floorEnd(each.newest_at, daysOf(floorNow)))
        if (each.newest_at < newestAt && mayGoAt <= trustedAt) {
          wrong.push(`${object}, with frames to ${iso(newestAt)}, was overwritten before ${nameOf(each)}, `
            + `which has none after ${iso(each.newest_at)} and might go since ${iso(mayGoAt)}`)
        }
        const endAt = filmedAt.get(each)
        if (gone === undefined || endAt === undefined || endAt < this.#datedAnewAt) continue
        if (daysOf(each.floor_rule) > gone.days || endAt > gone.endAt) continue
        // Trusted time was set right meanwhile: what was recorded before counts as younger [0003].
        if (each.newest_at > endAt + OUT_OF_ORDER_MS) continue
        const olderMs = gains.ranBetween(endAt, gone.endAt)
        if (olderMs <= OUT_OF_ORDER_MS) continue
        wrong.push(`${object}, filmed until ${iso(gone.endAt)}, was overwritten before ${nameOf(each)}, `
          + `which is ${(olderMs / DAY_MS).toFixed(1)} days older`)
      }
    }
    return wrong
  }

  #overdue(stayed: readonly Candidate[], { refused, hasAgreed, now, floorDays }: ReuseFacts): string[] {
    const [key] = refused
    if (key === undefined || !hasAgreed) return []
    for (const [{ floor_rule: floorRule, ...each }, endAt] of this.#newestOf(stayed)) {
      if (endAt < this.#datedAnewAt) continue
      const countsFrom = Math.max(endAt + OUT_OF_ORDER_MS, each.newest_at)
      const mayGoAt = floorEnd(countsFrom, Math.max(floorDays, daysOf(floorRule)))
      if (now <= mayGoAt + HOUR_MS) continue
      return [`the ring is full for ${key}, though slot ${each.slot} of ${each.volumeId}, `
        + `filmed until ${iso(endAt)}, might go since ${iso(mayGoAt)}`]
    }
    return []
  }

  /** By true time; of those that hold footage. */
  #newestOf(candidates: readonly Candidate[]): ReadonlyMap<Candidate, number> {
    const views = new Map<string, SlotView>()
    const disks = new Map(candidates.map(each => [each.disk, each.volume_uuid]))
    for (const [disk, uuid] of disks) {
      for (const view of this.#views.viewsOf(disk)) {
        views.set(`${uuid}/${view.slot}/${view.header?.generation ?? 0}`, view)
      }
    }
    const found = new Map<Candidate, number>()
    for (const each of candidates) {
      const records = views.get(keyOf(each))?.records ?? []
      const endAt = Math.max(-Infinity, ...records.map(({ fragment }) => fragment?.endAt ?? Infinity))
      if (Number.isFinite(endAt)) found.set(each, endAt)
    }
    return found
  }
}

const isHeld = (row: SealedFact, hold: HoldFact): boolean =>
  hold.camera_uuid === row.camera_uuid && hold.from_at <= row.end_at && hold.to_at >= row.start_at
const isOf = ({ cameraUuid, from }: Overwriting, { header }: SlotView): boolean =>
  header?.cameraUuid === cameraUuid && header.startAt === Date.parse(from)
const isSameSet = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean =>
  a.size === b.size && [...a.keys()].every(key => b.has(key))
