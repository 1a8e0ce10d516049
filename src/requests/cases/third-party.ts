import { isOverdue, startDeadline } from '../../rules/index.ts'
import type { Application } from './application.ts'
import type { CaseContext } from './command.ts'

/** Whether a third party was asked, has not answered, and still has time (R64). */
export function isThirdPartyPending({ thirdParty }: Application, { ruleSet, calendar, now }: Pick<CaseContext, 'ruleSet' | 'calendar' | 'now'>): boolean {
  if (thirdParty === null || thirdParty.answer !== null) return false
  return !isOverdue(startDeadline(ruleSet.deadline('third-party'), Temporal.PlainDate.from(thirdParty.startedOn)), now, calendar)
}
