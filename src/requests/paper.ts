import type { AuditActor, EpochMs } from '../domain/index.ts'
import type { Taken, ToldOfFootage } from './answer.ts'
import type { Content } from './cases/application.ts'
import type { Decide } from './cases/command.ts'
import type { Refusal } from './cases/refusal.ts'
import type { Capacity } from './cases/staffing.ts'

/** Whose word a paper is: a system of the office and the enrolled key that signed it. Whoever calls the desk with one has verified that. */
export interface DocumentSystem { readonly name: string, readonly keyId: string }

/** A decision as the document system recorded it; `decidedAt` is its word, and stands in the audit log beside the time it counts from. */
export interface PaperStep extends Pick<Decide, 'reason' | 'ground' | 'narrowTo' | 'isNotTheApplicant'> {
  readonly post: string
  readonly account: string
  readonly decidedAt: EpochMs
  readonly decision: 'agree' | 'refuse'
  /** Null: whichever it is. */
  readonly capacity: Capacity | null
}
/** An application with all its steps, in their order. `id` is the system's own word for it. */
export interface Paper {
  readonly id: string
  readonly content: Content
  readonly receivedBy: string
  readonly receivedAt: EpochMs
  readonly steps: readonly PaperStep[]
  readonly grant: Decide['grant']
}
/** `step`: which of the steps is at fault, from 0; null when it is the whole. */
export type PaperAnswer = Taken & ToldOfFootage | { readonly ok: false, readonly refusal: Refusal, readonly step: number | null }

/** Undoes the transaction that a paper began. */
export class PaperRefused extends Error {
  readonly step: number | null
  readonly refusal: Refusal
  constructor(step: number | null, refusal: Refusal) { super(refusal.code); this.step = step; this.refusal = refusal }
}

export const actorOfSystem = ({ name, keyId }: DocumentSystem): AuditActor => ({ kind: 'system', name: `公文系統 ${name}`, role: null, source: `inbox key ${keyId}` })
/** No account and no name at the machine is spelt like this. */
export const personOfSystem = ({ name }: DocumentSystem): string => `system:${name}`
