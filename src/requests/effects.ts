import type { AuditActor, AuditSink, EpochMs } from '../domain/index.ts'
import { NO_CHANGE, type CaseHolds, type HoldChange } from './case-holds.ts'
import type { Application } from './cases/application.ts'
import type { Command, Effect } from './cases/command.ts'
import { isToBePreserved } from './grant-book.ts'
import type { grantTables, GrantEnd } from './tables/grants.ts'

const GRANT_ENDS: Partial<Record<Command['kind'] | 'receive', GrantEnd>> = { revoke: 'revoked', close: 'closed', withdraw: 'withdrawn' }

interface Transition { readonly application: Application, readonly kind: Command['kind'] | 'receive' }

/** Carries out what follows from a step, inside its transaction: holds before the record is written, grants after it, for they refer to the case. */
export class Effects {
  readonly #parts: { readonly audit: AuditSink, readonly caseHolds: CaseHolds, readonly grants: ReturnType<typeof grantTables> }
  constructor(parts: { readonly audit: AuditSink, readonly caseHolds: CaseHolds, readonly grants: ReturnType<typeof grantTables> }) { this.#parts = parts }

  hold(effects: readonly Effect[], transition: Transition & { readonly before: Application | null }, actor: AuditActor): HoldChange {
    return effects.map(effect => this.#hold(effect, transition, actor))
      .reduce((sum, change) => ({ placed: sum.placed + change.placed, ended: sum.ended + change.ended }), NO_CHANGE)
  }

  #hold(effect: Effect, { application, before, kind }: Transition & { readonly before: Application | null }, actor: AuditActor): HoldChange {
    const { caseHolds } = this.#parts
    if (effect.kind === 'hold') return caseHolds.replace(application, effect.scope, actor)
    if (effect.kind !== 'release-hold') return NO_CHANGE
    // Put away is not given up: what is to be preserved stays until its copy stands in the archive.
    if (kind === 'close' && before !== null && isToBePreserved(before)) return NO_CHANGE
    return caseHolds.release(application.number, actor, `申請案 ${application.number} 已終結（${application.state.kind}）`)
  }

  grant(effects: readonly Effect[], { application: { number, version }, kind }: Transition, actor: AuditActor, now: EpochMs): void {
    const { audit, grants } = this.#parts
    const entry = { actor, object: number, application: number, result: 'done' } as const
    const why = GRANT_ENDS[kind]
    for (const effect of effects) {
      if (effect.kind === 'open-grant' && grants.open(effect.grant, version)) {
        const { grant } = effect
        const lines = grant.scope.map(({ camera, from, to }) => ({ camera, from, to }))
        audit.append({ ...entry, action: 'grant.opened', detail: { lines, view: grant.canView, copy: grant.copy !== null, validUntil: grant.validUntil, place: grant.place, preRoll: grant.isPreRollAllowed } })
      }
      if (effect.kind === 'end-grant' && why !== undefined && grants.end(number, now, why)) audit.append({ ...entry, action: 'grant.ended', detail: { why } })
    }
  }
}
