import { actorOf, hasRight, type Access, type AccessTime, type Act, type Acting, type AuditBook } from '../access/index.ts'
import { epochMs, type CameraId, type CameraUuid, type EpochMs } from '../domain/index.ts'
import type { OfficeCalendar, Rules } from '../rules/index.ts'
import { cameraOf, type Footage } from '../footage/index.ts'
import type { Clock } from '../platform/clock.ts'
import { changeOf, type Change } from './answer.ts'
import type { AttachmentStore } from './attachment-store.ts'
import { foundOf, type FoundLine } from './found-lines.ts'
import { STATE_TEXTS } from './holding.ts'
import type { Application, CaseState } from './cases/application.ts'
import { parseApplicationNumber, type ApplicationNumber } from './cases/application-number.ts'
import { whoMaySign } from './cases/chain.ts'
import type { CaseContext } from './cases/command.ts'
import { namesIn } from './cases/content.ts'
import { completionDue } from './cases/next.ts'
import type { Capacity } from './cases/staffing.ts'
import { duesOf, type Due } from './due.ts'
import { AttachmentError, UnknownApplicationError } from './errors.ts'
import type { IdNumbers } from './id-numbers.ts'
import { officeStaffing } from './staff.ts'
import { READ } from './steps.ts'
import type { applicationTables } from './tables/applications.ts'
import type { CaseHold } from './tables/case-holds.ts'
import type { grantTables, StoredGrant } from './tables/grants.ts'

export interface ReaderOptions {
  readonly audit: AuditBook
  readonly access: Pick<Access, 'accounts' | 'register'>
  readonly shelf: Rules
  readonly time: AccessTime
  readonly calendar: () => OfficeCalendar
  readonly managingUnit: string
  readonly footage: Pick<Footage, 'cameras' | 'found'>
  readonly clock: Clock
  readonly attachments: AttachmentStore
  readonly applications: ReturnType<typeof applicationTables>
  readonly grants: ReturnType<typeof grantTables>
  readonly ids: IdNumbers
  readonly requireAny: (acting: Acting, acts: readonly [Act, ...Act[]]) => void
  readonly holdsOf: (number: ApplicationNumber) => readonly CaseHold[]
}

/** All conditions hold together; null or absent is none. Numbers and names are found by a part of them, to the code point. */
export interface Query {
  readonly number?: string | null
  readonly name?: string | null
  readonly states?: readonly CaseState['kind'][]
  /** Something is due by the end of this local day, ISO. */
  readonly dueBy?: string | null
  /** The `next` of the page before. */
  readonly after?: ApplicationNumber | null
  /** 1-200, else 50. */
  readonly limit?: number
}
/** One line of a list. Names are whole: whoever shows them masks them (P12). */
export interface CaseLine { readonly number: ApplicationNumber, readonly form: string, readonly names: readonly string[], readonly state: CaseState, readonly version: number, readonly receivedAt: EpochMs, readonly due: Due | null, readonly hasCopyRequest: boolean }
export interface Page { readonly lines: readonly CaseLine[], readonly next: ApplicationNumber | null }
/** One hold of a case, and what may be said of it. `cameraId`: null for a camera that is not known now. */
export interface HoldLine {
  readonly holdId: string
  readonly cameraUuid: CameraUuid
  readonly cameraId: CameraId | null
  readonly fromAt: EpochMs
  readonly toAt: EpochMs
  readonly authority: string
  readonly state: CaseHold['state']
  readonly zh: string
  readonly en: string
  readonly wishedAt: EpochMs
  readonly wishedBy: string
  readonly heldAt: EpochMs | null
  /** What the recorder answered last, where it did not do it. */
  readonly trouble: string | null
}
export interface CaseView {
  readonly application: Application
  readonly steps: readonly (Change & { readonly recordSha256: string })[]
  readonly dues: readonly Due[]
  readonly completionDueAt: EpochMs | null
  /** Accounts that may sign the step that is due; empty while one is due means that a deputy is to be named. */
  readonly turn: ReadonlyMap<string, Capacity>
  readonly grant: StoredGrant | null
  /** Wanted, held, or being let go. */
  readonly holds: readonly HoldLine[]
  /** R31: how much of what was asked still stands. */
  readonly footage: readonly FoundLine[]
}

const MOST_LINES = 200, USUAL_LINES = 50

