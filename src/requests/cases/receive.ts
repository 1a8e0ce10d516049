import type { EpochMs } from '../../domain/index.ts'
import { officeDay, rocYear, startDeadline } from '../../rules/index.ts'
import type { Actor, Application, Content } from './application.ts'
import { parseApplicationNumber, type ApplicationNumber } from './application-number.ts'
import { applicantAccounts } from './chain.ts'
import type { CaseContext, Outcome } from './command.ts'
import { contentProblems } from './content.ts'
import { refusal, type RefusalCode } from './refusal.ts'
import { scopeOf } from './scope.ts'

export interface Receipt {
  readonly actor: Actor
  /** The next of the running numbers, taken in the same transaction that stores the application. */
  readonly number: ApplicationNumber
  readonly content: Content
}

/** The content as it is kept: own objects, the scope in normal form. */
export const kept = (content: Content): Content => ({ ...content, fields: { ...content.fields }, agents: content.agents.map(agent => ({ ...agent, fields: { ...agent.fields } })), asked: scopeOf(content.asked) })

/** Why this person may not hand in or take in this content: a member of staff hands in their own, everybody else's is taken in by somebody who is not on their side. */
export function receiverBar(actor: Actor, content: Content, { ruleSet }: Pick<CaseContext, 'ruleSet'>): RefusalCode | null {
  if (ruleSet.requestForm(content.form)?.receivedBy.includes(actor.role) !== true) return 'wrong-role'
  if (content.applicantClass === 'staff') return content.applicantAccount === actor.account ? null : 'wrong-role'
  return applicantAccounts(content).includes(actor.account) ? 'own-request' : null
}

/**
 * Takes an application in. What is merely missing is asked for later; what cannot be (a range in the future, a form that is not for this applicant) is told now, all at once.
 * The range is held from this moment (R32), and the deadline runs from this day (R56).
 */
export function receive({ actor, number, content }: Receipt, context: CaseContext): Outcome {
  const { ruleSet, now } = context
  const form = ruleSet.requestForm(content.form)
  if (form === null) return { ok: false, refusal: refusal('bad-content', [{ where: 'form', zh: '沒有這種申請表。', en: 'There is no such form.' }]) }
  const bar = receiverBar(actor, content, context)
  if (bar !== null) return { ok: false, refusal: refusal(bar) }
  const problems = contentProblems(content, form, context)
  if (problems.length > 0) return { ok: false, refusal: refusal('bad-content', problems) }
  if (!isNumberOf(number, now, ruleSet.rules.numbering.word)) return { ok: false, refusal: refusal('bad-number') }
  const own = kept(content)
  const application: Application = {
    number, ruleSet: ruleSet.ref, version: 1, receivedAt: now, receivedBy: actor.account, content: own, attachments: [],
    deadline: form.deadline === undefined ? null : startDeadline(ruleSet.deadline(form.deadline), officeDay(now)),
    proposal: { scope: own.asked, acts: own.acts }, signatures: [], pastRounds: [], completions: [], thirdParty: null, recusals: [], statements: [], copyRequest: null,
    state: { kind: 'under-review', step: 0 },
  }
  return { ok: true, application, effects: [{ kind: 'hold', scope: own.asked }] }
}

/** A number of an earlier year is never handed out; one of a later year only after the clock was set back. */
function isNumberOf(number: ApplicationNumber, now: EpochMs, word: string): boolean {
  const parts = parseApplicationNumber(number)
  return parts !== null && parts.word === word && parts.rocYear >= rocYear(officeDay(now))
}
