import { FatalError, type CameraUuid, type EpochMs } from '../../domain/index.ts'
import { officeDay, startOfOfficeDay, type RuleSet } from '../../rules/index.ts'
import type { Application, Approval } from './application.ts'
import type { ApplicationNumber } from './application-number.ts'
import { applicantAccounts, rulesOf } from './chain.ts'
import { PRE_ROLL_MOST_MS } from './limits.ts'
import { covers, isWithin, scopeOf, type Scope } from './scope.ts'

/** An approved application whose own record does not carry the approval: a row was altered. Nothing opens on it. */
export class ApplicationError extends FatalError {}

/** Handed only to the one place below that makes copy rights; so the class can be a type outside and nobody's constructor. */
const MINT: unique symbol = Symbol('copy right')
const minted = new WeakSet<CopyRight>()
/** Every grant that came from `grantOf`: a look-alike opens nothing. */
const opened = new WeakSet<Grant>()

/**
 * The right to let a copy leave (R30). Exists only for an agency that ticked □複製, said why, and was allowed it by every step up to the last.
 * Made by `grantOf` alone, which proves all that from the application's record each time; nothing read from disk or wire can stand in for it.
 */
class CopyRight {
  readonly application: ApplicationNumber
  constructor(key: typeof MINT, application: ApplicationNumber) {
    if (key !== MINT) throw new TypeError('a copy right comes from the last approval only')
    this.application = application
    minted.add(this)
    Object.freeze(this)
  }
}
export type { CopyRight }

/** What an approval opens. The only key of viewing and export; everything else is closed. */
export interface Grant {
  readonly application: ApplicationNumber
  readonly scope: Scope
  readonly canView: boolean
  /** Null where only viewing was granted. */
  readonly copy: CopyRight | null
  readonly approvedAt: EpochMs
  /** The first instant that is too late. */
  readonly validUntil: EpochMs
  readonly place: string
  /** The key frame before a range may leave with it, and is listed then. */
  readonly isPreRollAllowed: boolean
  /** R35: signed before anything opens. */
  readonly statement: 'signed' | 'missing' | 'not-needed'
}

/** Why the record does not carry the approval; null when it does. */
function faultOf(application: Application, approval: Approval, ruleSet: RuleSet): string | null {
  const { chain } = rulesOf(application, { ruleSet })
  const { signatures, content, recusals } = application
  if (signatures.length !== chain.steps.length) return `${signatures.length} of ${chain.steps.length} steps signed`
  const barred = new Set([...applicantAccounts(content), ...recusals.map(recusal => recusal.account)])
  let [scope, acts]: [Scope, Approval['acts']] = [content.asked, content.acts]
  for (const [step, signature] of signatures.entries()) {
    if (signature.step !== step || signature.post !== chain.steps[step]!.post) return `step ${step} is signed for another post`
    if (step > 0 && signature.version <= signatures[step - 1]!.version) return `step ${step} was signed out of order`
    if (barred.has(signature.account)) return `step ${step} is signed by somebody who may not`
    const isOpinion = signature.decision === 'refuse' && chain.refusalEnds === 'last-step' && step < signatures.length - 1
    if (signature.decision !== 'agree' && !isOpinion) return `step ${step} is no approval`
    const next = signature.proposal
    if (!isWithin(next.scope, scope) || (['view', 'copy', 'preserve'] as const).some(act => next.acts[act] && !acts[act])) return `step ${step} is wider than what it was given`
    ;({ scope, acts } = next)
  }
  const people = new Set(signatures.map(signature => signature.account))
  if (people.size < chain.distinctSigners) return 'too few people signed'
  const last = signatures.at(-1)!
  if (chain.lastSignsOnce && signatures.slice(0, -1).some(signature => signature.account === last.account)) return 'the last signer signed before'
  if (last.at !== approval.at || last.account !== approval.by) return 'the approval is not the last signature\'s'
  if (approval.validUntil > startOfOfficeDay(officeDay(approval.at).add({ days: ruleSet.rules.grant.maxDays + 1 }))) return 'it is open for longer than the rules allow'
  if (!isWithin(approval.scope, scope) || (['view', 'copy', 'preserve'] as const).some(act => approval.acts[act] && !acts[act])) return 'the approval is wider than the last signature'
  return null
}

function copyRightOf(application: Application, approval: Approval, ruleSet: RuleSet): CopyRight | null {
  const { content } = application
  if (!approval.acts.copy) return null
  const { form } = rulesOf(application, { ruleSet })
  const mayEver = content.applicantClass === 'agency' && form.applicants.every(applicant => applicant === 'agency') && form.acts.includes('copy')
  const wasAsked = content.acts.copy && (content.necessity ?? '').trim() !== '' && content.authority !== null
  if (!mayEver || !wasAsked) throw new ApplicationError('CUSTOS_APPLICATION_ALTERED', `${application.number} is recorded as approved for copying, which its applicant cannot be; its record was altered, and nothing opens on it`, REMEDY)
  return new CopyRight(MINT, application.number)
}
const REMEDY = { remedy: 'compare the case with the audit log (`custos audit verify`), restore the catalogue from a backup, and report it as an incident' } as const

