import { execFile } from 'node:child_process'
import { constants, createReadStream } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { asTargetError, CopyTargetError } from '../package/errors.ts'
import { openSource } from '../package/package-source.ts'
import { verifyPackage, type Verdict } from '../package/verify.ts'
import { zipPackage } from '../package/zip-package.ts'
import type { CopyTarget } from './job.ts'

const execute = promisify(execFile)
const CHUNK_BYTES = 1 << 20

export interface Delivery { readonly copyId: string, readonly packageId: string, readonly folder: string, readonly target: Exclude<CopyTarget, { kind: 'here' }>, readonly password: string | null, readonly fingerprint: string, readonly signal: AbortSignal, /** Folders of the recorder itself: nothing is delivered into them. */ readonly own: readonly string[] }
/** What the reading back from the destination found. */
export interface Delivered { readonly verdict: Verdict }

const finalOf = ({ target, packageId }: Pick<Delivery, 'target' | 'packageId'>): string => path.join(target.path, target.kind === 'zip' ? `${packageId}.zip` : packageId)
/** Beside its final name, so that publishing is one rename; hidden, so that nobody takes it for the copy. */
const partOf = ({ target, copyId }: Pick<Delivery, 'target' | 'copyId'>): string => path.join(target.path, `.custos-${copyId}.part`)

/** Of the folder with the printed sheets, beside the package: they need its hash, so they cannot be in it. */
export const sheetsName = (packageId: string): string => `${packageId}.隨附文件`
const sheetsPartOf = ({ target, copyId }: Pick<Delivery, 'target' | 'copyId'>): string => path.join(target.path, `.custos-${copyId}.sheets.part`)
/** As a folder, or as a ZIP where the package is encrypted for carriage: names of people stand on them. */
const sheetsFinalsOf = ({ target, packageId }: Pick<Delivery, 'target' | 'packageId'>): readonly [string, string] => { const folder = path.join(target.path, sheetsName(packageId)); return [folder, `${folder}.zip`] }

/** Writes the package beside its final name, syncs it, lets the machine forget it and verifies what the destination gives back. It gets its name by `publish` alone. Throws CopyTargetError; nothing is left then. */
export async function deliver(delivery: Delivery): Promise<Delivered> {
  const part = partOf(delivery)
  await requireForeign(delivery).catch((error: unknown) => { throw asTargetError(error) }) // before anything is touched there
  try {
    await requireFree(delivery)
    await rm(part, { recursive: true, force: true })
    if (delivery.target.kind === 'zip') await zipPackage(delivery.folder, part, { password: delivery.password, signal: delivery.signal, onBytes: () => undefined })
    else await copyTree(delivery.folder, part, delivery.signal)
    await syncFolder(delivery.target.path)
    await forget(part)
    return { verdict: await verifyPackage(part, { fingerprint: delivery.fingerprint, password: delivery.password, signal: delivery.signal }) }
  } catch (error) {
    await withdraw(delivery)
    throw asTargetError(error)
  }
}

/** The printed sheets beside it, as `deliver` does: whole and read back, without a name. `folder` holds nothing but them. Throws CopyTargetError; nothing of them is left then. */
export async function deliverSheets({ target, copyId, password, signal }: Delivery, folder: string): Promise<void> {
  const part = sheetsPartOf({ target, copyId })
  try {
    await rm(part, { recursive: true, force: true })
    if (password !== null) await zipPackage(folder, part, { password, signal, onBytes: () => undefined })
    else await copyTree(folder, part, signal)
    await syncFolder(target.path)
    await forget(part)
    await using source = await openSource(part, password)
    for (const name of await readdir(folder)) {
      const chunks: Uint8Array[] = []
      for await (const chunk of source.read(name)) chunks.push(chunk)
      if (!Buffer.concat(chunks).equals(await readFile(path.join(folder, name)))) throw new CopyTargetError('other')
    }
  } catch (error) {
    await rm(part, { recursive: true, force: true }).catch(() => undefined)
    throw asTargetError(error)
  }
}

/** Gives both their names, after the release stands in the books: the package last, so that whoever finds it finds its sheets. Again changes nothing. */
export async function publish(delivery: Pick<Delivery, 'target' | 'packageId' | 'copyId'>): Promise<void> {
  try {
    const sheets = sheetsPartOf(delivery), [asFolder, asZip] = sheetsFinalsOf(delivery)
    await name(sheets, (await lstat(sheets).catch(() => null) ?? await lstat(asFolder).catch(() => lstat(asZip))).isDirectory() ? asFolder : asZip)
    await syncFolder(delivery.target.path)
    await name(partOf(delivery), finalOf(delivery))
    await syncFolder(delivery.target.path)
  } catch (error) { throw asTargetError(error) }
}

async function name(part: string, final: string): Promise<void> {
  if (await lstat(part).catch(() => null) === null) { await lstat(final); return }
  if (await lstat(final).catch(() => null) !== null) throw new CopyTargetError('exists')
  await rename(part, final)
}

/** Takes away what is not released. A destination that is gone has nothing to take away. */
export async function withdraw(delivery: Pick<Delivery, 'target' | 'copyId'>): Promise<void> {
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

async function requireFree(delivery: Pick<Delivery, 'target' | 'packageId'>): Promise<void> {
  if (!(await stat(delivery.target.path)).isDirectory()) throw new CopyTargetError('gone')
  for (const final of [finalOf(delivery), ...sheetsFinalsOf(delivery)]) if (await lstat(final).catch(() => null) !== null) throw new CopyTargetError('exists')
}

async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  for (const found of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, found.name), path.join(to, found.name)]
    if (found.isDirectory()) await copyTree(source, target, signal)
    else await copyFile(source, target, signal)
  }
  await syncFolder(to)
}

async function copyFile(from: string, to: string, signal: AbortSignal): Promise<void> {
  const handle = await open(to, 'wx', 0o600)
  try {
    for await (const chunk of createReadStream(from, { highWaterMark: CHUNK_BYTES, signal })) await handle.writeFile(chunk as Buffer)
    await handle.sync()
  } finally { await handle.close() }
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try { await handle.sync() } finally { await handle.close() }
}

/** The page cache lets go of the files, so that reading them back asks the medium (coreutils' dd knows the advice, Node does not). Where it cannot, the reading is of what was synced all the same. */
async function forget(place: string): Promise<void> {
  const found = await lstat(place)
  if (!found.isDirectory()) { await execute('dd', [`if=${place}`, 'iflag=nocache', 'count=0', 'status=none']).catch(() => undefined); return }
  for (const name of await readdir(place)) await forget(path.join(place, name))
}
