import type { AccessTime } from '../access/index.ts'
import { epochMs, type EpochMs, type TimeRange } from '../domain/index.ts'
import { officeDay, type OfficeCalendar, type Rules } from '../rules/index.ts'
import { ApplicationError, grantOf } from './cases/grant.ts'
import { PRE_ROLL_MOST_MS } from './cases/limits.ts'
import type { Scope } from './cases/scope.ts'
import { duesOf } from './due.ts'
import type { applicationTables } from './tables/applications.ts'
import type { grantTables } from './tables/grants.ts'

export interface RecordsOptions {
  readonly shelf: Rules
  readonly calendar: () => OfficeCalendar
  readonly time: AccessTime
  readonly applications: ReturnType<typeof applicationTables>
  readonly grants: ReturnType<typeof grantTables>
}

/** What an application opened while it was open: from the last approval, or the signed statement where one is needed, to its end or to the act that ended it. */
export interface PastApproval { readonly view: boolean, readonly copy: boolean, readonly from: EpochMs, readonly until: EpochMs, readonly scope: Scope, readonly preRollMs: number }
/** A grant that was opened. `by`: who signed last, as the book names people. */
export interface Opened { readonly application: string, readonly at: EpochMs, readonly by: string, readonly acts: string }
export interface DueCount { readonly overdue: number, readonly soon: number }

/** What cases tell to other records, long after they are over. Each approval is proved again from its record, as at every opening. */
export class CaseRecords {
  readonly #options: RecordsOptions
  constructor(options: RecordsOptions) { this.#options = options }

  /** Null for a number that was never given; `not-approved` also for a record that does not carry its approval: whoever used it has something to explain. Throws RuleSetError when its rules are gone. */
  approvalOf(number: string): PastApproval | 'not-approved' | null {
    const { applications, grants, shelf } = this.#options
    const known = applications.get(number)
    if (known === null) return null
    try {
      const record = applications.approved(number)?.record
      const grant = record === undefined ? null : grantOf(record, shelf.get(record.ruleSet))
      if (record === undefined || grant === null || grant.statement === 'missing') return 'not-approved'
      const endedAt = grants.get(number)?.ended?.at ?? grant.validUntil
      return {
        view: grant.canView, copy: grant.copy !== null, scope: grant.scope, preRollMs: grant.isPreRollAllowed ? PRE_ROLL_MOST_MS : 0,
        from: grant.statement === 'signed' ? record.statements[0]!.at : grant.approvedAt, until: epochMs(Math.min(grant.validUntil, endedAt)),
      }
    } catch (error) {
      if (error instanceof ApplicationError) return 'not-approved'
      throw error
    }
  }

  /** Grants that were opened in this time, in order. */
  *openedIn({ startAt, endAt }: TimeRange): Generator<Opened> {
    const { applications, grants } = this.#options
    for (const { number, openedAt, acts } of grants.openedIn(startAt, endAt)) {
      const last = applications.approved(number)?.record.signatures.at(-1)
      yield { application: number, at: openedAt, by: last === undefined ? '' : `${last.name} (${last.account})`, acts }
    }
  }

  /** How many cases the office is late with, and how many it has `days` days for at most. Cases whose rules are gone are not counted: they are told elsewhere. */
  dueWithin(days: number): DueCount {
    const { applications, shelf, calendar, time } = this.#options
    const now = epochMs(time.wallNow()), until = officeDay(now).add({ days })
    let [overdue, soon] = [0, 0]
    for (const { number } of applications.search({ nominalBy: until.toString() })) {
      const record = applications.newest(number)?.record
      if (record === undefined || !shelf.has(record.ruleSet)) continue
      const [first] = duesOf(record, { ruleSet: shelf.get(record.ruleSet), calendar: calendar(), now }).filter(due => !due.isPaused)
      if (first === undefined) continue
      if (first.isOverdue) overdue += 1
      else if (Temporal.PlainDate.compare(first.due.day, until) <= 0) soon += 1
    }
    return { overdue, soon }
  }
}
