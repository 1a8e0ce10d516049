import { createHash } from 'node:crypto'
import path from 'node:path'
import { StorageError } from '../platform/file-system.ts'
import type { ArchiveDisk } from './disk.ts'
import { streamOf, type FolderPlan } from './folder.ts'
import { isItemNo, type ItemNo } from './item.ts'
import { openPayload, PayloadError, sealPayload } from './payload.ts'
import { readSidecar, SIDECAR_FILE, SIDECAR_MOST_BYTES, sidecarBytes, type SidecarItem, type SidecarReading } from './sidecar.ts'
import { ITEMS_FOLDER } from './volume.ts'

const PAYLOAD_FILE = 'payload'
const freshName = (itemNo: ItemNo): string => `.${itemNo}.new`
const FRESH = /^\.(.+)\.new$/

/** Items as folders of the volume. Knows no catalogue and decides nothing. */
export class ItemStore {
  readonly #disk: ArchiveDisk
  readonly #folder: string
  constructor(disk: ArchiveDisk, dir: string) {
    this.#disk = disk
    this.#folder = path.join(dir, ITEMS_FOLDER)
  }
  #in(name: string, file = ''): string { return path.join(this.#folder, name, file) }

  /** Numbers of published items, of half-made ones, and whatever else lies there. */
  async list(): Promise<{ readonly items: readonly ItemNo[], readonly fresh: readonly ItemNo[], readonly strange: readonly string[] }> {
    const names = await this.#disk.list(this.#folder, 'items list')
    const freshOf = (name: string): string => FRESH.exec(name)?.[1] ?? ''
    return {
      items: names.filter(isItemNo), fresh: names.map(freshOf).filter(isItemNo),
      strange: names.filter(name => !isItemNo(name) && !isItemNo(freshOf(name))),
    }
  }

  /** First: what a crash leaves of a putting in can be told by this folder. */
  async begin(itemNo: ItemNo): Promise<void> {
    await this.#disk.makeFolder(this.#in(freshName(itemNo)), 'item folder')
    await this.#disk.syncFolder(this.#folder, 'item folder sync')
  }

  /** Encrypts the folder's stream. Returns its plaintext hash and the bytes on disk. */
  async write(itemNo: ItemNo, itemKey: Buffer, plan: FolderPlan): Promise<{ readonly payloadSha256: string, readonly bytes: number }> {
    const hash = createHash('sha256')
    async function* hashed(): AsyncGenerator<Buffer, void, undefined> {
      for await (const piece of streamOf(plan)) { hash.update(piece); yield piece }
    }
    const file = await this.#disk.create(this.#in(freshName(itemNo), PAYLOAD_FILE), 'payload create')
    try {
      const bytes = await sealPayload(hashed(), { itemNo, itemKey, file })
      await file.sync('payload sync')
      return { payloadSha256: hash.digest('hex'), bytes }
    } finally { await file.close() }
  }

  async publish(item: SidecarItem, itemKey: Buffer): Promise<void> {
    const fresh = this.#in(freshName(item.itemNo))
    await this.#disk.publish(path.join(fresh, SIDECAR_FILE), sidecarBytes(item, itemKey), 'sidecar publish')
    await this.#disk.rename(fresh, this.#in(item.itemNo), 'item publish')
    await this.#disk.syncFolder(this.#folder, 'item publish sync')
  }

  /** A published item that counts for nothing is a half-made one again. */
  async withdraw(itemNo: ItemNo): Promise<void> {
    if (!(await this.list()).items.includes(itemNo)) return
    await this.#disk.rename(this.#in(itemNo), this.#in(freshName(itemNo)), 'item withdraw')
    await this.#disk.syncFolder(this.#folder, 'item withdraw')
  }

  async rewriteSidecar(item: SidecarItem, itemKey: Buffer): Promise<void> { await this.#disk.publish(this.#in(item.itemNo, SIDECAR_FILE), sidecarBytes(item, itemKey), 'sidecar rewrite') }

  /** Null when there is none. */
  async sidecar(itemNo: ItemNo, itemKey: Buffer | null): Promise<SidecarReading | null> {
    try { return readSidecar(await this.#disk.readAll(this.#in(itemNo, SIDECAR_FILE), SIDECAR_MOST_BYTES, 'sidecar read'), itemNo, itemKey) } catch (error) {
      if (error instanceof StorageError && error.fault === 'missing') return null
      if (error instanceof StorageError && error.fault === 'other') return { kind: 'bad', why: 'it cannot be read' }
      throw error
    }
  }

  payloadSize(itemNo: ItemNo): Promise<number | null> { return this.#disk.sizeOf(this.#in(itemNo, PAYLOAD_FILE), 'payload look') }

  /** Plaintext in order; closes the file at its end, also an early one. Throws PayloadError, StorageError. */
  async* read(itemNo: ItemNo, itemKey: Buffer, where: 'item' | 'fresh' = 'item'): AsyncGenerator<Buffer, void, undefined> {
    const file = await this.#disk.open(this.#in(where === 'item' ? itemNo : freshName(itemNo), PAYLOAD_FILE), 'payload open')
    try { yield* openPayload(file, { itemNo, itemKey }) } finally { await file.close() }
  }

  /** Read again as a whole: null when it is as it was put in, else what is wrong. Throws StorageError other than for a missing file. */
  async faultOf(itemNo: ItemNo, itemKey: Buffer, payloadSha256: string, where: 'item' | 'fresh' = 'item'): Promise<string | null> {
    const hash = createHash('sha256')
    try { for await (const piece of this.read(itemNo, itemKey, where)) hash.update(piece) } catch (error) {
      if (error instanceof PayloadError) return `payload: ${error.message}`
      if (error instanceof StorageError && error.fault === 'missing') return 'payload: it is gone'
      throw error
    }
    return hash.digest('hex') === payloadSha256 ? null : 'payload: it is not what was put in'
  }

  /** Payload first. Each step is fine when it was done before. */
  async remove(itemNo: ItemNo, where: 'item' | 'fresh'): Promise<void> {
    const name = where === 'item' ? itemNo : freshName(itemNo)
    const names = await this.#disk.list(this.#in(name), 'item list').catch((error: unknown) => { if (error instanceof StorageError && error.fault === 'missing') return null; throw error })
    if (names !== null) {
      await this.#disk.remove(this.#in(name, PAYLOAD_FILE), 'payload remove')
      await this.#disk.syncFolder(this.#in(name), 'payload remove sync')
      for (const each of names.filter(other => other !== PAYLOAD_FILE)) await this.#disk.remove(this.#in(name, each), 'sidecar remove')
      await this.#disk.removeFolder(this.#in(name), 'item remove')
    }
    await this.#disk.syncFolder(this.#folder, 'item remove sync')
  }
}
