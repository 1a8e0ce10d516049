import { randomBytes } from 'node:crypto'
import type { AuditActor, EpochMs } from '../domain/index.ts'
import { rocDateTimeText } from '../rules/index.ts'
import type { Application } from './cases/application.ts'
import type { ApplicationNumber } from './cases/application-number.ts'
import type { Scope } from './cases/scope.ts'
import type { caseHoldTable, CaseHold } from './tables/case-holds.ts'

/** How many holds a step wished for its case, and how many it let go. */
export interface HoldChange { readonly placed: number, readonly ended: number }
export const NO_CHANGE: HoldChange = { placed: 0, ended: 0 }

/** On whose word the footage stays: written on every volume, so no names. */
export function authorityOf({ number, state }: Application): string {
  if (state.kind !== 'approved' && state.kind !== 'partly-approved') return `申請案 ${number} 受理中`
  return `申請案 ${number} 核准，至${rocDateTimeText(state.approval.validUntil)}止${state.approval.acts.preserve ? '；准予保存' : ''}`
}

/** What one case wants held (R32). Everything here runs inside the transaction of the step; the recorder is asked afterwards. */
export class CaseHolds {
  readonly #holds: ReturnType<typeof caseHoldTable>
  readonly #now: () => EpochMs
  constructor(holds: ReturnType<typeof caseHoldTable>, now: () => EpochMs) { this.#holds = holds; this.#now = now }

  /** Exactly this scope is wanted from now on. What is new is wished before anything is let go. */
  replace(application: Application, scope: Scope, by: AuditActor): HoldChange {
    const { number, version } = application, authority = authorityOf(application), at = this.#now()
    const before = this.#standing(number)
    const keep = new Set<string>()
    let placed = 0
    for (const { camera, from, to } of scope) {
      const standing = before.find(hold => hold.camera === camera && hold.stream === null && hold.from === from && hold.to === to && hold.authority === authority)
      if (standing !== undefined) { keep.add(standing.holdId); continue }
      const holdId = randomBytes(16).toString('hex')
      this.#holds.wish({ holdId, application: number, version, camera, from, to, authority, wishedBy: by, wishedAt: at })
      placed += 1
    }
    const gone = before.filter(hold => !keep.has(hold.holdId))
    for (const { holdId } of gone) this.#holds.letGo(holdId, { by, at, reason: `改為：${authority}` })
    return { placed, ended: gone.length }
  }

  release(number: ApplicationNumber, by: AuditActor, reason: string): HoldChange {
    const standing = this.#standing(number), at = this.#now()
    for (const { holdId } of standing) this.#holds.letGo(holdId, { by, at, reason })
    return { placed: 0, ended: standing.length }
  }

  #standing(number: ApplicationNumber): CaseHold[] {
    return this.#holds.ofApplication(number).filter(({ state }) => state !== 'ending')
  }
}
