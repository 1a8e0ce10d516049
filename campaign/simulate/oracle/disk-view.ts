import type { DiskWatcher, SimDisk } from '../disk.ts'
import type { SentFootage, SentFragment } from './sent-footage.ts'
import { readHeader, readRecord, type FoundHeader, type FoundRecord, type SlotBytes } from './slot-parser.ts'

export interface ViewedRecord extends FoundRecord { readonly fragment: SentFragment | null, isDurable: boolean }

/** What the oracle found in one slot file, kept up with its bytes. */
export class SlotView {
  readonly disk: SimDisk
  readonly file: string
  readonly slot: number
  header: FoundHeader | null = null
  records: ViewedRecord[] = []
  /** Rises with each change. */
  version = 0
  /** A call on it failed: what a sync still tells then, its writer may not wait for. */
  hasFailed = false
  /** The same, by any process, since this use of the slot began. */
  everFailed = false
  /** The catalogue that knew what the failed call had lost is gone, and the kernel shows it on. */
  isLossForgotten = false
  /** Something of this use of the slot is lost, and nobody could know: a disk lied, or it was forgotten. */
  isSpoilt = false

  constructor(disk: SimDisk, file: string) {
    this.disk = disk
    this.file = file
    this.slot = Number(/(\d+)\.mp4$/.exec(file)?.[1] ?? -1)
  }
  get bytes(): SlotBytes { return this.disk.file(this.file)!.seen }
  get endByte(): number {
    const last = this.records.at(-1)
    return last === undefined ? this.header?.dataAt ?? 0 : last.at + last.sizeBytes
  }
  get name(): string { return `${this.disk.name}/${this.slot}/${this.header?.generation ?? 0}` }
}

export interface DiskJudge {
  /** The records are being destroyed; `copies` of their fragments are counted down already. */
  destroyed(view: SlotView, records: readonly ViewedRecord[]): void
  /** A disk of somebody else's is about to be changed. */
  foreignChanged(disk: SimDisk, what: string): void
  wrong(what: string): void
}

/** Follows every slot of every disk by its bytes alone. */
export class DiskViews implements DiskWatcher {
  readonly #footage: SentFootage
  readonly #judge: DiskJudge
  readonly #views = new Map<SimDisk, Map<string, SlotView>>()
  /** Of which records may have come that were not looked at yet. */
  readonly #touched = new Set<SlotView>()
  /** Which device each camera's mark in headers stands for. */
  #devices = new Map<string, number>()

  constructor(footage: SentFootage, judge: DiskJudge) {
    this.#footage = footage
    this.#judge = judge
  }

  /**
   * The catalogue is gone that knew which device had a name, and what of a slot a failed sync had lost: a
   * name may go back to the one that had it before, and what the kernel shows passes for stored.
   */
  catalogueReplaced(): void {
    this.#devices = new Map()
    for (const views of this.#views.values()) {
      for (const view of views.values()) if (view.everFailed) view.isLossForgotten = true
    }
  }

  changing(disk: SimDisk, path: string, at: number, length: number): void {
    if (disk.isForeign) this.#judge.foreignChanged(disk, path)
    const view = this.#viewOf(disk, path)
    this.#catchUp(view)
    this.#touched.add(view)
    if (view.header === null) return
    if (at + length === disk.file(path)!.sizeBytes && at >= view.endByte) view.isSpoilt = false // sealed again: from now on index and records must agree
    // What stands behind a record that is written must be what was zeroed before.
    if (at === view.endByte + 8 && !disk.file(path)!.seen.isZeroFrom(at + length)) this.#judge.wrong(`${view.name}: bytes stand behind the record that is written`)
    const first = at < view.header.dataAt ? 0 : view.records.findIndex(record => record.at < at + length && record.at + record.sizeBytes > at)
    if (first >= 0) this.#drop(view, first)
    if (at >= view.header.dataAt) return
    Object.assign(view, { header: null, isSpoilt: false, hasFailed: false })
    Object.assign(view, { everFailed: false, isLossForgotten: false })
    view.version++
  }

