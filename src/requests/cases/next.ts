import { assertNever } from '../../domain/index.ts'
import { dueOf, extendDeadline, isOverdue, officeDay, resumeDeadline, rocDateText, startDeadline, type DueDay } from '../../rules/index.ts'
import { copyRequest, finish, signStatement } from './afterwards.ts'
import type { Application } from './application.ts'
import { isClerkOf, isDecider, rulesOf } from './chain.ts'
import type { CaseContext, Command, CommandOf, Effect, Outcome } from './command.ts'
import { contentProblems } from './content.ts'
import { CASE_LIMITS } from './limits.ts'
import { areWords } from './plain-words.ts'
import { kept, receiverBar } from './receive.ts'
import { beginCompletion, decide } from './review.ts'
import { isSameScope } from './scope.ts'
import { done, hasEnded, isApproved, no } from './transition.ts'

function askToComplete(application: Application, command: CommandOf<'ask-to-complete'>, context: CaseContext): Outcome {
  if (application.state.kind !== 'under-review') return no('wrong-state')
  if (!isClerkOf(application, command.actor)) return no('wrong-role')
  if (!areWords(command.items)) return no('bad-words')
  if (application.completions.length >= CASE_LIMITS.rounds) return no('too-many')
  const begun = beginCompletion(application, { actor: command.actor, items: command.items }, context)
  return { ok: true, application: { ...begun.application, version: application.version + 1 }, effects: begun.effects }
}

/** Closes the open completion; the chain begins anew. */
function endCompletion(application: Application, outcome: 'completed' | 'lapsed', context: CaseContext): Pick<Application, 'completions' | 'deadline' | 'state'> {
  const completions = application.completions.map((completion, index) => index === application.completions.length - 1 ? { ...completion, endedAt: context.now, outcome } : completion)
  const deadline = application.deadline === null ? null : resumeDeadline(application.deadline, officeDay(context.now))
  return { completions, deadline, state: { kind: 'under-review', step: 0 } }
}

function complete(application: Application, command: CommandOf<'complete'>, context: CaseContext): Outcome {
  if (application.state.kind !== 'completing') return no('wrong-state')
  const { form } = rulesOf(application, context)
  const { content } = command
  // Another form or class would be another application, with another chain.
  if (content.form !== application.content.form || content.applicantClass !== application.content.applicantClass || content.applicantAccount !== application.content.applicantAccount) return no('not-for-this-form')
  const bar = receiverBar(command.actor, content, context)
  if (bar !== null) return no(bar)
  const problems = contentProblems(content, form, context)
  if (problems.length > 0) return no('bad-content', problems)
  const own = kept(content)
  const effects: Effect[] = isSameScope(own.asked, application.content.asked) ? [] : [{ kind: 'hold', scope: own.asked }]
  return done(application, { ...endCompletion(application, 'completed', context), content: own, proposal: { scope: own.asked, acts: own.acts } }, effects)
}

function lapse(application: Application, command: CommandOf<'lapse'>, context: CaseContext): Outcome {
  const open = application.completions.at(-1)
  if (application.state.kind !== 'completing' || open === undefined) return no('wrong-state')
  if (!isClerkOf(application, command.actor)) return no('wrong-role')
  const term = startDeadline(context.ruleSet.deadline('completion'), Temporal.PlainDate.from(open.startedOn))
  if (!isOverdue(term, context.now, context.calendar)) return no('not-yet-lapsed')
  const { asked, acts } = application.content
  return done(application, { ...endCompletion(application, 'lapsed', context), proposal: { scope: asked, acts } })
}

function withdraw(application: Application, command: CommandOf<'withdraw'>, context: CaseContext): Outcome {
  if (hasEnded(application)) return no('wrong-state')
  const isApplicant = application.content.applicantAccount === command.actor.account
  if (!isApplicant && !isClerkOf(application, command.actor)) return no('wrong-role')
  if (!areWords(command.reason)) return no('bad-words')
  const effects: Effect[] = [{ kind: 'release-hold' }, ...(isApproved(application) ? [{ kind: 'end-grant' } as const] : [])]
  return done(application, { state: { kind: 'withdrawn', at: context.now, by: command.actor.account, reason: command.reason } }, effects)
}

function extend(application: Application, command: CommandOf<'extend-deadline'>, context: CaseContext): Outcome {
  if (application.state.kind !== 'under-review' && application.state.kind !== 'completing') return no('wrong-state')
  if (!isClerkOf(application, command.actor)) return no('wrong-role')
  if (!areWords(command.reason)) return no('bad-words')
  if (application.deadline === null) return no('no-extension')
  const rule = context.ruleSet.deadline(application.deadline.rule)
  const extension = { now: context.now, onDay: officeDay(context.now), by: command.actor.account, reason: command.reason, period: command.period }
  const result = extendDeadline(application.deadline, rule, extension, context.calendar)
  if (!result.ok) return no(result.refusal)
  const due = rocDateText(dueOf(result.deadline, context.calendar).day)
  return done(application, { deadline: result.deadline }, [{ kind: 'draft-notice', notice: 'extension', values: { 案號: application.number, 理由: command.reason, 延長期限: due, 法令依據: rule.basis }, scope: null }])
}

