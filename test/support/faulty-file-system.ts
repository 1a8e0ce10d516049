import { setImmediate as turn } from 'node:timers/promises'
import {
  StorageError, type FileStep, type MountFacts, type StorageFault, type VolumeFile, type VolumeFileSystem,
} from '../../src/platform/file-system.ts'

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

/** How a call that was held ends. `applied`: it does its work now and returns. `failed`: it did nothing. */
export type Release = 'applied' | 'failed' | 'applied-then-failed' | 'half-applied'

/** A call that does not return before the test lets it. */
export interface HangFault {
  readonly mode: 'hang'
  /** Without it every call hangs, those that are on their way too: a disk that does not answer. */
  readonly step?: FileStep
  /** Only calls on this path and below it. */
  readonly under?: string
  /** Which use of the step hangs, from 1. */
  readonly occurrence?: number
  /** All uses of the step from that one on, not it alone. */
  readonly lasts?: boolean
  /** The call does its work at once and only does not return. */
  readonly isApplied?: boolean
  /** Ends the hang when it resolves, or is true. A promise of `VirtualClock.alarm` is no pending wait. */
  readonly until?: Promise<unknown> | (() => boolean)
  /** How calls end that `until` lets go. */
  readonly as?: Release
}

/** Calls of one file that are in flight at once; the test ends them in the order it likes. */
export interface OverlapFault {
  readonly mode: 'overlap'
  readonly step: FileStep
  readonly under?: string
  /** How many calls of the first one's file are held; 2 by default. */
  readonly calls?: number
}

/** A call that does not return. */
export interface HeldCall {
  readonly step: FileStep
  readonly file: string
  /** Ends it; resolves once the caller had time to go on. A call that has ended stays as it ended. */
  end(as: Release, fault?: StorageFault): Promise<void>
}

/** What a hang or an overlap holds. */
export interface Hang {
  /** In flight now, in the order they came. */
  readonly calls: readonly HeldCall[]
  /** Resolves once so many calls are in flight; rejects when they do not come. */
  arrived(calls?: number): Promise<readonly HeldCall[]>
  /** The hang is over: what is in flight ends so, in the order it came; what comes later passes. */
  release(end?: { readonly as?: Release, readonly fault?: StorageFault }): Promise<void>
}

interface Ending { readonly as: Release | 'died', readonly fault: StorageFault | undefined }
interface Waiting extends HeldCall { end(as: Ending['as'], fault?: StorageFault): Promise<void> }

const TURNS_TO_GO_ON = 20 // of the event loop: what a caller does with an answer takes a few
const TURNS_TO_ARRIVE = 10_000

const isUnder = (file: string, folder: string | undefined): boolean =>
  folder === undefined || file === folder || file.startsWith(`${folder}/`)
async function turns(count: number): Promise<void> { for (let i = 0; i < count; i++) await turn() }

/** Which calls it takes, and those it has. */
class Holding implements Hang {
  readonly #fault: HangFault | OverlapFault
  readonly #onHeld: () => void
  #left: number
  #taken = 0
  #file: string | null = null
  isOver = false
  readonly calls: Waiting[] = []

  constructor(fault: HangFault | OverlapFault, onHeld: () => void) {
    this.#fault = fault
    this.#onHeld = onHeld
    this.#left = fault.mode === 'hang' ? fault.occurrence ?? 1 : 1
    const until = fault.mode === 'hang' ? fault.until : undefined
    if (typeof until === 'function') this.#poll(until)
    else if (until !== undefined) void until.then(() => this.release())
  }

