import { Type, type Static, type TSchema } from 'typebox'
import { CASE_LIMITS } from '../requests/index.ts'
import { INBOX_LIMITS } from './limits.ts'

const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const closed = { additionalProperties: false } as const
const Instant = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{3})?(Z|[+-]\\d{2}:\\d{2})$', description: 'ISO 8601 with an offset' })
const Words = (maxLength: number, description: string) => Type.String({ maxLength, description })
const Fields = Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }), Words(2 * CASE_LIMITS.reasonChars, 'by field of the form'), { ...closed, maxProperties: CASE_LIMITS.fields })
const AccountName = Type.String({ pattern: '^[a-z][a-z0-9._-]{0,39}$', description: 'an account of the recorder' })
const Acts = Type.Object({ view: Type.Boolean(), copy: Type.Boolean(), preserve: Type.Boolean() }, closed)
const Scope = Type.Array(Type.Object({ camera: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'uuid of the camera' }), from: Instant, to: Instant }, closed), { maxItems: CASE_LIMITS.scopeLines })

const Content = Type.Object({
  form: Type.String({ maxLength: 40, description: 'form-2, form-3 or form-4 of the rule set' }),
  applicantClass: Type.Enum(['agency', 'data-subject', 'interested-party', 'staff']),
  fields: Fields,
  agents: Type.Array(Type.Object({ fields: Fields, powerOfAttorney: orNull(Words(2 * CASE_LIMITS.nameChars, 'the paper that empowers them')), account: orNull(AccountName) }, closed), { maxItems: 3 }),
  applicantAccount: orNull(AccountName),
  applicantUnit: orNull(Words(2 * CASE_LIMITS.nameChars, 'unit of an applicant of the office')),
  acts: Acts,
  necessity: orNull(Words(2 * CASE_LIMITS.reasonChars, 'why copying is needed; null unless acts.copy')),
  asked: Scope,
  identity: orNull(Type.Object({ document: Words(2 * CASE_LIMITS.nameChars, 'kind of document seen'), seenAt: Instant, seenBy: Words(2 * CASE_LIMITS.nameChars, 'who saw it') }, closed)),
  authority: orNull(Type.Union([
    Type.Object({ kind: Type.Literal('sealed-scan'), sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'of a scan uploaded before' }) }, closed),
    Type.Object({ kind: Type.Literal('document'), number: Words(2 * CASE_LIMITS.nameChars, 'number of the incoming document') }, closed),
  ])),
}, { ...closed, description: 'what the applicant says, as on the form; ID numbers whole' })

const Step = Type.Object({
  post: Type.String({ maxLength: 40, description: 'post of the chain: clerk, chief, secretary, director, …' }),
  account: AccountName,
  decidedAt: Instant,
  decision: Type.Enum(['agree', 'refuse'], { description: 'refuse: an opinion before the last step, where the chain allows one' }),
  reason: orNull(Words(2 * CASE_LIMITS.reasonChars, 'needed to refuse or to grant less')),
  ground: orNull(Type.String({ maxLength: 40, description: 'of the rule set, to grant less than asked' })),
  narrowTo: orNull(Type.Object({ scope: Scope, acts: Acts }, closed)),
  isNotTheApplicant: Type.Boolean({ description: 'the signer has the applicant\'s name and states to be somebody else' }),
  capacity: orNull(Type.Enum(['holder', 'deputy'], { description: 'null: whichever they are' })),
}, closed)

/** What is signed: the bytes of this message, UTF-8 JSON. */
export const InboxMessageSchema = Type.Object({
  schema: Type.Literal('custos-inbox-message/1'),
  id: Type.String({ pattern: '^[A-Za-z0-9_-]{8,80}$', description: 'the system\'s own word for this request; taken once, for good' }),
  system: Type.String({ maxLength: 60, description: 'as enrolled with the key' }),
  issuedAt: Instant,
  receivedBy: AccountName,
  receivedAt: Instant,
  content: Content,
  steps: Type.Array(Step, { minItems: 1, maxItems: INBOX_LIMITS.steps, description: 'all steps of the chain, in order' }),
  grant: orNull(Type.Object({ days: Type.Integer({ minimum: 1, maximum: 366 }), place: Words(2 * CASE_LIMITS.nameChars, 'where it is seen'), isPreRollAllowed: Type.Boolean() }, closed)),
}, { ...closed, title: 'Custos inbox message' })
export type InboxMessage = Static<typeof InboxMessageSchema>

/** The file: the message's bytes as they were signed, and the signature. */
export const InboxFileSchema = Type.Object({
  schema: Type.Literal('custos-inbox/1'),
  key: Type.String({ pattern: '^[0-9a-f]{16}$', description: 'id of the enrolled key' }),
  message: Type.String({ pattern: '^[A-Za-z0-9+/]+={0,2}$', maxLength: INBOX_LIMITS.fileBytes, description: 'base64 of the message\'s bytes' }),
  signature: Type.String({ pattern: '^[A-Za-z0-9+/]{86}==$', description: 'base64 of the Ed25519 signature over the message\'s bytes' }),
}, { ...closed, title: 'Custos inbox file' })

/** The text of docs/operating/inbox.schema.json. */
export const inboxSchemaText = (): string => `${JSON.stringify({
  $schema: 'https://json-schema.org/draft/2020-12/schema', ...InboxFileSchema, $defs: { message: InboxMessageSchema },
}, null, 2)}\n`
