import { isoOf, type EpochMs } from '../domain/index.ts'
import { note, toldNow, type ArchiveCore } from './core.ts'
import type { Destroyer } from './destroyer.ts'
import type { ItemActs } from './acts.ts'
import { destroysAt } from './guard.ts'
import type { ItemNo } from './item.ts'
import { noticeAt, noticeDue } from './notice.ts'
import type { SidecarItem } from './sidecar.ts'
import type { StoredItem } from './tables/items.ts'
import type { OpenVault } from './vault.ts'

/** What the last sweep found lying about that no row knows, or key without item. */
export interface Strays { readonly folders: readonly string[], readonly keys: readonly string[] }

/** What a look at an item's files and key finds wrong, in words; null when they are as they should be. */
async function faultOfFiles(item: StoredItem, { store, keys }: OpenVault): Promise<{ readonly fault: string | null, readonly sidecar: SidecarItem | null }> {
  const key = keys.keyOf(item.itemNo)
  const size = await store.payloadSize(item.itemNo)
  const sidecar = await store.sidecar(item.itemNo, key?.key ?? null)
  const whole = sidecar?.kind === 'whole' ? sidecar.item : null
  if (size === null) return { fault: 'its payload is gone', sidecar: whole }
  if (size !== item.bytes) return { fault: `its payload has ${size} bytes in place of ${item.bytes}`, sidecar: whole }
  if (key === null) return { fault: 'its key is not in the key file', sidecar: null }
  if (key.id !== item.keyId) return { fault: 'its key is another one', sidecar: null }
  if (sidecar === null) return { fault: 'its sidecar is gone', sidecar: null }
  if (sidecar.kind !== 'whole') return { fault: `its sidecar: ${sidecar.kind === 'bad' ? sidecar.why : 'cannot be proved'}`, sidecar: null }
  const differs = (['application', 'payloadSha256', 'footageSha256', 'madeAt', 'recordedTo', 'expiresAt', 'countsFrom', 'bytes'] as const).find(field => sidecar.item[field] !== item[field])
  return { fault: differs === undefined ? null : `its sidecar and the catalogue differ in ${differs}`, sidecar: sidecar.item }
}

/** The rounds of the archive: each part reads the truth from disk and catalogue, and may be repeated at will. */
export class Sweeper {
  readonly #core: ArchiveCore
  readonly #acts: ItemActs
  readonly #destroyer: Destroyer
  strays: Strays = { folders: [], keys: [] }
  constructor(core: ArchiveCore, acts: ItemActs, destroyer: Destroyer) {
    this.#core = core
    this.#acts = acts
    this.#destroyer = destroyer
  }

  /** All of it. One item that cannot be worked on stops none of the others. How many were destroyed. */
  async run(vault: OpenVault): Promise<number> {
    await vault.keys.tidy()
    await this.clear(vault)
    await this.adopt(vault)
    let destroyed = 0
    for (const item of this.#core.items.there()) {
      try {
        if (item.state === 'kept') await this.#look(item, vault)
        destroyed += await this.#age(item.itemNo, vault) ? 1 : 0
      } catch (error) {
        this.#core.options.log.warn({ err: error, item: item.itemNo }, 'an archived item waits for the next sweep')
      }
    }
    return destroyed
  }

