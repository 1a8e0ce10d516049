import type { SimDisk } from '../disk.ts'
import type { WallClockFacts } from '../wall-clock.ts'
import { ArchiveJudge } from './archive-judge.ts'
import { AuditJudge } from './audit-judge.ts'
import { CatalogueJudge, type VolumeInPlace } from './catalogue-judge.ts'
import { CatalogueReader } from './catalogue-reader.ts'
import { DiskViews, type DiskJudge, type SlotView, type ViewedRecord } from './disk-view.ts'
import { mayGoAt, type TimeGains } from './floor-judge.ts'
import { GapJudge } from './gap-judge.ts'
import { HeldFootage } from './held-footage.ts'
import { Leases } from './leases.ts'
import { ReuseJudge } from './reuse-judge.ts'
import { SentFootage, type SentFragment } from './sent-footage.ts'
import { faultsOfState, type CalmState } from './state-judge.ts'
import { ToldGapJudge } from './told-gap-judge.ts'
import { Violation } from './violation.ts'
import { identityOf } from './volume-files.ts'

/** What the oracle must be told of the world, and never of the program under test. */
export interface WorldFacts {
  readonly now: number
  /** Until when a recorder could sync what it had: now, or when the last one ended. */
  readonly upUntil: number
  readonly floorDays: number
  readonly stateDir: string
  readonly gains: TimeGains
  readonly clock: WallClockFacts
}
/** What a power cut did to a disk. `troubledAt`: when something last ailed it; `anyTroubledAt`: or any other. */
export interface DiskAfterCut {
  readonly disk: SimDisk, readonly files: readonly string[], readonly liedAbout: ReadonlySet<string>
  readonly troubledAt: number, readonly anyTroubledAt: number
}

/** G4: what a kill or a power cut may cost a stream. */
const MAY_LOSE_MS = 2_000
const DAY_MS = 86_400_000
/** The first piece of a session may begin so long before it. */
const CONNECTING_MS = 20

/**
 * Judges what becomes of each piece of footage, by G1, G2, G4, G7 and G10. Shares no code with the program.
 */
export class Oracle implements DiskJudge {
  readonly footage = new SentFootage()
  readonly disks = new DiskViews(this.footage, this)
  readonly holds = new HeldFootage()
  readonly leases = new Leases()
  readonly archive: ArchiveJudge
  readonly catalogue: CatalogueReader
  readonly #audit: AuditJudge
  readonly #rows: CatalogueJudge
  readonly #gaps: GapJudge
  readonly #toldGaps: ToldGapJudge
  readonly #reuse: ReuseJudge
  readonly #world: WorldFacts
  readonly #report: (violation: Violation) => void
  readonly #knownDevices = new Map<number, number>()
  readonly #heardOf = new Map<number, { readonly camera: string, readonly stream: string }>()
  readonly figures = { sent: 0, acked: 0, aged: 0, lostAtCut: 0, worstLossMs: 0, missingAndTold: 0 }

  constructor(world: WorldFacts, report: (violation: Violation) => void) {
    this.#world = world
    this.#report = report
    this.archive = new ArchiveJudge(world, what => { this.violate('G3', what) })
    this.catalogue = new CatalogueReader(world.stateDir)
    this.#audit = new AuditJudge(this.catalogue)
    this.#rows = new CatalogueJudge(this.catalogue, this.disks, view => this.#isLetGo(view))
    this.#gaps = new GapJudge(this.catalogue, this.footage, world.clock)
    this.#toldGaps = new ToldGapJudge(this.catalogue, this.disks, world.clock)
    this.#reuse = new ReuseJudge(this.catalogue, this.disks, this.#audit, this.leases)
  }

