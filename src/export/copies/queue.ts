import type { Acting } from '../../access/index.ts'
import { asTargetError } from '../package/errors.ts'
import { fail, perform, plain, required, stagingOf, type CopyCore } from './core.ts'
import { CopyRefusedError } from './errors.ts'
import type { CopyJob } from './job.ts'
import { makeCopy } from './making.ts'
import { publishCopy } from './releasing.ts'
import { withdraw } from './targets.ts'

/** What waits to be made, one copy at a time. A failure ends the copy, not the queue. */
export class CopyQueue {
  readonly #core: CopyCore
  #running: { readonly copyId: string, readonly stop: AbortController } | null = null
  #wake: () => void = () => undefined

  constructor(core: CopyCore) { this.#core = core }

  wake(): void { this.#wake() }

  /** After a start: what was under way begins anew from its stage, what was released gets its name. */
  async resume(): Promise<void> {
    const { jobs } = this.#core
    for (const job of jobs.waiting()) {
      if (job.state === 'reading' || job.state === 'packing') jobs.move(job, 'queued')
      if (job.state === 'releasing') {
        if (job.target.kind !== 'here') await withdraw({ target: job.target, copyId: job.copyId })
        jobs.move(job, 'ready')
      }
    }
    for (const job of jobs.unpublished()) await publishCopy(this.#core, job).catch(() => undefined) // a medium that is not plugged in: again at the next start, or by `publishAgain`
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.resume()
    while (!signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      if (await this.runNext(signal)) continue
      signal.addEventListener('abort', () => { resolve() }, { once: true })
      await promise
    }
  }

  async runNext(signal: AbortSignal): Promise<boolean> {
    const job = this.#core.jobs.waiting().find(({ state }) => state === 'queued')
    if (job === undefined) return false
    const { copyId } = job, stop = new AbortController()
    this.#running = { copyId, stop }
    try {
      await makeCopy(this.#core, job, AbortSignal.any([signal, stop.signal]))
    } catch (error) {
      await stagingOf(this.#core, job).clear().catch(() => undefined)
      const now = required(this.#core, copyId)
      if (now.endedAt !== null) return true // cancelled meanwhile, and stays so
      if (signal.aborted) this.#core.jobs.move(now, 'queued')
      else fail(this.#core, now, asTargetError(error))
    } finally {
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
    return job
  }
}
