import type { Application } from './application.ts'
import { isClerkOf, isDecider, rulesOf } from './chain.ts'
import type { CaseContext, CommandOf, Outcome } from './command.ts'
import { grantOf } from './grant.ts'
import { CASE_LIMITS } from './limits.ts'
import { areWords } from './plain-words.ts'
import { done, isApproved, no } from './transition.ts'

/** R35: signed before anything opens, in the custodian's presence. */
export function signStatement(application: Application, command: CommandOf<'sign-statement'>, context: CaseContext): Outcome {
  if (!isApproved(application)) return no('wrong-state')
  if (rulesOf(application, context).form.statement === undefined) return no('no-statement')
  if (command.actor.role !== 'custodian') return no('wrong-role')
  if (!areWords(command.name, CASE_LIMITS.nameChars, false)) return no('bad-words')
  if (application.statements.length >= CASE_LIMITS.statements) return no('too-many')
  const statements = [...application.statements, { name: command.name, at: context.now, witness: command.actor.account }]
  const signed: Application = { ...application, statements, version: application.version + 1 }
  const grant = grantOf(signed, context.ruleSet)
  return { ok: true, application: signed, effects: grant === null ? [] : [{ kind: 'open-grant', grant }] }
}

/** R58: a party's wish for a copy is written down and answered by people; whatever the answer, no copy comes of it here. */
export function copyRequest(application: Application, command: CommandOf<'record-copy-request'> | CommandOf<'answer-copy-request'>, context: CaseContext): Outcome {
  if (application.content.applicantClass !== 'data-subject' && application.content.applicantClass !== 'interested-party') return no('not-for-this-form')
  if (command.kind === 'record-copy-request') {
    if (!isClerkOf(application, command.actor)) return no('wrong-role')
    if (application.copyRequest !== null) return no('done-before')
    if (!areWords(command.words)) return no('bad-words')
    return done(application, { copyRequest: { at: context.now, by: command.actor.account, words: command.words, answer: null } })
  }
  if (!isDecider(application, command.actor, context)) return no('wrong-role')
  if (application.copyRequest === null) return no('wrong-state')
  if (application.copyRequest.answer !== null) return no('done-before')
  if (!context.ruleSet.hasGround(command.ground)) return no('ground-needed')
  if (!areWords(command.reason)) return no('reason-needed')
  const { outcome, ground, reason } = command
  return done(application, { copyRequest: { ...application.copyRequest, answer: { at: context.now, by: command.actor.account, outcome, ground, reason } } })
}

/** Takes an approval back (the deciding post), or puts a used one away (the custodian). */
export function finish(application: Application, command: CommandOf<'revoke'> | CommandOf<'close'>, context: CaseContext): Outcome {
  if (!isApproved(application)) return no('wrong-state')
  const isAllowed = command.kind === 'revoke' ? isDecider(application, command.actor, context) : command.actor.role === 'custodian'
  if (!isAllowed) return no('wrong-role')
  if (!areWords(command.reason)) return no('bad-words')
  const state = { kind: 'closed', at: context.now, by: command.actor.account, reason: command.reason, wasRevoked: command.kind === 'revoke' } as const
  return done(application, { state }, [{ kind: 'release-hold' }, { kind: 'end-grant' }])
}
