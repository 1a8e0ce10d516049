import path from 'node:path'
import { note, toldNow, type ArchiveCore } from './core.ts'
import { realArchiveDisk, type ArchiveDisk } from './disk.ts'
import { ArchiveUnavailableError } from './errors.ts'
import { ItemStore } from './item-store.ts'
import { KeyRing } from './key-ring.ts'
import { lookAtVolume, type VolumeState } from './volume.ts'

/** `failed`: the look itself failed, by the catalogue, the audit log or the credential. */
export type VaultState = 'ok' | VolumeState | 'key-file' | 'failed'
/** The volume's items and the keys to them, both there. */
export interface OpenVault { readonly store: ItemStore, readonly keys: KeyRing }

/** Volume and key file together: looked at again before each work, so that what comes back is used again. */
export class Vault {
  readonly #core: ArchiveCore
  readonly disk: ArchiveDisk
  readonly store: ItemStore
  #told: VaultState = 'ok'
  state: VaultState = 'ok'
  detail = ''
  freeBytes: number | null = null

  constructor(core: ArchiveCore) {
    this.#core = core
    this.disk = core.options.disk ?? realArchiveDisk
    this.store = new ItemStore(this.disk, core.options.dir)
  }

  /** Throws ArchiveUnavailableError, and whatever a look may fail by. A change of state is entered in the audit log. */
  async open(): Promise<OpenVault> {
    try { return await this.#look() } catch (error) {
      if (!(error instanceof ArchiveUnavailableError)) this.#fail(error)
      throw error
    }
  }

  /** Not entered: what failed may be the audit log. */
  #fail(error: unknown): void {
    if (this.state === 'failed') return
    this.state = 'failed'
    this.detail = error instanceof Error ? error.message : String(error)
    this.#core.options.log.error({ err: error }, 'the archive cannot be opened; it is tried again')
  }

  async #look(): Promise<OpenVault> {
    const { options: { dir, db }, items } = this.#core
    const look = await lookAtVolume(this.disk, dir, items.volume())
    if (look.kind === 'refused') return this.#refuse(look.state, look.detail)
    if (items.volume() === null && !db.readonly) this.#core.options.audit.transaction(() => {
      items.takeVolume(look.uuid, toldNow(this.#core))
      note(this.#core, { action: 'archive.volume-taken', object: look.uuid, application: null }, {})
    })
    this.freeBytes = await this.disk.freeBytes(dir, 'archive free')
    try {
      const keys = await this.keys()
      this.#tell('ok', '')
      return { store: this.store, keys }
    } catch (error) {
      if (!(error instanceof ArchiveUnavailableError)) throw error
      this.#tell('key-file', error.message)
      throw error
    }
  }

  /** As they are on disk now. Throws ArchiveUnavailableError. */
  async keys(): Promise<KeyRing> {
    const { options: { stateDir, credential }, items } = this.#core
    const hasItems = items.used().items > 0 || (await this.store.list()).items.length > 0
    return await KeyRing.open({ disk: this.disk, folder: path.join(stateDir, 'keys'), credential: credential?.() ?? null, hasItems })
  }

  #refuse(state: VolumeState, detail: string): never {
    this.freeBytes = null
    this.#tell(state, detail)
    throw new ArchiveUnavailableError(state, detail)
  }

  #tell(state: VaultState, detail: string): void {
    this.state = state
    this.detail = detail
    if (state === this.#told) return
    const { db, log } = this.#core.options
    log[state === 'ok' ? 'info' : 'warn']({ state, detail }, 'state of the archive')
    if (!db.readonly) note(this.#core, { action: state === 'ok' ? 'archive.available' : 'archive.unavailable', object: null, application: null, result: state === 'ok' ? 'done' : 'failed' }, { state })
    this.#told = state
  }
}
