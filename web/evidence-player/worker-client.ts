import type { BlobLike } from './bytes.ts'
import type { ManifestVideo } from './manifest.ts'
import type { RecordReport } from './record-check.ts'
import { doJob, type Answer, type Job } from './worker.ts'

type JobFacts = { readonly kind: 'hash', readonly blob: BlobLike } | { readonly kind: 'records', readonly blob: BlobLike, readonly video: ManifestVideo }

/** Hashes beside the page in a worker made of text, or on the page itself where the browser allows none. */
export class HashWorker {
  readonly #jobs = new Map<number, { readonly onBytes: (bytes: number) => void, readonly resolve: (answer: Answer) => void }>()
  readonly #worker: Worker | null
  #lastId = 0

  constructor(source: string) {
    let worker: Worker | null = null
    try {
      const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
      worker = new Worker(url)
      worker.onmessage = (event: MessageEvent<Answer>) => { this.#hear(event.data) }
      worker.onerror = () => { for (const id of this.#jobs.keys()) this.#hear({ id, kind: 'failed', why: 'the worker ended' }) }
    } catch { worker = null } // some browsers forbid workers on pages from disk
    this.#worker = worker
  }

  get isBeside(): boolean { return this.#worker !== null }
  close(): void { this.#worker?.terminate() }

  async hash(blob: BlobLike, onBytes: (bytes: number) => void): Promise<string> {
    const answer = await this.#do({ kind: 'hash', blob }, onBytes)
    if (answer.kind !== 'hashed') throw new Error(answer.kind === 'failed' ? answer.why : 'no hash')
    return answer.hex
  }

  async records(blob: BlobLike, video: ManifestVideo, onBytes: (bytes: number) => void): Promise<RecordReport> {
    const answer = await this.#do({ kind: 'records', blob, video }, onBytes)
    if (answer.kind !== 'checked') throw new Error(answer.kind === 'failed' ? answer.why : 'no report')
    return answer.report
  }

  #hear(answer: Answer): void {
    const job = this.#jobs.get(answer.id)
    if (job === undefined) return
    if (answer.kind === 'progress') { job.onBytes(answer.bytes); return }
    this.#jobs.delete(answer.id)
    job.resolve(answer)
  }

  async #do(facts: JobFacts, onBytes: (bytes: number) => void): Promise<Answer> {
    const job: Job = { id: ++this.#lastId, ...facts }
    return await new Promise(resolve => {
      this.#jobs.set(job.id, { onBytes, resolve })
      if (this.#worker === null) void doJob(job, answer => { this.#hear(answer) })
      else this.#worker.postMessage(job)
    })
  }
}
