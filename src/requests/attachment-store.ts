import { createHash, randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { constants, link, mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { syncFolder } from '../platform/publish-file.ts'
import { AttachmentError } from './errors.ts'
import { ATTACHMENT_MOST_BYTES, UploadBounds, type UploadBoundsOptions } from './upload-bounds.ts'

const SHA256 = /^[0-9a-f]{64}$/

export interface StoredAttachment { readonly sha256: string, readonly sizeBytes: number }

/** Scans and papers by their SHA-256, in `state.dir/attachments`. Written once, never overwritten, never removed here: they leave by a destruction list (R62). */
export class AttachmentStore {
  readonly #folder: string
  readonly #bounds: UploadBounds
  constructor(stateDir: string, options: Omit<UploadBoundsOptions, 'folder'>) {
    this.#folder = path.join(stateDir, 'attachments')
    this.#bounds = new UploadBounds({ folder: this.#folder, ...options })
  }

  /** Null when it is not there. */
  sizeOf(sha256: string): number | null {
    if (!SHA256.test(sha256)) return null
    return statSync(path.join(this.#folder, sha256), { throwIfNoEntry: false })?.size ?? null
  }

  /**
   * Takes a file of a person in, durably on return; the same content is stored once. Throws AttachmentError
   * when it is empty or larger than 20 MiB, when the disk does not take it or has too little room, or when
   * the person has too much in waiting.
   */
  async put(
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, by: string,
  ): Promise<StoredAttachment> {
    const fresh = path.join(this.#folder, `.${randomBytes(8).toString('hex')}.new`)
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      return await this.#bounds.during(by, async () => {
        const stored = await this.#write(fresh, content)
        return { stored, isNew: await this.#place(fresh, stored) }
      })
    } catch (error) {
      if (error instanceof AttachmentError) throw error
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
      throw new AttachmentError('CUSTOS_ATTACHMENT_UNWRITABLE', `附件無法寫入（${code}），未附上。/ the file could not be written (${code}); nothing was attached`, '請檢查 state.dir 的磁碟空間。/ Look at the disk of state.dir.', error)
    } finally { await rm(fresh, { force: true }).catch(() => undefined) }
  }

  /** A case names the file now: it no longer counts for who handed it in. */
  attached(sha256: string): void { this.#bounds.attached(sha256) }

  async #write(fresh: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredAttachment> {
    const hash = createHash('sha256')
    let sizeBytes = 0
    const handle = await open(fresh, 'wx', 0o600)
    try {
      for await (const chunk of content) {
        sizeBytes += chunk.length
        if (sizeBytes > ATTACHMENT_MOST_BYTES) break
        hash.update(chunk)
        await handle.writeFile(chunk) // goes on where the last ended
      }
      await handle.sync()
    } finally { await handle.close() }
    if (sizeBytes > 0 && sizeBytes <= ATTACHMENT_MOST_BYTES) return { sha256: hash.digest('hex'), sizeBytes }
    throw new AttachmentError('CUSTOS_ATTACHMENT_REFUSED', sizeBytes === 0 ? '附件是空的。/ the file is empty' : '附件超過 20 MB。/ the file is larger than 20 MiB', '請改附較小的掃描檔，或分成數個檔案。/ Attach a smaller scan, or several files.')
  }

  /** Whether it was not there before. */
  async #place(fresh: string, { sha256 }: StoredAttachment): Promise<boolean> {
    let isNew = true
    try { await link(fresh, path.join(this.#folder, sha256)) } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      isNew = false
      await this.read(sha256) // what is there is that content, or a person must look
    }
    await syncFolder(this.#folder)
    return isNew
  }

  /** The content, hashed again. Throws AttachmentError when it is gone or is not what was stored. */
  async read(sha256: string): Promise<Buffer> {
    const damaged = (what: string, cause?: unknown) => new AttachmentError('CUSTOS_ATTACHMENT_DAMAGED', `附件 ${sha256.slice(0, 12)}… ${what}`, '請自備份還原 state.dir/attachments 中的同名檔案。/ Restore the file of that name in state.dir/attachments from a backup.', cause)
    if (!SHA256.test(sha256)) throw damaged('不存在。/ is not there')
    const handle = await open(path.join(this.#folder, sha256), constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => { throw damaged('不存在或無法讀取。/ is gone or cannot be read', error) })
    try {
      const { size } = await handle.stat()
      if (size > ATTACHMENT_MOST_BYTES) throw damaged('已被更動。/ was changed')
      const content = await handle.readFile()
      if (createHash('sha256').update(content).digest('hex') !== sha256) throw damaged('已被更動。/ was changed')
      return content
    } finally { await handle.close() }
  }
}
