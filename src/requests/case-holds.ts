import type { AuditActor } from '../domain/index.ts'
import { rocDateTimeText } from '../rules/index.ts'
import type { FootageFinder, HoldBook } from '../storage/index.ts'
import type { Application } from './cases/application.ts'
import type { ApplicationNumber } from './cases/application-number.ts'
import type { Scope } from './cases/scope.ts'

/** What requests need of the holds; `HoldBook` is one. */
export type HoldsPort = Pick<HoldBook, 'cost' | 'enter' | 'leave' | 'ofApplication' | 'publish'>

/** What a step did to the holds of its case. Slots and bytes are those the placed holds cover; a slot that two lines touch counts twice. `newlyHeld` slots were in no hold before. */
export interface HoldChange { readonly placed: number, readonly ended: number, readonly slots: number, readonly bytes: number, readonly newlyHeld: number }
export const NO_CHANGE: HoldChange = { placed: 0, ended: 0, slots: 0, bytes: 0, newlyHeld: 0 }

/** On whose word the footage stays: written on every volume, so no names. */
export function authorityOf({ number, state }: Application): string {
  if (state.kind !== 'approved' && state.kind !== 'partly-approved') return `申請案 ${number} 受理中`
  return `申請案 ${number} 核准，至${rocDateTimeText(state.approval.validUntil)}止${state.approval.acts.preserve ? '；准予保存' : ''}`
}

/** Holds of one case (R32). Everything here runs inside the transaction of the step. */
export class CaseHolds {
  readonly #holds: HoldsPort
  readonly #footage: FootageFinder
  constructor(holds: HoldsPort, footage: FootageFinder) { this.#holds = holds; this.#footage = footage }

  /** Protects exactly this scope from now on. What is to stay is held anew before anything is let go. */
  replace(application: Application, scope: Scope, by: AuditActor): HoldChange {
    const authority = authorityOf(application)
    const before = this.#holds.ofApplication(application.number)
    const total = { ...NO_CHANGE }
    const keep = new Set<string>()
    for (const { camera, from: fromAt, to: toAt } of scope) {
      const standing = before.find(hold => hold.cameraUuid === camera && hold.stream === null && hold.fromAt === fromAt && hold.toAt === toAt && hold.authority === authority)
      if (standing !== undefined) { keep.add(standing.holdId); continue }
      const known = this.#footage.camera(camera)
      if (known === null) throw new TypeError(`${application.number} asks for a camera that is not known`)
      const request = { camera: known, stream: null, fromAt, toAt }
      const { slots, bytes, newlyHeld } = this.#holds.cost(request)
      this.#holds.enter({ ...request, authority, application: application.number, by })
      Object.assign(total, { placed: total.placed + 1, slots: total.slots + slots, bytes: total.bytes + bytes, newlyHeld: total.newlyHeld + newlyHeld })
    }
    const gone = before.filter(hold => !keep.has(hold.holdId))
    for (const hold of gone) this.#holds.leave(hold.holdId, by, `改為：${authority}`)
    return { ...total, ended: gone.length }
  }

  release(number: ApplicationNumber, by: AuditActor, reason: string): HoldChange {
    const standing = this.#holds.ofApplication(number)
    for (const hold of standing) this.#holds.leave(hold.holdId, by, reason)
    return { ...NO_CHANGE, ended: standing.length }
  }
}

/** How much of one asked line still stands. */
export interface FoundLine { readonly camera: string, readonly from: number, readonly to: number, readonly state: 'whole' | 'partly' | 'gone', readonly foundMs: number, readonly zh: string, readonly en: string }
const FOUND = {
  whole: { zh: '影像仍在，已保全。', en: 'The footage is there, and held.' },
  partly: { zh: '僅部分時段仍有影像，已保全；其餘已依規定循環覆蓋或未攝錄。', en: 'Part of it is there, and held; the rest was overwritten by the rule or never recorded.' },
  gone: { zh: '此時段已無影像（已依規定循環覆蓋或未攝錄）。', en: 'None of it is there: overwritten by the rule or never recorded.' },
} as const

/** R31: whether it exists, and nothing else of it. To the segment: a pause of the recording inside one is not seen. */
export function foundOf(scope: Scope, footage: FootageFinder): readonly FoundLine[] {
  return scope.map(({ camera, from, to }) => {
    const foundMs = footage.found(camera, { startAt: from, endAt: to }).reduce((sum, part) => sum + part.endAt - part.startAt, 0)
    const state = foundMs === 0 ? 'gone' : foundMs < to - from ? 'partly' : 'whole'
    return { camera, from, to, state, foundMs, ...FOUND[state] }
  })
}
