import { officeDay, type Chain, type RequestForm } from '../../rules/index.ts'
import type { Actor, Application, Content } from './application.ts'
import type { CaseContext } from './command.ts'
import { namesIn } from './content.ts'
import type { RefusalCode } from './refusal.ts'
import { capacityOf, signersOf, type Capacity, type PostQuestion } from './staffing.ts'

/** The form and chain of an application, by the rules it was made under. Throws RangeError for rules that are not its own: a mistake of the caller. */
export function rulesOf(application: Application, context: Pick<CaseContext, 'ruleSet'>): { readonly form: RequestForm, readonly chain: Chain } {
  const { ref } = context.ruleSet
  if (ref.name !== application.ruleSet.name || ref.sha256 !== application.ruleSet.sha256) throw new RangeError(`${application.number} was made under ${application.ruleSet.name}, not under these rules (${ref.name})`)
  const form = context.ruleSet.requestForm(application.content.form)
  if (form === null) throw new RangeError(`${application.number} has a form that ${ref.name} does not know`)
  return { form, chain: context.ruleSet.chain(form.chain) }
}

/** Everybody of the office who stands on the applicant's side. */
export const applicantAccounts = (content: Content): readonly string[] => [content.applicantAccount, ...content.agents.map(agent => agent.account)].filter(account => account !== null)
const isRecused = (application: Application, account: string): boolean => application.recusals.some(recusal => recusal.account === account)

export function questionOf(application: Application, chain: Chain, step: number, context: Pick<CaseContext, 'ruleSet' | 'now'>): PostQuestion {
  const post = context.ruleSet.post(chain.steps[step]!.post)
  return { post: post.id, unit: post.ofApplicantsUnit === true ? application.content.applicantUnit : null, day: officeDay(context.now) }
}

/** 承辦人 who does the paper work of a case, and stands on nobody's side in it. */
export const isClerkOf = (application: Application, actor: Actor): boolean =>
  actor.role === 'clerk' && !applicantAccounts(application.content).includes(actor.account) && !isRecused(application, actor.account)

/** Whoever may decide last, today. */
export function isDecider(application: Application, actor: Actor, context: CaseContext): boolean {
  const { chain } = rulesOf(application, context)
  const last = chain.steps.length - 1
  return actor.role === context.ruleSet.post(chain.steps[last]!.post).role && capacityOf(context.staffing, actor.account, questionOf(application, chain, last, context)) !== null
    && !applicantAccounts(application.content).includes(actor.account) && !isRecused(application, actor.account)
}

const signersSoFar = (application: Application): ReadonlySet<string> => new Set(application.signatures.map(signature => signature.account))

/** R38 and the chain's own rule on how many people sign; null when this account may take this step. */
function barOf(application: Application, chain: Chain, step: number, account: string): RefusalCode | null {
  if (applicantAccounts(application.content).includes(account)) return 'own-request'
  if (isRecused(application, account)) return 'recused'
  const signed = signersSoFar(application)
  const isLast = step === chain.steps.length - 1
  if (isLast && chain.lastSignsOnce && signed.has(account)) return 'signed-before'
  const different = new Set([...signed, account]).size + (chain.steps.length - 1 - step)
  return different < chain.distinctSigners ? 'too-few-signers' : null
}

export interface SignerCheck { readonly form: RequestForm, readonly chain: Chain, readonly step: number, readonly isNotTheApplicant: boolean }

/** Whether this person, in this role, may sign this step today; as holder or deputy. */
export function maySign(application: Application, actor: Actor, { form, chain, step, isNotTheApplicant }: SignerCheck, context: CaseContext): { readonly ok: true, readonly capacity: Capacity } | { readonly ok: false, readonly code: RefusalCode } {
  const post = context.ruleSet.post(chain.steps[step]!.post)
  if (actor.role !== post.role) return { ok: false, code: 'wrong-role' }
  const capacity = capacityOf(context.staffing, actor.account, questionOf(application, chain, step, context))
  if (capacity === null) return { ok: false, code: 'not-in-post' }
  const bar = barOf(application, chain, step, actor.account)
  if (bar !== null) return { ok: false, code: bar }
  return !isNotTheApplicant && namesIn(application.content, form).includes(actor.name) ? { ok: false, code: 'same-name' } : { ok: true, capacity }
}

/** Accounts that could sign the step that is due, today. Empty means the case stands still until somebody appoints a deputy; a screen says so. */
export function whoMaySign(application: Application, context: CaseContext): ReadonlyMap<string, Capacity> {
  if (application.state.kind !== 'under-review') return new Map()
  const { step } = application.state
  const { chain } = rulesOf(application, context)
  return new Map([...signersOf(context.staffing, questionOf(application, chain, step, context))].filter(([account]) => barOf(application, chain, step, account) === null))
}
