import { watch } from 'chokidar'
import type { Access, AccessTime, AuditBook } from '../access/index.ts'
import type { AuditEntry } from '../audit/index.ts'
import { openBook, type Book, type Standing } from '../book/index.ts'
import type { OfficeConfig } from '../config/index.ts'
import { epochMs, type OfficeView } from '../domain/index.ts'
import type { Footage } from '../footage/index.ts'
import type { Catalogue } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import { LastKnown } from '../platform/last-known.ts'
import type { Logger } from '../platform/logger.ts'
import { HoldKeeper, RequestDesk, type CaseRecords, type HoldsPort } from '../requests/index.ts'
import { officeDay, RuleSetError, type OfficeCalendar } from '../rules/index.ts'
import { LiveCalendar } from './live-calendar.ts'
import type { LiveRules } from './live-rules.ts'

/** Cases due by then are worth a word. */
const SOON_DAYS = 3
const DAY_MS = 86_400_000
/** A night that failed is tried again the next one. */
const RECONCILED_WITHIN_MS = 2 * DAY_MS
const NO_HOLDS: OfficeView['holds'] = { waiting: 0, waitingSince: null, unknown: 0, unknownSince: null }
const SETTLE_MS = 300 // a folder is copied in several steps

export interface ProcedureOptions {
  readonly catalogue: Catalogue
  readonly audit: AuditBook & { get(seq: number): AuditEntry | null }
  readonly access: Access
  /** Of the recorder. */
  readonly holds: HoldsPort
  readonly footage: Pick<Footage, 'cameras' | 'found'>
  readonly config: { readonly state: { readonly dir: string }, readonly office: OfficeConfig }
  readonly rules: LiveRules
  readonly time: AccessTime
  readonly clock: Clock
  readonly log: Logger
  /** Applications whose own record says that they were viewed or copied: sessions and packages tell. */
  readonly used?: () => Iterable<string>
}

/** The office's own procedure, running: plain parts for whoever serves them. */
export interface Procedure {
  /** Throws nothing without rules: `inForceOn` is null then, and whoever would decide is told so. */
  readonly shelf: LiveRules
  readonly calendar: () => OfficeCalendar
  readonly desk: RequestDesk
  readonly book: Book
  /** Reconciliation and review packs, in slices [G9]. */
  nightly(signal?: AbortSignal): Promise<void>
  /** What time and disk have done since the last one: folders read again, grants over, holds asked for again. Idempotent. */
  sweep(): Promise<void>
  /** As of the last sweep or night, holds as of now: cheap. */
  view(): Omit<OfficeView, 'inbox'>
  /** Wakes `sweep` when a rule set or calendar changes. */
  watch(): AsyncDisposable
  /** Has the recorder hold what cases want, until it is disposed of. */
  keepHolds(): AsyncDisposable
}

/** Puts the parts together. Nothing in here can keep the recorder from recording: without rules the office is closed and says so. */
export async function openProcedure({ catalogue, audit, access, holds, footage, config, rules, time, clock, log, used = () => [] }: ProcedureOptions): Promise<Procedure> {
  const { db } = catalogue
  const calendars = new LiveCalendar({ folder: config.office.calendar, log })
  await calendars.reload()
  const calendar = (): OfficeCalendar => calendars.now
  const keeper = new HoldKeeper({ db, audit, port: holds, time, clock, log: log.child({ cap: 'holds' }) })
  const desk = new RequestDesk({
    db, audit, access, keeper, footage, shelf: rules, calendar, time, clock, stateDir: config.state.dir, managingUnit: config.office.managingUnit,
  })
  const book = openBook({ db, audit, rights: access.sessions, time, calendar, applications: { standingOf: number => standingOf(desk.records, number), used }, grants: range => desk.records.openedIn(range) })
  const look = (): Omit<OfficeView, 'inbox' | 'holds'> => {
    const day = officeDay(time.wallNow())
    const { reconciled, waiting, packsDue } = book.view()
    return {
      rules: rules.inForceOn(day) === null ? 'none' : 'in-force', ruleProblems: rules.problems,
      // The next year's calendar is out by June; from November on it is missed.
      calendarMissing: calendar().unknownYears(day, day.month >= 11 ? day.add({ years: 1 }) : day), calendarProblems: calendars.problems,
      book: {
        orphans: reconciled?.orphanCount ?? 0, reconciledAt: reconciled === null ? null : epochMs(reconciled.atMs), lines: book.log.last(),
        isReconcilingLate: book.log.last() > 0 && time.wallNow() - (reconciled?.atMs ?? book.log.get(1)?.line.enteredAt ?? -Infinity) > RECONCILED_WITHIN_MS, // the first night may still be to come
        unsigned: waiting?.count ?? 0, oldestUnsignedAt: waiting === null ? null : epochMs(waiting.oldestUsedAtMs), unsignedDays: Math.floor((waiting?.oldestAgeMs ?? 0) / DAY_MS), packsDue: packsDue.length,
      },
      cases: desk.records.dueWithin(SOON_DAYS),
    }
  }
  const known = new LastKnown()
  let last = look()
  const refresh = (): void => { last = known.ask('office', look, last) }
  const sweep = async (): Promise<void> => {
    await rules.reload()
    await calendars.reload()
    try {
      desk.grants.sweep()
      await keeper.settle()
    } finally { refresh() }
  }
  return {
    shelf: rules, calendar, desk, book, sweep, view: () => ({ ...last, holds: known.ask('holds', () => keeper.view(), NO_HOLDS) }),
    async nightly(signal) {
      try {
        const { orphans, packsMade } = await book.nightly(signal)
        if (orphans > 0) log.error({ orphans }, 'the log book does not agree with what happened')
        if (packsMade.length > 0) log.info({ months: packsMade }, 'review packs made')
      } catch (error) {
        if (!(error instanceof RuleSetError)) throw error
        log.error({ err: error }, 'the log book cannot be reconciled without the rules its cases were made under')
      } finally { refresh() }
    },
    watch() {
      const watcher = watch([rules.folder, calendars.folder], { ignoreInitial: true, depth: 0, awaitWriteFinish: { stabilityThreshold: SETTLE_MS, pollInterval: 100 } })
      let reading: Promise<void> = Promise.resolve()
      watcher.on('all', () => { reading = reading.then(sweep).catch((error: unknown) => { log.error({ err: error }, 'the office could not be looked at') }) })
      watcher.on('error', error => { log.warn({ err: error }, 'rule sets and calendars cannot be watched') })
      return { [Symbol.asyncDispose]: async () => { await watcher.close(); await reading } }
    },
    keepHolds() {
      const stop = new AbortController()
      const keeping = keeper.run(stop.signal)
        .catch((error: unknown) => { log.error({ err: error }, 'holds of cases are not asked for again until the office is opened again') })
      return { [Symbol.asyncDispose]: async () => { stop.abort(); await keeping } }
    },
  }
}

/** What the book asks of a case: as it stood while it was open, whatever became of it since. */
function standingOf(records: CaseRecords, number: string): Standing {
  const approval = records.approvalOf(number)
  if (approval === null) return { kind: 'unknown' }
  if (approval === 'not-approved') return { kind: 'not-approved' }
  const { view, copy, from, until, scope, preRollMs } = approval
  return { kind: 'approved', approval: { view, copy, approvedAt: from, validUntil: until, ranges: scope, preRollMs } }
}
