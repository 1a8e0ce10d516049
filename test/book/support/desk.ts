import type { Acting } from '../../../src/access/index.ts'
import { openBook, type Applications, type Approval, type Book, type BookUse, type Standing } from '../../../src/book/index.ts'
import { cameraUuid, epochMs, type EpochMs } from '../../../src/domain/index.ts'
import { OfficeCalendar } from '../../../src/rules/index.ts'
import { Office, type Member } from '../../access/support/office.ts'
import type { TestOwner } from '../../support/virtual-clock.ts'

export const LOBBY = cameraUuid('a'.repeat(32))
export const STAIRS = cameraUuid('b'.repeat(32))
export const at = (iso: string): EpochMs => epochMs(Date.parse(iso))
export const CASE = '115-調-0001'

/** Applications as the test has them. */
export class Papers implements Applications {
  readonly approved = new Map<string, Approval>()
  readonly refused = new Set<string>()
  readonly marked = new Set<string>()
  standingOf(application: string): Standing {
    const approval = this.approved.get(application)
    return approval !== undefined ? { kind: 'approved', approval } : this.refused.has(application) ? { kind: 'not-approved' } : { kind: 'unknown' }
  }
  used(): Iterable<string> { return this.marked }
  approve(application: string, change: Partial<Approval> = {}): void {
    this.approved.set(application, {
      view: true, copy: true, approvedAt: at('2026-11-01T00:00:00Z'), validUntil: at('2027-11-01T00:00:00Z'), preRollMs: 0,
      ranges: [{ camera: LOBBY, from: at('2026-11-10T00:00:00Z'), to: at('2026-11-10T02:00:00Z') }], ...change,
    })
  }
}

export const wording = (change: Partial<BookUse> = {}): Omit<BookUse, 'auditSeq'> => ({
  applicant: '王小明', unit: '信義分局', matter: '偵辦竊盜案', basis: '刑事訴訟法第230條', application: CASE, uses: { accompanied: true, copied: false, forInquiry: false, other: null },
  persons: [{ name: '王小明', part: 'applicant' }], ranges: [{ camera: LOBBY, cameraName: '大廳', from: at('2026-11-10T00:00:00Z'), to: at('2026-11-10T01:00:00Z') }], ...change,
})

/** A book in a real catalogue with a real audit log and real accounts. */
export class Desk {
  readonly office: Office
  readonly papers = new Papers()
  readonly book: Book
  constructor(owner: TestOwner, calendar = new OfficeCalendar()) {
    this.office = new Office(owner)
    const { db, audit, clock, access } = this.office
    this.book = openBook({
      db, audit, time: clock, rights: access.sessions, applications: this.papers, calendar: () => calendar,
      grants: () => [...this.papers.approved].map(([application, { approvedAt }]) => ({ application, at: approvedAt, by: '林主任 (boss)', acts: 'view' })),
    })
    this.papers.approve(CASE)
  }

  /** A viewing or a copy as later parts make one: entry and line in one transaction. */
  use(change: Partial<BookUse> = {}, { object = 'session-1', isCopy = false }: { readonly object?: string, readonly isCopy?: boolean } = {}): number {
    const said = wording({ ...(isCopy ? { uses: { accompanied: false, copied: true, forInquiry: true, other: null } } : {}), ...change })
    return this.office.audit.transaction(() => this.book.log.enter({ ...said, auditSeq: this.audited(said.application, { object, isCopy }) }))
  }
  audited(application: string | null, { object = 'session-1', isCopy = false }: { readonly object?: string, readonly isCopy?: boolean } = {}): number {
    return this.office.audit.append({ action: isCopy ? 'copy.released' : 'viewing.opened', actor: { kind: 'account', name: '陳管理 (chen)', role: 'custodian', source: 'desk' }, object, application, result: 'done', detail: {} }).seq
  }

  chen: Member | null = null
  /** A custodian and a head, signed in with fresh factors. */
  async people(): Promise<{ readonly custodian: Acting, readonly head: Acting }> {
    const { office } = this
    await office.withDirector()
    this.chen = await office.person('chen', ['custodian'])
    return { custodian: await office.acting(this.chen, 'custodian'), head: await office.acting(office.director!, 'director') }
  }
  /** What somebody with root does: the guards of these tables go. */
  unguard(): void {
    const { db } = this.office
    for (const name of db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND (tbl_name LIKE 'book_%' OR tbl_name = 'review_pack')").pluck().all()) db.exec(`DROP TRIGGER ${name}`)
  }
}