  violate(guarantee: string, what: string): void { this.#report(new Violation(guarantee, what)) }
  wrong(what: string): void { this.violate('G1', what) }
  foreignChanged(disk: SimDisk, what: string): void { this.violate('G1', `${disk.name} belongs to another recorder, and ${what} of it is changed`) }

  // ---- what the world tells

  laneOpened({ device, camera, stream }: { readonly device: number, readonly camera: string, readonly stream: string }): void {
    if (!this.#knownDevices.has(device)) this.#heardOf.set(device, { camera, stream })
  }
  /** Since when the catalogue durably knows that the camera is to be recorded; null before. */
  knownSince(device: number): number | null {
    const heard = this.#heardOf.get(device)
    if (heard !== undefined && this.catalogue.isRecorded(heard.camera, heard.stream)) {
      this.#heardOf.delete(device)
      this.#knownDevices.set(device, this.#world.now)
    }
    return this.#knownDevices.get(device) ?? null
  }
  sent(fragment: SentFragment): void {
    this.figures.sent++
    this.footage.add(fragment)
  }
  acked(fragment: SentFragment): void {
    fragment.ackedAt = this.#world.now
    this.figures.acked++
  }

  /** Before bytes change that nobody writes. */
  lookNow(): void { this.disks.catchUpAll() }

  /** Power is gone; the media are what they are. */
  powerCut(disks: Iterable<DiskAfterCut>): void {
    const { upUntil } = this.#world
    for (const { disk, files, liedAbout, troubledAt, anyTroubledAt } of disks) {
      const lost = this.disks.lookAgain(disk, files)
      for (const [i, { view, record: { fragment, isDurable } }] of lost.entries()) {
        if (fragment === null || fragment.copies > 0 || fragment.excuse !== null) continue
        // It waited for a disk that hung, and was written to this one then: from then on it may be lost for so long.
        const isHeldUp = anyTroubledAt >= fragment.sentAt - MAY_LOSE_MS
        const ageMs = upUntil - (isHeldUp ? fragment.ackedAt ?? upUntil : fragment.sentAt), isLie = liedAbout.has(view.file), isTroubled = troubledAt >= fragment.sentAt - MAY_LOSE_MS
        const isForgotten = view.isLossForgotten && !isDurable
        // By the footage behind it the recorder takes it for synced; hours come at once here, when time is jumped over.
        const cameAtOnce = view.everFailed
          && lost.slice(i + 1).some(behind => behind.view === view && behind.record.fragment?.sentAt === fragment.sentAt)
        if (isForgotten || cameAtOnce) view.isSpoilt = true
        fragment.excuse = isLie ? 'a disk lied about it' : cameAtOnce ? 'came at once with what was lost'
          : isForgotten ? 'its catalogue was lost' : 'lost at a power cut'
        this.#gaps.lostLater(fragment)
        this.figures.lostAtCut++
        if (isDurable) this.violate('G4', `${fragment.name} was on the medium and is gone after a power cut`)
        if (isLie || isTroubled || isForgotten) continue
        this.figures.worstLossMs = Math.max(this.figures.worstLossMs, ageMs)
        if (ageMs > MAY_LOSE_MS) this.violate('G4', `a power cut costs ${fragment.name}, ${isHeldUp ? 'stored' : 'sent'} ${Math.round(ageMs)} ms before`)
      }
      for (const view of this.disks.viewsOf(disk)) if (liedAbout.has(view.file)) view.isSpoilt = true
    }
  }

  /** Its content is that of another day. */
  imageRestored(disk: SimDisk): void {
    this.#audit.read()
    this.#reuse.imageRestored(identityOf(disk)!.id, this.#world.now)
    for (const { record: { fragment } } of this.disks.lookAgain(disk, disk.files.keys())) if (fragment?.copies === 0) fragment.excuse ??= 'its disk is gone'
  }
  diskLost(disk: SimDisk): void {
    for (const { fragment } of this.disks.forget(disk)) if (fragment?.copies === 0) fragment.excuse ??= 'its disk is gone'
  }

  /** The catalogue's file goes, or an older one comes back: what only it knew is gone with it. */
  catalogueReplaced({ isLost }: { readonly isLost: boolean }): void {
    this.catalogue.close()
    this.#audit.startOver()
    if (isLost) this.#knownDevices.clear()
    this.disks.catalogueReplaced()
    this.#gaps.catalogueReplaced(this.#world.now)
    this.archive.catalogueReplaced()
    this.#toldGaps.startOver()
    this.#reuse.startOver(this.#world.now)
    for (const fragment of this.footage.all()) if (fragment.found <= 0 && fragment.copies === 0) fragment.excuse ??= 'its catalogue was lost'
    this.#rows.startOver()
  }

  /** By a person: what it found may be dated later than it was recorded. */
  rebuilt(): void { this.#reuse.datedAnew(this.#world.now) }

  // ---- at every step

  destroyed(view: SlotView, records: readonly ViewedRecord[]): void {
    const { now, floorDays, gains } = this.#world
    const { header } = view
    if (header === null) return
    if (this.leases.isRead(view, now)) this.violate('G1', `${view.name} is overwritten while somebody reads it`)
    const aged: ViewedRecord[] = []
    for (const record of records) {
      const { fragment, startAt, durationMs } = record
      if (fragment === null || fragment.copies > 0) continue
      const hold = this.holds.keeping(header.cameraUuid, startAt, startAt + durationMs)
      if (hold !== null) this.violate('G2', `${view.name} is overwritten: ${fragment.name} is under hold ${hold.id}`)
      if (fragment.excuse !== null) continue
      const mayGo = mayGoAt(fragment, floorDays, now, gains)
      fragment.excuse = 'aged'
      if (fragment.found > 0) aged.push(record)
      this.figures.aged++
      if (now < mayGo) this.violate('G1', `${view.name} is overwritten: ${fragment.name} of ${iso(fragment.endAt)} is gone at ${iso(now)}, ${hours(mayGo - now)} before its floor ends`)
    }
    const object = objectOf(view)
    this.#toldGaps.overwritten(view, aged, now)
    this.#reuse.gone(object, header.floorRule, records)
    if (records.some(({ fragment }) => fragment !== null && fragment.copies === 0) && !this.#audit.tellsOverwritten(object)) {
      this.violate('G10', `${object} is overwritten, and no audit entry tells it`)
    }
  }

  /** The guard let it go, rightly, and its zeroing failed or was lost. */
  #isLetGo(view: SlotView): boolean {
    const { now, floorDays, gains } = this.#world
    if (!this.#audit.tellsOverwritten(objectOf(view))) return false
    return view.records.every(({ fragment }) =>
      fragment === null || fragment.excuse !== null || now >= mayGoAt(fragment, floorDays, now, gains))
  }

  /** Everything that was said to be stored must be on a disk, unless it may be gone. */
  checkStored(): void {
    this.disks.catchUpAll()
    for (const key of this.footage.byKey.keys()) {
      for (const fragment of this.footage.after(key, this.#world.now - 2 * DAY_MS)) {
        if (fragment.ackedAt !== null && fragment.copies === 0 && fragment.excuse === null) this.violate('G4', `${fragment.name} was said to be stored and is on no disk`)
      }
    }
  }

  // ---- while nothing is wrong with the world

  /**
   * The recorder has had time for everything: catalogue, volumes, gaps, holds and its own word on them must
   * agree.
   */
  judgeCalm(state: CalmState, volumes: readonly VolumeInPlace[]): void {
    this.catalogue.atOnce(() => { this.#judgeCalm(state, volumes) })
  }
  #judgeCalm(state: CalmState, volumes: readonly VolumeInPlace[]): void {
    const { now, floorDays, gains } = this.#world
    const broken = this.#audit.read()
    if (broken !== null) this.violate('G10', broken)
    for (const fault of this.#rows.judge(volumes)) this.violate('rescue', fault)
    for (const fault of this.#gaps.judge(now)) this.violate('G7', fault)
    for (const fault of this.#toldGaps.judge(volumes, now)) this.violate('G7', fault)
    for (const fault of this.#streamsUntold(state)) this.violate('G7', fault)
    const { refusedByRing: refused, hasAgreed } = state
    for (const fault of this.#reuse.judge(volumes, { now, floorDays, gains, refused, hasAgreed })) this.violate('reuse', fault)
    this.figures.missingAndTold = this.#gaps.told
    for (const { guarantee, what } of faultsOfState(state, { now, holds: this.holds, catalogue: this.catalogue, footage: this.footage, volumes })) this.violate(guarantee, what)
  }

  /** Cameras of the configuration of which nothing is told, and those that record while a gap is not over. */
  #streamsUntold({ configured, recording }: CalmState): string[] {
    const wrong: string[] = []
    for (const { key, device, since } of configured) {
      if (this.knownSince(device) !== null) continue
      wrong.push(`${key} is configured since ${iso(since)}, and neither footage nor a gap tells of it`)
    }
    for (const { camera, stream, device, connectedAt } of recording) {
      const stored = [...this.footage.after(`${camera}/${stream}`, connectedAt)].find(each =>
        each.device === device && each.ackedAt !== null && each.found > 0 && each.startAt >= connectedAt - CONNECTING_MS)
      const gap = stored === undefined ? null : this.catalogue.openGap(camera, stream)
      if (gap === null) continue
      wrong.push(`${camera}/${stream}: ${stored!.name} was stored, and the gap of ${iso(gap.start_at)} (${gap.cause}) is not over`)
    }
    return wrong
  }
}

const objectOf = (view: SlotView): string =>
  `${identityOf(view.disk)?.id}/${view.slot}/${view.header?.generation ?? 0}`
const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 19)
const hours = (ms: number): string => `${(ms / 3_600_000).toFixed(2)} h`
