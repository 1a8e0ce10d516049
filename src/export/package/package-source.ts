import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { FileEntry } from '@zip.js/zip.js'
import { SYSTEM_FOLDER } from './system-file.ts'

export interface SourceFile { readonly path: string, readonly bytes: number }
/** What cannot be looked at as a file of a package, with the place. */
export interface SourceProblem { readonly path: string, readonly zh: string, readonly en: string }

/** A package as a folder or in a ZIP. Nothing is unpacked or followed; names that lead elsewhere are problems, not files. */
export interface PackageSource extends AsyncDisposable {
  readonly files: ReadonlyMap<string, SourceFile>
  readonly problems: readonly SourceProblem[]
  /** The content in pieces, never more than `bytes` of it. */
  read(name: string): AsyncIterable<Uint8Array>
}

const MOST_FILES = 20_000
const MOST_DEPTH = 6
const CHUNK_BYTES = 1 << 20
/** Stored files do not shrink; a text that is deflated this hard is a bomb. */
const MOST_EXPANSION = 100
const MOST_NAME_CHARS = 400

const PROBLEMS = {
  name: { zh: '檔名不合規定', en: 'a name that leads elsewhere or cannot be shown' }, link: { zh: '不是一般檔案（連結或裝置）', en: 'no plain file: a link or a device' },
  twice: { zh: '同名檔案出現兩次', en: 'the same name twice' }, many: { zh: '檔案過多', en: 'too many files' }, deep: { zh: '資料夾層數過多', en: 'folders too deep' }, bomb: { zh: '壓縮比異常', en: 'packed far too hard' },
  encrypted: { zh: '已加密，請以密碼解開（如 7-Zip）後驗證解開的資料夾', en: 'encrypted: open it with its password (7-Zip does), then verify the folder that comes out' },
} as const

/** Relative, with `/`, no `.` or `..`, nothing that a terminal or Windows would take for something else. */
export const isPlainName = (name: string): boolean =>
  name.length <= MOST_NAME_CHARS && name.split('/').every(part => part !== '' && part !== '.' && part !== '..') && !/[\p{Cc}\\:*?"<>|\u202a-\u202e\u2066-\u2069]/u.test(name)

/** Throws the error of the file system, or of the ZIP reader. */
export async function openSource(place: string, password: string | null = null): Promise<PackageSource> {
  const stat = await lstat(place)
  return stat.isDirectory() ? openFolder(place) : openZip(place, password)
}

async function openFolder(root: string): Promise<PackageSource> {
  const files = new Map<string, SourceFile>(), problems: SourceProblem[] = []
  const walk = async (folder: string, depth: number): Promise<void> => {
    if (depth > MOST_DEPTH) { problems.push({ path: folder, ...PROBLEMS.deep }); return }
    for (const found of await readdir(path.join(root, folder), { withFileTypes: true })) {
      const name = folder === '' ? found.name : `${folder}/${found.name}`
      if (files.size + problems.length >= MOST_FILES) { problems.push({ path: name, ...PROBLEMS.many }); return }
      if (!isPlainName(name)) problems.push({ path: name, ...PROBLEMS.name })
      else if (found.isDirectory() && found.name.toLowerCase() === SYSTEM_FOLDER.toLowerCase()) files.set(name, { path: name, bytes: 0 })
      else if (found.isDirectory()) await walk(name, depth + 1)
      else if (found.isFile()) files.set(name, { path: name, bytes: (await lstat(path.join(root, name))).size })
      else problems.push({ path: name, ...PROBLEMS.link })
    }
  }
  await walk('', 0)
  return {
    files, problems, [Symbol.asyncDispose]: () => Promise.resolve(),
    async *read(name) {
      const file = files.get(name)
      if (file === undefined) return
      await using handle = await open(path.join(root, name), constants.O_RDONLY | constants.O_NOFOLLOW)
      for (let at = 0; at < file.bytes;) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, file.bytes - at))
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
        if (bytesRead === 0) return
        at += bytesRead
        yield chunk.subarray(0, bytesRead)
      }
    },
  }
}

/** Everything may stand in one folder of the ZIP, as the packer leaves it. */
async function openZip(file: string, password: string | null): Promise<PackageSource> {
  const [{ ZipReader }, { FileZipReader }] = await Promise.all([import('@zip.js/zip.js'), import('./zip-io.ts')]) // at the first ZIP, as for writing
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const zip = new ZipReader(new FileZipReader(handle, (await handle.stat()).size), { useWebWorkers: false, checkOverlappingEntry: true })
    const found: FileEntry[] = [], problems: SourceProblem[] = []
    let isLocked = false
    for await (const entry of zip.getEntriesGenerator()) {
      if (found.length + problems.length >= MOST_FILES) { problems.push({ path: entry.filename.slice(0, MOST_NAME_CHARS), ...PROBLEMS.many }); break }
      if (entry.directory) { if (!isPlainName(entry.filename.replace(/\/$/, ''))) problems.push({ path: entry.filename.slice(0, MOST_NAME_CHARS), ...PROBLEMS.name }) }
      else if (!isPlainName(entry.filename)) problems.push({ path: entry.filename.slice(0, MOST_NAME_CHARS), ...PROBLEMS.name })
      else if (entry.encrypted && password === null) isLocked = true
      else if (((entry.unixMode ?? 0) & 0o170000) === 0o120000) problems.push({ path: entry.filename, ...PROBLEMS.link })
      else if (entry.uncompressedSize > entry.compressedSize * MOST_EXPANSION + CHUNK_BYTES) problems.push({ path: entry.filename, ...PROBLEMS.bomb })
      else found.push(entry)
    }
    if (isLocked) problems.push({ path: path.basename(file), ...PROBLEMS.encrypted })
    const top = found[0]?.filename.split('/')[0] ?? ''
    const prefix = found.length > 0 && !found.some(entry => entry.filename === 'manifest.json') && found.every(entry => entry.filename.startsWith(`${top}/`)) ? `${top}/` : ''
    const entries = new Map<string, FileEntry>(), files = new Map<string, SourceFile>()
    for (const entry of found) {
      const name = entry.filename.slice(prefix.length)
      if (entries.has(name)) { problems.push({ path: name, ...PROBLEMS.twice }); continue }
      entries.set(name, entry)
      files.set(name, { path: name, bytes: entry.uncompressedSize })
    }
    return {
      files, problems,
      async *read(name) {
        const entry = entries.get(name)
        if (entry === undefined) return
        const stop = new AbortController()
        let fail: (error: unknown) => void = () => undefined
        const pipe = new TransformStream<Uint8Array, Uint8Array>({ start: controller => { fail = error => { controller.error(error) } } })
        // A reader that fails leaves the stream open: whoever waits for the next piece is to hear of it.
        const done = entry.getData(pipe.writable, { useWebWorkers: false, signal: stop.signal, checkSignature: true, ...(password === null ? {} : { password }) }).then(() => null, (error: unknown) => { fail(error); return error })
        let left = entry.uncompressedSize
        try {
          for await (const chunk of pipe.readable) {
            if (chunk.length > left) throw new RangeError('a file of the ZIP is longer than it says')
            left -= chunk.length
            yield chunk
          }
          const error = await done
          if (error !== null) throw error instanceof Error ? error : new Error(String(error))
        } finally { stop.abort() }
      },
      async [Symbol.asyncDispose]() {
        await zip.close()
        await handle.close()
      },
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}
