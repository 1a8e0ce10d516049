import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { LIMITS } from './defaults.ts'
import { texts, type ProblemText } from './texts.ts'

export interface FileFault { readonly text: ProblemText, readonly example: string }
export interface FileFacts { readonly mode: number, readonly uid: number }
/** `facts` are those of the very file that was read, not of whatever bears its name a moment later. */
export type TextFile =
  | {
      readonly ok: true
      readonly text: string
      readonly facts: FileFacts
      readonly byteOrderMark: boolean
      readonly sha256: string
    }
  | { readonly ok: false, readonly fault: FileFault }

/** A path as a shell takes it. */
export const shellWord = (path: string): string => /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll(`'`, `'\\''`)}'`

function errnoFault(error: unknown, file: string): FileFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const path = shellWord(file)
  switch (code) {
    case 'ENOENT': case 'ENOTDIR': return { text: texts.fileMissing, example: `ls -l ${path}` }
    case 'EACCES': case 'EPERM': return { text: texts.fileForbidden, example: `sudo -u custos cat ${path} > /dev/null` }
    case 'EISDIR': return { text: texts.fileIsFolder, example: `${path.replace(/\/+$/, '')}/custos.yaml` }
    default: return { text: texts.fileUnreadable(code), example: `cat ${path} > /dev/null` }
  }
}

const CHUNK_BYTES = 64 * 1024

/** Reads at most one byte past the bound: the size a file reports is not the size it has. */
async function readBounded(handle: FileHandle): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  while (length <= LIMITS.fileBytes) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(CHUNK_BYTES, LIMITS.fileBytes + 1 - length)))
    if (bytesRead === 0) break
    chunks.push(buffer.subarray(0, bytesRead))
    length += bytesRead
  }
  return Buffer.concat(chunks)
}

function decode(bytes: Buffer, file: string): FileFault | { text: string, byteOrderMark: boolean } {
  const path = shellWord(file)
  if (bytes.length > LIMITS.fileBytes) return { text: texts.fileTooLarge(LIMITS.fileBytes / 1024 / 1024), example: `ls -lh ${path}` }
  const head = bytes.subarray(0, 2).toString('hex')
  if (head === 'fffe' || head === 'feff') return { text: texts.fileUtf16, example: `iconv -f UTF-16 -t UTF-8 ${path}` }
  if (bytes.includes(0)) return { text: texts.fileBinary, example: `file ${path}` }
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const byteOrderMark = text.startsWith('\uFEFF')
    return { text: byteOrderMark ? text.slice(1) : text, byteOrderMark }
  } catch {
    return { text: texts.fileNotUtf8, example: `iconv -f BIG5 -t UTF-8 ${path}` } // TypeError: not UTF-8
  }
}

/** A small regular UTF-8 file, whole. Never throws for what is wrong with the file; a pipe or device never blocks it. */
export async function readTextFile(file: string): Promise<TextFile> {
  try {
    // NOTE a NUL in the path is a TypeError of Node's own, before any system call.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await handle.stat()
    if (stat.isDirectory()) return { ok: false, fault: errnoFault(Object.assign(new Error('directory'), { code: 'EISDIR' }), file) }
    if (!stat.isFile()) return { ok: false, fault: { text: texts.fileNotRegular, example: `ls -l ${shellWord(file)}` } }
    const bytes = await readBounded(handle)
    const decoded = decode(bytes, file)
    if (!('byteOrderMark' in decoded)) return { ok: false, fault: decoded }
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return { ok: true, ...decoded, sha256, facts: { mode: stat.mode & 0o7777, uid: stat.uid } }
  } catch (error) {
    return { ok: false, fault: errnoFault(error, file) }
  }
}
