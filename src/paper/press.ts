import { Worker } from 'node:worker_threads'
import { FatalError } from '../domain/index.ts'
import type { RuleSet } from '../rules/index.ts'
import type { PaperJob } from './job.ts'
import type { PrintedPaper } from './paper.ts'
import type { PressAnswer, PressOrder } from './press-worker.ts'
import { KAI_FOLDER } from './typeface.ts'

/** Beyond this somebody prints in a loop. */
const MOST_WAITING = 100
/** Old enough to be garbage at once; a page needs some ten. */
const MOST_HEAP_MB = 128

/**
 * Makes papers in a thread of its own, so that the recorder never waits for one [G9]. The thread starts with the first paper and a broken one is
 * replaced at the next. One press for the process; whoever opened it disposes it.
 */
export class PaperPress implements AsyncDisposable {
  readonly #folder: string
  #worker: Worker | null = null
  #next = 1
  readonly #waiting = new Map<number, PromiseWithResolvers<PrintedPaper>>()
  constructor({ folder = KAI_FOLDER }: { readonly folder?: string } = {}) { this.#folder = folder }

  /** Throws PaperFontError's and PaperRefusedError's codes as FatalError; also when a hundred wait already. */
  async print(job: PaperJob, { ruleSet, office }: { readonly ruleSet: RuleSet, readonly office: string }): Promise<PrintedPaper> {
    if (this.#waiting.size >= MOST_WAITING) throw new FatalError('CUSTOS_PAPER_REFUSED', `已有 ${MOST_WAITING} 份文件等候列印。/ ${MOST_WAITING} papers wait to be printed already`, { remedy: '請稍後再試。/ Try again in a moment.' })
    const order: PressOrder = { id: this.#next++, job, office, rules: ruleSet.rules, sha256: ruleSet.ref.sha256, effective: ruleSet.effective.toString() }
    const waiting = Promise.withResolvers<PrintedPaper>()
    this.#waiting.set(order.id, waiting)
    const worker = this.#thread()
    worker.ref() // stays alive for those who wait
    worker.postMessage(order)
    return await waiting.promise
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#worker?.terminate() }

  #thread(): Worker {
    if (this.#worker !== null) return this.#worker
    const worker = new Worker(new URL('./press-worker.ts', import.meta.url), { workerData: { folder: this.#folder }, resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB }, execArgv: [] })
    worker.unref()
    worker.on('message', (answer: PressAnswer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if (this.#waiting.size === 0) worker.unref()
      if (answer.ok) waiting?.resolve({ ...answer.printed, pdf: Buffer.from(answer.printed.pdf) })
      else waiting?.reject(answer.code === '' ? new Error(answer.message) : new FatalError(answer.code, answer.message, { remedy: answer.remedy }))
    })
    const lost = (cause: unknown): void => {
      if (this.#worker === worker) this.#worker = null
      for (const waiting of this.#waiting.values()) waiting.reject(new FatalError('CUSTOS_PAPER_FAILED', '列印程序中斷，文件未產生。/ the press broke off; no paper was made', { remedy: '請再試一次；若再發生，請回報訊息與案號。/ Try again; if it happens again, report the message and the case.', cause }))
      this.#waiting.clear()
    }
    worker.once('error', lost)
    worker.once('exit', code => { lost(new Error(`exit ${code}`)) })
    this.#worker = worker
    return worker
  }
}
