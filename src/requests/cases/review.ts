import { epochMs } from '../../domain/index.ts'
import { officeDay, pauseDeadline, rocDateText, startOfOfficeDay, type Chain, type RequestForm } from '../../rules/index.ts'
import type { Acts, Application, Approval, Decision, Proposal, Signature } from './application.ts'
import { maySign, rulesOf } from './chain.ts'
import type { CaseContext, Decide, Effect, Outcome } from './command.ts'
import { lacking } from './content.ts'
import { grantOf } from './grant.ts'
import { CASE_LIMITS } from './limits.ts'
import { noticeDue, refusalNotice } from './notices.ts'
import { areWords } from './plain-words.ts'
import type { RefusalCode } from './refusal.ts'
import { isSameScope, isWithin, scopeOf } from './scope.ts'
import { isThirdPartyPending } from './third-party.ts'
import { no } from './transition.ts'

const ACTS = ['view', 'copy', 'preserve'] as const
const isActsWithin = (inner: Acts, outer: Acts): boolean => ACTS.every(act => !inner[act] || outer[act])
const isSameActs = (a: Acts, b: Acts): boolean => ACTS.every(act => a[act] === b[act])

/** What a step leaves of the proposal, or why it cannot. */
function narrowed(proposal: Proposal, narrowTo: Decide['narrowTo']): Proposal | RefusalCode {
  if (narrowTo === null) return proposal
  if (narrowTo.scope.length > CASE_LIMITS.scopeLines) return 'too-many'
  const { view, copy, preserve } = narrowTo.acts
  const next: Proposal = { scope: scopeOf(narrowTo.scope), acts: { view, copy, preserve } }
  if (!isWithin(next.scope, proposal.scope) || !isActsWithin(next.acts, proposal.acts)) return 'wider-than-asked'
  return next.scope.length === 0 || !ACTS.some(act => next.acts[act]) ? 'nothing-left' : next
}

const isReason = (reason: string | null): reason is string => reason !== null && areWords(reason)

interface Step { readonly form: RequestForm, readonly chain: Chain, readonly isLast: boolean }

/** Everything a decision must bring with it, before anything is written. */
function decisionFault(application: Application, command: Decide, { form, chain, isLast }: Step, proposal: Proposal, context: CaseContext): RefusalCode | null {
  if (command.reason !== null && !isReason(command.reason)) return 'bad-words'
  if (command.ground !== null && !context.ruleSet.hasGround(command.ground)) return 'ground-needed'
  if (command.decision !== 'agree') {
    if (!isReason(command.reason)) return 'reason-needed'
    return command.decision === 'refuse' && (isLast || chain.refusalEnds === 'any-step') && command.ground === null ? 'ground-needed' : null
  }
  if (lacking(application.content, form).length > 0) return 'incomplete'
  if (!isLast) return null
  if (isThirdPartyPending(application, context)) return 'third-party-pending'
  const isLess = !isSameScope(proposal.scope, application.content.asked) || !isSameActs(proposal.acts, application.content.acts)
  const isOverruling = application.signatures.some(signature => signature.decision === 'refuse')
  if ((isLess || isOverruling) && !isReason(command.reason)) return 'reason-needed'
  if (isLess && command.ground === null) return 'ground-needed'
  const limits = context.ruleSet.rules.grant
  const { days, place } = command.grant ?? limits
  const isLimited = Number.isInteger(days) && days >= 1 && days <= limits.maxDays && areWords(place, CASE_LIMITS.nameChars, false)
  return isLimited ? null : 'bad-grant'
}

