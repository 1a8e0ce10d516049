import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { RetryableError, FatalError } from '../domain/index.ts'
import { isNotStarted, runProgram } from './child-process.ts'
import { publishFile } from './publish-file.ts'

/** Names the call site of a volume operation, so that a test can break exactly one. */
export type FileStep = string

/** An open file of a volume. Positions and lengths in bytes. Owned by who opened it. */
export interface VolumeFile {
  /** Reads up to `target.length` bytes; fewer only at the end of the file. */
  read(target: Buffer, position: number, step: FileStep): Promise<number>
  /** Writes all of `source` or throws. */
  write(source: Buffer, position: number, step: FileStep): Promise<void>
  /** Returns when the data is on the medium. A failure is final for this descriptor. */
  datasync(step: FileStep): Promise<void>
  close(): Promise<void>
}

export interface MountFacts { readonly device: string, readonly type: string, readonly mountPoint: string, readonly readOnly: boolean }

/** The only door to the file system of the volumes. Every failure is a StorageError. */
export interface VolumeFileSystem {
  open(file: string, mode: 'read' | 'read-write', step: FileStep): Promise<VolumeFile>
  /** Allocates `sizeBytes` for a new file, as few extents as the file system can give. */
  createAllocated(file: string, sizeBytes: number, step: FileStep): Promise<void>
  /** Makes `[offset, offset + length)` read as zeros, durably once the file is synced. Never changes the file's size. */
  zeroRange(file: string, offset: number, lengthBytes: number, step: FileStep): Promise<void>
  /** All of it; a longer file is a fault 'too-large', never cut. */
  readText(file: string, maxBytes: number, step: FileStep): Promise<string>
  /** Write, sync, rename, sync the folder. Of several calls for one file the last one's text stands. */
  publishText(file: string, text: string, step: FileStep): Promise<void>
  appendTextDurably(file: string, text: string, step: FileStep): Promise<void>
  list(folder: string, step: FileStep): Promise<string[]>
  makeFolder(folder: string, step: FileStep): Promise<void>
  syncFolder(folder: string, step: FileStep): Promise<void>
  mountOf(folder: string, step: FileStep): Promise<MountFacts>
  freeBytes(folder: string, step: FileStep): Promise<number>
}

/** `hung`: no answer came in time; what was asked for may still be done later. */
export type StorageFault = 'no-space' | 'io' | 'read-only' | 'missing' | 'exists' | 'denied' | 'short-write' | 'too-large' | 'hung' | 'other'

const FAULT_BY_ERRNO: Record<string, StorageFault> = {
  ENOSPC: 'no-space', EDQUOT: 'no-space', EIO: 'io', EROFS: 'read-only', ENOENT: 'missing', ENOTDIR: 'missing',
  EEXIST: 'exists', EACCES: 'denied', EPERM: 'denied', ENXIO: 'io', ENODEV: 'io', EBADMSG: 'io', EUCLEAN: 'io',
}

/** A file operation of a volume failed. `fault` is the errno's meaning, translated once, here. */
export class StorageError extends RetryableError {
  readonly fault: StorageFault
  readonly step: FileStep
  constructor(fault: StorageFault, step: FileStep, file: string, cause: unknown) {
    super('CUSTOS_STORAGE_IO', `${step}: ${fault} on ${file}`, { remedy: 'Check the disk, its cables and its mount; look at the kernel log.', cause })
    this.fault = fault
    this.step = step
  }
}

/** For `.catch`: the failure of a file operation as a StorageError. */
export const storageError = (step: FileStep, file: string) => (error: unknown): never => {
  if (error instanceof StorageError) throw error
  const errno = (error as { code?: unknown } | null)?.code
  throw new StorageError((typeof errno === 'string' ? FAULT_BY_ERRNO[errno] : undefined) ?? 'other', step, file, error)
}

const ZERO_CHUNK_BYTES = 1 << 20