  #poll(until: () => boolean): void {
    if (this.isOver) return
    if (until()) void this.release()
    else setImmediate(() => { this.#poll(until) }).unref()
  }

  get isApplied(): boolean { return this.#fault.mode === 'hang' && this.#fault.isApplied === true }
  /** A whole disk: calls that are on their way do not come back either. */
  holdsAll(file: string): boolean {
    return !this.isOver && this.#fault.step === undefined && isUnder(file, this.#fault.under)
  }

  /** Asked once for each call, since it counts. */
  takes(step: FileStep, file: string): boolean {
    const fault = this.#fault
    if (this.isOver || !isUnder(file, fault.under)) return false
    if (fault.step === undefined) return true
    if (fault.step !== step) return false
    if (fault.mode === 'overlap') {
      if (this.#taken === (fault.calls ?? 2) || (this.#file !== null && this.#file !== file)) return false
      this.#file = file
      this.#taken++
      return true
    }
    this.#left--
    return fault.lasts === true ? this.#left <= 0 : this.#left === 0
  }

  hold(step: FileStep, file: string): Promise<Ending> {
    const { promise, resolve } = Promise.withResolvers<Ending>()
    const call: Waiting = { step, file, end: (as, fault) => {
      const at = this.calls.indexOf(call)
      if (at >= 0) this.calls.splice(at, 1)
      resolve({ as, fault })
      return turns(TURNS_TO_GO_ON)
    } }
    this.calls.push(call)
    this.#onHeld()
    return promise
  }

  async arrived(calls = 1): Promise<readonly HeldCall[]> {
    for (let i = 0; i < TURNS_TO_ARRIVE; i++) {
      if (this.calls.length >= calls) return [...this.calls]
      await turn()
    }
    throw new Error(`${this.calls.length} calls are in flight where ${calls} are wanted`)
  }

  async release(end: { readonly as?: Release, readonly fault?: StorageFault } = {}): Promise<void> {
    const { as = (this.#fault.mode === 'hang' ? this.#fault.as : undefined) ?? 'applied', fault } = end
    this.isOver = true
    for (const call of [...this.calls]) await call.end(as, fault)
  }

  /** The process is gone: nothing of what is in flight is done any more. */
  die(): void {
    this.isOver = true
    for (const call of [...this.calls]) void call.end('died')
  }
}

interface Call<Result> {
  readonly step: FileStep
  readonly file: string
  readonly apply: () => Promise<Result>
  readonly applyHalf?: (() => Promise<Result>) | undefined
}

const injected = ({ step, file }: Pick<HeldCall, 'step' | 'file'>, kind: StorageFault = 'io'): StorageError =>
  new StorageError(kind, step, file, new Error('injected'))

/** Passes every call on; breaks one, by its label, and holds those that hang. After a crash every one fails. */
export class FaultyFileSystem implements VolumeFileSystem {
  readonly #inner: VolumeFileSystem
  #fault: Fault | null = null
  #left = 0
  #holdings: Holding[] = []
  #isDead = false
  /** Every label that was passed on, in order; closing is none, for nobody can do anything about it. */
  readonly steps: FileStep[] = []
  hasBroken = false
  /** Called before each call; what it throws the call fails with. */
  onStep: ((step: FileStep, file: string) => void) | null = null
  /** Called after each call that was applied. */
  onApplied: ((step: FileStep) => void | Promise<void>) | null = null

  constructor(inner: VolumeFileSystem) { this.#inner = inner }

  /** One fault at a time: the one before is forgotten. Hangs and overlaps last beside it, any number. */
  break(fault: Fault): void
  break(fault: HangFault | OverlapFault): Hang
  break(fault: Fault | HangFault | OverlapFault): Hang | undefined {
    this.hasBroken = false
    if (fault.mode === 'hang' || fault.mode === 'overlap') {
      const holding = new Holding(fault, () => { this.hasBroken = true })
      this.#holdings.push(holding)
      return holding
    }
    this.#fault = fault
    this.#left = fault.occurrence ?? 1
    return undefined
  }

  async #call<Result>({ step, file, apply, applyHalf }: Call<Result>): Promise<Result> {
    const failed = (kind?: StorageFault) => injected({ step, file }, kind)
    if (this.#isDead) throw failed()
    this.onStep?.(step, file)
    const fault = this.#fault?.step === step && --this.#left === 0 ? this.#fault : null
    if (fault === null) {
      const holding = this.#holdings.find(each => each.takes(step, file))
      const call = { step, file, apply, applyHalf }
      const result = await (holding === undefined ? apply() : this.#held(holding, call))
      await this.onApplied?.(step)
      for (let hung = this.#hungAt(file); hung !== undefined; hung = this.#hungAt(file)) {
        const { as, fault: kind } = await hung.hold(step, file)
        if (as !== 'applied') throw failed(kind) // it did its work, but its caller is not told
      }
      return result
    }
    this.hasBroken = true
    this.#fault = null
    if (fault.mode === 'applied-then-failed' || fault.mode === 'crash-after') await apply()
    if (fault.mode === 'crash' || fault.mode === 'crash-after') {
      this.die()
      fault.onCrash?.()
    }
    if (fault.mode === 'half-applied') await applyHalf?.()
    throw failed(fault.fault)
  }

  /** The disk that hangs at `file`, if one does. */
  #hungAt(file: string): Holding | undefined {
    this.#holdings = this.#holdings.filter(each => !each.isOver)
    return this.#holdings.find(each => each.holdsAll(file))
  }

  async #held<Result>(holding: Holding, { step, file, apply, applyHalf }: Call<Result>): Promise<Result> {
    const early = holding.isApplied ? { result: await apply() } : null
    const { as, fault } = await holding.hold(step, file)
    if (as === 'died' || this.#isDead) throw injected({ step, file }) // the memory may be the next process's
    if (as === 'applied') return early === null ? apply() : early.result
    if (early === null && as === 'half-applied') await applyHalf?.()
    if (early === null && as === 'applied-then-failed') await apply()
    throw injected({ step, file }, fault)
  }

  /** From now on every call fails, as for a process that is gone; what hangs fails too and is not done. */
  die(): void {
    this.#isDead = true
    for (const holding of this.#holdings) holding.die()
    this.#holdings = []
  }

  /** Ends every hang: all in flight fails. For whoever cleans up. */
  async releaseAll(): Promise<void> {
    for (const holding of [...this.#holdings]) await holding.release({ as: 'failed' })
  }

  #pass<Result>(
    step: FileStep, file: string, apply: () => Promise<Result>, applyHalf?: () => Promise<Result>,
  ): Promise<Result> {
    if (!this.#isDead) this.steps.push(step)
    return this.#call({ step, file, apply, applyHalf })
  }

  async open(file: string, mode: 'read' | 'read-write', step: FileStep): Promise<VolumeFile> {
    const handle = await this.#pass(step, file, () => this.#inner.open(file, mode, step))
    return {
      read: (target, position, what) => this.#pass(what, file, () => handle.read(target, position, what)),
      write: (source, position, what) => this.#pass(what, file, () => handle.write(source, position, what), () => handle.write(source.subarray(0, source.length >> 1), position, what)),
      datasync: what => this.#pass(what, file, () => handle.datasync(what)),
      // By the label it was opened with, `close prepare open`. Of a dead process the kernel closes it.
      close: () => this.#isDead ? handle.close()
        : this.#call({ step: `close ${step}`, file, apply: () => handle.close() }),
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
