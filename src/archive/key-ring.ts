import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import path from 'node:path'
import { StorageError } from '../platform/file-system.ts'
import type { ArchiveDisk } from './disk.ts'
import { ArchiveUnavailableError } from './errors.ts'
import { isItemNo, itemNoOf, partsOf, type ItemNo } from './item.ts'

const KEY_BYTES = 32, NONCE_BYTES = 12, TAG_BYTES = 16
const KEYS_FILE = 'archive-keys', MASTER_PREFIX = 'archive-master.'
const MASTER_ID = /^[0-9a-f]{16}$/
const MAX_FILE_BYTES = 64 << 20 // some 400,000 items

interface ItemKey { readonly id: string, readonly key: Buffer }
interface Content { readonly last: { readonly year: number, readonly serial: number }, readonly keys: ReadonlyMap<ItemNo, ItemKey> }
const EMPTY: Content = { last: { year: 0, serial: 0 }, keys: new Map() }

/** What the key file is made of, apart from where it lies. Pure. */
function sealed(content: Content, masterId: string, master: Buffer, credential: Buffer | null): Buffer {
  const plain = JSON.stringify({ last: content.last, keys: Object.fromEntries([...content.keys].map(([itemNo, { id, key }]) => [itemNo, { id, key: key.toString('base64') }])) })
  const nonce = randomBytes(NONCE_BYTES), head = { format: 1, master: masterId, credential: credential !== null }
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(master, credential), nonce).setAAD(Buffer.from(JSON.stringify(head)))
  const body = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return Buffer.from(`${JSON.stringify({ ...head, sealed: body.toString('base64') })}\n`)
}
const wrappingKey = (master: Buffer, credential: Buffer | null): Buffer => Buffer.from(hkdfSync('sha256', master, credential ?? Buffer.alloc(0), 'custos archive keys', KEY_BYTES))

function headOf(text: string): { readonly master: string, readonly credential: boolean, readonly body: Buffer } | null {
  try {
    const { format, master, credential, sealed: body } = JSON.parse(text) as Record<string, unknown>
    return format === 1 && typeof master === 'string' && MASTER_ID.test(master) && typeof credential === 'boolean' && typeof body === 'string' ? { master, credential, body: Buffer.from(body, 'base64') } : null
  } catch { return null }
}

