import { createHash } from 'node:crypto'
import { isApprover, personKey, type Acting } from '../access/index.ts'
import { canonicalJson } from '../audit/index.ts'
import { epochMs, SYSTEM, type AuditValue, type EpochMs, type TimeRange } from '../domain/index.ts'
import { OFFICE_ZONE, startOfOfficeDay, type OfficeCalendar } from '../rules/index.ts'
import { perform, type BookCore } from './core.ts'
import { BookRefusedError } from './errors.ts'
import { plainWords } from './line.ts'
import type { OrphanKind } from './reconcile.ts'
import { reviewTables, type PackRow } from './tables/reviews.ts'

/** A grant that began in the month, as requests tells it. */
export interface GrantFact { readonly application: string, readonly at: EpochMs, readonly by: string, readonly acts: string }
/** Local clock times, `08:00`; half-open. */
export interface OfficeHours { readonly from: string, readonly to: string }
export const OFFICE_HOURS: OfficeHours = { from: '08:00', to: '18:00' }

/** R75. Instants are UTC milliseconds; lists are bounded, their counts are not. */
export interface PackContent {
  readonly month: string
  readonly madeAt: number
  readonly uses: { readonly lines: number, readonly views: number, readonly copies: number }
  /** `days` are the reconciliations of the month; `found` every orphan any of them found, once. `lastRunAt` null: none was run, which is itself to be asked about. */
  readonly orphans: { readonly runs: number, readonly lastRunAt: number | null, readonly found: readonly { readonly kind: OrphanKind, readonly subject: string }[] }
  readonly failedSignIns: { readonly count: number, readonly locks: number, readonly by: readonly { readonly account: string, readonly source: string, readonly count: number }[] }
  readonly offHours: readonly { readonly line: number, readonly at: number, readonly account: string, readonly application: string }[]
  readonly grants: readonly { readonly application: string, readonly at: number, readonly by: string, readonly acts: string }[]
  readonly unsigned: { readonly count: number, readonly oldest: readonly { readonly line: number, readonly at: number, readonly box: string }[] }
  readonly corrections: readonly { readonly line: number, readonly corrects: number, readonly at: number, readonly by: string, readonly reason: string }[]
}
export interface ReviewPack { readonly packId: number, readonly month: string, readonly content: PackContent, readonly sha256: string, readonly madeAtMs: number, readonly signedBy: string | null, readonly signedAtMs: number | null, readonly remark: string | null }

/** Whether a use falls outside working days and hours of the office. Pure. */
export function isOffHours(at: EpochMs, calendar: OfficeCalendar, hours: OfficeHours): boolean {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(OFFICE_ZONE)
  const clock = local.toPlainTime().toString({ smallestUnit: 'minute' })
  return !calendar.isWorkingDay(local.toPlainDate()) || clock < hours.from || clock >= hours.to
}

/** `2026-11` of local days. Throws RangeError. */
export function monthRange(month: string): TimeRange {
  if (!/^\d{4}-\d{2}$/.test(month)) throw new RangeError(`not a month: ${JSON.stringify(month.slice(0, 20))}`)
  const first = Temporal.PlainDate.from(`${month}-01`)
  return { startAt: startOfOfficeDay(first), endAt: startOfOfficeDay(first.add({ months: 1 })) }
}

/** The monthly review of the log (R75): made by the recorder, signed by 主管. */
export class ReviewPacks {
  readonly #core: BookCore
  readonly #tables: ReturnType<typeof reviewTables>
  readonly #options: { readonly calendar: () => OfficeCalendar, readonly hours?: OfficeHours, readonly grants: (range: TimeRange) => Iterable<GrantFact> }
  constructor(core: BookCore, options: { readonly calendar: () => OfficeCalendar, readonly hours?: OfficeHours, readonly grants: (range: TimeRange) => Iterable<GrantFact> }) {
    this.#core = core
    this.#options = options
    this.#tables = reviewTables(core.db)
  }

