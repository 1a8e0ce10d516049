import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { ArchiveRefusedError } from './errors.ts'
import { PayloadError } from './payload.ts'
import type { ArchivedFile } from './port.ts'

/** A folder as one stream: magic, length of the index, index (JSON), contents one after the other. Regular files only, by their path with `/`. */
const MAGIC = Buffer.from('CUSTDIR1')
const HEAD_BYTES = MAGIC.length + 4
const MAX_FILES = 20_000
const MAX_INDEX_BYTES = 8 << 20
const READ_BYTES = 1 << 20

interface Entry { readonly path: string, readonly bytes: number }
export interface FolderPlan { readonly folder: string, readonly entries: readonly Entry[], readonly head: Buffer, readonly bytes: number }

/** What a folder holds, sorted. Throws ArchiveRefusedError for an empty one, one with links or devices in it, or with more files than a package has. */
export async function planOf(folder: string): Promise<FolderPlan> {
  const entries: Entry[] = []
  const walk = async (inner: string): Promise<void> => {
    for (const name of (await readdir(path.join(folder, inner))).sort()) {
      const each = inner === '' ? name : `${inner}/${name}`
      const facts = await lstat(path.join(folder, each))
      if (facts.isDirectory()) await walk(each)
      else if (facts.isFile()) entries.push({ path: each, bytes: facts.size })
      else throw new ArchiveRefusedError(`「${each}」不是一般檔案，未存入。`, `${each} is no regular file; nothing was put in`)
      if (entries.length > MAX_FILES) throw new ArchiveRefusedError(`檔案超過 ${MAX_FILES} 個，未存入。`, `more than ${MAX_FILES} files; nothing was put in`)
    }
  }
  try { await walk('') } catch (error) {
    if (error instanceof ArchiveRefusedError) throw error
    throw new ArchiveRefusedError(`要存入的資料夾無法讀取（${(error as NodeJS.ErrnoException).code ?? 'unknown'}）。`, `the folder to put in cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
  if (entries.length === 0) throw new ArchiveRefusedError('要存入的資料夾是空的。', 'the folder to put in is empty')
  const index = Buffer.from(JSON.stringify(entries))
  if (index.length > MAX_INDEX_BYTES) throw new ArchiveRefusedError('檔名過長，未存入。', 'the names of the files are too long; nothing was put in')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(index.length)
  const head = Buffer.concat([MAGIC, length, index])
  return { folder, entries, head, bytes: head.length + entries.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** The folder's stream. Throws ArchiveRefusedError when a file is not as it was planned. */
export async function* streamOf({ folder, entries, head }: FolderPlan): AsyncGenerator<Buffer, void, undefined> {
  yield head
  for (const entry of entries) {
    const changed = (): never => { throw new ArchiveRefusedError(`「${entry.path}」在存入時被更動，未存入。`, `${entry.path} changed while it was put in; nothing was put in`) }
    const handle = await open(path.join(folder, entry.path), constants.O_RDONLY | constants.O_NOFOLLOW).catch(changed)
    try {
      const buffer = Buffer.allocUnsafe(READ_BYTES)
      let left = entry.bytes
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, READ_BYTES)
        if (bytesRead === 0) break
        left -= bytesRead
        if (left < 0) changed()
        yield buffer.subarray(0, bytesRead) // taken up before the next is asked for
      }
      if (left !== 0) changed()
    } finally { await handle.close() }
  }
}

/** The files in a folder's stream, in order; each is to be read to its end before the next is asked for. Throws PayloadError for what is no such stream. */
export async function* filesIn(stream: AsyncIterator<Buffer>): AsyncGenerator<ArchivedFile, void, undefined> {
  let held: Buffer = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const next = await stream.next()
    if (next.done === true) return false
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value])
    return true
  }
  const exactly = async (bytes: number): Promise<Buffer> => {
    while (held.length < bytes) if (!await more()) throw new PayloadError('it ends too early')
    const piece = held.subarray(0, bytes)
    held = held.subarray(bytes)
    return piece
  }
  const head = await exactly(HEAD_BYTES)
  const indexBytes = head.readUInt32BE(MAGIC.length)
  if (!head.subarray(0, MAGIC.length).equals(MAGIC) || indexBytes > MAX_INDEX_BYTES) throw new PayloadError('it is no folder')
  const entries = JSON.parse((await exactly(indexBytes)).toString('utf8')) as Entry[]
  for (const { path: name, bytes } of entries) {
    let left = bytes
    async function* content(): AsyncGenerator<Buffer, void, undefined> {
      while (left > 0) {
        if (held.length === 0 && !await more()) throw new PayloadError('it ends too early')
        const piece = held.subarray(0, left)
        held = held.subarray(piece.length)
        left -= piece.length
        if (piece.length > 0) yield piece
      }
    }
    yield { path: name, bytes, content: content() }
    if (left > 0) throw new TypeError(`${name} was not read to its end`)
  }
  if (held.length > 0 || await more()) throw new PayloadError('it goes on after its end')
}
