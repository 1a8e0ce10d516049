import { StorageError, type FileStep, type MountFacts, type StorageFault, type VolumeFile, type VolumeFileSystem } from '../../src/platform/file-system.ts'
import type { Dice } from './dice.ts'
import type { CallKind, SimDisk } from './disk.ts'
import type { EventQueue } from './event-queue.ts'
import type { Life } from './life.ts'
import { SlotFile } from './slot-file.ts'
import type { Trace } from './trace.ts'

/** The disk under a path of the machine; null where nothing is mounted but the empty folder is there. */
export interface Mounts { find(path: string): { readonly disk: SimDisk | null, readonly inside: string } }

export interface ProcessFileSystemOptions {
  readonly life: Life
  readonly queue: EventQueue
  readonly mounts: Mounts
  readonly dice: Dice
  readonly trace: Trace
}

interface Call<Result> {
  readonly kind: CallKind
  readonly step: FileStep
  readonly path: string
  readonly apply: (disk: SimDisk, inside: string) => Result
  /** What a call that breaks off in the middle leaves. */
  readonly applyHalf?: (disk: SimDisk, inside: string) => void
  /** An open file stays with its disk; others look the path up. */
  readonly on?: { readonly disk: SimDisk, readonly inside: string, readonly plugs: number }
}

const WRITES: ReadonlySet<CallKind> = new Set<CallKind>(['write', 'zero', 'sync', 'text-write'])
/** Who waits for a sync may have given it up by then. */
const LATE_MS = 2_000
const HALF_SHARE = 0.3
const APPLIED_SHARE = 0.3

/**
 * The file systems of the machine as one process uses them: each call takes its time, may fail, hang, or be
 * the last.
 */
export class ProcessFileSystem implements VolumeFileSystem {
  readonly #options: ProcessFileSystemOptions
  constructor(options: ProcessFileSystemOptions) { this.#options = options }

  #call<Result>(call: Call<Result>): Promise<Result> {
    const { life, queue, mounts, dice, trace } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    if (life.isGone || life.begins(call.step)) return promise
    const { disk, inside } = call.on ?? mounts.find(call.path)
    const fail = (fault: StorageFault, note: string): void => {
      trace.note(`${life.name} ${call.step} ${call.path}: ${fault}${note}`)
      disk?.fail(inside)
      reject(new StorageError(fault, call.step, call.path, new Error('simulated')))
    }
    const begunAt = queue.now
    const flight = { apply: () => { this.#atDeath(call, disk, inside) } }
    life.inFlight.add(flight)
    const newest = call.kind === 'sync' ? disk?.file(inside)?.newest ?? 0 : 0
    const finish = (): void => {
      if (disk !== null && disk.trouble.hungUntil > queue.now) {
        queue.at(disk.trouble.hungUntil, finish, life)
        return
      }
      life.inFlight.delete(flight)
      if (disk === null || (call.on !== undefined && call.on.plugs !== disk.plugs)) {
        if (disk === null && call.kind === 'list') resolve([] as Result)
        else fail(call.on === undefined ? 'missing' : 'io', '')
        return
      }
      const fault = this.#faultOf(call, disk)
      if (fault !== null) {
        const note = this.#leave(call, disk, inside, newest)
        if (!life.ended(call.step)) fail(fault, note)
        return
      }
      try {
        const result = call.apply(disk, inside)
        if (call.kind === 'sync') this.#sync(disk, inside, newest, begunAt)
        if (call.kind !== 'read' && call.kind !== 'open') trace.note(`${life.name} ${call.step} ${call.path}`)
        if (!life.ended(call.step)) resolve(result)
      } catch (error) { reject(error as Error) }
    }
    const slowMs = disk !== null && disk.trouble.slowUntil > queue.now ? disk.trouble.slowMs * dice.between(0.5, 1.5) : 0
    queue.after((call.kind === 'sync' ? dice.between(0.5, 8) : dice.between(0.05, 0.5)) + slowMs, finish, life)
    return promise
  }

  #sync(disk: SimDisk, inside: string, upTo: number, begunAt: number): void {
    const { now } = this.#options.queue
    disk.sync(inside, disk.file(inside)!, upTo, { isLie: disk.trouble.lyingUntil > now, isLate: now - begunAt > LATE_MS })
  }

  #faultOf({ kind }: Call<unknown>, { trouble }: SimDisk): StorageFault | null {
    const { queue: { now }, dice } = this.#options
    if (trouble.faultyUntil > now && trouble.faultKinds.has(kind) && dice.chance(trouble.faultShare)) return 'io'
    if (trouble.readOnlyUntil > now && WRITES.has(kind) && kind !== 'sync') return 'read-only'
    if (trouble.fullUntil > now && kind === 'text-write') return 'no-space'
    return null
  }