  /** Makes the pack of a month that is over. One that is signed stands; an unsigned one may be made anew beside it. Throws BookRefusedError before the month is over. */
  make(month: string): ReviewPack {
    const range = monthRange(month), now = this.#core.time.wallNow()
    if (now < range.endAt) throw new BookRefusedError('該月尚未結束。', `${month} is not over`)
    if (this.#tables.of(month).some(pack => pack.signed_at !== null)) throw new BookRefusedError('該月覆核已簽章。', `the pack of ${month} is signed`)
    return this.#core.audit.transaction(() => {
      const text = canonicalJson(this.#contentOf(month, range, now) as unknown as AuditValue)
      const sha256 = createHash('sha256').update(text).digest('hex')
      const packId = this.#tables.add(month, text, sha256, now)
      this.#core.audit.append({ action: 'review-pack.made', actor: SYSTEM, object: month, application: null, result: 'done', detail: { packId, sha256 } })
      return packOf(this.#tables.get(packId)!)
    })
  }

  get(packId: number): ReviewPack | null { const row = this.#tables.get(packId); return row === undefined ? null : packOf(row) }
  /** Newest first. */
  of(month: string): readonly ReviewPack[] { return this.#tables.of(month).map(packOf) }
  /** Months that ended since the first line and have no signed pack. At most 24. */
  due(): readonly string[] {
    const first = this.#tables.firstUseAt()
    if (first === null) return []
    const months: string[] = []
    const monthOf = (at: number): Temporal.PlainYearMonth => Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(OFFICE_ZONE).toPlainDate().toPlainYearMonth()
    const present = monthOf(this.#core.time.wallNow())
    for (let month = monthOf(first); Temporal.PlainYearMonth.compare(month, present) < 0 && months.length < 24; month = month.add({ months: 1 })) {
      if (!this.#tables.of(month.toString()).some(pack => pack.signed_at !== null)) months.push(month.toString())
    }
    return months
  }

  /** By an approver whose factor is fresh. Throws BookRefusedError, RightMissingError, FactorNeededError. */
  sign(packId: number, remark: string, acting: Acting): void {
    const row = this.#tables.get(packId)
    perform(this.#core, acting, 'sign-review-pack', { action: 'review-pack.signed', object: row?.month ?? String(packId) }, write => {
      if (row === undefined) throw new BookRefusedError('沒有這份覆核。', `there is no pack ${packId}`)
      if (acting.kind !== 'account' || !isApprover(acting.role)) throw new BookRefusedError('覆核須由主管簽章。', 'a pack is signed by a head')
      if (createHash('sha256').update(row.content).digest('hex') !== row.sha256) throw new BookRefusedError('覆核內容與其雜湊不符。', 'the pack does not fit its hash: it was altered')
      if (this.#tables.of(row.month).some(pack => pack.signed_at !== null)) throw new BookRefusedError('該月覆核已簽章。', `the pack of ${row.month} is signed already`)
      const said = plainWords(remark, { zh: '備註', en: 'the remark' }, { maxChars: 500, mayBeEmpty: true })
      this.#tables.sign(packId, personKey(acting), this.#core.time.wallNow(), said)
      write({ packId, sha256: row.sha256, remark: said })
    })
  }

  #contentOf(month: string, range: TimeRange, now: EpochMs): PackContent {
    const tables = this.#tables, { calendar, hours = OFFICE_HOURS, grants } = this.#options
    const uses = tables.uses(range), working = calendar()
    const runs = tables.reconciliations(range)
    const found = new Map(runs.flatMap(run => JSON.parse(run.orphans) as { kind: OrphanKind, subject: string }[]).map(({ kind, subject }) => [`${kind} ${subject}`, { kind, subject }]))
    return {
      month, madeAt: now,
      uses: { lines: uses.length, views: uses.filter(use => use.act === 'view').length, copies: uses.filter(use => use.act === 'copy').length },
      orphans: { runs: runs.length, lastRunAt: runs.at(-1)?.at ?? null, found: [...found.values()].slice(0, MOST_LISTED) },
      failedSignIns: tables.failedSignIns(range, MOST_LISTED),
      offHours: uses.filter(use => isOffHours(epochMs(use.at), working, hours)).slice(0, MOST_LISTED).map(({ line, at, account, application }) => ({ line, at, account, application })),
      grants: [...grants(range)].slice(0, MOST_LISTED).map(({ application, at, by, acts }) => ({ application, at, by, acts })),
      unsigned: tables.unsigned(range.endAt, MOST_LISTED),
      corrections: tables.corrections(range, MOST_LISTED),
    }
  }
}
const MOST_LISTED = 500
const packOf = (row: PackRow): ReviewPack => ({
  packId: row.pack_id, month: row.month, content: JSON.parse(row.content) as PackContent, sha256: row.sha256, madeAtMs: row.made_at, signedBy: row.signed_by, signedAtMs: row.signed_at, remark: row.remark,
})
