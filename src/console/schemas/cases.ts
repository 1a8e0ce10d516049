import Type from 'typebox'
import { APPLICANT_CLASSES } from '../../rules/index.ts'
import { ChangeSchema, closed, Count, CameraRef, Instant, LocalDay, oneOf, orNull, Problem, Sha256, text } from './common.ts'
import { named } from './names.ts'

/** Written by people: judged by the cases, to the code point; here only what no paper could hold is refused. */
const Fields = Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,39}$' }), text(8000), { maxProperties: 60 })
export const ActsSchema = named('Acts', closed({ view: Type.Boolean(), copy: Type.Boolean(), preserve: Type.Boolean() }))
export const ScopeLineSchema = named('ScopeLine', closed({ camera: CameraRef, from: Instant, to: Instant }, { description: 'one camera, half-open' }))
export const ScopeSchema = Type.Array(ScopeLineSchema, { maxItems: 500 })
export const PeriodSchema = named('Period', Type.Union([closed({ days: Type.Integer({ minimum: 1, maximum: 3660 }) }), closed({ weeks: Type.Integer({ minimum: 1, maximum: 520 }) }), closed({ months: Type.Integer({ minimum: 1, maximum: 120 }) }), closed({ years: Type.Integer({ minimum: 1, maximum: 10 }) })]))
/** Several stand apart by commas. */
export const NUMBER_PATTERN = '[0-9]{1,3}-[^-\\s/,]{1,20}-[0-9]{1,8}'
export const NumberSchema = Type.String({ pattern: `^${NUMBER_PATTERN}$`, description: '115-調-0001' })
export const ContentSchema = named('Content', closed({
  form: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,39}$' }), applicantClass: oneOf(APPLICANT_CLASSES), fields: Fields,
  agents: Type.Array(closed({ fields: Fields, powerOfAttorney: orNull(text()), account: orNull(text(40)) }), { maxItems: 20 }), applicantAccount: orNull(text(40)), applicantUnit: orNull(text()), acts: ActsSchema, necessity: orNull(text(8000)), asked: ScopeSchema,
  identity: orNull(closed({ document: text(), seenAt: Instant, seenBy: text() })),
  authority: orNull(Type.Union([closed({ kind: Type.Literal('sealed-scan'), sha256: Sha256 }), closed({ kind: Type.Literal('document'), number: text() })])),
}))
const Version = Count
const command = <const Kind extends string, const P extends Record<string, Type.TSchema>>(kind: Kind, more: P) => closed({ kind: Type.Literal(kind), version: Version, ...more })
export const CommandSchema = named('Command', Type.Union([
  command('decide', {
    step: Type.Integer({ minimum: 0, maximum: 20 }), decision: oneOf(['agree', 'return', 'refuse']), reason: orNull(text(8000)), ground: orNull(text(100)), narrowTo: orNull(closed({ scope: ScopeSchema, acts: ActsSchema })), isNotTheApplicant: Type.Boolean(),
    grant: orNull(closed({ days: Type.Integer({ minimum: -1e6, maximum: 1e6 }), place: text(), isPreRollAllowed: Type.Boolean() })),
  }),
  command('ask-to-complete', { items: text(8000) }), command('complete', { content: ContentSchema }), command('lapse', {}), command('withdraw', { reason: text(8000) }), command('extend-deadline', { reason: text(8000), period: PeriodSchema }),
  command('recuse', { account: text(40), reason: text(8000) }), command('ask-third-party', {}), command('third-party-answered', { summary: text(8000) }), command('attach', { attachment: closed({ sha256: Sha256, name: text() }) }),
  command('sign-statement', { name: text() }), command('record-copy-request', { words: text(8000) }), command('answer-copy-request', { outcome: oneOf(['refused', 'referred']), ground: text(100), reason: text(8000) }), command('revoke', { reason: text(8000) }), command('close', { reason: text(8000) }),
]))

