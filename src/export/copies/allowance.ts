import type { CameraUuid, EpochMs } from '../../domain/index.ts'
import { scopeOf, type ApplicationNumber, type LeaveVerdict, type Scope } from '../../requests/index.ts'
import { FenceError } from '../package/errors.ts'
import type { CopyCore } from './core.ts'
import { AllowanceEndedError } from './errors.ts'
import type { CopyJob } from './job.ts'

/** What may be taken now, proved anew. Throws AllowanceEndedError when it may not any more, FenceError when the fence is shut. */
export function allowedScope(core: CopyCore, job: CopyJob): Scope {
  const { audit, grants } = core.options
  if (job.intent === 'decision') return scopeOf((JSON.parse(audit.get(job.asked.seq)?.detail ?? '{"lines":[]}') as { lines: Scope }).lines)
  const scope = job.intent === 'preserve' ? grants.toPreserve(job.application as ApplicationNumber) : grantedScope(core, job)
  if (scope === null) throw new AllowanceEndedError()
  return scope
}

function grantedScope({ options: { grants } }: CopyCore, job: CopyJob): Scope | null {
  const grant = grants.open(job.application as ApplicationNumber)
  if (grant === null || grant.copy === null) return null
  const verdict = grants.mayCopyNow(grant.application)
  if (!verdict.ok) throw new FenceError(verdict.why)
  return grant.scope
}

/** The fence of a job: the grant itself for what leaves, the proved scope for what stays. */
export function fenceOf(core: CopyCore, job: CopyJob, camera: CameraUuid): (at: EpochMs) => LeaveVerdict {
  const { grants } = core.options
  if (job.intent === 'release') return at => grants.mayLeave(job.application as ApplicationNumber, { camera, at, act: 'copy' })
  const scope = allowedScope(core, job)
  return at => scope.some(line => line.camera === camera && line.from <= at && at < line.to) ? { ok: true, isPreRoll: false } : { ok: false, why: 'outside-range' }
}
