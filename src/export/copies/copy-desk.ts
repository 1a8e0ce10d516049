import type { Acting } from '../../access/index.ts'
import type { ApplicationNumber, Scope } from '../../requests/index.ts'
import { askDecided, askGranted, askPreserved } from './asking.ts'
import { required, stagingOf, type CopyCore } from './core.ts'
import type { HandOver } from './hand-over.ts'
import type { CopyJob, CopyTarget } from './job.ts'
import type { CopyDeskOptions } from './ports.ts'
import { sweepParts } from './leftovers.ts'
import { CopyQueue } from './queue.ts'
import { keepCopy, publishCopy, releaseCopy, type Released } from './releasing.ts'
import type { Staging } from './staging.ts'
import { jobTable } from './tables/jobs.ts'
import { turns } from './turns.ts'

/** Makes copies of what was granted, one at a time and behind recording, and lets them go only with a second person (design note 0014). */
export class CopyDesk {
  readonly #core: CopyCore
  readonly #queue: CopyQueue

  constructor(options: CopyDeskOptions) {
    this.#core = { options, jobs: jobTable(options.db), inTurn: turns(), underWay: new Set(), owed: new Map(), unremoved: new Set() }
    this.#queue = new CopyQueue(this.#core)
  }

  /** A copy of all that the grant of an application covers. Throws CopyRefusedError unless that grant carries a copy right now, CopyQueueFullError, what the right throws, AuditUnavailableError. */
  ask(acting: Acting, ask: { readonly application: ApplicationNumber, readonly target: CopyTarget }): CopyJob { return this.#queued(askGranted(this.#core, acting, ask)) }

  /** 複製存檔 of an approved 申請保存 (R33): stays in the archive. */
  preserve(acting: Acting, ask: { readonly application: ApplicationNumber, readonly reason: string }): CopyJob { return this.#queued(askPreserved(this.#core, acting, ask)) }

  /** 複製存檔 by the office's own decision (R21): it counts when an approver keeps it. Numbered on its own, 115-存-0001. */
  preserveByDecision(acting: Acting, ask: { readonly scope: Scope, readonly reason: string }): CopyJob { return this.#queued(askDecided(this.#core, acting, ask)) }

  #queued(job: CopyJob): CopyJob {
    this.#queue.wake()
    return job
  }

  get(copyId: string): CopyJob | null { return this.#core.jobs.get(copyId) }
  ofApplication(application: string): CopyJob[] { return this.#core.jobs.ofApplication(application) }
  list(limit = 50): CopyJob[] { return this.#core.jobs.newest(Math.min(Math.max(1, Math.trunc(limit)), 200)) }
  /** Of a released copy that is here to be fetched; null for any other, and for one that was removed. */
  folderOf(copyId: string): string | null { return this.#hereOf(copyId)?.folder ?? null }
  /** Folder of the printed sheets that go with it. */
  sheetsOf(copyId: string): string | null { return this.#hereOf(copyId)?.sheets ?? null }
  #hereOf(copyId: string): Staging | null {
    const job = this.get(copyId)
    return job?.state === 'released' && job.target.kind === 'here' && job.removed === null ? stagingOf(this.#core, job) : null
  }

  /** By who may make one, at any point before the release. What was written goes. */
  cancel(acting: Acting, copyId: string, reason: string): Promise<CopyJob> { return this.#queue.cancel(acting, copyId, reason) }

  /** After a start: what was under way begins anew from its stage, what was released gets its name, what a crash left goes, and what its grant allows no more. */
  resume(): Promise<void> { return this.#queue.resume() }

  /** Works until `signal` aborts. One copy at a time; a failure ends the copy, not the desk. What its grant allows no more is removed meanwhile. */
  run(signal: AbortSignal): Promise<void> { return this.#queue.run(signal) }

  /** The oldest that waits, to `ready` or to its failure. False when none does. */
  runNext(signal: AbortSignal): Promise<boolean> { return this.#queue.runNext(signal) }

  /**
   * The second person releases what is ready: it is sealed in their name, verified whole, written to its destination and verified there, its Master archived; then act, entry and book line are one transaction, and only then it gets its name at the destination.
   * Throws CopyRefusedError (also for who asked for it), PackageUnsoundError, CopyTargetError, what right, fence, archive and book throw; it stays ready then, unless it was unsound.
   */
  release(witness: Acting, copyId: string, handOver: HandOver): Promise<Released> { return this.#andSettled(releaseCopy(this.#core, witness, copyId, handOver)) }

  /** An approver keeps what was made by the office's own decision, a second person what was granted to be kept: into the archive, to nobody's hands. */
  keep(witness: Acting, copyId: string): Promise<CopyJob> { return this.#andSettled(keepCopy(this.#core, witness, copyId)) }

  /** An end that could not be written down is the queue's to write. */
  #andSettled<Result>(work: Promise<Result>): Promise<Result> { return work.finally(() => { this.#queue.wake() }) }

  /** For a destination that was gone just after the release. Throws CopyTargetError. */
  async publishAgain(copyId: string): Promise<void> {
    const job = required(this.#core, copyId)
    await publishCopy(this.#core, job)
    if (job.target.kind !== 'here') await sweepParts(this.#core, job.target.path)
  }
}