const RuleSetRefSchema = named('RuleSetRef', closed({ name: Type.String(), sha256: Sha256 }))
const Proposal = closed({ scope: ScopeSchema, acts: ActsSchema })
const Signature = named('Signature', closed({
  step: Count, post: Type.String(), account: Type.String(), name: Type.String(), capacity: oneOf(['holder', 'deputy']), decision: oneOf(['agree', 'return', 'refuse']), reason: orNull(Type.String()), ground: orNull(Type.String()), at: Instant, version: Version, proposal: Proposal,
}))
const Ended = { at: Instant, by: Type.String(), reason: Type.String() }
const Decision = { at: Instant, by: Type.String(), ground: orNull(Type.String()), reason: orNull(Type.String()) }
const Approval = closed({ ...Decision, scope: ScopeSchema, acts: ActsSchema, isPreRollAllowed: Type.Boolean(), validUntil: Instant, place: Type.String() })
export const CASE_STATES = ['completing', 'under-review', 'approved', 'partly-approved', 'refused', 'withdrawn', 'closed'] as const
export const StateSchema = named('CaseState', Type.Union([
  closed({ kind: Type.Literal('completing') }), closed({ kind: Type.Literal('under-review'), step: Count }), closed({ kind: Type.Literal('approved'), approval: Approval }), closed({ kind: Type.Literal('partly-approved'), approval: Approval }),
  closed({ kind: Type.Literal('refused'), decision: closed(Decision) }), closed({ kind: Type.Literal('withdrawn'), ...Ended }), closed({ kind: Type.Literal('closed'), ...Ended, wasRevoked: Type.Boolean() }),
]))
const DeadlineSchema = closed({ rule: Type.String(), startedOn: LocalDay, period: PeriodSchema, extension: orNull(closed({ period: PeriodSchema, on: LocalDay, by: Type.String(), reason: Type.String() })), pausedDays: Count, pausedSince: orNull(LocalDay) })
export const ApplicationSchema = named('Application', closed({
  number: NumberSchema, ruleSet: RuleSetRefSchema, version: Version, receivedAt: Instant, receivedBy: Type.String(), content: ContentSchema, attachments: Type.Array(closed({ sha256: Sha256, name: Type.String(), sizeBytes: Count })), deadline: orNull(DeadlineSchema), proposal: Proposal,
  signatures: Type.Array(Signature), pastRounds: Type.Array(Type.Array(Signature)),
  completions: Type.Array(closed({ askedAt: Instant, askedBy: Type.String(), items: Type.String(), startedOn: LocalDay, endedAt: orNull(Instant), outcome: orNull(oneOf(['completed', 'lapsed'])) })),
  thirdParty: orNull(closed({ askedAt: Instant, askedBy: Type.String(), startedOn: LocalDay, answer: orNull(closed({ at: Instant, summary: Type.String() })) })),
  recusals: Type.Array(closed({ account: Type.String(), ...Ended })), statements: Type.Array(closed({ name: Type.String(), at: Instant, witness: Type.String() })),
  copyRequest: orNull(closed({ at: Instant, by: Type.String(), words: Type.String(), answer: orNull(closed({ ...Ended, outcome: oneOf(['refused', 'referred']), ground: Type.String() })) })), state: StateSchema,
}))
export const FoundLineSchema = named('FoundLine', closed({ camera: CameraRef, from: Instant, to: Instant, state: oneOf(['whole', 'partly', 'gone', 'unknown']), foundMs: Count, zh: Type.String(), en: Type.String() }))
export const CaseAnswerSchema = named('CaseAnswer', closed({
  application: ApplicationSchema, isReplay: Type.Boolean(),
  holding: closed({ state: oneOf(['none', 'held', 'being-held', 'being-let-go']), zh: Type.String(), en: Type.String(), reason: orNull(Type.String()) }, { description: 'only `held` says that the recorder holds all that the case wants; else it is asked again by itself' }),
  holds: closed({ placed: Count, ended: Count, slots: orNull(Count), bytes: orNull(Count), newlyHeld: orNull(Count) }, { description: 'of this step; null while the recorder has not told' }), footage: Type.Array(FoundLineSchema),
  notices: Type.Array(closed({ notice: Type.String(), title: Type.String(), values: Type.Record(Type.String(), Type.String()), scope: orNull(ScopeSchema) }, { description: 'drafts for a person to read and send' })), warnings: Type.Array(Problem),
}))
const DueSchema = named('Due', closed({ what: oneOf(['decision', 'copy-request']), day: LocalDay, until: oneOf(['midnight', 'noon']), dueAt: Instant, nominal: LocalDay, unknownYears: Type.Array(Type.Integer()), isOverdue: Type.Boolean(), isPaused: Type.Boolean() }))
export const CaseLineSchema = named('CaseLine', closed({ number: NumberSchema, form: Type.String(), names: Type.Array(Type.String()), state: oneOf(CASE_STATES), step: orNull(Count), version: Version, receivedAt: Instant, due: orNull(DueSchema), hasCopyRequest: Type.Boolean() }))
export const GrantRowSchema = named('GrantRow', closed({ number: NumberSchema, acts: oneOf(['view', 'copy', 'view copy']), place: Type.String(), openedAt: Instant, validUntil: Instant, ended: orNull(closed({ at: Instant, reason: oneOf(['expired', 'revoked', 'closed', 'withdrawn']) })) }))
export const CaseViewSchema = named('CaseView', closed({
  application: ApplicationSchema, steps: Type.Array(closed({ ...ChangeSchema.properties, recordSha256: Sha256 })), dues: Type.Array(DueSchema), completionDueAt: orNull(Instant), turn: Type.Array(closed({ account: Type.String(), capacity: oneOf(['holder', 'deputy']) })), grant: orNull(GrantRowSchema),
  holds: Type.Array(closed({
    holdId: Type.String(), cameraUuid: CameraRef, cameraId: orNull(Type.String()), fromAt: Instant, toAt: Instant, authority: Type.String(), state: oneOf(['wanted', 'held', 'ending', 'ended']), zh: Type.String(), en: Type.String(),
    wishedAt: Instant, wishedBy: Type.String(), heldAt: orNull(Instant), trouble: orNull(Type.String()),
  })), footage: Type.Array(FoundLineSchema),
}))
export const GrantSchema = named('Grant', closed({ number: NumberSchema, scope: ScopeSchema, canView: Type.Boolean(), canCopy: Type.Boolean(), approvedAt: Instant, validUntil: Instant, place: Type.String(), isPreRollAllowed: Type.Boolean(), statement: oneOf(['not-needed', 'signed', 'missing']) }))