  /** Removes what a crash left of a putting in: it never counted, and its folder's name says so. */
  async clear({ store, keys }: OpenVault): Promise<void> {
    const { fresh, items } = await store.list()
    for (const itemNo of fresh) {
      if (this.#core.items.get(itemNo) === null && !items.includes(itemNo)) await keys.drop(itemNo)
      await store.remove(itemNo, 'fresh')
    }
  }

  /** Rows for published items that have none: after a crash just before the row, or when the catalogue was lost. Only what its own key proves. */
  async adopt({ store, keys }: OpenVault): Promise<readonly ItemNo[]> {
    const { items, strange } = await store.list()
    const adopted: ItemNo[] = [], folders: string[] = [...strange]
    for (const itemNo of items) {
      if (this.#core.items.get(itemNo) !== null) continue
      const key = keys.keyOf(itemNo)
      const sidecar = await store.sidecar(itemNo, key?.key ?? null)
      if (sidecar?.kind !== 'whole') { folders.push(itemNo); continue }
      this.#core.options.audit.transaction(() => {
        const { item } = sidecar
        const seq = note(this.#core, { action: 'archive.adopted', object: itemNo, application: item.application }, { expiresAt: isoOf(item.expiresAt), payloadSha256: item.payloadSha256, key: item.keyId })
        this.#core.items.add(item, item.madeAt, seq)
      })
      adopted.push(itemNo)
    }
    const stray = keys.items().filter(itemNo => this.#core.items.get(itemNo) === null)
    this.#tell({ folders, keys: stray })
    return adopted
  }

  #tell(strays: Strays): void {
    const before = new Set([...this.strays.folders, ...this.strays.keys])
    for (const name of [...strays.folders, ...strays.keys].filter(each => !before.has(each))) note(this.#core, { action: 'archive.stray', object: name.slice(0, 200), application: null, result: 'failed' }, {})
    this.strays = strays
  }

  /** Deletion and change from outside are noticed here; a sidecar that is behind is written, one that is ahead of a restored catalogue is taken in. */
  async #look(item: StoredItem, vault: OpenVault): Promise<void> {
    const { fault, sidecar } = await faultOfFiles(item, vault)
    if (fault !== null) this.lose(item, fault)
    else if (sidecar !== null && sidecar.revision > item.revision) this.#takeIn(item, sidecar)
    if (fault === null && item.lost === null) await this.writeSidecar(item.itemNo, vault)
  }

  lose(item: StoredItem, what: string): void {
    const { options: { audit, log }, items } = this.#core
    audit.transaction(() => {
      if (!items.setLost(item.itemNo, toldNow(this.#core), what)) return
      note(this.#core, { action: 'archive.item-lost', object: item.itemNo, application: item.application, result: 'failed' }, { what })
      log.error({ item: item.itemNo, what }, 'an archived item is not as it was put in')
    })
  }

  /** The catalogue came from an older backup: what protects is never forgotten. */
  #takeIn(item: StoredItem, sidecar: SidecarItem): void {
    const { options: { audit }, items } = this.#core
    audit.transaction(() => {
      for (const hold of sidecar.holds.filter(each => items.holds.get(each.holdId) === null)) items.holds.import(item.itemNo, hold)
      items.takeDate(item.itemNo, sidecar)
      if (sidecar.filed !== null && item.filed === null) items.setFiled(item.itemNo, sidecar.filed)
      items.raise(item.itemNo, sidecar.revision)
      note(this.#core, { action: 'archive.sidecar-taken-in', object: item.itemNo, application: item.application }, { revision: sidecar.revision })
    })
  }

  /** Until the sidecar tells what the catalogue tells: another process may act meanwhile. */
  async writeSidecar(itemNo: ItemNo, { store, keys }: OpenVault): Promise<void> {
    const key = keys.keyOf(itemNo)
    for (let item = this.#core.items.get(itemNo); key !== null && item !== null && item.state === 'kept' && item.revision !== item.sidecarRevision; item = this.#core.items.get(itemNo)) {
      const { state: _state, verifiedAt: _verifiedAt, lost: _lost, sidecarRevision: _sidecarRevision, ...told } = item
      await store.rewriteSidecar(told, key.key)
      this.#core.items.sidecarIs(itemNo, item.revision)
    }
  }

  /** What time brings: holds run out, notices fall due, the year ends. Nothing while the clocks disagree. */
  async #age(itemNo: ItemNo, vault: OpenVault): Promise<boolean> {
    const { items, options: { trustedTime } } = this.#core
    const now = trustedTime.nowForArchive(), item = items.get(itemNo)
    if (item === null) return false
    if (now === null) return item.state === 'destroying' && await this.#destroyer.run(itemNo, vault)
    this.#date(item, now)
    this.#acts.lapseHolds(item, now)
    const aged = items.get(itemNo) ?? item
    if (aged.state === 'kept') this.#notify(aged, now)
    const endsAt = endOf(aged)
    if (aged.state === 'kept' && (endsAt === null || now < endsAt)) {
      if (aged.revision !== item.revision && aged.lost === null) await this.writeSidecar(itemNo, vault)
      return false
    }
    return await this.#destroyer.run(itemNo, vault)
  }

  /**
   * It was put in while the clocks disagreed; now they agree, and what trusted time has counted since tells when
   * that was. Where another counting has begun since, it was now at the latest.
   */
  #date({ itemNo, application, madeAt, stamp }: StoredItem, now: EpochMs): void {
    if (stamp === null) return
    const { items, options: { audit, trustedTime } } = this.#core
    const laterMs = Math.max(0, (trustedTime.standing(stamp) ?? now) - madeAt)
    audit.transaction(() => {
      if (items.date(itemNo, laterMs)) note(this.#core, { action: 'archive.dated', object: itemNo, application }, { laterMs, madeAt: isoOf(madeAt) })
    })
  }

  #notify(item: StoredItem, now: EpochMs): void {
    const { items, options: { audit, log } } = this.#core
    const endsAt = endOf(item)
    if (endsAt === null) return
    const days = noticeDue({ destroysAt: endsAt, given: items.noticesOf(item.itemNo, endsAt), now })
    if (days === null) return
    audit.transaction(() => {
      const seq = note(this.#core, { action: 'archive.notice', object: item.itemNo, application: item.application }, { days, due: isoOf(noticeAt(endsAt, days)), destroysAt: isoOf(endsAt) })
      items.addNotice(item.itemNo, endsAt, days, now, seq)
    })
    log.info({ item: item.itemNo, days }, 'an archived item nears its end')
  }
}

/** When it goes as the catalogue has it; the sidecar's word is asked by the guard. */
export const endOf = (item: StoredItem): EpochMs | null => destroysAt({ ...item, filed: item.filed !== null, sidecarExpiresAt: null })