/** 主任 decides (R29): the last step. */
function approved(application: Application, command: Decide, { proposal, decision }: { readonly proposal: Proposal, readonly decision: Decision }, context: CaseContext): Outcome {
  const { content } = application
  const { days, place, isPreRollAllowed } = command.grant ?? { ...context.ruleSet.rules.grant, isPreRollAllowed: false }
  const approval: Approval = {
    ...decision, scope: proposal.scope, acts: proposal.acts, isPreRollAllowed, place,
    validUntil: epochMs(startOfOfficeDay(officeDay(context.now).add({ days: days + 1 }))),
  }
  const isWhole = isSameScope(proposal.scope, content.asked) && isSameActs(proposal.acts, content.acts)
  const next: Application = { ...application, state: { kind: isWhole ? 'approved' : 'partly-approved', approval } }
  const grant = grantOf(next, context.ruleSet)
  const until = rocDateText(officeDay(epochMs(approval.validUntil - 1)))
  const effects: Effect[] = [
    { kind: 'hold', scope: approval.scope },
    ...(grant === null ? [] : [{ kind: 'open-grant', grant } as const, { kind: 'draft-notice', notice: 'approval', values: { 案號: application.number, 有效期限: until, 調閱處所: place }, scope: approval.scope } as const]),
    ...(approval.acts.preserve ? [{ kind: 'preserve', scope: approval.scope } as const] : []),
    ...(isWhole ? [] : [refusalNotice(next, decision, context)]),
  ]
  return { ok: true, application: next, effects }
}

/** One signature in its turn: version, state and step first, then who, then what. The returned application has its next version already. */
export function decide(application: Application, command: Decide, context: CaseContext): Outcome {
  const { state } = application
  if (state.kind !== 'under-review') return no('wrong-state')
  const { form, chain } = rulesOf(application, context)
  if (command.step !== state.step) return no('not-this-step')
  const { step } = state
  const signer = maySign(application, command.actor, { form, chain, step, isNotTheApplicant: command.isNotTheApplicant }, context)
  if (!signer.ok) return no(signer.code)
  const isLast = step === chain.steps.length - 1
  const proposal = command.decision === 'agree' ? narrowed(application.proposal, command.narrowTo) : application.proposal
  if (typeof proposal === 'string') return no(proposal)
  const fault = decisionFault(application, command, { form, chain, isLast }, proposal, context)
  if (fault !== null) return no(fault)

  const signature: Signature = {
    step, post: chain.steps[step]!.post, account: command.actor.account, name: command.actor.name, capacity: signer.capacity,
    decision: command.decision, reason: command.reason, ground: command.ground, at: context.now, version: application.version, proposal,
  }
  const signed: Application = { ...application, version: application.version + 1, proposal, signatures: [...application.signatures, signature] }
  if (command.decision === 'return') return returned(signed, command, context)
  const decision: Decision = { at: context.now, by: command.actor.account, ground: command.ground, reason: command.reason }
  if (command.decision === 'refuse' && (isLast || chain.refusalEnds === 'any-step')) {
    const refused: Application = { ...signed, state: { kind: 'refused', decision } }
    return { ok: true, application: refused, effects: [{ kind: 'release-hold' }, refusalNotice(refused, decision, context)] }
  }
  if (isLast) return approved(signed, command, { proposal, decision }, context)
  return { ok: true, application: { ...signed, state: { kind: 'under-review', step: step + 1 } }, effects: [] }
}

/** 退回補正: the round ends, and its signatures count for nothing once the applicant has answered. */
function returned(application: Application, command: Decide, context: CaseContext): Outcome {
  if (application.completions.length >= CASE_LIMITS.rounds) return no('too-many')
  return { ok: true, ...beginCompletion(application, { actor: command.actor, items: command.reason! }, context) }
}

/** Asks the applicant to complete; the deadline stands still meanwhile where the rules say so. */
export function beginCompletion(application: Application, { actor, items }: { readonly actor: Decide['actor'], readonly items: string }, context: CaseContext): { readonly application: Application, readonly effects: readonly Effect[] } {
  const today = officeDay(context.now)
  const pauses = context.ruleSet.rules.switches.completionPausesDeadline
  const completion = { askedAt: context.now, askedBy: actor.account, items, startedOn: today.toString(), endedAt: null, outcome: null }
  const due = noticeDue(context.ruleSet.deadline('completion'), today, context)
  return {
    application: {
      ...application, state: { kind: 'completing' }, completions: [...application.completions, completion],
      signatures: [], pastRounds: application.signatures.length === 0 ? application.pastRounds : [...application.pastRounds, application.signatures],
      deadline: application.deadline !== null && pauses ? pauseDeadline(application.deadline, today) : application.deadline,
    },
    effects: [{ kind: 'draft-notice', notice: 'completion', values: { 案號: application.number, 申請日期: rocDateText(officeDay(application.receivedAt)), 補正事項: items, 期限: due }, scope: null }],
  }
}
