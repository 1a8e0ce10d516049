import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { actorOf, type Acting } from '../access/index.ts'
import { CopyRefusedError, CopyRemovedError, FenceError, type CopyJob } from '../export/index.ts'
import type { ApplicationNumber } from '../requests/index.ts'
import { notHere } from './errors.ts'
import type { ConsoleParts } from './parts.ts'
import { StreamAnswer } from './route.ts'
import { StoredZip, type ZipFile } from './stored-zip.ts'

const CHUNK_BYTES = 256 << 10

type Fetched = 'package' | 'sheets'
const WHAT = {
  package: { action: 'copy.fetched', folder: 'folderOf', etag: '', beside: 'sheets' },
  sheets: { action: 'copy.sheets-fetched', folder: 'sheetsOf', etag: '-sheets', beside: 'package' },
} as const satisfies Readonly<Record<Fetched, unknown>>

/**
 * A released copy that stays here, or the printed sheets beside it, as a ZIP on its way to whoever may make one. Released or not, it leaves by its grant alone: the fence is asked again [G5].
 * The entry of who took it, and which part, is written before the first byte. Throws ConsoleRefusal, CopyRefusedError, CopyRemovedError, FenceError.
 */
export async function copyDownload(parts: Pick<ConsoleParts, 'copies' | 'desk' | 'audit'>, acting: Acting, { copyId, what }: { readonly copyId: string, readonly what: Fetched }): Promise<StreamAnswer> {
  const job = parts.copies.get(copyId), { action, folder: place, etag, beside } = WHAT[what]
  if (job === null) throw notHere()
  const entry = { action, actor: actorOf(acting), object: copyId, application: job.application } as const
  try {
    if (job.removed !== null) throw new CopyRemovedError(job.removed, job.archiveItem)
    const folder = parts.copies[place](copyId)
    if (folder === null) throw new CopyRefusedError('這份複製尚未交付，或不在本機。', 'this copy is not released, or does not stay here')
    requireGranted(parts, job)
    const zip = new StoredZip(await filesOf(folder), job.endedAt ?? job.asked.at)
    return new StreamAnswer({
      type: 'application/zip', name: `${path.basename(folder)}.zip`, bytes: zip.bytes, etag: `"${job.manifestSha256 ?? copyId}${etag}"`, headers: { link: `</api/copies/${copyId}/${beside}>; rel="related"` },
      open(part) {
        parts.audit.append({ ...entry, result: 'done', detail: { packageId: job.packageId, manifest: job.manifestSha256, from: part.start, to: part.end, of: zip.bytes } })
        return Readable.from(zip.part(part.start, part.end), { objectMode: false, highWaterMark: CHUNK_BYTES })
      },
    })
  } catch (error) {
    if (error instanceof CopyRefusedError || error instanceof CopyRemovedError || error instanceof FenceError) parts.audit.append({ ...entry, result: 'refused', detail: { code: error.code } })
    throw error
  }
}

/** Throws CopyRefusedError, FenceError. */
function requireGranted({ desk: { grants } }: Pick<ConsoleParts, 'desk'>, { application }: CopyJob): void {
  if (grants.open(application as ApplicationNumber) === null) throw new CopyRefusedError('核准已失效、撤銷或結案，不得再取出；Master 在存檔區。', 'what allowed this copy has ended: it is not handed out any more, and its Master is in the archive')
  const verdict = grants.mayCopyNow(application as ApplicationNumber)
  if (!verdict.ok) throw new FenceError(verdict.why)
}

/** In the order of their names, inside a folder of the package's own. Throws CopyRefusedError when it is gone. */
async function filesOf(folder: string): Promise<readonly ZipFile[]> {
  try {
    const found = await readdir(folder, { recursive: true, withFileTypes: true })
    const names = found.filter(each => each.isFile()).map(each => path.relative(folder, path.join(each.parentPath, each.name))).sort()
    return await Promise.all(names.map(async name => ({ name: `${path.basename(folder)}/${name}`, bytes: (await lstat(path.join(folder, name))).size, read: () => piecesOf(path.join(folder, name)) })))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new CopyRefusedError('這份複製的檔案已不在本機；Master 在存檔區。', 'the files of this copy are not here any more; its Master is in the archive')
  }
}

/** The handle is open for as long as it is read, and no longer. */
async function* piecesOf(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}