/** Fewer bytes than asked for only at the end of the file. */
async function readFully(handle: fs.FileHandle, target: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

class RealVolumeFile implements VolumeFile {
  readonly #handle: fs.FileHandle
  readonly #path: string
  constructor(handle: fs.FileHandle, file: string) { this.#handle = handle; this.#path = file }

  async read(target: Buffer, position: number, step: FileStep): Promise<number> {
    return await readFully(this.#handle, target, position).catch(storageError(step, this.#path))
  }

  async write(source: Buffer, position: number, step: FileStep): Promise<void> {
    let done = 0
    while (done < source.length) {
      const { bytesWritten } = await this.#handle.write(source, done, source.length - done, position + done).catch(storageError(step, this.#path))
      if (bytesWritten === 0) throw new StorageError('short-write', step, this.#path, undefined)
      done += bytesWritten
    }
  }

  async datasync(step: FileStep): Promise<void> { await this.#handle.datasync().catch(storageError(step, this.#path)) }
  async close(): Promise<void> { await this.#handle.close() }
}

/** Repeats a call that a signal to our whole process group ended: the range is the same, and a stop must not cost a slot. */
async function fallocate(file: string, args: readonly string[]): Promise<void> {
  const call = () => runProgram('fallocate', [...args, file], { timeout: 60_000, env: { ...process.env, LC_ALL: 'C' } }) // only its words tell what failed
  await call().catch((error: unknown) => {
    const { signal, killed } = error as { signal?: unknown, killed?: unknown }
    if (killed === true || (signal !== 'SIGTERM' && signal !== 'SIGINT')) throw error // killed: by us, it took too long
    return call()
  })
}

/** util-linux says one of these for EOPNOTSUPP, with --keep-size the second; its exit code does not tell. */
const isUnsupported = (error: unknown): boolean => /not supported|unsupported/i.test(String((error as { stderr?: unknown }).stderr ?? ''))

function errnoOfFallocate(error: unknown): { code: string } {
  const text = String((error as { stderr?: unknown }).stderr ?? '')
  const words: [RegExp, string][] = [[/No space left/i, 'ENOSPC'], [/Read-only/i, 'EROFS'], [/Input\/output/i, 'EIO'], [/No such file/i, 'ENOENT'], [/quota/i, 'EDQUOT'], [/Permission|permitted/i, 'EACCES']]
  return { code: words.find(([pattern]) => pattern.test(text))?.[1] ?? 'EUNKNOWN' }
}

export const realFileSystem: VolumeFileSystem = {
  async open(file, mode, step) {
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR
    return new RealVolumeFile(await fs.open(file, flags | constants.O_NOFOLLOW).catch(storageError(step, file)), file)
  },

  async createAllocated(file, sizeBytes, step) {
    const handle = await fs.open(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o640).catch(storageError(step, file))
    try {
      await fallocate(file, ['--length', String(sizeBytes)])
      await handle.sync()
    } catch (error) {
      if (isNotStarted(error)) throw new StorageError('other', step, file, error)
      storageError(step, file)((error as { stderr?: unknown }).stderr === undefined ? error : errnoOfFallocate(error))
    } finally { await handle.close() }
  },

  async zeroRange(file, offset, lengthBytes, step) {
    try {
      await fallocate(file, ['--zero-range', '--keep-size', '--offset', String(offset), '--length', String(lengthBytes)])
    } catch (error) {
      // A program that cannot be started (no process, no memory) says nothing of the disk.
      if (!isUnsupported(error) && !isNotStarted(error)) storageError(step, file)((error as { stderr?: unknown }).stderr === undefined ? error : errnoOfFallocate(error))
      await zeroByWriting(file, offset, lengthBytes, step)
    }
  },

  async readText(file, maxBytes, step) {
    const handle = await fs.open(file, constants.O_RDONLY).catch(storageError(step, file))
    try {
      const target = Buffer.alloc(maxBytes + 1)
      const length = await readFully(handle, target, 0).catch(storageError(step, file))
      if (length > maxBytes) throw new StorageError('too-large', step, file, new RangeError(`it has more than ${maxBytes} bytes`))
      return target.toString('utf8', 0, length)
    } finally { await handle.close() }
  },

  async publishText(file, text, step) { await publishFile(file, text).catch(storageError(step, file)) },

  async appendTextDurably(file, text, step) {
    const handle = await fs.open(file, 'a', 0o640).catch(storageError(step, file))
    try { await handle.writeFile(text); await handle.sync() }
    catch (error) { storageError(step, file)(error) }
    finally { await handle.close() }
    await this.syncFolder(path.dirname(file), step)
  },

  async list(folder, step) { return fs.readdir(folder).catch(storageError(step, folder)) },
  async makeFolder(folder, step) { await fs.mkdir(folder, { recursive: true, mode: 0o750 }).catch(storageError(step, folder)) },

  async syncFolder(folder, step) {
    const handle = await fs.open(folder, constants.O_RDONLY | constants.O_DIRECTORY).catch(storageError(step, folder))
    try { await handle.sync() } catch (error) { storageError(step, folder)(error) } finally { await handle.close() }
  },

  async mountOf(folder, step) {
    const real = await fs.realpath(folder).catch(storageError(step, folder))
    return mountAt(await fs.readFile('/proc/self/mountinfo', 'utf8').catch(storageError(step, folder)), real)
  },

  async freeBytes(folder, step) {
    const facts = await fs.statfs(folder).catch(storageError(step, folder))
    return facts.bavail * facts.bsize
  },
}

async function zeroByWriting(file: string, offset: number, lengthBytes: number, step: FileStep): Promise<void> {
  const target = await realFileSystem.open(file, 'read-write', step)
  try {
    const zeros = Buffer.alloc(Math.min(ZERO_CHUNK_BYTES, lengthBytes))
    for (let at = 0; at < lengthBytes; at += zeros.length) await target.write(zeros.subarray(0, Math.min(zeros.length, lengthBytes - at)), offset + at, step)
  } finally { await target.close() }
}

const unescapeMount = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The mount that holds `folder`, the last one where several lie over each other. proc(5), mountinfo. */
export function mountAt(mountInfo: string, folder: string): MountFacts {
  let best: MountFacts | null = null
  for (const line of mountInfo.split('\n')) {
    const [left, right] = line.split(' - ')
    const fields = left?.split(' ')
    const [type, device, superOptions] = right?.split(' ') ?? []
    if (fields?.[4] === undefined || fields[5] === undefined || type === undefined || device === undefined) continue
    const mountPoint = unescapeMount(fields[4])
    const holds = folder === mountPoint || folder.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`)
    if (!holds || (best !== null && mountPoint.length < best.mountPoint.length)) continue
    const readOnly = fields[5].split(',').includes('ro') || (superOptions ?? '').split(',').includes('ro')
    best = { device, type, mountPoint, readOnly }
  }
  if (best === null) throw new FatalError('CUSTOS_MOUNT_UNKNOWN', `no mount holds ${folder}`, { remedy: 'Is /proc mounted?' })
  return best
}
