import Type from 'typebox'
import { officeDay, type RuleSet } from '../../rules/index.ts'
import { notHere } from '../errors.ts'
import type { ConsoleParts } from '../parts.ts'
import { route, type Route } from '../route.ts'
import { PeriodSchema } from '../schemas/cases.ts'
import { CameraRef, closed, Instant, LocalDay, orNull } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

const Text = Type.String(), maybe = Type.Optional
const Named = { id: Text, name: Text }
export const RulesSchema = named('Rules', closed({
  ref: closed({ name: Text, sha256: Text }), effective: LocalDay, title: Text, office: closed({ name: Text, self: Text }),
  forms: Type.Array(closed({
    id: Text, annex: Text, use: Text, title: Text, applicants: maybe(Type.Array(Text)), acts: maybe(Type.Array(Text)), chain: maybe(Text), deadline: maybe(Text), statement: maybe(Text), receivedBy: maybe(Type.Array(Text)),
    fields: Type.Array(closed({ id: Text, label: Text, en: Text, kind: Text, of: maybe(Text), means: maybe(Text), required: maybe(Type.Boolean()), maxChars: maybe(Type.Integer()), options: maybe(Type.Array(Text)), uncertain: maybe(Text) })),
  })),
  chains: Type.Array(closed({ ...Named, steps: Type.Array(closed({ post: Text })), refusalEnds: Text })), posts: Type.Array(closed({ ...Named, en: Text, role: Text })), grounds: Type.Array(closed({ ...Named, citation: Text })),
  statements: Type.Array(closed({ id: Text, title: Text, lines: Type.Array(Text) })), notices: Type.Array(closed({ id: Text, title: Text, text: Text })), articles: Type.Array(closed({ number: Text, text: Text })),
  deadlines: Type.Array(closed({ ...Named, basis: Text, period: PeriodSchema, extension: orNull(PeriodSchema) })), grant: closed({ days: Type.Integer(), maxDays: Type.Integer(), place: Text }), agents: closed({ most: Type.Integer(), basis: Text }),
}))

export const ruleRoutes: readonly Route[] = [
  route({
    method: 'GET', url: '/api/rules', who: 'role', summary: { zh: '作業規定各版本', en: 'all versions of the office\'s rule, and the one in force' }, answer: closed({ current: orNull(Text), versions: Type.Array(closed({ name: Text, effective: LocalDay })) }),
    handler: ({ parts }) => ({ current: inForce(parts)?.ref.name ?? null, versions: parts.shelf.all.map(({ ref, effective }) => ({ name: ref.name, effective: effective.toString() })) }),
  }),
  route({
    method: 'GET', url: '/api/rules/:name', who: 'role', summary: { zh: '一版作業規定：表單、核章順序、用語', en: 'one version: forms, chains, texts; `current` is the one in force' }, params: closed({ name: Type.String({ minLength: 1, maxLength: 60 }) }), answer: RulesSchema,
    handler({ parts, params }) {
      const ruleSet = params.name === 'current' ? inForce(parts) : parts.shelf.all.find(({ ref }) => ref.name === params.name) ?? null
      if (ruleSet === null) throw notHere()
      return { ...ruleSet.rules, ref: ruleSet.ref, effective: ruleSet.effective.toString(), deadlines: ruleSet.rules.deadlines.map(({ id }) => ruleSet.deadline(id)) }
    },
  }),
  route({
    method: 'GET', url: '/api/cameras', who: 'role', summary: { zh: '鏡頭清單，含設備', en: 'cameras, for a form, and the device that stands there as far as it told' }, answer: closed({
      cameras: Type.Array(closed({
        uuid: CameraRef, id: Text, name: Text, location: Text,
        device: orNull(closed({ maker: orNull(Text), model: orNull(Text), firmware: orNull(Text), firstSeenAt: Instant, lastSeenAt: Instant }, { description: 'as it told by ONVIF: since when it stands there, and when it last answered; null where the camera is known by its address alone' })),
      })),
    }),
    handler: ({ parts }) => ({ cameras: parts.cameras() }),
  }),
]

const inForce = ({ shelf, wallNow }: Pick<ConsoleParts, 'shelf' | 'wallNow'>): RuleSet | null => shelf.inForceOn(officeDay(wallNow()))
