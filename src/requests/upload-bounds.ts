import { statfs } from 'node:fs/promises'
import { AttachmentError } from './errors.ts'

/** Largest file that is taken in. */
export const ATTACHMENT_MOST_BYTES = 20 * 1024 * 1024
/** What one person handed in and attached to no case yet: ten scans of the largest kind. */
export const UNATTACHED_MOST_BYTES = 10 * ATTACHMENT_MOST_BYTES
/**
 * A file that nobody attached in this time counts no longer; on a disk that is filled so, the reserve is what
 * stops it.
 */
const UNATTACHED_COUNTS_MS = 3_600_000
/** Catalogue and audit log live on that disk: people never take the last of it. */
const LEAST_RESERVE_BYTES = 2 * 2 ** 30
const LEAST_RESERVE_SHARE = 0.05
/** On a disk so small that the least would be most of it. */
const MOST_RESERVE_SHARE = 0.25

export interface DiskRoom { readonly freeBytes: number, readonly totalBytes: number }
interface Unattached { readonly sha256: string, readonly sizeBytes: number, readonly at: number }

export interface UploadBoundsOptions {
  readonly folder: string
  readonly steadyNow: () => number
  /** Tests give their own. */
  readonly room?: (folder: string) => Promise<DiskRoom>
}

/** Of a disk of this size people leave so much free. */
export const reserveOf = (totalBytes: number): number =>
  Math.min(Math.max(LEAST_RESERVE_BYTES, totalBytes * LEAST_RESERVE_SHARE), totalBytes * MOST_RESERVE_SHARE)

/**
 * What people upload cannot fill the system disk: a reserve is left free, and one person keeps no more than
 * so much in waiting.
 */
export class UploadBounds {
  readonly #options: UploadBoundsOptions
  readonly #unattached = new Map<string, Unattached[]>()
  #underWay = 0
  constructor(options: UploadBoundsOptions) { this.#options = options }

  /**
   * Runs an upload of `by`; `work` gives what was stored anew, null when it was there before. Throws
   * AttachmentError, and what `work` throws.
   */
  async during<Result extends { readonly sha256: string, readonly sizeBytes: number }>(
    by: string, work: () => Promise<{ readonly stored: Result, readonly isNew: boolean }>,
  ): Promise<Result> {
    const { folder, steadyNow, room = roomOf } = this.#options
    if (this.#waitingBytes(by) + ATTACHMENT_MOST_BYTES > UNATTACHED_MOST_BYTES) {
      throw new AttachmentError('CUSTOS_ATTACHMENT_WAITING', '您上傳而尚未附入案件的檔案過多。/ you have handed in too many files that no case names yet',
        '請先把已上傳的檔案附入案件，或一小時後再上傳。/ Attach what you handed in to its case, or wait an hour.')
    }
    this.#underWay += 1
    try {
      const { freeBytes, totalBytes } = await room(folder)
      if (freeBytes - this.#underWay * ATTACHMENT_MOST_BYTES < reserveOf(totalBytes)) {
        throw new AttachmentError('CUSTOS_ATTACHMENT_NO_ROOM', '系統磁碟空間不足，檔案未附上；錄影不受影響。/ the system disk has too little room and the file was not taken; recording goes on',
          '請系統管理清出 state.dir 所在磁碟的空間後再上傳。/ Have the administrator make room on the disk of state.dir, then hand it in again.')
      }
      const { stored, isNew } = await work()
      if (isNew) this.#unattached.set(by, [...this.#counted(by), { ...stored, at: steadyNow() }])
      return stored
    } finally { this.#underWay -= 1 }
  }

  /** A case names it now. */
  attached(sha256: string): void {
    for (const [by, waiting] of this.#unattached) {
      const left = waiting.filter(each => each.sha256 !== sha256)
      if (left.length === 0) this.#unattached.delete(by)
      else this.#unattached.set(by, left)
    }
  }

  #counted(by: string): Unattached[] {
    const since = this.#options.steadyNow() - UNATTACHED_COUNTS_MS
    return (this.#unattached.get(by) ?? []).filter(({ at }) => at > since)
  }
  #waitingBytes(by: string): number {
    return this.#counted(by).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }
}

async function roomOf(folder: string): Promise<DiskRoom> {
  const { bavail, blocks, bsize } = await statfs(folder)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}
