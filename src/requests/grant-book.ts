import { epochMs, SYSTEM, type CameraUuid, type EpochMs } from '../domain/index.ts'
import type { AccessTime, AuditBook } from '../access/index.ts'
import type { Rules, RuleSet } from '../rules/index.ts'
import type { CaseHolds } from './case-holds.ts'
import type { Application } from './cases/application.ts'
import type { ApplicationNumber } from './cases/application-number.ts'
import type { Scope } from './cases/scope.ts'
import { grantOf, mayLeave, preservedScopeOf, type Grant, type LeaveVerdict, type Leaving } from './cases/grant.ts'
import type { applicationTables } from './tables/applications.ts'
import type { grantTables, GrantEnd, StoredGrant } from './tables/grants.ts'

export interface GrantBookOptions {
  readonly audit: AuditBook
  readonly time: AccessTime
  readonly shelf: Rules
  readonly applications: ReturnType<typeof applicationTables>
  readonly grants: ReturnType<typeof grantTables>
  readonly caseHolds: CaseHolds
}

/** An archive copy is to be made, and may not have been yet. */
export const isToBePreserved = ({ state }: Application): boolean => (state.kind === 'approved' || state.kind === 'partly-approved') && state.approval.acts.preserve

/** What is open now. Rows only tell where to look: each grant is proved again from its application's record, and every picture asks the fence. */
export class GrantBook {
  readonly #options: GrantBookOptions
  /** The last proofs, by number; good for one version. */
  readonly #proved = new Map<string, { readonly version: number, readonly grant: Grant | null }>()
  constructor(options: GrantBookOptions) { this.#options = options }

  /** Whichever clock is ahead: setting one back opens nothing again. */
  now(): EpochMs { return epochMs(Math.max(this.#options.time.wallNow(), Math.floor(this.#options.time.steadyNow()))) }

  /** Whichever is behind: what cannot be taken back waits for both. */
  #bothPast(): EpochMs { return epochMs(Math.min(this.#options.time.wallNow(), Math.floor(this.#options.time.steadyNow()))) }

  /** Not ended; those whose time is over stand here until the next sweep. */
  list(): StoredGrant[] { return this.#options.grants.allOpen() }

  /** The grant of an application; null when there is none, or it was ended. Throws ApplicationError for a record that does not carry it. */
  open(number: ApplicationNumber): Grant | null {
    const { applications, grants, shelf } = this.#options
    const row = grants.get(number), application = applications.get(number)
    if (row === null || row.ended !== null || application === null) return null
    const known = this.#proved.get(number)
    if (known?.version === application.version) return known.grant
    const record = applications.newest(number)?.record
    const grant = record === undefined ? null : grantOf(record, shelf.get(record.ruleSet))
    if (this.#proved.size >= 100) this.#proved.clear()
    this.#proved.set(number, { version: application.version, grant })
    return grant
  }

  /** How the grant of an application ended: as its row says, or by its time once both clocks are past it. Null while it may be open, and where there never was one. */
  ended(number: ApplicationNumber): GrantEnd | null {
    const row = this.#options.grants.get(number)
    if (row === null) return null
    return row.ended?.reason ?? (row.validUntil <= this.#bothPast() ? 'expired' : null)
  }

  /** The record behind a grant, with the rules it was made under, for the papers of a copy. Null for an unknown number. */
  record(number: ApplicationNumber): { readonly application: Application, readonly ruleSet: RuleSet } | null {
    const application = this.#options.applications.newest(number)?.record
    return application === undefined ? null : { application, ruleSet: this.#options.shelf.get(application.ruleSet) }
  }

  /** What is to be kept by an approved 申請保存, proved from its record each time; null when nothing is. */
  toPreserve(number: ApplicationNumber): Scope | null {
    const found = this.record(number)
    return found === null ? null : preservedScopeOf(found.application, found.ruleSet)
  }

  /** Every grant that covers this camera at this instant, now. What may leave by it is the fence's question. */
  covering(camera: CameraUuid, at: EpochMs): Grant[] {
    return this.#options.grants.covering(camera, at, this.now()).map(number => this.open(number as ApplicationNumber)).filter(grant => grant !== null)
  }

  /** [G5] Asked for every picture, by viewing and copying alike. */
  mayLeave(number: ApplicationNumber, leaving: Omit<Leaving, 'now'>): LeaveVerdict {
    const grant = this.open(number)
    return grant === null ? { ok: false, why: 'no-grant' } : mayLeave(grant, { ...leaving, now: this.now() })
  }

  /** Whether a copy of what was granted may leave at all now: the fence, at the first instant of it. */
  mayCopyNow(number: ApplicationNumber): LeaveVerdict {
    const line = this.open(number)?.scope[0]
    return line === undefined ? { ok: false, why: 'no-grant' } : this.mayLeave(number, { camera: line.camera, at: line.from, act: 'copy' })
  }

  /**
   * Ends grants whose time is over by both clocks, and with them their holds; to be called now and then. What is to be preserved stays held until its copy stands in the archive.
   * How many; the recorder is to be told of their holds after it.
   */
  sweep(): number {
    const { audit, time, grants, applications, caseHolds } = this.#options
    const both = this.#bothPast()
    if (grants.overdue(both).length === 0) return 0
    const ended = audit.transaction(() => grants.overdue(both).map(({ number, validUntil }) => {
      const record = applications.newest(number)?.record
      const isKept = record === undefined || isToBePreserved(record)
      grants.end(number, time.wallNow(), 'expired')
      const { ended: holdsEnded } = isKept ? { ended: 0 } : caseHolds.release(number, SYSTEM, `申請案 ${number} 核准之效期已過`)
      audit.append({ action: 'grant.ended', actor: SYSTEM, object: number, application: number, result: 'done', detail: { why: 'expired', validUntil, holdsEnded } })
      return number
    }))
    return ended.length
  }
}
