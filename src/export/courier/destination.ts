import { createReadStream } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { runProgram } from '../../platform/child-process.ts'
import { syncFolder } from '../../platform/publish-file.ts'
import { asTargetError, CopyTargetError } from '../package/target-error.ts'
import { openSource } from '../package/package-source.ts'
import { SyncedWrites } from '../package/synced-writes.ts'
import type { Verdict, VerifyOptions } from '../package/verify.ts'
import { zipPackage } from '../package/zip-package.ts'
import type { CopyTarget } from '../copies/job.ts'

const CHUNK_BYTES = 1 << 20

/** A place outside the recorder. */
export type Place = Exclude<CopyTarget, { kind: 'here' }>
export interface Delivery { readonly copyId: string, readonly packageId: string, readonly folder: string, readonly target: Place, readonly password: string | null, readonly fingerprint: string, /** Folders of the recorder itself: nothing is delivered into them. */ readonly own: readonly string[] }
export type Offered = Pick<Delivery, 'target' | 'copyId'>
export type Named = Pick<Delivery, 'target' | 'packageId' | 'copyId'>
/** Whoever waits sees that it goes on. */
export type OnBytes = (bytes: number) => void
/** Has the machine let go of what it wrote, so that reading it back asks the medium. */
export type Forget = (place: string) => Promise<void>

const finalOf = ({ target, packageId }: Pick<Delivery, 'target' | 'packageId'>): string => path.join(target.path, target.kind === 'zip' ? `${packageId}.zip` : packageId)
/** Beside its final name, so that publishing is one rename; hidden, so that nobody takes it for the copy. */
const partOf = ({ target, copyId }: Pick<Delivery, 'target' | 'copyId'>): string => path.join(target.path, `.custos-${copyId}.part`)

/** Of the folder with the printed sheets, beside the package: they need its hash, so they cannot be in it. */
export const sheetsName = (packageId: string): string => `${packageId}.隨附文件`
const sheetsPartOf = ({ target, copyId }: Pick<Delivery, 'target' | 'copyId'>): string => path.join(target.path, `.custos-${copyId}.sheets.part`)
/** As a folder, or as a ZIP where the package is encrypted for carriage: names of people stand on them. */
const sheetsFinalsOf = ({ target, packageId }: Pick<Delivery, 'target' | 'packageId'>): readonly [string, string] => { const folder = path.join(target.path, sheetsName(packageId)); return [folder, `${folder}.zip`] }

/** The verifier, which most errands need not wait for. */
export async function verified(place: string, options: VerifyOptions): Promise<Verdict> {
  const { verifyPackage } = await import('../package/verify.ts')
  return await verifyPackage(place, options)
}

/** Writes the package beside its final name, syncs it, lets the machine forget it and verifies what the destination gives back. It gets its name by `publish` alone. Throws CopyTargetError; nothing is left then. */
export async function deliver(
  delivery: Delivery, onBytes: OnBytes, forget: Forget = forgetFiles,
): Promise<Verdict> {
  const part = partOf(delivery)
  await requireForeign(delivery).catch((error: unknown) => { throw asTargetError(error) }) // before anything is touched there
  try {
    await requireFree(delivery)
    const device = await deviceOf(delivery)
    await rm(part, { recursive: true, force: true })
    if (delivery.target.kind === 'zip') await zipPackage(delivery.folder, part, { password: delivery.password, onBytes })
    else await copyTree(delivery.folder, part, onBytes)
    await syncFolder(delivery.target.path)
    await forget(part)
    const verdict = await verified(part, { fingerprint: delivery.fingerprint, password: delivery.password, onBytes })
    if ((await stat(delivery.target.path)).dev !== device) throw new CopyTargetError('gone')
    if (!verdict.isIntact) await requireReadable(part, onBytes) // a medium that does not answer makes no copy unsound
    return verdict
  } catch (error) {
    await withdraw(delivery)
    throw asTargetError(error)
  }
}

/** The printed sheets beside it, as `deliver` does: whole and read back, without a name. `folder` holds nothing but them. Throws CopyTargetError; nothing of them is left then. */
export async function deliverSheets(
  delivery: Delivery, folder: string, onBytes: OnBytes, forget: Forget = forgetFiles,
): Promise<void> {
  const { target, password } = delivery, part = sheetsPartOf(delivery)
  try {
    await lstat(partOf(delivery)) // the medium that has the package, and not the empty folder below one that was pulled out
    await rm(part, { recursive: true, force: true })
    if (password !== null) await zipPackage(folder, part, { password, onBytes })
    else await copyTree(folder, part, onBytes)
    await syncFolder(target.path)
    await forget(part)
    if (!await readsBack(part, folder, password).catch(() => false)) { await requireReadable(part, onBytes); throw new CopyTargetError('other') }
    await lstat(partOf(delivery))
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined)
    throw asTargetError(error)
  }
}

