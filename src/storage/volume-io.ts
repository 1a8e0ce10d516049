import type { MonoMs, VolumeId } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { StorageError, type FileStep, type MountFacts, type VolumeFile, type VolumeFileSystem } from '../platform/file-system.ts'

/** How often calls that do not return are looked for. */
const LOOK_EVERY_MS = 500
/** Of libuv's threads (bin/custos), so that some volumes that hang leave enough for the others. */
const CALLS_A_VOLUME = 8
/** Reading old footage leaves room for writing new footage. */
const READS_A_VOLUME = 4
/** A call on this many bytes may take a second longer: zeros that are really written, on a slow disk. */
const BYTES_A_SECOND = 8 << 20

export interface VolumeIoOptions {
  readonly fs: VolumeFileSystem
  readonly clock: Clock
  readonly volumes: readonly { readonly id: VolumeId, readonly path: string }[]
  /** After so long without an answer a call on this volume counts as hung. */
  readonly deadlineMs: (id: VolumeId) => number
  /** A call hangs: once, until `onReturned`. */
  readonly onHung: (id: VolumeId, detail: string) => void
  /** The last call that hung has come back. */
  readonly onReturned: (id: VolumeId) => void
}

interface Call {
  readonly step: FileStep
  readonly file: string
  readonly isRead: boolean
  readonly allowanceMs: number
  since: MonoMs
  isOverdue: boolean
  readonly begin: () => void
  readonly fail: (error: StorageError) => void
}

interface Traffic { readonly id: VolumeId, readonly prefix: string, readonly inFlight: Set<Call>, readonly waiting: Call[], readonly closing: Call[], reads: number, isHung: boolean }

/**
 * The file system of the volumes with a bound in time and number for each volume: a call that does not
 * return is failed for whoever waits for it (fault `hung`), and
 * calls to one volume never take the threads of another. The call itself cannot be taken back: it counts as
 * in flight until the kernel returns it.
 */
export class VolumeIo implements VolumeFileSystem {
  readonly #options: VolumeIoOptions
  readonly #traffic: readonly Traffic[]

  constructor(options: VolumeIoOptions) {
    this.#options = options
    this.#traffic = options.volumes.map(({ id, path }) => ({ id, prefix: `${path}/`, inFlight: new Set(), waiting: [], closing: [], reads: 0, isHung: false }))
  }