function opened(head: NonNullable<ReturnType<typeof headOf>>, master: Buffer, credential: Buffer | null): Content {
  const { body } = head
  const decipher = createDecipheriv('aes-256-gcm', wrappingKey(master, head.credential ? credential : null), body.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(JSON.stringify({ format: 1, master: head.master, credential: head.credential }))).setAuthTag(body.subarray(-TAG_BYTES))
  const plain = Buffer.concat([decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
  const { last, keys } = JSON.parse(plain) as { last: Content['last'], keys: Record<string, { id: string, key: string }> }
  return { last, keys: new Map(Object.entries(keys).map(([itemNo, { id, key }]) => {
    if (!isItemNo(itemNo)) throw new TypeError('the key file names no item')
    return [itemNo, { id, key: Buffer.from(key, 'base64') }]
  })) }
}

export interface KeyRingOptions {
  readonly disk: ArchiveDisk
  /** `state.dir/keys`. */
  readonly folder: string
  /** A second secret from outside the disk, e.g. a credential of systemd; null for none. */
  readonly credential: Buffer | null
  /** Items exist, so a missing key file is a loss and never made anew. */
  readonly hasItems: boolean
}

/**
 * The only place of item keys: one file, wrapped by a master key in a file beside it (and by the credential, where there is one). To drop a key the file is written anew without it under a new master key, and the old
 * master is overwritten and removed: then no older copy of the key file on this disk can be opened. One writer at a time; who only reads opens it anew.
 */
export class KeyRing {
  readonly #options: KeyRingOptions
  #content: Content
  #masterId: string | null
  #master: Buffer | null
  private constructor(options: KeyRingOptions, content: Content, master: { readonly id: string, readonly key: Buffer } | null) {
    this.#options = options
    this.#content = content
    this.#masterId = master?.id ?? null
    this.#master = master?.key ?? null
  }

  /** Throws ArchiveUnavailableError when it is lost, damaged or not to be opened. Writes nothing. */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const { disk, folder, credential, hasItems } = options
    const unusable = (what: string, cause?: unknown): never => { throw new ArchiveUnavailableError('key-file', `the key file archive-keys ${what}`, cause) }
    try {
      if (await disk.sizeOf(path.join(folder, KEYS_FILE), 'keys look') === null) return hasItems ? unusable('is gone, and there are items') : new KeyRing(options, EMPTY, null)
      const head = headOf((await disk.readAll(path.join(folder, KEYS_FILE), MAX_FILE_BYTES, 'keys read')).toString('utf8'))
      if (head === null) return unusable('is damaged')
      if (head.credential && credential === null) return unusable('needs the credential it was made with')
      const master = await disk.readAll(path.join(folder, MASTER_PREFIX + head.master), 1024, 'master read')
      if (master.length !== KEY_BYTES) return unusable('has a master key of another length')
      try { return new KeyRing(options, opened(head, master, credential), { id: head.master, key: master }) } catch (error) { return unusable('does not go with its master key or credential', error) }
    } catch (error) { return error instanceof StorageError ? unusable(`cannot be read: ${error.fault}`, error) : Promise.reject(error as Error) }
  }

  keyOf(itemNo: ItemNo): ItemKey | null { return this.#content.keys.get(itemNo) ?? null }
  items(): readonly ItemNo[] { return [...this.#content.keys.keys()] }

  /** A new number, later than each given before, with a key; both durable on return. `taken`: numbers known elsewhere. `before` is told the number while the key is in no file yet. */
  async add(year: number, taken: readonly ItemNo[], before: (itemNo: ItemNo) => Promise<void>): Promise<{ readonly itemNo: ItemNo, readonly keyId: string, readonly key: Buffer }> {
    const { last, keys } = this.#content
    const serials = [...taken, ...keys.keys()].map(partsOf).filter(part => part.year === year).map(part => part.serial)
    const serial = Math.max(last.year === year ? last.serial : 0, 0, ...serials) + 1
    const itemNo = itemNoOf(year, serial), key = randomBytes(KEY_BYTES), id = randomBytes(8).toString('hex')
    await before(itemNo)
    await this.#write({ last: last.year > year ? last : { year, serial }, keys: new Map([...keys, [itemNo, { id, key }]]) }, this.#master === null)
    return { itemNo, keyId: id, key }
  }

  /** Without this key from now on, under a new master key. Also finishes what a crash left of an earlier one. */
  async drop(itemNo: ItemNo): Promise<void> {
    const { last, keys } = this.#content
    const gone = keys.get(itemNo)
    if (gone !== undefined) {
      await this.#write({ last, keys: new Map([...keys].filter(([each]) => each !== itemNo)) }, true)
      gone.key.fill(0)
    }
    await this.tidy()
  }

  /** Overwrites and removes master keys that no key file needs, and half-written files. */
  async tidy(): Promise<void> {
    const { disk, folder } = this.#options
    if (this.#masterId === null) return
    for (const name of await disk.list(folder, 'keys list')) {
      const isOld = name.startsWith(MASTER_PREFIX) && name !== MASTER_PREFIX + this.#masterId
      if (isOld || (name.startsWith(`${KEYS_FILE}.`) && name.endsWith('.part'))) await disk.wipe(path.join(folder, name), 'old master wipe')
    }
  }

  async #write(content: Content, withNewMaster: boolean): Promise<void> {
    const { disk, folder, credential } = this.#options
    await disk.makeFolder(folder, 'keys folder')
    let masterId = this.#masterId, master = this.#master
    if (withNewMaster || masterId === null || master === null) {
      masterId = randomBytes(8).toString('hex')
      master = randomBytes(KEY_BYTES)
      await disk.publish(path.join(folder, MASTER_PREFIX + masterId), master, 'master publish')
    }
    await disk.publish(path.join(folder, KEYS_FILE), sealed(content, masterId, master, credential), 'keys publish')
    this.#content = content
    this.#masterId = masterId
    this.#master = master
  }
}
