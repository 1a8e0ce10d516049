import Type from 'typebox'
import { ROLES, type AccountId, type Role } from '../../access/index.ts'
import type { CameraUuid, EpochMs } from '../../domain/index.ts'
import { closed, orNull } from '../route.ts'
import { named } from './names.ts'

/** Text a person writes; the parts judge what may stand in it. Lengths are far above theirs. */
export const text = (maxLength = 4000) => Type.String({ maxLength })
/** The schema is the check that the brand stands for. */
export const Instant = Type.Unsafe<EpochMs>(Type.Integer({ minimum: -2_208_988_800_000, maximum: 253_402_300_799_999, description: 'UTC milliseconds since 1970' }))
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
export const RowId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
export const CameraRef = Type.Unsafe<CameraUuid>(Type.String({ pattern: '^[0-9a-f]{32}$', description: 'the uuid of a camera' }))
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
export const AccountRef = Type.Unsafe<AccountId>(Type.String({ pattern: '^[a-z][a-z0-9._-]{0,39}$' }))
export const LocalDay = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' })
export const Month = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])$' })
export const oneOf = <const Each extends readonly string[]>(words: Each) => Type.Unsafe<Each[number]>(Type.Union(words.map(word => Type.Literal(word))))
export const RoleSchema = named('Role', oneOf(ROLES) as Type.TUnsafe<Role>)
export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 200 }))
export const Both = named('Both', closed({ zh: Type.String(), en: Type.String() }))
export const Problem = named('Problem', closed({ where: Type.String(), zh: Type.String(), en: Type.String() }))
export const ChangeSchema = named('Change', closed({ version: Count, verb: Type.String(), at: Instant, by: Type.String() }))
export const ErrorSchema = closed({
  code: Type.String(), zh: Type.String(), en: Type.String(), requestId: Type.String(), problems: Type.Optional(Type.Array(Problem)), version: Type.Optional(Count), changes: Type.Optional(Type.Array(ChangeSchema)),
})
export { closed, orNull }