  /** Whether a call on the volume has passed its deadline and has not come back. */
  isHung(id: VolumeId): boolean { return this.#traffic.find(traffic => traffic.id === id)?.isHung === true }

  /**
   * Since when the oldest sync in flight on the volume lasts, also one that nobody waits for any more; null
   * when there is none.
   */
  oldestSync(id: VolumeId): MonoMs | null {
    const traffic = this.#traffic.find(each => each.id === id)
    let oldest: MonoMs | null = null
    for (const { step, since } of traffic?.inFlight ?? []) if (step.endsWith('sync') && (oldest === null || since < oldest)) oldest = since
    return oldest
  }

  /** Until `signal` aborts: fails calls that are overdue. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      const dueAt = clock.monoNow() + LOOK_EVERY_MS
      await clock.wait(LOOK_EVERY_MS, signal)
      // A look that comes late was the process's own delay: answers may wait to be heard, and the disk is
      // given that time.
      const lateMs = clock.monoNow() - dueAt
      if (lateMs > LOOK_EVERY_MS) for (const call of this.#calls()) call.since = (call.since + lateMs) as MonoMs
      this.#failOverdue()
    }
  }

  *#calls(): Generator<Call> {
    for (const { inFlight, waiting } of this.#traffic) { yield* inFlight; yield* waiting }
  }

  #failOverdue(): void {
    const now = this.#options.clock.monoNow()
    for (const traffic of this.#traffic) {
      if (traffic.inFlight.size === 0) continue
      const deadlineMs = this.#options.deadlineMs(traffic.id)
      const first = [...traffic.inFlight].find(call => !call.isOverdue && now - call.since > deadlineMs + call.allowanceMs)
      if (first === undefined) continue
      // What was asked meanwhile waits for the same disk: nobody waits for it longer.
      const overdue = [...traffic.inFlight].filter(call => !call.isOverdue && now - call.since > deadlineMs / 4)
      for (const call of overdue) call.isOverdue = true
      const waiting = traffic.waiting.splice(0)
      const isNew = !traffic.isHung
      traffic.isHung = true
      for (const call of [...overdue, ...waiting]) call.fail(hung(call, now))
      if (isNew) this.#options.onHung(traffic.id, `"${first.step}" has not returned for ${Math.round((now - first.since) / 1000)} s`)
    }
  }

  #of(file: string): Traffic | undefined {
    return this.#traffic.find(({ prefix }) => file.startsWith(prefix) || file === prefix.slice(0, -1))
  }

  #call<Result>(file: string, step: FileStep, work: () => Promise<Result>, { isRead = false, isClose = false, bytes = 0 } = {}): Promise<Result> {
    const traffic = this.#of(file)
    if (traffic === undefined) return work()
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const call: Call = {
      step, file, isRead, allowanceMs: bytes / BYTES_A_SECOND * 1000, since: this.#options.clock.monoNow(), isOverdue: false, fail: reject,
      begin: () => {
        traffic.inFlight.add(call)
        if (isRead) traffic.reads++
        work().then(resolve, reject).finally(() => { this.#ended(traffic, call) })
      },
    }
    // A volume that hangs would keep this call too; whoever asks goes elsewhere at once. What is open is
    // closed once it answers.
    if (isClose && (traffic.isHung || !hasRoom(traffic, call))) traffic.closing.push(call)
    else if (!traffic.isHung && hasRoom(traffic, call)) call.begin()
    else if (!traffic.isHung) traffic.waiting.push(call)
    if (traffic.isHung) reject(hung(call, call.since))
    return promise
  }

  #ended(traffic: Traffic, call: Call): void {
    traffic.inFlight.delete(call)
    if (call.isRead) traffic.reads--
    for (;;) {
      const next = traffic.waiting.findIndex(each => hasRoom(traffic, each))
      if (next < 0) break
      traffic.waiting.splice(next, 1)[0]!.begin()
    }
    const isBack = call.isOverdue && ![...traffic.inFlight].some(each => each.isOverdue)
    if (isBack) traffic.isHung = false
    while (!traffic.isHung && traffic.closing.length > 0 && traffic.inFlight.size < CALLS_A_VOLUME) traffic.closing.shift()!.begin()
    if (!isBack) return
    this.#options.onReturned(traffic.id)
  }

  async open(file: string, mode: 'read' | 'read-write', step: FileStep): Promise<VolumeFile> {
    const { fs } = this.#options
    let isGivenUp = false
    const handle = await this.#call(file, step, async () => {
      const opened = await fs.open(file, mode, step)
      if (isGivenUp) await opened.close().catch(() => undefined) // opened after all, for nobody
      return opened
    }).catch((error: unknown) => {
      isGivenUp = true
      throw error
    })
    const isRead = mode === 'read'
    return {
      read: (target, position, what) => this.#call(file, what, () => handle.read(target, position, what), { isRead }),
      write: (source, position, what) => this.#call(file, what, () => handle.write(source, position, what)),
      datasync: what => this.#call(file, what, () => handle.datasync(what)),
      close: () => this.#call(file, 'close', () => handle.close(), { isClose: true }),
    }
  }

  createAllocated(file: string, sizeBytes: number, step: FileStep): Promise<void> {
    return this.#call(file, step, () => this.#options.fs.createAllocated(file, sizeBytes, step), { bytes: sizeBytes })
  }
  zeroRange(file: string, offset: number, lengthBytes: number, step: FileStep): Promise<void> {
    return this.#call(file, step, () => this.#options.fs.zeroRange(file, offset, lengthBytes, step), { bytes: lengthBytes })
  }
  readText(file: string, maxBytes: number, step: FileStep): Promise<string> { return this.#call(file, step, () => this.#options.fs.readText(file, maxBytes, step)) }
  publishText(file: string, text: string, step: FileStep): Promise<void> { return this.#call(file, step, () => this.#options.fs.publishText(file, text, step)) }
  appendTextDurably(file: string, text: string, step: FileStep): Promise<void> { return this.#call(file, step, () => this.#options.fs.appendTextDurably(file, text, step)) }
  list(folder: string, step: FileStep): Promise<string[]> { return this.#call(folder, step, () => this.#options.fs.list(folder, step)) }
  makeFolder(folder: string, step: FileStep): Promise<void> { return this.#call(folder, step, () => this.#options.fs.makeFolder(folder, step)) }
  syncFolder(folder: string, step: FileStep): Promise<void> { return this.#call(folder, step, () => this.#options.fs.syncFolder(folder, step)) }
  mountOf(folder: string, step: FileStep): Promise<MountFacts> { return this.#call(folder, step, () => this.#options.fs.mountOf(folder, step)) }
  freeBytes(folder: string, step: FileStep): Promise<number> { return this.#call(folder, step, () => this.#options.fs.freeBytes(folder, step)) }
}

const hasRoom = ({ inFlight, reads }: Traffic, { isRead }: Call): boolean => inFlight.size < CALLS_A_VOLUME && (!isRead || reads < READS_A_VOLUME)

const hung = ({ step, file, since }: Call, now: MonoMs): StorageError =>
  new StorageError('hung', step, file, new Error(now > since ? `no answer for ${Math.round(now - since)} ms` : 'the volume does not answer'))
