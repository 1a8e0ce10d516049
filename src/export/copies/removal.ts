import { epochMs, SYSTEM, type EpochMs } from '../../domain/index.ts'
import type { ApplicationNumber } from '../../requests/index.ts'
import { settle, stagingOf, type CopyCore } from './core.ts'
import { AllowanceEndedError } from './errors.ts'
import type { CopyJob, RemovalReason } from './job.ts'

const STAYS_MOST_MS = 30 * 86_400_000 // it is fetched within days, and the Master is in the archive

/** Why what is released need not lie here any more; null while it may be fetched. */
export function removalDue({ options: { grants } }: CopyCore, { application, endedAt }: Pick<CopyJob, 'application' | 'endedAt'>): RemovalReason | null {
  const end = grants.ended(application as ApplicationNumber)
  return end ?? (endedAt !== null && grants.now() >= lastInstant(endedAt) ? 'kept-longest' : null)
}
const lastInstant = (releasedAt: EpochMs): EpochMs => epochMs(releasedAt + STAYS_MOST_MS)

/** Pictures stay in staging no longer than their grant: what waits for its witness ends with it, what was released to be fetched is removed. Throws AuditUnavailableError, or the catalogue's error, when that cannot be written down. */
export async function sweepEnded(core: CopyCore): Promise<void> {
  for (const job of core.jobs.waiting()) {
    if (job.state !== 'ready' || job.intent !== 'release' || core.underWay.has(job.copyId) || core.options.grants.ended(job.application as ApplicationNumber) === null) continue
    settle(core, job.copyId, { error: new AllowanceEndedError(), isAgain: false }) // its folder goes with the ended ones
  }
  for (const job of core.jobs.here()) {
    const why = removalDue(core, job)
    if (why !== null) await removeHere(core, job, why)
  }
}

/**
 * First from the disk, for good, then the entry that says so: whatever is killed between does it again, and finds nothing to remove. The entry is the mark, so it stands once.
 * Nothing is removed while nothing can be entered [G10]. A disk that refuses is entered once by each process, and tried again at the next look.
 */
async function removeHere(core: CopyCore, job: CopyJob, why: RemovalReason): Promise<void> {
  const { jobs, unremoved, options: { audit } } = core, { copyId, packageId, application, archiveItem } = job
  const entry = { action: 'copy.removed', actor: SYSTEM, object: copyId, application } as const
  audit.probe()
  audit.requireWritable()
  try {
    await stagingOf(core, job).remove()
  } catch (error) {
    if (unremoved.has(copyId)) return
    audit.append({ ...entry, result: 'failed', detail: { why, packageId, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' } })
    unremoved.add(copyId)
    return
  }
  unremoved.delete(copyId)
  audit.transaction(() => { if (jobs.get(copyId)?.removed === null) audit.append({ ...entry, result: 'done', detail: { why, packageId, item: archiveItem } }) })
}
