import type { DiskWatcher, SimDisk } from '../disk.ts'
import { readHeader, readRecord, type FoundHeader, type FoundRecord } from './slot-parser.ts'
import type { SentFootage, SentFragment } from './sent-footage.ts'

export interface ViewedRecord extends FoundRecord { readonly fragment: SentFragment | null, isDurable: boolean }

/** What the oracle found in one slot file, kept up with its bytes. */
export class SlotView {
  readonly disk: SimDisk
  readonly file: string
  header: FoundHeader | null = null
  records: ViewedRecord[] = []
  constructor(disk: SimDisk, file: string) {
    this.disk = disk
    this.file = file
  }
  get endByte(): number {
    const last = this.records.at(-1)
    return last === undefined ? this.header?.dataAt ?? 0 : last.at + last.sizeBytes
  }
  get name(): string { return `${this.disk.name}/${this.file.replace(/^.*\/0*(\d)/, '$1').replace('.mp4', '')}/${this.header?.generation ?? 0}` }
}

export interface DiskJudge {
  /** The records are being destroyed; `copies` of their fragments are counted down already. */
  destroyed(view: SlotView, records: readonly ViewedRecord[]): void
  wrong(what: string): void
}

/** Follows every slot of every disk by its bytes alone. */
export class DiskViews implements DiskWatcher {
  readonly #footage: SentFootage
  readonly #judge: DiskJudge
  readonly #views = new Map<SimDisk, Map<string, SlotView>>()
  /** Of which records may have come that were not looked at yet. */
  readonly #touched = new Set<SlotView>()

  constructor(footage: SentFootage, judge: DiskJudge) {
    this.#footage = footage
    this.#judge = judge
  }

  changing(disk: SimDisk, path: string, at: number, length: number): void {
    const view = this.#viewOf(disk, path)
    this.#catchUp(view)
    if (view.header !== null) {
      const first = at < view.header.dataAt ? 0 : view.records.findIndex(record => record.at < at + length && record.at + record.sizeBytes > at)
      if (first >= 0) this.#drop(view, first)
      if (at < view.header.dataAt) view.header = null
    }
    this.#touched.add(view)
  }

  synced(disk: SimDisk, path: string): void {
    const view = this.#viewOf(disk, path)
    this.#catchUp(view)
    this.#noteDurable(view)
  }

  #noteDurable(view: SlotView): void {
    const file = view.disk.file(view.file)!
    for (const record of view.records) {
      if (record.isDurable || !file.isOnMedium(record.at, record.sizeBytes)) continue
      record.isDurable = true
      if (record.fragment !== null) record.fragment.durable++
    }
  }

  /** All slots of a disk that hold anything. */
  viewsOf(disk: SimDisk): Iterable<SlotView> {
    this.catchUpAll()
    return this.#views.get(disk)?.values() ?? []
  }
  viewOf(disk: SimDisk, path: string): SlotView {
    const view = this.#viewOf(disk, path)
    this.#catchUp(view)
    return view
  }

  catchUpAll(): void {
    for (const view of this.#touched) this.#catchUp(view)
    this.#touched.clear()
  }

  /** After a power cut or another disk's image: everything is looked at anew. Returns what was there before and is not. */
  lookAgain(disk: SimDisk, files: Iterable<string>): ViewedRecord[] {
    const gone: ViewedRecord[] = []
    for (const path of files) {
      const view = this.#viewOf(disk, path)
      const before = view.records
      for (const record of before) this.#count(record, -1)
      Object.assign(view, { header: null, records: [] })
      this.#catchUp(view, true)
      this.#noteDurable(view)
      const now = new Set(view.records.map(record => record.name))
      gone.push(...before.filter(record => !now.has(record.name)))
    }
    return gone
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
      // What a power cut left of a first record may stand there; what anybody writes into later must be clean.
      if (!isTorn && !file.seen.isZeroFrom(found.dataAt + 8) && readRecord(file.seen, found.dataAt) === null) this.#judge.wrong(`${view.name}: bytes of an earlier use stand behind a new header`)
    }
    const { header, records } = view
    for (;;) {
      const record = readRecord(file.seen, view.endByte)
      if (record === null || record.slot !== header.slot || record.generation !== header.generation || record.sequence !== records.length || record.run < (records.at(-1)?.run ?? 0)) return
      const fragment = this.#footage.byName.get(record.name) ?? null
      if (fragment !== null && fragment.key !== `${header.camera}/${header.stream}`) this.#judge.wrong(`${view.name}: ${record.name} stands in a slot of ${header.camera}/${header.stream}`)
      const seen = { ...record, fragment, isDurable: false }
      records.push(seen)
      this.#count(seen, 1)
    }
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
    if (gone.length > 0) this.#judge.destroyed(view, gone)
  }
}