/** Looks at cases. Clerks, custodians, approvers, auditors and records keepers see all, everybody else their own. */
export class DeskReader {
  readonly #options: ReaderOptions
  constructor(options: ReaderOptions) { this.#options = options }

  /** The case alone. Throws UnknownApplicationError, also for what this person may not see, SessionEndedError, RightMissingError. */
  application(acting: Acting, number: ApplicationNumber): Application { return this.#seen(acting, number) }

  /** All that is to be told of a case. Rejects like `application`. */
  async read(acting: Acting, number: ApplicationNumber): Promise<CaseView> {
    const application = this.#seen(acting, number)
    const { applications, grants, footage, clock, access, managingUnit } = this.#options
    const context = this.#context(application)
    return {
      application, steps: applications.since(number, 0).map(event => ({ ...changeOf(event), recordSha256: event.recordSha256 })), dues: duesOf(application, context), completionDueAt: completionDue(application, context)?.dueAt ?? null,
      turn: whoMaySign(application, { ...context, staffing: officeStaffing(access, managingUnit, context.now) }), grant: grants.get(number), holds: this.#holdsOf(number),
      footage: await foundOf(application.content.asked, footage, clock),
    }
  }

  #holdsOf(number: ApplicationNumber): HoldLine[] {
    const { footage, holdsOf } = this.#options
    return holdsOf(number).map(({ holdId, camera, from, to, authority, state, wishedAt, wishedBy, heldAt, trouble }) => ({
      holdId, cameraUuid: camera, cameraId: cameraOf(footage, camera)?.id ?? null, fromAt: from, toAt: to, authority, state,
      ...STATE_TEXTS[state], wishedAt, wishedBy: wishedBy.name, heldAt, trouble: trouble?.text ?? null,
    }))
  }

  /** Newest first. */
  search(acting: Acting, { number = null, name = null, states, dueBy = null, after = null, limit = USUAL_LINES }: Query): Page {
    const ownOnly = this.#own(acting)
    const most = Math.min(MOST_LINES, Math.max(1, Math.floor(limit)))
    const below = after === null ? null : parseApplicationNumber(after)
    const lines: CaseLine[] = []
    const conditions = { number, name, nominalBy: dueBy, applicantAccount: ownOnly, below, ...(states === undefined ? {} : { states }) }
    for (const row of this.#options.applications.search(conditions)) {
      const line = this.#line(row.number)
      // A last day may have moved past the one asked for.
      if (dueBy !== null && (line.due === null || line.due.due.day.toString() > dueBy)) continue
      if (lines.length === most) return { lines, next: lines.at(-1)?.number ?? null }
      lines.push(line)
    }
    return { lines, next: null }
  }

  /** A whole ID number; that it was shown is written down. Null when none stands there. Throws like `read`, and PersonKeyError, AuditUnavailableError. */
  idNumber(acting: Acting, number: ApplicationNumber, place: string): string | null {
    const { audit, ids } = this.#options
    return audit.transaction(() => {
      this.#seen(acting, number)
      const found = ids.open(number, place)
      audit.append({ action: 'application.id-number-shown', actor: actorOf(acting), object: number, application: number, result: 'done', detail: { place: place.slice(0, 100), found: found !== null } })
      return found
    })
  }

  /** An attached file; that it was read is written down. Throws like `read`, and AttachmentError. */
  async attachment(acting: Acting, number: ApplicationNumber, sha256: string): Promise<Buffer> {
    const { audit, attachments } = this.#options
    audit.transaction(() => {
      const { attachments: attached, content } = this.#seen(acting, number)
      const isOfCase = attached.some(attachment => attachment.sha256 === sha256) || (content.authority?.kind === 'sealed-scan' && content.authority.sha256 === sha256)
      if (!isOfCase) throw new AttachmentError('CUSTOS_ATTACHMENT_REFUSED', '這件申請案沒有這份附件。/ this case has no such file', '請重新載入申請案。/ Reload the case.')
      audit.append({ action: 'application.attachment-read', actor: actorOf(acting), object: number, application: number, result: 'done', detail: { sha256 } })
    })
    return attachments.read(sha256)
  }

  /** Null for who sees all; else the account whose cases they see. */
  #own(acting: Acting): string | null {
    const seesAll = acting.kind === 'account' && READ.some(act => hasRight(acting.role, act))
    this.#options.requireAny(acting, seesAll ? READ : ['ask-view'])
    return seesAll || acting.kind !== 'account' ? null : acting.accountId
  }

  #seen(acting: Acting, number: ApplicationNumber): Application {
    const own = this.#own(acting)
    const application = this.#options.applications.newest(number)?.record
    if (application === undefined || (own !== null && application.content.applicantAccount !== own)) throw new UnknownApplicationError(number)
    return application
  }

  #context(application: Application): CaseContext {
    const { shelf, calendar, time, footage } = this.#options
    return { now: epochMs(time.wallNow()), ruleSet: shelf.get(application.ruleSet), calendar: calendar(), staffing: { appointments: [], deputies: [] }, isKnownCamera: camera => cameraOf(footage, camera) !== null }
  }

  #line(number: ApplicationNumber): CaseLine {
    const record = this.#options.applications.newest(number)?.record
    if (record === undefined) throw new UnknownApplicationError(number)
    const context = this.#context(record)
    const form = context.ruleSet.requestForm(record.content.form)
    return {
      number, form: record.content.form, names: form === null ? [] : namesIn(record.content, form), state: record.state, version: record.version, receivedAt: record.receivedAt,
      due: duesOf(record, context)[0] ?? null, hasCopyRequest: record.copyRequest !== null,
    }
  }
}
