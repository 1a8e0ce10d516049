import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, opendir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { publishFile, syncFolder } from '../platform/publish-file.ts'
import { INBOX_LIMITS } from './limits.ts'

export interface Look { readonly isFile: boolean, readonly ino: number, readonly sizeBytes: number, readonly mtimeMs: number }
export interface ReadFile extends Look { /** One byte more than is allowed at most. */ readonly bytes: Buffer }
export type Outcome = 'accepted' | 'rejected'
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,119}\.json$/
export const REASON_SUFFIX = '.reason.txt'

/** The folder and its two drawers: the only door to the files of the inbox. Follows no link. */
export class InboxFolder {
  readonly dir: string
  constructor(dir: string) { this.dir = dir }

  async open(): Promise<void> { for (const drawer of ['accepted', 'rejected']) await mkdir(path.join(this.dir, drawer), { recursive: true, mode: 0o750 }) }

  /** Names ending in `.json`, in order; others and hidden ones are not looked at. A name that could not be written beside a reason is first changed to one that can, in place. */
  async names(): Promise<string[]> {
    const names: string[] = []
    let seen = 0
    // As bytes: a name need not be UTF-8.
    const folder = await opendir(this.dir, { encoding: 'buffer' as BufferEncoding })
    for await (const entry of folder) {
      const raw = entry.name as unknown as Buffer
      if (++seen > INBOX_LIMITS.namesAPass) break
      if (raw[0] === 0x2e || raw.subarray(-5).toString('latin1').toLowerCase() !== '.json') continue
      const text = raw.toString('latin1')
      names.push(SAFE_NAME.test(text) ? text : await this.#renamed(raw))
    }
    return names.sort()
  }

  async #renamed(raw: Buffer): Promise<string> {
    const name = `unnamed-${createHash('sha256').update(raw).digest('hex').slice(0, 16)}.json`
    if (await this.look(name) === null) await rename(Buffer.concat([Buffer.from(`${this.dir}/`), raw]), path.join(this.dir, name))
    return name
  }

  /** Null when nothing has that name (any more). */
  async look(name: string): Promise<Look | null> { return lookAt(path.join(this.dir, name)) }

  /** Null when it is gone, no regular file, or not ours to read. */
  async read(name: string): Promise<ReadFile | null> {
    const handle = await open(path.join(this.dir, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
      if (['ENOENT', 'ELOOP', 'ENXIO', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
      throw error
    })
    if (handle === null) return null
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) return null
      const target = Buffer.alloc(INBOX_LIMITS.fileBytes + 1)
      let length = 0
      for (;;) {
        const { bytesRead } = await handle.read(target, length, target.length - length, length)
        length += bytesRead
        if (bytesRead === 0 || length === target.length) break
      }
      return { isFile: true, ino: stat.ino, sizeBytes: stat.size, mtimeMs: stat.mtimeMs, bytes: target.subarray(0, length) }
    } finally { await handle.close() }
  }

  /** The name it gets in a drawer: its own, or with its hash where an earlier file has that. */
  async target(name: string, outcome: Outcome, sha256: string): Promise<string> {
    return await lookAt(path.join(this.dir, outcome, name)) === null ? name : `${name.slice(0, -'.json'.length)}.${sha256.slice(0, 8)}.json`
  }

  async writeReason(target: string, text: string): Promise<void> { await publishFile(path.join(this.dir, 'rejected', `${target}${REASON_SUFFIX}`), Buffer.from(text)) }

  /** Durable on return. */
  async move(name: string, outcome: Outcome, target: string): Promise<void> {
    await rename(path.join(this.dir, name), path.join(this.dir, outcome, target))
    await syncFolder(path.join(this.dir, outcome))
    await syncFolder(this.dir)
  }

  /** Files in `rejected/`, and since when the oldest lies there. */
  async rejected(): Promise<{ readonly count: number, readonly oldestMs: number | null }> {
    const names = (await readdir(path.join(this.dir, 'rejected'))).filter(name => !name.endsWith(REASON_SUFFIX) && !name.endsWith('.part')).slice(0, INBOX_LIMITS.rejectedCounted)
    let oldestMs: number | null = null
    for (const name of names) {
      const stat = await lstat(path.join(this.dir, 'rejected', name)).catch(() => null /* taken away just now */)
      if (stat !== null) oldestMs = Math.min(oldestMs ?? stat.ctimeMs, stat.ctimeMs)
    }
    return { count: names.length, oldestMs }
  }

  /** What a killed writer of reasons left. */
  async tidy(): Promise<void> {
    for (const name of await readdir(path.join(this.dir, 'rejected'))) if (name.endsWith('.part')) await rm(path.join(this.dir, 'rejected', name), { force: true })
  }
}

async function lookAt(file: string): Promise<Look | null> {
  const stat = await lstat(file).catch((error: unknown) => { if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null; throw error })
  return stat === null ? null : { isFile: stat.isFile(), ino: stat.ino, sizeBytes: stat.size, mtimeMs: stat.mtimeMs }
}