async function readsBack(part: string, folder: string, password: string | null): Promise<boolean> {
  await using source = await openSource(part, password)
  for (const file of await readdir(folder)) {
    const chunks: Uint8Array[] = []
    for await (const chunk of source.read(file)) chunks.push(chunk)
    if (!Buffer.concat(chunks).equals(await readFile(path.join(folder, file)))) return false
  }
  return true
}

/** Gives both their names, after the release stands in the books: the package last, so that whoever finds it finds its sheets. Again changes nothing. */
export async function publish(delivery: Named): Promise<void> {
  const isThere = async (place: string): Promise<boolean> => await lstat(place).catch(() => null) !== null
  const part = partOf(delivery), sheets = sheetsPartOf(delivery), [asFolder, asZip] = sheetsFinalsOf(delivery)
  try {
    if (await isThere(part) && await isThere(finalOf(delivery))) throw new CopyTargetError('exists') // before either gets its name
    const named = await isThere(sheets) ? sheets : await isThere(asFolder) ? asFolder : asZip
    await name(sheets, (await lstat(named)).isDirectory() ? asFolder : asZip)
    await syncFolder(delivery.target.path)
    await name(part, finalOf(delivery))
    await syncFolder(delivery.target.path)
  } catch (error) { throw asTargetError(error) }
}

async function name(part: string, final: string): Promise<void> {
  if (await lstat(part).catch(() => null) === null) { await lstat(final); return }
  if (await lstat(final).catch(() => null) !== null) throw new CopyTargetError('exists')
  await rename(part, final)
}

/** Takes away what is not released. A destination that is gone has nothing to take away. */
export async function withdraw(delivery: Offered): Promise<void> {
  for (const part of [partOf(delivery), sheetsPartOf(delivery)]) await rm(part, { recursive: true, force: true }).catch(() => undefined)
}

/** Whether `place` is one of `folders` or lies in one. Both as they are written; links are the caller's to follow. */
export const liesWithin = (place: string, folders: readonly string[]): boolean => folders.some(folder => place === folder || place.startsWith(folder.endsWith('/') ? folder : `${folder}/`))

/** Where it really leads to, links followed: keys, catalogue, footage and archive are no place for a copy. */
async function requireForeign({ target, own }: Pick<Delivery, 'target' | 'own'>): Promise<void> {
  const real = await realpath(target.path)
  const folders = await Promise.all(own.map(folder => realpath(folder).catch(() => folder)))
  if (liesWithin(real, folders)) throw new CopyTargetError('own')
}

/** The file system of the destination. A medium is another than the machine's own: where none is mounted, its empty folder is no place for footage. */
async function deviceOf({ target, folder }: Pick<Delivery, 'target' | 'folder'>): Promise<number> {
  const [there, ...own] = await Promise.all([target.path, '/', folder].map(async place => (await stat(place)).dev)) as [number, ...number[]]
  if (target.kind === 'medium' && own.includes(there)) throw new CopyTargetError('gone')
  return there
}

/** Throws what the file system says of it. */
async function requireReadable(place: string, onBytes: OnBytes): Promise<void> {
  if ((await lstat(place)).isDirectory()) { for (const name of await readdir(place)) await requireReadable(path.join(place, name), onBytes) }
  else for await (const chunk of createReadStream(place, { highWaterMark: CHUNK_BYTES })) onBytes((chunk as Buffer).length) // only whether it comes
}

async function requireFree(delivery: Pick<Delivery, 'target' | 'packageId'>): Promise<void> {
  if (!(await stat(delivery.target.path)).isDirectory()) throw new CopyTargetError('gone')
  for (const final of [finalOf(delivery), ...sheetsFinalsOf(delivery)]) if (await lstat(final).catch(() => null) !== null) throw new CopyTargetError('exists')
}

async function copyTree(from: string, to: string, onBytes: OnBytes): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  for (const found of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, found.name), path.join(to, found.name)]
    if (found.isDirectory()) await copyTree(source, target, onBytes)
    else await copyFile(source, target, onBytes)
  }
  await syncFolder(to)
}

async function copyFile(from: string, to: string, onBytes: OnBytes): Promise<void> {
  const handle = await open(to, 'wx', 0o600)
  try {
    const synced = new SyncedWrites(handle, onBytes)
    for await (const chunk of createReadStream(from, { highWaterMark: CHUNK_BYTES })) {
      await handle.writeFile(chunk as Buffer)
      await synced.wrote((chunk as Buffer).length)
    }
    await handle.sync()
  } finally { await handle.close() }
}

/** The page cache lets go of the files, so that reading them back asks the medium (coreutils' dd knows the advice, Node does not). Where it cannot, the reading is of what was synced all the same. */
async function forgetFiles(place: string): Promise<void> {
  const found = await lstat(place)
  if (!found.isDirectory()) { await runProgram('dd', [`if=${place}`, 'iflag=nocache', 'count=0', 'status=none']).catch(() => undefined); return }
  for (const name of await readdir(place)) await forgetFiles(path.join(place, name))
}