/**
 * What an application opens just now; null unless it is approved for viewing or copying. Derived from its record each time, never stored: signatures, order, scope and class are proved again.
 * Throws ApplicationError when the record does not carry its own approval.
 */
export function grantOf(application: Application, ruleSet: RuleSet): Grant | null {
  const { state } = application
  if (state.kind !== 'approved' && state.kind !== 'partly-approved') return null
  const { approval } = state
  const fault = faultOf(application, approval, ruleSet)
  if (fault !== null) throw new ApplicationError('CUSTOS_APPLICATION_ALTERED', `${application.number} is recorded as approved, but ${fault}; its record was altered, and nothing opens on it`, REMEDY)
  if (!approval.acts.view && !approval.acts.copy) return null
  const { form } = rulesOf(application, { ruleSet })
  const grant = Object.freeze<Grant>({
    application: application.number, scope: Object.freeze(scopeOf(approval.scope).map(line => Object.freeze(line))), canView: approval.acts.view, copy: copyRightOf(application, approval, ruleSet),
    approvedAt: approval.at, validUntil: approval.validUntil, place: approval.place, isPreRollAllowed: approval.isPreRollAllowed,
    statement: form.statement === undefined ? 'not-needed' : application.statements.length > 0 ? 'signed' : 'missing',
  })
  opened.add(grant)
  return grant
}

/**
 * What 申請保存 (R33) was allowed to keep; null unless it is approved with that act. It opens nothing to anybody: the copy stays in the archive.
 * Throws ApplicationError as grantOf does.
 */
export function preservedScopeOf(application: Application, ruleSet: RuleSet): Scope | null {
  const { state } = application
  if ((state.kind !== 'approved' && state.kind !== 'partly-approved') || !state.approval.acts.preserve) return null
  const fault = faultOf(application, state.approval, ruleSet)
  if (fault !== null) throw new ApplicationError('CUSTOS_APPLICATION_ALTERED', `${application.number} is recorded as approved, but ${fault}; its record was altered, and nothing is kept on it`, REMEDY)
  return scopeOf(state.approval.scope)
}

export type LeaveRefusal = 'no-grant' | 'not-yet' | 'expired' | 'no-statement' | 'act-not-granted' | 'not-this-camera' | 'outside-range'
export const LEAVE_TEXTS: Readonly<Record<LeaveRefusal, { readonly zh: string, readonly en: string }>> = {
  'no-grant': { zh: '這不是由核准產生的授權。', en: 'This grant does not come from an approval.' },
  'not-yet': { zh: '時鐘早於核准的時間。', en: 'The clock is before the approval.' },
  expired: { zh: '核准的效期已過。', en: 'The grant has run out.' },
  'no-statement': { zh: '尚未簽署保密聲明。', en: 'The secrecy statement is not signed.' },
  'act-not-granted': { zh: '未核准此種方式。', en: 'This act was not granted.' },
  'not-this-camera': { zh: '未核准這支鏡頭。', en: 'This camera was not granted.' },
  'outside-range': { zh: '不在核准的時段內。', en: 'This time was not granted.' },
}
export type LeaveVerdict = { readonly ok: true, readonly isPreRoll: boolean } | { readonly ok: false, readonly why: LeaveRefusal }
export interface Leaving {
  readonly camera: CameraUuid
  /** Instant of the picture. */
  readonly at: EpochMs
  readonly act: 'view' | 'copy'
  readonly now: EpochMs
}

/** The fence (G5): asked for every picture that leaves, by viewing and export alike. Pure; everything not granted is refused. */
export function mayLeave(grant: Grant, { camera, at, act, now }: Leaving): LeaveVerdict {
  if (!opened.has(grant)) return { ok: false, why: 'no-grant' }
  if (now < grant.approvedAt) return { ok: false, why: 'not-yet' }
  if (!(now < grant.validUntil)) return { ok: false, why: 'expired' }
  if (grant.statement === 'missing') return { ok: false, why: 'no-statement' }
  const isGranted = act === 'copy' ? grant.copy !== null && minted.has(grant.copy) && grant.copy.application === grant.application : act === 'view' && grant.canView
  if (!isGranted) return { ok: false, why: 'act-not-granted' }
  if (covers(grant.scope, camera, at)) return { ok: true, isPreRoll: false }
  const lines = grant.scope.filter(line => line.camera === camera)
  if (lines.length === 0) return { ok: false, why: 'not-this-camera' }
  const isPreRoll = grant.isPreRollAllowed && lines.some(line => at < line.from && at >= line.from - PRE_ROLL_MOST_MS)
  return isPreRoll ? { ok: true, isPreRoll } : { ok: false, why: 'outside-range' }
}
