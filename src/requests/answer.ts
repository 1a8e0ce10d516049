import type { EpochMs } from '../domain/index.ts'
import type { Slot } from '../rules/index.ts'
import type { HoldChange } from './case-holds.ts'
import type { Application } from './cases/application.ts'
import type { Command } from './cases/command.ts'
import type { ContentProblem, Refusal } from './cases/refusal.ts'
import type { Scope } from './cases/scope.ts'
import type { FoundLine } from './found-lines.ts'
import type { Holding } from './holding.ts'
import type { HoldCost } from './tables/case-holds.ts'
import type { StoredEvent } from './tables/applications.ts'

type Bare<One> = One extends Command ? Omit<One, 'actor'> : never
/** A command as a person sends it: who acts is told by their session. */
export type SentCommand = Bare<Command>
/** Drafts for a person to read and send. */
export interface NoticeDraft { readonly notice: string, readonly values: Partial<Readonly<Record<Slot, string>>>, readonly scope: Scope | null }
/** A step that happened since the version somebody looked at. */
export interface Change { readonly version: number, readonly verb: string, readonly at: EpochMs, readonly by: string }

/** What a step said when it was taken, as it is stored with it. */
export interface Told {
  readonly holds: HoldChange
  /** The asked lines came in or changed: whether their footage is there is to be told. */
  readonly isFootageTold: boolean
  readonly notices: readonly NoticeDraft[]
  /** To look at again; nothing was refused for it. */
  readonly warnings: readonly ContentProblem[]
}
/** What the recorder says beside it; asked anew each time. */
export interface ToldOfFootage {
  /** How the holds of the case stand now. */
  readonly holding: Holding
  /** What the holds that this step wished cover; a slot that two lines touch counts twice. `newlyHeld` slots were in no hold before. Null: not known now. */
  readonly cost: HoldCost | null
  /** Of the asked lines, when they came in or changed. */
  readonly footage: readonly FoundLine[]
}
export type Answer = Taken & ToldOfFootage | Refused
/** A step that was taken. */
export interface Taken extends Told {
  readonly ok: true
  /** ID numbers in it are masked. */
  readonly application: Application
  /** The same request came before; this is what was answered then. */
  readonly isReplay: boolean
}
export interface Refused {
  readonly ok: false
  readonly refusal: Refusal
  readonly version: number | null
  /** With a stale version: what changed since. */
  readonly changes: readonly Change[]
}

export const changeOf = ({ version, verb, at, actor }: StoredEvent): Change => ({ version, verb, at, by: actor.name })
