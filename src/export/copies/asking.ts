import { randomBytes } from 'node:crypto'
import path from 'node:path'
import type { Acting } from '../../access/index.ts'
import { applicationNumber, CASE_LIMITS, LEAVE_TEXTS, scopeOf, type ApplicationNumber, type Scope } from '../../requests/index.ts'
import { officeDay, rocYear } from '../../rules/index.ts'
import { packageIdOf } from '../package/manifest.ts'
import { knownCamera } from './case-facts.ts'
import { perform, personOf, plain, required, type CopyCore } from './core.ts'
import { CopyQueueFullError, CopyRefusedError } from './errors.ts'
import type { CopyIntent, CopyJob, CopyTarget } from './job.ts'
import { liesWithin } from '../courier/destination.ts'

const MOST_WAITING = 20 // an office hands out a few a week

/** What may be copied, of which case, and under which number. */
interface Asked { readonly number: string, readonly scope: Scope, readonly reason: string }

/** All that the grant of an application covers. */
export function askGranted(core: CopyCore, acting: Acting, { application, target }: { readonly application: ApplicationNumber, readonly target: CopyTarget }): CopyJob {
  return ask(core, acting, { application, intent: 'release', target }, () => {
    const grant = core.options.grants.open(application)
    if (grant === null) throw new CopyRefusedError('這件申請案目前沒有有效的核准。', 'nothing is granted on this case now')
    if (grant.copy === null) throw new CopyRefusedError('這件申請案未核准複製；複製僅限公務機關依附件2申請並經核准者。', 'this case was not granted a copy; only an agency can be, by form 2 and its last approval')
    const verdict = core.options.grants.mayCopyNow(application)
    if (!verdict.ok) throw new CopyRefusedError(LEAVE_TEXTS[verdict.why].zh, LEAVE_TEXTS[verdict.why].en) // run out, or its statement is not signed: it would only be read to be thrown away
    return { number: application, scope: grant.scope, reason: '依核准複製' }
  })
}

export function askPreserved(core: CopyCore, acting: Acting, { application, reason }: { readonly application: ApplicationNumber, readonly reason: string }): CopyJob {
  return ask(core, acting, { application, intent: 'preserve', target: { kind: 'here' } }, () => {
    const scope = core.options.grants.toPreserve(application)
    if (scope === null) throw new CopyRefusedError('這件申請案未准予保存。', 'this case was not granted to be kept')
    return { number: application, scope, reason: plain(reason, '保存理由') }
  })
}

export function askDecided(core: CopyCore, acting: Acting, { scope, reason }: { readonly scope: Scope, readonly reason: string }): CopyJob {
  const { clock, camera: known } = core.options
  return ask(core, acting, { application: null, intent: 'decision', target: { kind: 'here' } }, () => {
    const lines = scopeOf(scope), now = clock.wallNow()
    const wrong = scopeFault(scope, now)
    if (wrong !== null) throw wrong
    for (const { camera } of lines) knownCamera(camera, known)
    const year = rocYear(officeDay(now))
    return { number: applicationNumber({ rocYear: year, word: '存', serial: core.jobs.decisions(`${year}-存-%`) + 1 }), scope: lines, reason: plain(reason, '繼續保存之必要') }
  })
}

function ask(core: CopyCore, acting: Acting, { application, intent, target }: { readonly application: string | null, readonly intent: CopyIntent, readonly target: CopyTarget }, decide: () => Asked): CopyJob {
  const { jobs, options: { clock, own } } = core
  const copyId = randomBytes(16).toString('hex')
  return perform(core, acting, 'make-granted-copy', { action: 'copy.asked', object: copyId, application }, write => {
    if (jobs.waiting().length >= MOST_WAITING) throw new CopyQueueFullError()
    requirePlace(target, own())
    const { number, scope, reason } = decide()
    const count = jobs.lastCount(number) + 1, packageId = packageIdOf(number, count), at = clock.wallNow()
    const seq = write({ intent, reason, target: target.kind, packageId, lines: scope.map(({ camera, from, to }) => ({ camera, from, to })) }, number)
    jobs.insert({ copyId, packageId, application: number, count, intent, target, reason, asked: { ...personOf(acting), at, seq } })
    return required(core, copyId)
  })
}

function scopeFault(scope: Scope, now: number): CopyRefusedError | null {
  if (scope.length === 0) return new CopyRefusedError('沒有時段。', 'no range is named')
  if (scope.some(({ from, to }) => to <= from)) return new CopyRefusedError('時段的結束須晚於開始。', 'a range ends after it begins')
  if (scope.some(({ to }) => to > now)) return new CopyRefusedError('時段尚未過去，只能複製已錄的影像。', 'a range is not over yet: only what was recorded can be copied')
  if (scope.some(({ from, to }) => to - from > CASE_LIMITS.rangeMs)) return new CopyRefusedError('單一時段過長，請檢查年份。', 'a range is too long; check the year')
  return scopeOf(scope).length > CASE_LIMITS.scopeLines ? new CopyRefusedError(`時段過多，至多 ${CASE_LIMITS.scopeLines} 段。`, `there are more than ${CASE_LIMITS.scopeLines} ranges`) : null
}

function requirePlace(target: CopyTarget, own: readonly string[]): void {
  if (target.kind === 'here') return
  if (!path.isAbsolute(target.path) || target.path.length > 400 || target.path.includes('\0')) throw new CopyRefusedError('目的地須為完整路徑。', 'the destination is an absolute path')
  if (liesWithin(path.resolve(target.path), own)) throw new CopyRefusedError('目的地不得在錄影系統自己的資料夾內。', 'the destination lies in a folder of the recorder itself')
}