  /** What a failed call did after all. */
  #leave(call: Call<unknown>, disk: SimDisk, inside: string, upTo: number): string {
    const { dice, queue } = this.#options
    if (disk.trouble.faultyUntil <= queue.now) return ''
    if (call.kind === 'sync') {
      disk.file(inside)?.loseUnsynced(upTo)
      return ', its write-back is lost'
    }
    if (!WRITES.has(call.kind)) return ''
    const drawn = dice.next()
    if (drawn < HALF_SHARE) call.applyHalf?.(disk, inside)
    else if (drawn < HALF_SHARE + APPLIED_SHARE) call.apply(disk, inside)
    return drawn < HALF_SHARE ? ', half of it done' : drawn < HALF_SHARE + APPLIED_SHARE ? ', all of it done' : ''
  }

  /** The process died while the kernel worked on it. */
  #atDeath(call: Call<unknown>, disk: SimDisk | null, inside: string): void {
    const { dice } = this.#options
    if (disk === null || !WRITES.has(call.kind) || call.kind === 'sync' || disk.trouble.hungUntil > this.#options.queue.now) return
    const drawn = dice.next()
    if (drawn < HALF_SHARE) call.applyHalf?.(disk, inside)
    else if (drawn < 0.65) call.apply(disk, inside)
  }

  async open(path: string, mode: 'read' | 'read-write', step: FileStep): Promise<VolumeFile> {
    const found = await this.#call({ kind: 'open', step, path, apply: (disk, inside) => {
      const file = disk.file(inside)
      if (file === null) throw new StorageError('missing', step, path, undefined)
      return { disk, inside, file, plugs: disk.plugs }
    } })
    const { disk, inside, file } = found
    let isOpen = true
    const call = <Result>(kind: CallKind, what: FileStep, apply: () => Result, applyHalf?: () => void): Promise<Result> => {
      if (!isOpen) throw new TypeError(`${what} on ${path} after it was closed`)
      return this.#call({ kind, step: what, path, on: found, apply, ...(applyHalf === undefined ? {} : { applyHalf }) })
    }
    return {
      read: (target, position, what) => call('read', what, () => file.seen.read(target, position)),
      write: (source, position, what) => {
        if (mode === 'read') throw new TypeError(`${what}: ${path} is open for reading`)
        if (position < 0 || position + source.length > file.sizeBytes) throw new TypeError(`${what} leaves ${path}: ${position} + ${source.length}`)
        const write = (part: Buffer): void => { disk.write(inside, file, part, position, this.#options.queue.now) }
        return call('write', what, () => { write(source) }, () => { write(source.subarray(0, source.length >> 1)) })
      },
      datasync: what => call('sync', what, () => undefined),
      close: () => { isOpen = false; return Promise.resolve() },
    }
  }

  createAllocated(path: string, sizeBytes: number, step: FileStep): Promise<void> {
    return this.#call({ kind: 'write', step, path, apply: (disk, inside) => {
      if (disk.file(inside) !== null) throw new StorageError('exists', step, path, undefined)
      disk.files.set(inside, new SlotFile(sizeBytes))
    } })
  }
  zeroRange(path: string, offset: number, lengthBytes: number, step: FileStep): Promise<void> {
    const zero = (length: number) => (disk: SimDisk, inside: string): void => {
      const file = disk.file(inside)
      if (file === null) throw new StorageError('missing', step, path, undefined)
      disk.zero(inside, file, offset, length, this.#options.queue.now)
    }
    return this.#call({ kind: 'zero', step, path, apply: zero(lengthBytes), applyHalf: zero(lengthBytes >> 1) })
  }
  readText(path: string, maxBytes: number, step: FileStep): Promise<string> {
    return this.#call({ kind: 'text-read', step, path, apply: (disk, inside) => {
      const text = disk.texts.get(inside)
      if (text === undefined) throw new StorageError('missing', step, path, undefined)
      return text.slice(0, maxBytes)
    } })
  }
  publishText(path: string, text: string, step: FileStep): Promise<void> {
    return this.#call({ kind: 'text-write', step, path, apply: (disk, inside) => { disk.texts.set(inside, text) } })
  }
  appendTextDurably(path: string, text: string, step: FileStep): Promise<void> {
    return this.#call({ kind: 'text-write', step, path, apply: (disk, inside) => { disk.texts.set(inside, (disk.texts.get(inside) ?? '') + text) } })
  }
  list(path: string, step: FileStep): Promise<string[]> {
    return this.#call({ kind: 'list', step, path, apply: (disk, inside) => {
      const names = disk.list(inside)
      if (names === null) throw new StorageError('missing', step, path, undefined)
      return names
    } })
  }
  makeFolder(path: string, step: FileStep): Promise<void> { return this.#call({ kind: 'write', step, path, apply: (disk, inside) => { disk.makeFolder(inside) } }) }
  syncFolder(path: string, step: FileStep): Promise<void> { return this.#call({ kind: 'look', step, path, apply: () => undefined }) }
  mountOf(path: string, step: FileStep): Promise<MountFacts> {
    return this.#call({ kind: 'look', step, path, apply: disk => ({ device: `/dev/${disk.name}`, type: 'ext4', mountPoint: path, readOnly: disk.trouble.readOnlyUntil > this.#options.queue.now }) })
  }
  freeBytes(path: string, step: FileStep): Promise<number> { return this.#call({ kind: 'look', step, path, apply: () => 2 ** 40 }) }
}
