import { dueOf, isOverdue, nominalDayOf, officeDay, startDeadline, type Deadline, type DueDay } from '../rules/index.ts'
import type { Application } from './cases/application.ts'
import type { CaseContext } from './cases/command.ts'

/** One thing the office owes (R56). `isPaused`: stands still while the applicant completes. */
export interface Due { readonly what: 'decision' | 'copy-request', readonly due: DueDay, readonly isOverdue: boolean, readonly isPaused: boolean }
type Rules = Pick<CaseContext, 'ruleSet'>

/** Deadlines that still run. A copy asked for under 個資法 §10 has one of its own until it is answered (R58). */
function running({ state, deadline, copyRequest }: Application, { ruleSet }: Rules): readonly { readonly what: Due['what'], readonly deadline: Deadline }[] {
  if (deadline === null) return []
  const isOpen = state.kind === 'under-review' || state.kind === 'completing'
  return [
    ...(isOpen ? [{ what: 'decision', deadline } as const] : []),
    ...(copyRequest !== null && copyRequest.answer === null ? [{ what: 'copy-request', deadline: startDeadline(ruleSet.deadline(deadline.rule), officeDay(copyRequest.at)) } as const] : []),
  ]
}

/** The first first. */
export function duesOf(application: Application, context: Pick<CaseContext, 'ruleSet' | 'calendar' | 'now'>): readonly Due[] {
  return running(application, context)
    .map(({ what, deadline }) => ({ what, due: dueOf(deadline, context.calendar), isOverdue: isOverdue(deadline, context.now, context.calendar), isPaused: deadline.pausedSince !== null }))
    .sort((a, b) => a.due.dueAt - b.due.dueAt)
}

/** The first day on which anything ends, before it moves off rest days: what does not change when a calendar comes. */
export function nominalDayFor(application: Application, rules: Rules): string | null {
  return running(application, rules).map(({ deadline }) => nominalDayOf(deadline).toString()).sort()[0] ?? null
}
