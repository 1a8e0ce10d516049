import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { realFileSystem } from '../src/platform/file-system.ts'
import { DemoError } from './demo-error.ts'
import { runProgram } from './program.ts'

const MARK_FILE = 'custos-demo.json'
const IMAGE_OVERHEAD_BYTES = 64 * 2 ** 20 // journal, inodes and the volume's own files
const OTHER_FOLDER = 'Set CUSTOS_DEMO_DIR to a new folder on ext4 or XFS, or run the demo as root.'

interface Mark { readonly pid: number, readonly startTicks: string, readonly keep: boolean }

export interface DemoFolderOptions {
  readonly folder: string
  /** Leave everything for the next start. */
  readonly keep: boolean
  /** Use a file system image even where the folder itself would do. */
  readonly image: boolean
  readonly volumeSizeBytes: number
}

/** The folder of one demo, with a place for a volume on ext4 or XFS. Disposal unmounts it, and removes it unless it is to be kept. */
export class DemoFolder implements AsyncDisposable {
  readonly path: string
  readonly volumeFolder: string
  readonly #keep: boolean
  readonly #mountPoint: string | null

  private constructor(options: DemoFolderOptions, place: { volumeFolder: string, mountPoint: string | null }) {
    this.path = options.folder
    this.#keep = options.keep
    this.volumeFolder = place.volumeFolder
    this.#mountPoint = place.mountPoint
  }

  /** Throws DemoError when the folder is another's. What a killed demo left behind is cleared first. */
  static async open(options: DemoFolderOptions): Promise<DemoFolder> {
    await claim(options.folder, options.keep)
    try {
      return new DemoFolder(options, await placeForVolume(options))
    } catch (error) {
      await clear(options.folder, true)
      throw error
    }
  }

  file(name: string): string { return path.join(this.path, name) }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#mountPoint !== null) await unmount(this.#mountPoint)
    if (!this.#keep) await clear(this.path, true)
  }
}

async function claim(folder: string, keep: boolean): Promise<void> {
  await mkdir(folder, { recursive: true })
  const entries = await readdir(folder)
  const markFile = path.join(folder, MARK_FILE)
  if (entries.length > 0 && !entries.includes(MARK_FILE)) {
    throw new DemoError(`${folder} is not empty and was not made by this demo`, 'Set CUSTOS_DEMO_DIR to a new folder.')
  }
  if (entries.length > 0) {
    const before = readMark(await readFile(markFile, 'utf8'))
    if (before !== null && await startTicksOf(before.pid) === before.startTicks) {
      throw new DemoError(`another demo (process ${before.pid}) uses ${folder}`, 'End it with q, or set CUSTOS_DEMO_DIR to another folder.')
    }
    if (before?.keep === true) await unmountUnder(folder)
    else await clear(folder, false)
  }
  const mark: Mark = { pid: process.pid, startTicks: await startTicksOf(process.pid) ?? '', keep }
  await writeFile(markFile, JSON.stringify(mark))
}

/** Null for one that was cut off while being written. */
function readMark(text: string): Mark | null {
  try {
    return JSON.parse(text) as Mark
  } catch {
    return null
  }
}

/** Tells a process from a later one with the same number; null when there is none. */
async function startTicksOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
}

async function placeForVolume({ folder, image, volumeSizeBytes }: DemoFolderOptions): Promise<{ volumeFolder: string, mountPoint: string | null }> {
  const { type } = await realFileSystem.mountOf(folder, 'demo folder')
  if (!image && (type === 'ext4' || type === 'xfs')) return { volumeFolder: path.join(folder, 'disk1'), mountPoint: null }
  if (process.getuid?.() !== 0) throw new DemoError(`${folder} is on ${type}; a volume needs ext4 or XFS`, OTHER_FOLDER)
  const [imageFile, mountPoint] = [path.join(folder, 'disk1.img'), path.join(folder, 'mount')]
  const isNew = !(await readdir(folder)).includes('disk1.img')
  if (isNew) {
    await runProgram('fallocate', ['-l', String(volumeSizeBytes + IMAGE_OVERHEAD_BYTES), imageFile], OTHER_FOLDER)
    await runProgram('mkfs.ext4', ['-q', '-F', '-m', '0', imageFile], OTHER_FOLDER)
  }
  await mkdir(mountPoint, { recursive: true })
  await runProgram('mount', ['-o', 'loop', imageFile, mountPoint], OTHER_FOLDER)
  return { volumeFolder: path.join(mountPoint, 'disk1'), mountPoint }
}

async function clear(folder: string, withFolder: boolean): Promise<void> {
  await unmountUnder(folder)
  if (withFolder) await rm(folder, { recursive: true, force: true })
  else for (const entry of await readdir(folder)) await rm(path.join(folder, entry), { recursive: true, force: true })
}

async function unmountUnder(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(line => line.split(' ')[4] ?? '')
  for (const mount of mounts) if (mount.startsWith(`${folder}/`)) await unmount(mount)
}

async function unmount(mountPoint: string): Promise<void> {
  // Somebody's shell may stand in it; lazily it goes when they leave.
  await runProgram('umount', [mountPoint], '').catch(() => runProgram('umount', ['--lazy', mountPoint], `Run: umount ${mountPoint}`))
}