/** Anybody recuses themselves; somebody else is recused by whoever may decide last. There is no way back within a case. */
function recuse(application: Application, command: CommandOf<'recuse'>, context: CaseContext): Outcome {
  if (application.state.kind !== 'under-review' && application.state.kind !== 'completing') return no('wrong-state')
  if (command.account !== command.actor.account && !isDecider(application, command.actor, context)) return no('wrong-role')
  if (!areWords(command.reason) || !areWords(command.account, CASE_LIMITS.nameChars, false)) return no('bad-words')
  if (application.recusals.some(recusal => recusal.account === command.account)) return no('done-before')
  if (application.recusals.length >= CASE_LIMITS.recusals) return no('too-many')
  const recusals = [...application.recusals, { account: command.account, reason: command.reason, at: context.now, by: command.actor.account }]
  // A signature of somebody with a conflict decides nothing: the round begins again.
  const isTainted = application.signatures.some(signature => signature.account === command.account)
  if (!isTainted) return done(application, { recusals })
  const { asked, acts } = application.content
  return done(application, { recusals, signatures: [], pastRounds: [...application.pastRounds, application.signatures], proposal: { scope: asked, acts }, state: { kind: 'under-review', step: 0 } })
}

function thirdParty(application: Application, command: CommandOf<'ask-third-party'> | CommandOf<'third-party-answered'>, context: CaseContext): Outcome {
  if (application.state.kind !== 'under-review') return no('wrong-state')
  if (!isClerkOf(application, command.actor)) return no('wrong-role')
  if (command.kind === 'ask-third-party') {
    if (application.thirdParty !== null) return no('done-before')
    const today = officeDay(context.now)
    const due = dueOf(startDeadline(context.ruleSet.deadline('third-party'), today), context.calendar)
    return done(application, { thirdParty: { askedAt: context.now, askedBy: command.actor.account, startedOn: today.toString(), answer: null } },
      [{ kind: 'draft-notice', notice: 'third-party', values: { 案號: application.number, 期限: rocDateText(due.day) }, scope: null }])
  }
  if (application.thirdParty === null) return no('wrong-state')
  if (application.thirdParty.answer !== null) return no('done-before')
  if (!areWords(command.summary)) return no('bad-words')
  return done(application, { thirdParty: { ...application.thirdParty, answer: { at: context.now, summary: command.summary } } })
}

function attach(application: Application, command: CommandOf<'attach'>): Outcome {
  if (hasEnded(application)) return no('wrong-state')
  const isApplicant = application.content.applicantAccount === command.actor.account
  if (!isApplicant && !isClerkOf(application, command.actor)) return no('wrong-role')
  const { sha256, name, sizeBytes } = command.attachment
  const isSound = /^[0-9a-f]{64}$/.test(sha256) && areWords(name, CASE_LIMITS.nameChars, false) && Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes <= CASE_LIMITS.attachmentBytes
  if (!isSound) return no('bad-content', [{ where: 'attachment', zh: '掃描檔的雜湊、檔名或大小有誤。', en: 'Hash, name or size of the file is wrong.' }])
  if (application.attachments.length >= CASE_LIMITS.attachments) return no('too-many')
  if (application.attachments.some(attachment => attachment.sha256 === sha256)) return no('done-before')
  return done(application, { attachments: [...application.attachments, { sha256, name, sizeBytes }] })
}

/**
 * The one way an application changes. Pure: the next version and what follows from it, or a refusal that says why. Throws RangeError only for rules that are not the application's own.
 * A command that looked at another version is refused: what was signed is what was read.
 */
export function next(application: Application, command: Command, context: CaseContext): Outcome {
  rulesOf(application, context)
  if (command.version !== application.version) return no('stale')
  switch (command.kind) {
    case 'decide': return decide(application, command, context)
    case 'ask-to-complete': return askToComplete(application, command, context)
    case 'complete': return complete(application, command, context)
    case 'lapse': return lapse(application, command, context)
    case 'withdraw': return withdraw(application, command, context)
    case 'extend-deadline': return extend(application, command, context)
    case 'recuse': return recuse(application, command, context)
    case 'ask-third-party': case 'third-party-answered': return thirdParty(application, command, context)
    case 'attach': return attach(application, command)
    case 'sign-statement': return signStatement(application, command, context)
    case 'record-copy-request': case 'answer-copy-request': return copyRequest(application, command, context)
    case 'revoke': case 'close': return finish(application, command, context)
    default: return assertNever(command)
  }
}

/** When the applicant's answer is due; null while nothing is asked. */
export function completionDue({ state, completions }: Application, { ruleSet, calendar }: Pick<CaseContext, 'ruleSet' | 'calendar'>): DueDay | null {
  const open = state.kind === 'completing' ? completions.at(-1) : undefined
  return open === undefined ? null : dueOf(startDeadline(ruleSet.deadline('completion'), Temporal.PlainDate.from(open.startedOn)), calendar)
}
