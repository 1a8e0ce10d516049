import type { ArchiveDisk, FreshFile, StoredFile } from '../../../src/archive/index.ts'
import { StorageError, type StorageFault } from '../../../src/platform/file-system.ts'

export type DiskFaultMode = 'not-applied' | 'applied-then-failed' | 'crash' | 'crash-after'
export const DISK_FAULT_MODES: readonly DiskFaultMode[] = ['not-applied', 'applied-then-failed', 'crash', 'crash-after']

/** Passes every call on and breaks exactly one, by its number; after a crash every call fails, as for a process that is gone. */
export class FaultyDisk implements ArchiveDisk {
  readonly #inner: ArchiveDisk
  readonly steps: string[] = []
  #breakAt: { readonly call: number, readonly mode: DiskFaultMode, readonly fault: StorageFault } | null = null
  #isDead = false
  hasBroken = false
  constructor(inner: ArchiveDisk) { this.#inner = inner }

  /** Breaks the call after so many others. */
  break(afterCalls: number, mode: DiskFaultMode, fault: StorageFault = 'io'): void { this.#breakAt = { call: this.steps.length + afterCalls, mode, fault } }

  /** `undo`: closes what an applied call opened, for nobody gets it. */
  async #pass<Result>(step: string, file: string, apply: () => Promise<Result>, undo?: (result: Result) => Promise<void>): Promise<Result> {
    if (this.#isDead) throw new StorageError('io', step, file, new Error('dead'))
    const fault = this.#breakAt?.call === this.steps.length ? this.#breakAt : null
    this.steps.push(step)
    if (fault === null) return await apply()
    this.hasBroken = true
    if (fault.mode === 'applied-then-failed' || fault.mode === 'crash-after') { const result = await apply(); await undo?.(result) }
    if (fault.mode === 'crash' || fault.mode === 'crash-after') this.#isDead = true
    throw new StorageError(fault.fault, step, file, new Error('injected'))
  }

  mountOf(folder: string, step: string) { return this.#pass(step, folder, () => this.#inner.mountOf(folder, step)) }
  freeBytes(folder: string, step: string) { return this.#pass(step, folder, () => this.#inner.freeBytes(folder, step)) }
  list(folder: string, step: string) { return this.#pass(step, folder, () => this.#inner.list(folder, step)) }
  makeFolder(folder: string, step: string) { return this.#pass(step, folder, () => this.#inner.makeFolder(folder, step)) }
  readAll(file: string, maxBytes: number, step: string) { return this.#pass(step, file, () => this.#inner.readAll(file, maxBytes, step)) }
  publish(file: string, content: Buffer, step: string) { return this.#pass(step, file, () => this.#inner.publish(file, content, step)) }
  rename(from: string, to: string, step: string) { return this.#pass(step, to, () => this.#inner.rename(from, to, step)) }
  wipe(file: string, step: string) { return this.#pass(step, file, () => this.#inner.wipe(file, step)) }
  remove(file: string, step: string) { return this.#pass(step, file, () => this.#inner.remove(file, step)) }
  removeFolder(folder: string, step: string) { return this.#pass(step, folder, () => this.#inner.removeFolder(folder, step)) }
  syncFolder(folder: string, step: string) { return this.#pass(step, folder, () => this.#inner.syncFolder(folder, step)) }
  sizeOf(file: string, step: string) { return this.#pass(step, file, () => this.#inner.sizeOf(file, step)) }
  async create(file: string, step: string): Promise<FreshFile> {
    const fresh = await this.#pass(step, file, () => this.#inner.create(file, step), opened => opened.close())
    return { write: (source, what) => this.#pass(what, file, () => fresh.write(source, what)), sync: what => this.#pass(what, file, () => fresh.sync(what)), close: () => fresh.close() }
  }
  async open(file: string, step: string): Promise<StoredFile> {
    const stored = await this.#pass(step, file, () => this.#inner.open(file, step), opened => opened.close())
    return { sizeBytes: stored.sizeBytes, read: (target, position, what) => this.#pass(what, file, () => stored.read(target, position, what)), close: () => stored.close() }
  }
}
