import { StorageError, type FileStep, type MountFacts, type StorageFault, type VolumeFile, type VolumeFileSystem } from '../../src/platform/file-system.ts'

/** `not-applied`: the call fails and did nothing. `applied-then-failed`: it did all and fails. `half-applied`: a write did half and fails. `crash`: the process dies before it; `crash-after`: right behind it. */
export type FaultMode = 'not-applied' | 'applied-then-failed' | 'half-applied' | 'crash' | 'crash-after'
export const FAULT_MODES: readonly FaultMode[] = ['not-applied', 'applied-then-failed', 'crash', 'crash-after']

export interface Fault {
  readonly step: FileStep
  readonly mode: FaultMode
  /** Which use of the step breaks, from 1. */
  readonly occurrence?: number
  /** What the call fails with; 'io' by default. */
  readonly fault?: StorageFault
  /** Called at the instant of death, before anything else can happen. */
  readonly onCrash?: () => void
}

/** Passes every call on and breaks exactly one, by its label. After a crash every call fails. */
export class FaultyFileSystem implements VolumeFileSystem {
  readonly #inner: VolumeFileSystem
  #fault: Fault | null = null
  #left = 0
  #isDead = false
  /** Every label that was passed on, in order. */
  readonly steps: FileStep[] = []
  hasBroken = false
  /** Called before each call; what it throws the call fails with. */
  onStep: ((step: FileStep, file: string) => void) | null = null
  /** Called after each call that was applied. */
  onApplied: ((step: FileStep) => void | Promise<void>) | null = null

  constructor(inner: VolumeFileSystem) { this.#inner = inner }

  break(fault: Fault): void {
    this.#fault = fault
    this.#left = fault.occurrence ?? 1
    this.hasBroken = false
  }

  async #pass<Result>(step: FileStep, file: string, apply: () => Promise<Result>, applyHalf?: () => Promise<Result>): Promise<Result> {
    const failed = (kind: StorageFault = 'io') => new StorageError(kind, step, file, new Error('injected'))
    if (this.#isDead) throw failed()
    this.steps.push(step)
    this.onStep?.(step, file)
    const fault = this.#fault?.step === step && --this.#left === 0 ? this.#fault : null
    if (fault === null) {
      const result = await apply()
      await this.onApplied?.(step)
      return result
    }
    this.hasBroken = true
    this.#fault = null
    if (fault.mode === 'applied-then-failed' || fault.mode === 'crash-after') await apply()
    if (fault.mode === 'crash' || fault.mode === 'crash-after') {
      this.#isDead = true
      fault.onCrash?.()
    }
    if (fault.mode === 'half-applied') await applyHalf?.()
    throw failed(fault.fault)
  }

  /** From now on every call fails, as for a process that is gone. */
  die(): void { this.#isDead = true }

  async open(file: string, mode: 'read' | 'read-write', step: FileStep): Promise<VolumeFile> {
    const handle = await this.#pass(step, file, () => this.#inner.open(file, mode, step))
    return {
      read: (target, position, what) => this.#pass(what, file, () => handle.read(target, position, what)),
      write: (source, position, what) => this.#pass(what, file, () => handle.write(source, position, what), () => handle.write(source.subarray(0, source.length >> 1), position, what)),
      datasync: what => this.#pass(what, file, () => handle.datasync(what)),
      close: () => handle.close(),
    }
  }
  createAllocated(file: string, sizeBytes: number, step: FileStep): Promise<void> { return this.#pass(step, file, () => this.#inner.createAllocated(file, sizeBytes, step)) }
  zeroRange(file: string, offset: number, lengthBytes: number, step: FileStep): Promise<void> { return this.#pass(step, file, () => this.#inner.zeroRange(file, offset, lengthBytes, step)) }
  readText(file: string, maxBytes: number, step: FileStep): Promise<string> { return this.#pass(step, file, () => this.#inner.readText(file, maxBytes, step)) }
  publishText(file: string, text: string, step: FileStep): Promise<void> { return this.#pass(step, file, () => this.#inner.publishText(file, text, step)) }
  appendTextDurably(file: string, text: string, step: FileStep): Promise<void> { return this.#pass(step, file, () => this.#inner.appendTextDurably(file, text, step)) }
  list(folder: string, step: FileStep): Promise<string[]> { return this.#pass(step, folder, () => this.#inner.list(folder, step)) }
  makeFolder(folder: string, step: FileStep): Promise<void> { return this.#pass(step, folder, () => this.#inner.makeFolder(folder, step)) }
  syncFolder(folder: string, step: FileStep): Promise<void> { return this.#pass(step, folder, () => this.#inner.syncFolder(folder, step)) }
  mountOf(folder: string, step: FileStep): Promise<MountFacts> { return this.#pass(step, folder, () => this.#inner.mountOf(folder, step)) }
  freeBytes(folder: string, step: FileStep): Promise<number> { return this.#pass(step, folder, () => this.#inner.freeBytes(folder, step)) }
}
