import { createHash } from 'node:crypto'
import { canonicalJson } from '../audit/index.ts'
import { isoOf, type AuditValue, type EpochMs } from '../domain/index.ts'
import { rocDateText } from '../rules/index.ts'
import { note, required, toldNow, type ArchiveCore } from './core.ts'
import { mayDestroy, type DestroyVerdict } from './guard.ts'
import type { ItemNo } from './item.ts'
import { expiryOf, lastDayBefore } from './pin.ts'
import type { StoredItem } from './tables/items.ts'
import type { DestructionContent } from './tables/destructions.ts'
import type { OpenVault, Vault } from './vault.ts'

const METHOD = '消除電子檔：銷毀該筆專屬金鑰（AES-256-GCM，金鑰檔改以新主金鑰重寫），再刪除加密檔'

/**
 * Destroys what is over its time, and nothing else [G3]. Key first: from then on the payload is noise to everybody, wherever copies of it lie; overwriting it would add nothing. Then the payload, a look whether both are gone, the record.
 * Each step may be the last before a crash: `run` goes on where it ended.
 */
export class Destroyer {
  readonly #core: ArchiveCore
  readonly #vault: Vault
  readonly #isRead: (itemNo: ItemNo) => boolean
  constructor(core: ArchiveCore, vault: Vault, isRead: (itemNo: ItemNo) => boolean) {
    this.#core = core
    this.#vault = vault
    this.#isRead = isRead
  }

  /** The guard's word on an item as catalogue and sidecar have it now. Asked in the transaction that acts on it. */
  #verdict(item: StoredItem, sidecarExpiresAt: EpochMs | null): DestroyVerdict {
    return mayDestroy({ ...item, filed: item.filed !== null, sidecarExpiresAt, isRead: this.#isRead(item.itemNo) }, this.#core.options.trustedTime.nowForArchive())
  }

  /** Whether it is destroyed now. Throws StorageError, AuditUnavailableError: tried again by the next sweep. */
  async run(itemNo: ItemNo, { store, keys }: OpenVault): Promise<boolean> {
    const { items, options: { audit } } = this.#core
    const key = keys.keyOf(itemNo)
    const sidecar = await store.sidecar(itemNo, key?.key ?? null)
    const sidecarExpiresAt = sidecar?.kind === 'whole' ? sidecar.item.expiresAt : null
    const goesOn = audit.transaction(() => {
      const item = required(this.#core, itemNo)
      if (item.state === 'destroyed') return false
      if (item.state === 'destroying' && key === null) return true // decided, and past the point of return
      if (!this.#verdict(item, sidecarExpiresAt).allowed) return false
      if (items.move(itemNo, 'kept', 'destroying')) note(this.#core, { action: 'archive.destruction-began', object: itemNo, application: item.application }, { expiresAt: isoOf(expiryOf(item)), key: item.keyId })
      return true
    })
    if (!goesOn) return false
    await keys.drop(itemNo)
    await store.remove(itemNo, 'item')
    const readBack = await this.#lookAgain(itemNo)
    if (readBack !== null) throw new Error(`after the destruction of ${itemNo} ${readBack}`)
    this.#record(itemNo)
    return true
  }

  /** From the disk, not from memory: null when neither key nor payload is there, else what is. */
  async #lookAgain(itemNo: ItemNo): Promise<string | null> {
    if ((await this.#vault.keys()).keyOf(itemNo) !== null) return 'its key is still in the key file'
    if (await this.#vault.store.payloadSize(itemNo) !== null) return 'its payload is still there'
    return (await this.#vault.store.list()).items.includes(itemNo) ? 'its folder is still there' : null
  }

  #record(itemNo: ItemNo): void {
    const { items, destructions, options: { audit } } = this.#core
    audit.transaction(() => {
      const item = required(this.#core, itemNo)
      if (item.state !== 'destroying') return // a twin of this process was faster
      const now = toldNow(this.#core), copies = this.#core.keyBackups.at(now)
      const lost = item.lost === null ? '' : `；銷毀前即發現異常（${isoOf(item.lost.since)}：${item.lost.what}）`
      const expiresAt = expiryOf(item)
      const moved = expiresAt === item.expiresAt ? '' : `；其後查明存入時間較晚，順延至${rocDateText(lastDayBefore(expiresAt))}屆滿`
      const content: DestructionContent = {
        itemNo, application: item.application, kind: item.kind, ranges: item.ranges, bytes: item.bytes, footageSha256: item.footageSha256, payloadSha256: item.payloadSha256, copiedAt: item.madeAt, expiresAt,
        expiryText: `${item.expiryText}${moved}`, destroyedAt: now, method: METHOD, keyId: item.keyId, executor: 'custos（系統期滿自動執行）', readBack: `金鑰檔與存檔區均已查無（重新自磁碟讀取確認）${lost}`,
        otherKeyCopies: copies.length === 0 ? '無已知之其他金鑰備份' : copies.map(({ place, until }) => `${place}（至${rocDateText(lastDayBefore(until))}）`).join('、'),
      }
      const text = canonicalJson(content as unknown as AuditValue), sha256 = createHash('sha256').update(text).digest('hex')
      const seq = note(this.#core, { action: 'archive.destroyed', object: itemNo, application: item.application }, {
        record: sha256, key: item.keyId, bytes: item.bytes, footageSha256: item.footageSha256, payloadSha256: item.payloadSha256, copiedAt: isoOf(item.madeAt), expiresAt: isoOf(expiresAt),
      })
      destructions.add(itemNo, text, sha256, now, seq)
      items.move(itemNo, 'destroying', 'destroyed')
    })
  }
}
