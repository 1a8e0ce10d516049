import type { CameraUuid, EpochMs } from '../../domain/index.ts'
import type { OfficeCalendar, Period, RuleSet, SlotValues } from '../../rules/index.ts'
import type { Actor, Acts, Application, Attachment, Content } from './application.ts'
import type { Grant } from './grant.ts'
import type { Refusal } from './refusal.ts'
import type { Scope, ScopeLine } from './scope.ts'
import type { Staffing } from './staffing.ts'

/** What the world looks like when a command comes. `ruleSet` is the application's own, never a newer one (R45). */
export interface CaseContext {
  readonly now: EpochMs
  readonly ruleSet: RuleSet
  readonly calendar: OfficeCalendar
  readonly staffing: Staffing
  readonly isKnownCamera: (camera: CameraUuid) => boolean
}

interface By { readonly actor: Actor, /** The version the actor looked at. */ readonly version: number }

/** One step's signature. `step` counts from 0 in the chain. */
export interface Decide extends By {
  readonly kind: 'decide'
  readonly step: number
  readonly decision: 'agree' | 'return' | 'refuse'
  readonly reason: string | null
  /** Of the rule set's list; needed to refuse for good, or to grant less than was asked. */
  readonly ground: string | null
  /** What to leave of the proposal; null leaves it as it is. */
  readonly narrowTo: { readonly scope: readonly ScopeLine[], readonly acts: Acts } | null
  /** The signer bears the name of the applicant or an agent, and states not to be that person. */
  readonly isNotTheApplicant: boolean
  /** For the last step: how the grant is limited. Null takes the rule set's. */
  readonly grant: { readonly days: number, readonly place: string, readonly isPreRollAllowed: boolean } | null
}

export type Command =
  | Decide
  | By & { readonly kind: 'ask-to-complete', readonly items: string }
  | By & { readonly kind: 'complete', readonly content: Content }
  /** 逾期未補正: back to the chain, which can then refuse. */
  | By & { readonly kind: 'lapse' }
  | By & { readonly kind: 'withdraw', readonly reason: string }
  | By & { readonly kind: 'extend-deadline', readonly reason: string, readonly period: Period }
  | By & { readonly kind: 'recuse', readonly account: string, readonly reason: string }
  | By & { readonly kind: 'ask-third-party' }
  | By & { readonly kind: 'third-party-answered', readonly summary: string }
  | By & { readonly kind: 'attach', readonly attachment: Attachment }
  | By & { readonly kind: 'sign-statement', readonly name: string }
  | By & { readonly kind: 'record-copy-request', readonly words: string }
  | By & { readonly kind: 'answer-copy-request', readonly outcome: 'refused' | 'referred', readonly ground: string, readonly reason: string }
  | By & { readonly kind: 'revoke', readonly reason: string }
  | By & { readonly kind: 'close', readonly reason: string }

export type CommandOf<Kind extends Command['kind']> = Extract<Command, { readonly kind: Kind }>

/** What follows from a transition; whoever stores it carries these out in the same transaction, or prepares them for a person. */
export type Effect =
  /** Protect exactly this footage for the case from now on (R32); replaces what was held for it. */
  | { readonly kind: 'hold', readonly scope: Scope }
  | { readonly kind: 'release-hold' }
  | { readonly kind: 'open-grant', readonly grant: Grant }
  | { readonly kind: 'end-grant' }
  /** 准予保存 (R33): make an archive copy that stays here. */
  | { readonly kind: 'preserve', readonly scope: Scope }
  /** A draft for a person to read and send; `scope` is for the slots that list cameras and times. */
  | { readonly kind: 'draft-notice', readonly notice: string, readonly values: SlotValues, readonly scope: Scope | null }

export type Outcome = { readonly ok: true, readonly application: Application, readonly effects: readonly Effect[] } | { readonly ok: false, readonly refusal: Refusal }
