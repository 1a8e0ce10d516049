import type { EpochMs } from '../../domain/index.ts'
import type { ApplicantClass, Deadline, RuleSetRef } from '../../rules/index.ts'
import type { ApplicationNumber } from './application-number.ts'
import type { Scope } from './scope.ts'
import type { Capacity } from './staffing.ts'

/** A person at work, in the one role they act in. `name` as the account shows it. */
export interface Actor { readonly account: string, readonly name: string, readonly role: string }

/** □調閱 □複製 申請保存. */
export interface Acts { readonly view: boolean, readonly copy: boolean, readonly preserve: boolean }
export const NO_ACTS: Acts = { view: false, copy: false, preserve: false }

/** 代理人 (R64): the fields that the form has for agents, and the paper that empowers them. `account` when it is somebody of the office. */
export interface Agent { readonly fields: Readonly<Record<string, string>>, readonly powerOfAttorney: string | null, readonly account: string | null }
/** A scan or paper kept by hash: the file itself lives elsewhere. */
export interface Attachment { readonly sha256: string, readonly name: string, readonly sizeBytes: number }
/** R28: seen in person; no image of the document. */
export interface IdentityCheck { readonly document: string, readonly seenAt: EpochMs, readonly seenBy: string }
/** R27: the sealed paper, or the incoming document's number. */
export type Authority = { readonly kind: 'sealed-scan', readonly sha256: string } | { readonly kind: 'document', readonly number: string }

/** What the applicant says; replaced as a whole when the application is completed. */
export interface Content {
  readonly form: string
  readonly applicantClass: ApplicantClass
  readonly fields: Readonly<Record<string, string>>
  readonly agents: readonly Agent[]
  /** When the applicant is somebody of the office, in whatever class they apply. */
  readonly applicantAccount: string | null
  /** Unit of a staff applicant; its head signs first. */
  readonly applicantUnit: string | null
  readonly acts: Acts
  /** 必要時 (R27): why copying is needed; null unless □複製. */
  readonly necessity: string | null
  readonly asked: Scope
  readonly identity: IdentityCheck | null
  readonly authority: Authority | null
}

/** What would be granted as it stands: never wider than what was asked, nor than what the step before left. */
export interface Proposal { readonly scope: Scope, readonly acts: Acts }

export interface Signature {
  readonly step: number
  readonly post: string
  readonly account: string
  readonly name: string
  readonly capacity: Capacity
  readonly decision: 'agree' | 'return' | 'refuse'
  readonly reason: string | null
  readonly ground: string | null
  readonly at: EpochMs
  /** The version of the application that was looked at. */
  readonly version: number
  readonly proposal: Proposal
}

export interface Decision {
  readonly at: EpochMs
  readonly by: string
  readonly ground: string | null
  readonly reason: string | null
}
export interface Approval extends Decision {
  readonly scope: Scope
  readonly acts: Acts
  /** The key frame before a range may leave with it, and is listed then. */
  readonly isPreRollAllowed: boolean
  readonly validUntil: EpochMs
  readonly place: string
}

export interface Completion { readonly askedAt: EpochMs, readonly askedBy: string, readonly items: string, readonly startedOn: string, readonly endedAt: EpochMs | null, readonly outcome: 'completed' | 'lapsed' | null }
export interface ThirdParty { readonly askedAt: EpochMs, readonly askedBy: string, readonly startedOn: string, readonly answer: { readonly at: EpochMs, readonly summary: string } | null }
export interface Recusal { readonly account: string, readonly reason: string, readonly at: EpochMs, readonly by: string }
export interface SignedStatement { readonly name: string, readonly at: EpochMs, readonly witness: string }
/** 個資法 §10 (R58): recorded and decided by people; the program neither grants nor hides it. */
export interface CopyRequest { readonly at: EpochMs, readonly by: string, readonly words: string, readonly answer: { readonly at: EpochMs, readonly by: string, readonly outcome: 'refused' | 'referred', readonly ground: string, readonly reason: string } | null }

export type CaseState =
  | { readonly kind: 'completing' }
  | { readonly kind: 'under-review', readonly step: number }
  | { readonly kind: 'approved' | 'partly-approved', readonly approval: Approval }
  | { readonly kind: 'refused', readonly decision: Decision }
  | { readonly kind: 'withdrawn', readonly at: EpochMs, readonly by: string, readonly reason: string }
  | { readonly kind: 'closed', readonly at: EpochMs, readonly by: string, readonly reason: string, readonly wasRevoked: boolean }

/** An application with all that happened to it. Immutable; each command makes the next version, and all versions are kept. */
export interface Application {
  readonly number: ApplicationNumber
  /** The rules it was made under, and is finished under (R45). */
  readonly ruleSet: RuleSetRef
  /** From 1. A command that looked at another version is refused. */
  readonly version: number
  readonly receivedAt: EpochMs
  readonly receivedBy: string
  readonly content: Content
  readonly attachments: readonly Attachment[]
  readonly deadline: Deadline | null
  readonly proposal: Proposal
  /** Of this round, in the order of the steps. */
  readonly signatures: readonly Signature[]
  /** Of rounds that a completion ended; they count for nothing any more. */
  readonly pastRounds: readonly (readonly Signature[])[]
  readonly completions: readonly Completion[]
  readonly thirdParty: ThirdParty | null
  readonly recusals: readonly Recusal[]
  readonly statements: readonly SignedStatement[]
  readonly copyRequest: CopyRequest | null
  readonly state: CaseState
}
