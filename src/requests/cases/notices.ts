import { dueOf, officeDay, rocDateText, startDeadline, type DeadlineRule } from '../../rules/index.ts'
import type { Application, Decision } from './application.ts'
import type { CaseContext, Effect } from './command.ts'

/** `113年10月7日`, or `113年10月7日上午` where a Saturday moved to the Monday's morning. */
export function noticeDue(rule: DeadlineRule, startedOn: Temporal.PlainDate, context: Pick<CaseContext, 'calendar'>): string {
  const due = dueOf(startDeadline(rule, startedOn), context.calendar)
  return `${rocDateText(due.day)}${due.until === 'noon' ? '上午' : ''}`
}

/** 駁回或部分駁回 (R36): reason in words, the ground's citation, and how to appeal. */
export function refusalNotice(application: Application, decision: Decision, context: CaseContext): Effect {
  const { ruleSet } = context
  const remedies = ruleSet.rules.notices.find(notice => notice.id === 'remedy')?.text ?? ''
  return {
    kind: 'draft-notice', notice: 'refusal', scope: application.content.asked,
    values: {
      案號: application.number, 申請日期: rocDateText(officeDay(application.receivedAt)), 理由: decision.reason ?? '',
      法令依據: decision.ground === null ? '' : ruleSet.ground(decision.ground).citation,
      救濟教示: remedies.replaceAll('{機關}', ruleSet.rules.office.name).trim(),
    },
  }
}
