import type { Acting } from '../../access/index.ts'
import { asTargetError } from '../package/target-error.ts'
import { isUnwritten, perform, plain, required, settle, stagingOf, type CopyCore } from './core.ts'
import { CopyRefusedError } from './errors.ts'
import type { CopyJob } from './job.ts'
import { sweepParts, sweepStaging } from './leftovers.ts'
import { makeCopy } from './making.ts'
import { publishCopy } from './releasing.ts'
import { sweepEnded } from './removal.ts'

const UNWRITTEN_WAIT_MS = 30_000, LOOK_EVERY_MS = 60_000

/** What waits to be made, one copy at a time. A failure ends the copy, not the queue. */
export class CopyQueue {
  readonly #core: CopyCore
  #running: { readonly copyId: string, readonly stop: AbortController } | null = null
  #wake: () => void = () => undefined

  constructor(core: CopyCore) { this.#core = core }

  wake(): void { this.#wake() }

  /** After a start: what was under way begins anew from its stage, what was released gets its name, what a crash left goes, and what its grant allows no more. */
  async resume(): Promise<void> {
    this.#beginAnew()
    await this.#sweep()
    await this.#atDestinations()
  }

  #beginAnew(): void {
    const { jobs, underWay, owed } = this.#core
    for (const job of jobs.waiting()) {
      if (underWay.has(job.copyId) || owed.has(job.copyId)) continue
      if (job.state === 'reading' || job.state === 'packing') jobs.move(job, 'queued')
      if (job.state === 'releasing') jobs.move(job, 'ready')
    }
  }

  /** May take as long as a destination that does not answer. */
  async #atDestinations(): Promise<void> {
    await sweepParts(this.#core, null)
    for (const job of this.#core.jobs.unpublished()) await publishCopy(this.#core, job).catch(() => undefined) // a medium that is not plugged in: again at the next start, or by `publishAgain`
  }

  /** What its grant allows no more, then what nothing needs. */
  async #sweep(): Promise<void> {
    await sweepEnded(this.#core)
    await sweepStaging(this.#core)
  }

  /** A log or catalogue that cannot be written holds the queue up and does not end it. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#untilWritten(async () => { this.#beginAnew(); await this.#sweep() }, signal)
    const failed = new AbortController(), until = AbortSignal.any([signal, failed.signal])
    const works = [this.#makeAll(until), this.#sweepNowAndThen(until), this.#untilWritten(() => this.#atDestinations(), until)]
    for (const end of await Promise.allSettled(works.map(work => work.catch((error: unknown) => { failed.abort(); throw error })))) if (end.status === 'rejected') throw end.reason
  }

  async #makeAll(signal: AbortSignal): Promise<void> {
    const { clock } = this.#core.options
    while (!signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      let isDone = false
      if (!await this.#isWritten(async () => { isDone = !await this.runNext(signal) })) { await clock.wait(UNWRITTEN_WAIT_MS, signal); continue }
      if (!isDone || signal.aborted) continue
      signal.addEventListener('abort', () => { resolve() }, { once: true })
      await promise
    }
  }

  /** Beside the making, which may take hours. */
  async #sweepNowAndThen(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#core.options.clock.wait(LOOK_EVERY_MS, signal)
      if (signal.aborted) return
      await this.#isWritten(() => this.#sweep())
    }
  }

  async #untilWritten(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !await this.#isWritten(work)) await this.#core.options.clock.wait(UNWRITTEN_WAIT_MS, signal)
  }

  /** Whether it was done: false when it could not be written down. */
  async #isWritten(work: () => Promise<void>): Promise<boolean> {
    try { await work(); return true } catch (error) {
      if (!isUnwritten(error)) throw error
      return false
    }
  }

  /** Throws AuditUnavailableError, or the catalogue's error, while nothing can be written down. */
  async runNext(signal: AbortSignal): Promise<boolean> {
    const { jobs, underWay, owed, options: { audit } } = this.#core
    const job = jobs.waiting().find(({ state }) => state === 'queued')
    if (job === undefined && owed.size === 0) return false
    audit.requireWritable() // nothing is read that could not be entered [G10]
    for (const [copyId, stop] of owed) settle(this.#core, copyId, stop)
    if (job === undefined) return true
    const { copyId } = job, stop = new AbortController()
    this.#running = { copyId, stop }
    underWay.add(copyId)
    try {
      await makeCopy(this.#core, job, AbortSignal.any([signal, stop.signal]))
    } catch (error) {
      await stagingOf(this.#core, job).clear().catch(() => undefined)
      const isAgain = signal.aborted || isUnwritten(error)
      settle(this.#core, copyId, { error: asTargetError(error), isAgain })
      if (isUnwritten(error)) throw error // not again at once
    } finally {
      underWay.delete(copyId)
      this.#running = null
    }
    return true
  }

  async cancel(acting: Acting, copyId: string, reason: string): Promise<CopyJob> {
    const { jobs, options: { clock } } = this.#core
    const job = perform(this.#core, acting, 'make-granted-copy', { action: 'copy.cancelled', object: copyId, application: jobs.get(copyId)?.application ?? null }, write => {
      const found = required(this.#core, copyId)
      if (found.endedAt !== null || found.state === 'releasing') throw new CopyRefusedError('這份複製已結束或正在交付。', 'this copy has ended, or is being released')
      write({ reason: plain(reason, '取消理由') })
      if (!jobs.move(found, 'cancelled', { endedAt: clock.wallNow() })) throw new CopyRefusedError('狀態已變更，請重新整理。', 'it moved on meanwhile')
      return required(this.#core, copyId)
    })
    if (this.#running?.copyId === copyId) this.#running.stop.abort(new CopyRefusedError('已取消。', 'it was cancelled'))
    else await stagingOf(this.#core, job).clear()
    if (job.target.kind !== 'here') await sweepParts(this.#core, job.target.path)
    return job
  }
}
