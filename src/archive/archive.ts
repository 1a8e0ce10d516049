import { createHash } from 'node:crypto'
import { actorOf, type Acting } from '../access/index.ts'
import { isoOf, type EpochMs, type ArchiveView } from '../domain/index.ts'
import { StorageError } from '../platform/file-system.ts'
import { officeDay, rocYear } from '../rules/index.ts'
import { ItemActs } from './acts.ts'
import { note, plain, required, toldNow, type ArchiveCore, type ArchiveOptions } from './core.ts'
import { Destroyer } from './destroyer.ts'
import { ArchiveFullError, ArchiveItemError, ArchiveRefusedError, ArchiveUnavailableError } from './errors.ts'
import { filesIn, planOf, type FolderPlan } from './folder.ts'
import type { ArchiveFacts, ArchiveItem, DestructionRecord, ItemNo } from './item.ts'
import { PayloadError, payloadBytes } from './payload.ts'
import { pinOf } from './pin.ts'
import type { ArchivePort, ArchiveReading } from './port.ts'
import type { SidecarItem } from './sidecar.ts'
import { Sweeper } from './sweeper.ts'
import { destructionTables } from './tables/destructions.ts'
import { keyBackupTable, type KeyBackup } from './tables/key-backups.ts'
import { itemTables } from './tables/items.ts'
import { Vault, type OpenVault } from './vault.ts'
import { viewOf } from './view.ts'

/** Left free on the volume for sidecars and its own bookkeeping. */
const SPARE_BYTES = 16 << 20
/** Each item is read again as a whole at least so often. */
const VERIFY_EVERY_MS = 30 * 86_400_000
const SHA256 = /^[0-9a-f]{64}$/
const MAX_RANGES = 1000

/** Copies that are kept for a year and then go by themselves [G3]; see docs/design/0015-archive.md. Nothing here removes one earlier, in whoever's name. */
export class Archive implements ArchivePort {
  /** Holds, filing marks, signatures. */
  readonly acts: ItemActs
  readonly #core: ArchiveCore
  readonly #vault: Vault
  readonly #sweeper: Sweeper
  readonly #readers = new Map<ItemNo, number>()
  #turn: Promise<unknown> = Promise.resolve()
  #neededBytes = 0

  private constructor(options: ArchiveOptions) {
    this.#core = { options, items: itemTables(options.db), destructions: destructionTables(options.db), keyBackups: keyBackupTable(options.db) }
    this.#vault = new Vault(this.#core)
    this.acts = new ItemActs(this.#core)
    this.#sweeper = new Sweeper(this.#core, this.acts, new Destroyer(this.#core, this.#vault, itemNo => this.#readers.has(itemNo)))
  }

  /** Looks at volume and key file; what is wrong is told by `view` and by each call that needs them, and looked at again at each. Changes nothing of what is archived: the first sweep does. */
  static async open(options: ArchiveOptions): Promise<Archive> {
    const archive = new Archive(options)
    await archive.#vault.open().catch(() => undefined) // `view` tells
    return archive
  }

  /** One at a time: what changes items and keys. */
  #inTurn<Result>(work: (vault: OpenVault) => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(async () => work(await this.#vault.open()))
    this.#turn = done.catch(() => undefined)
    return done
  }

