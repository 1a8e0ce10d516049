import { readdir } from 'node:fs/promises'
import { stagingOf, type CopyCore } from './core.ts'
import type { CopyJob } from './job.ts'
import { Staging } from './staging.ts'
import { withdraw } from './targets.ts'

const COPY_ID = /^[0-9a-f]{32}$/

/** Folders of copies that have ended, and of none: each row is there before its folder, so what has none is no living one's. */
export async function sweepStaging(core: CopyCore): Promise<void> {
  for (const name of await readdir(core.options.folder).catch(() => [])) { // made with the first copy
    if (!COPY_ID.test(name)) continue
    const job = core.jobs.get(name)
    if (job === null) await new Staging(core.options.folder, name, '').clear().catch(() => undefined) // what does not go now goes at the next start
    else if (!isNeeded(job)) await stagingOf(core, job).clear().catch(() => undefined)
  }
}
const isNeeded = (job: CopyJob): boolean => job.endedAt === null || (job.state === 'released' && (job.target.kind === 'here' || !job.isPublished))

/** Hidden parts that a medium kept because it was gone when they were withdrawn; of all destinations, or of the one at `place`. */
export async function sweepParts(core: CopyCore, place: string | null): Promise<void> {
  for (const { copyId, target } of core.jobs.onceOffered()) {
    if (target.kind === 'here' || (place !== null && target.path !== place)) continue
    await core.inTurn(copyId, async () => { if (core.jobs.get(copyId)?.state !== 'releasing') await withdraw({ target, copyId }) })
  }
}
