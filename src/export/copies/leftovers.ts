import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { stagingOf, type CopyCore } from './core.ts'
import type { CopyJob } from './job.ts'
import { removalDue } from './removal.ts'
import { REMOVED, Staging } from './staging.ts'

const COPY_ID = /^[0-9a-f]{32}$/, ON_ITS_WAY_OUT = new RegExp(`^[0-9a-f]{32}\\${REMOVED}$`)

/** Folders of copies that have ended, and of none: each row is there before its folder, so what has none is no living one's. What does not go now goes at the next look. */
export async function sweepStaging(core: CopyCore): Promise<void> {
  const { folder } = core.options
  for (const name of await readdir(folder).catch(() => [])) { // made with the first copy
    if (ON_ITS_WAY_OUT.test(name)) await rm(path.join(folder, name), { recursive: true, force: true }).catch(() => undefined)
    if (!COPY_ID.test(name) || core.underWay.has(name)) continue
    const job = core.jobs.get(name)
    if (job === null) await new Staging(folder, name, '').clear().catch(() => undefined)
    else if (!isNeeded(core, job)) await stagingOf(core, job).clear().catch(() => undefined)
  }
}

/** What is here to be fetched goes by its own removal, which is entered; what waits for its name at a medium does not wait for ever. */
function isNeeded(core: CopyCore, job: CopyJob): boolean {
  if (job.endedAt === null) return true
  if (job.state !== 'released') return false
  return job.target.kind === 'here' ? job.removed === null : !job.isPublished && removalDue(core, job) === null
}

/** Hidden parts that a medium kept because it was gone when they were withdrawn; of all destinations, or of the one at `place`. */
export async function sweepParts(core: CopyCore, place: string | null): Promise<void> {
  for (const { copyId, target } of core.jobs.onceOffered()) {
    if (target.kind === 'here' || (place !== null && target.path !== place)) continue
    await core.inTurn(copyId, async () => { if (core.jobs.get(copyId)?.state !== 'releasing') await core.options.destinations.withdraw({ target, copyId }) })
  }
}