  put(acting: Acting, { folder, facts }: { readonly folder: string, readonly facts: ArchiveFacts }): Promise<ArchiveItem> {
    return this.#inTurn(async vault => {
      const sound = soundFacts(facts)
      await this.#sweeper.adopt(vault) // a crash may have come between publishing and row
      const before = this.#core.items.ofApplication(sound.application).find(item => item.state === 'kept' && item.kind === sound.kind && item.footageSha256 === sound.footageSha256 && item.lost === null)
      if (before !== undefined) return before
      const plan = await planOf(folder)
      const bytes = payloadBytes(plan.bytes)
      this.#requireRoom(bytes)
      try {
        return await this.#pin(acting, plan, sound, vault)
      } catch (error) {
        await this.#vault.keys().then(keys => this.#sweeper.clear({ ...vault, keys })).catch((cause: unknown) => { this.#core.options.log.warn({ err: cause }, 'what was left of a putting in goes with the next sweep') })
        if (!(error instanceof StorageError) || error.fault !== 'no-space') throw error
        this.#neededBytes = bytes
        throw new ArchiveFullError(bytes, this.#vault.freeBytes ?? 0)
      }
    })
  }

  #requireRoom(bytes: number): void {
    const left = Math.min(this.#core.options.quotaBytes - this.#core.items.used().bytes, (this.#vault.freeBytes ?? 0) - SPARE_BYTES)
    this.#neededBytes = bytes > left ? bytes : 0
    if (bytes > left) throw new ArchiveFullError(bytes, left)
  }

  /** Folder of the half-made, key, payload, read again, sidecar, publish, row: in this order, so that what a crash leaves is known by what is there. */
  async #pin(acting: Acting, plan: FolderPlan, facts: ArchiveFacts, { store, keys }: OpenVault): Promise<ArchiveItem> {
    const { items, options: { trustedTime, rule, audit } } = this.#core
    const isSure = trustedTime.nowForArchive() !== null
    const madeAt = toldNow(this.#core), recordedTo = Math.max(...facts.ranges.map(({ to }) => to)) as EpochMs
    const { itemNo, keyId, key } = await keys.add(rocYear(officeDay(madeAt)), [...items.numbers(), ...(await store.list()).items], no => store.begin(no))
    const { payloadSha256, bytes } = await store.write(itemNo, key, plan)
    const fault = await store.faultOf(itemNo, key, payloadSha256, 'fresh')
    if (fault !== null) throw new ArchiveItemError(itemNo, { zh: '存入後讀回不符，未存入', en: `was not read back as it was written (${fault}); nothing was put in` })
    const ruled = rule()
    const item: SidecarItem = { ...facts, itemNo, payloadSha256, bytes, madeAt, recordedTo, countsFrom: ruled.from, ...pinOf(ruled, { madeAt, recordedTo }, isSure), stamp: isSure ? null : trustedTime.stamp(), laterMs: 0, keyId, filed: null, holds: [], revision: 1 }
    await store.publish(item, key)
    try {
      audit.transaction(() => {
        const seq = note(this.#core, { action: 'archive.put', object: itemNo, application: item.application }, {
          kind: item.kind, bytes, footageSha256: item.footageSha256, payloadSha256, expiresAt: isoOf(item.expiresAt), countsFrom: item.countsFrom, key: keyId, requester: item.requester, approver: item.approver, reason: item.reason,
        }, actorOf(acting))
        items.add(item, madeAt, seq)
      })
    } catch (error) {
      await store.withdraw(itemNo) // what has no entry has not been done [G10]
      throw error
    }
    return required(this.#core, itemNo)
  }

  get(itemNo: ItemNo): ArchiveItem | null { return this.#core.items.get(itemNo) }
  /** Destroyed ones too, oldest first. */
  list(): readonly ArchiveItem[] { return this.#core.items.all() }
  ofApplication(application: string): readonly ArchiveItem[] { return this.#core.items.ofApplication(application) }
  destruction(itemNo: ItemNo): DestructionRecord | null { return this.#core.destructions.get(itemNo) }
  /** Other places that hold the key file now, as people told them. */
  keyBackups(): readonly KeyBackup[] { return this.#core.keyBackups.at(toldNow(this.#core)) }
  destructions(): readonly DestructionRecord[] { return this.#core.destructions.all() }

  async read(acting: Acting, itemNo: ItemNo): Promise<ArchiveReading> {
    const { store, keys } = await this.#vault.open()
    const item = required(this.#core, itemNo)
    if (item.state !== 'kept') throw new ArchiveItemError(itemNo, { zh: '已銷毀', en: 'is destroyed' })
    const key = keys.keyOf(itemNo)
    if (key === null) throw new ArchiveItemError(itemNo, { zh: '的金鑰不在金鑰檔中', en: 'has no key in the key file' })
    this.#core.options.audit.transaction(() => { note(this.#core, { action: 'archive.read', object: itemNo, application: item.application }, { payloadSha256: item.payloadSha256 }, actorOf(acting)) })
    this.#readers.set(itemNo, (this.#readers.get(itemNo) ?? 0) + 1)
    let isOpen = true
    const stream = asItemErrors(hashed(store.read(itemNo, key.key), item.payloadSha256), itemNo)
    return {
      item, files: asItemErrors(filesIn(stream), itemNo),
      [Symbol.asyncDispose]: async () => {
        await stream.return(undefined)
        if (!isOpen) return
        isOpen = false
        const left = (this.#readers.get(itemNo) ?? 1) - 1
        if (left > 0) this.#readers.set(itemNo, left)
        else this.#readers.delete(itemNo)
      },
    }
  }

  /** Reads an item again as a whole: null when it is as it was put in, else what is wrong, which is entered and alarmed. A sound payload gets its sidecar written anew and is no longer counted as lost. */
  verify(itemNo: ItemNo): Promise<string | null> {
    return this.#inTurn(async vault => {
      const item = required(this.#core, itemNo)
      if (item.state !== 'kept') throw new ArchiveItemError(itemNo, { zh: '已銷毀', en: 'is destroyed' })
      const key = vault.keys.keyOf(itemNo)
      const fault = key === null || key.id !== item.keyId ? 'its key is not in the key file' : await vault.store.faultOf(itemNo, key.key, item.payloadSha256)
      if (fault !== null) {
        if (required(this.#core, itemNo).state !== 'kept') throw new ArchiveItemError(itemNo, { zh: '已銷毀', en: 'is destroyed' }) // meanwhile, by the recorder that this command runs beside
        this.#sweeper.lose(item, fault)
        return fault
      }
      this.#core.options.audit.transaction(() => {
        if (item.lost !== null) note(this.#core, { action: 'archive.item-found', object: itemNo, application: item.application }, { was: item.lost.what })
        if (item.lost !== null) this.#core.items.touch(itemNo)
        this.#core.items.setVerified(itemNo, toldNow(this.#core))
      })
      await this.#sweeper.writeSidecar(itemNo, vault)
      return null
    })
  }

  /** Reads again the item whose turn it is, if one is due; for quiet hours. Its number, or null. */
  async verifyNext(): Promise<ItemNo | null> {
    const now = toldNow(this.#core)
    const due = this.#core.items.there().filter(item => item.state === 'kept' && item.lost === null && now - item.verifiedAt >= VERIFY_EVERY_MS).sort((a, b) => a.verifiedAt - b.verifiedAt)[0]
    if (due === undefined) return null
    await this.verify(due.itemNo)
    return due.itemNo
  }

  /** As it was last seen. */
  get isUsable(): boolean { return this.#vault.state === 'ok' }

  /** Adopts, looks, tells, destroys what is over its time; every few minutes and at start. Does nothing while the archive cannot be used: `view` says so. How many were destroyed. */
  async sweep(): Promise<number> {
    try { return await this.#inTurn(vault => this.#sweeper.run(vault)) } catch (error) {
      if (error instanceof ArchiveUnavailableError) return 0
      throw error
    }
  }

  /** Rows from the sidecars after the catalogue was lost, each payload read again. Repeating it changes nothing. */
  rebuild(): Promise<{ readonly adopted: readonly ItemNo[], readonly unsound: readonly { readonly itemNo: ItemNo, readonly what: string }[], readonly strays: readonly string[] }> {
    return this.#inTurn(async vault => {
      const adopted = await this.#sweeper.adopt(vault)
      const unsound: { itemNo: ItemNo, what: string }[] = []
      for (const itemNo of adopted) {
        const item = required(this.#core, itemNo)
        const what = await vault.store.faultOf(itemNo, vault.keys.keyOf(itemNo)?.key ?? Buffer.alloc(32), item.payloadSha256)
        if (what === null) continue
        this.#sweeper.lose(item, what)
        unsound.push({ itemNo, what })
      }
      const strays = [...this.#sweeper.strays.folders, ...this.#sweeper.strays.keys]
      note(this.#core, { action: 'archive.rebuilt', object: null, application: null }, { adopted: adopted.length, unsound: unsound.length, strays: strays.length })
      return { adopted, unsound, strays }
    })
  }

  /** Writes the sidecar of an item that an act changed, now instead of at the next sweep. */
  async refreshSidecar(itemNo: ItemNo): Promise<void> { await this.#inTurn(vault => this.#sweeper.writeSidecar(itemNo, vault)) }

  view(): ArchiveView {
    return viewOf(this.#core, { vault: this.#vault, strays: this.#sweeper.strays, neededBytes: this.#neededBytes, now: toldNow(this.#core) })
  }
}

/** Throws ArchiveRefusedError. */
function soundFacts(facts: ArchiveFacts): ArchiveFacts {
  if (!SHA256.test(facts.footageSha256)) throw new ArchiveRefusedError('影像雜湊值格式不符。', 'the hash of the footage is not 64 hex digits')
  if (facts.ranges.length === 0 || facts.ranges.length > MAX_RANGES || facts.ranges.some(({ from, to }) => from >= to)) throw new ArchiveRefusedError('影像範圍不合理。', 'the ranges make no sense')
  return {
    ...facts, application: plain(facts.application, { zh: '案號', en: 'the application' }, 40), reason: plain(facts.reason, { zh: '存檔原因', en: 'the reason' }, 500), requester: plain(facts.requester, { zh: '申請人', en: 'the requester' }),
    approver: plain(facts.approver, { zh: '核准人', en: 'the approver' }), ranges: facts.ranges.map(({ cameraUuid, cameraId, cameraName, from, to }) => ({ cameraUuid, cameraId, cameraName: plain(cameraName, { zh: '鏡頭名稱', en: 'the name of a camera' }), from, to })),
  }
}

/** Ends with an error unless all was as it was put in. */
async function* hashed(stream: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256')
  for await (const piece of stream) { hash.update(piece); yield piece }
  if (hash.digest('hex') !== sha256) throw new PayloadError('it is not what was put in')
}

async function* asItemErrors<Value>(values: AsyncIterable<Value>, itemNo: ItemNo): AsyncGenerator<Value, void, undefined> {
  try { yield* values } catch (error) {
    throw error instanceof PayloadError || error instanceof StorageError ? new ArchiveItemError(itemNo, { zh: `無法讀取或已被更動（${error.message}）`, en: `cannot be read or was changed (${error.message})` }, error) : error
  }
}