  synced(disk: SimDisk, path: string): void {
    const view = this.#viewOf(disk, path)
    this.#catchUp(view)
    if (!view.hasFailed) this.#noteDurable(view)
  }
  failed(disk: SimDisk, path: string): void {
    Object.assign(this.#viewOf(disk, path), { hasFailed: true, everFailed: true })
  }
  /** Whoever opens slots from now on is not who was told. */
  forgetFailures(): void {
    for (const views of this.#views.values()) for (const view of views.values()) view.hasFailed = false
  }

  /** Only what a sync has told: that something outlasts a power cut by chance, nobody can know. */
  #noteDurable(view: SlotView): void {
    const file = view.disk.file(view.file)!
    for (const record of view.records) {
      if (!record.isDurable && file.isOnMedium(record.at, record.sizeBytes)) markDurable(record)
    }
  }

  /** All slots of a disk that were ever written. */
  viewsOf(disk: SimDisk): Iterable<SlotView> {
    this.catchUpAll()
    return this.#views.get(disk)?.values() ?? []
  }

  catchUpAll(): void {
    for (const view of this.#touched) this.#catchUp(view)
    this.#touched.clear()
  }

  /**
   * After a power cut or another disk's image: everything is looked at again. Returns what was there before
   * and is not.
   */
  lookAgain(disk: SimDisk, files: Iterable<string>): { readonly view: SlotView, readonly record: ViewedRecord }[] {
    const gone: { view: SlotView, record: ViewedRecord }[] = []
    for (const path of files) {
      const view = this.#viewOf(disk, path)
      const before = view.records
      for (const record of before) this.#count(record, -1)
      Object.assign(view, { header: null, records: [], version: view.version + 1 })
      this.#catchUp(view, true)
      const now = new Map(view.records.map(record => [record.name, record]))
      for (const record of before) {
        const same = now.get(record.name)
        if (same === undefined) gone.push({ view, record })
        else if (record.isDurable) markDurable(same)
      }
    }
    return gone
  }

  /** Pulled out, or back: what is on it can be found again when it is. */
  setAway(disk: SimDisk, isAway: boolean): void {
    if (disk.isAway === isAway) return
    disk.isAway = isAway
    for (const { records } of this.viewsOf(disk)) for (const { fragment } of records) if (fragment !== null) fragment.away += isAway ? 1 : -1
  }

  /** A disk that never comes back. Returns what was on it. */
  forget(disk: SimDisk): ViewedRecord[] {
    this.setAway(disk, false)
    this.catchUpAll()
    const records = [...this.#views.get(disk)?.values() ?? []].flatMap(view => view.records)
    for (const record of records) this.#count(record, -1)
    this.#views.delete(disk)
    return records
  }

  #viewOf(disk: SimDisk, path: string): SlotView {
    let ofDisk = this.#views.get(disk)
    if (ofDisk === undefined) this.#views.set(disk, ofDisk = new Map())
    let view = ofDisk.get(path)
    if (view === undefined) ofDisk.set(path, view = new SlotView(disk, path))
    return view
  }

  #catchUp(view: SlotView, isTorn = false): void {
    const file = view.disk.file(view.file)
    if (file === null) return
    if (view.header === null) {
      const found = readHeader(file.seen)
      if (found === null || typeof found === 'string') return
      view.header = found
      view.version++
      // What a power cut left of a first record may stand there; what anybody writes into later must be
      // clean.
      if (!isTorn && !file.seen.isZeroFrom(found.dataAt + 8) && readRecord(file.seen, found.dataAt) === null) {
        this.#judge.wrong(`${view.name}: bytes of an earlier use stand behind a new header`)
      }
    }
    const { header, records } = view
    for (;;) {
      const record = readRecord(file.seen, view.endByte)
      if (record === null || record.slot !== header.slot || record.generation !== header.generation) return
      if (record.sequence !== records.length || record.run < (records.at(-1)?.run ?? 0)) return
      this.#add(view, header, { ...record, fragment: this.#footage.byName.get(record.name) ?? null, isDurable: false })
    }
  }

  #add(view: SlotView, header: FoundHeader, record: ViewedRecord): void {
    const { fragment } = record
    view.records.push(record)
    view.version++
    this.#count(record, 1)
    if (fragment === null) return
    if (fragment.key !== `${header.camera}/${header.stream}`) this.#judge.wrong(`${view.name}: ${record.name} stands in a slot of ${header.camera}/${header.stream}`)
    const device = this.#devices.get(header.cameraUuid)
    if (device !== undefined && device !== fragment.device) this.#judge.wrong(`${view.name}: devices ${device} and ${fragment.device} have one mark, ${header.cameraUuid}`)
    this.#devices.set(header.cameraUuid, fragment.device)
  }

  #count(record: ViewedRecord, by: 1 | -1): void {
    const { fragment } = record
    if (fragment === null) return
    fragment.copies += by
    if (by < 0 && record.isDurable) fragment.durable--
  }

  #drop(view: SlotView, first: number): void {
    const gone = view.records.splice(first)
    for (const record of gone) this.#count(record, -1)
    if (gone.length === 0) return
    view.version++
    this.#judge.destroyed(view, gone)
  }
}

function markDurable(record: ViewedRecord): void {
  record.isDurable = true
  if (record.fragment !== null) record.fragment.durable++
}
