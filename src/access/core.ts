import type { AuditActor, AuditEvent, AuditSink, Branded, EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { standingOf, type AccessSettings, type Account, type Now } from './account-machine.ts'
import { AccountRefusedError, FactorNeededError, RightMissingError, SessionEndedError } from './errors.ts'
import type { FactorVault } from './factor-vault.ts'
import { nameHash } from './secrets.ts'
import type { PasswordHasher } from './password-hash.ts'
import { hasRight, machineHasRight, RIGHTS, type Act } from './rights.ts'
import { ROLE_NAMES, type AccountId, type MayCombine, type Role } from './roles.ts'
import type { SourceThrottle } from './source-throttle.ts'
import { accountTable } from './tables/accounts.ts'
import { breakGlassTable } from './tables/break-glass.ts'
import { credentialTables } from './tables/credentials.ts'
import { registerTables } from './tables/register.ts'
import { sessionTable } from './tables/sessions.ts'

/** Two clocks: the wall's for dates and codes, trusted time for all that is counted. */
export interface AccessTime { wallNow(): EpochMs, steadyNow(): number }
/** The audit log, as far as an act needs it: acts and their entries are one transaction [G10]. */
export interface AuditBook extends AuditSink { transaction<Result>(act: () => Result): Result }

/** What the parts of access share. */
export interface Core {
  readonly audit: AuditBook
  readonly time: AccessTime
  readonly settings: AccessSettings
  readonly hasher: PasswordHasher
  readonly throttle: SourceThrottle
  readonly mayCombine: MayCombine
  /** Opened at first need; throws FactorKeyError. */
  readonly vault: () => FactorVault
  readonly accounts: ReturnType<typeof accountTable>
  readonly credentials: ReturnType<typeof credentialTables>
  readonly sessions: ReturnType<typeof sessionTable>
  readonly register: ReturnType<typeof registerTables>
  readonly openings: ReturnType<typeof breakGlassTable>
}
export const tablesOf = (db: Db) => ({ accounts: accountTable(db), credentials: credentialTables(db), sessions: sessionTable(db), register: registerTables(db), openings: breakGlassTable(db) })

/** Somebody who acts, in one role. Only `Sessions.acting` and `atMachine` make one, and every act looks again whether it still holds. */
export type Acting = Branded<AccountActing, 'Acting'> | Branded<MachineActing, 'Acting'>
interface AccountActing { readonly kind: 'account', readonly accountId: AccountId, readonly displayName: string, readonly role: Role, readonly deputyFor: AccountId | null, readonly sessionHash: Buffer, readonly source: string }
interface MachineActing { readonly kind: 'machine', readonly actor: AuditActor }

export const accountActing = (acting: AccountActing): Acting => acting as Acting
/** A named person at the command line: the name is their word, the login the system's. */
export const atMachine = (actor: AuditActor): Acting => ({ kind: 'machine', actor }) as Acting

export const nowOf = ({ time }: Core): Now => ({ wallMs: time.wallNow(), steadyMs: time.steadyNow() })
export const personText = ({ displayName, accountId }: Pick<Account, 'displayName' | 'accountId'>): string => `${displayName} (${accountId})`

export function actorOf(acting: Acting): AuditActor {
  if (acting.kind === 'machine') return acting.actor
  return { kind: 'account', name: personText(acting), role: acting.deputyFor === null ? acting.role : `${acting.role} for ${acting.deputyFor}`, source: acting.source }
}
/** Who, for columns that compare persons: an account, or a name given at the machine, however it is spaced or cased. */
export const personKey = (acting: Acting): string => acting.kind === 'account' ? acting.accountId : `machine:${acting.actor.name.normalize('NFKC').replace(/\s+/g, '').toLowerCase()}`

/** Roles somebody may act in now: their own, and those of whom they stand in for. */
export function rolesNow(core: Core, account: Account, now: Now): { readonly role: Role, readonly deputyFor: AccountId | null }[] {
  const deputed = core.register.deputiesOf(account.accountId, now.wallMs).filter(({ absentId, role }) => {
    const absent = core.accounts.get(absentId)
    return absent !== null && absent.state !== 'left' && absent.roles.includes(role)
  })
  return [...account.roles.map(role => ({ role, deputyFor: null })), ...deputed.map(({ role, absentId }) => ({ role, deputyFor: absentId }))]
}

/** Throws SessionEndedError, RightMissingError or FactorNeededError unless `acting` may do `act` at this moment. Call it inside the transaction of the act. */
export function authorize(core: Core, acting: Acting, act: Act): void {
  if (acting.kind === 'machine') {
    if (!machineHasRight(act)) throw new RightMissingError(act, '主機指令列')
    return
  }
  const now = nowOf(core)
  const session = core.sessions.get(acting.sessionHash)
  const account = core.accounts.get(acting.accountId)
  if (session === null || account === null || session.endedAtMs !== null) throw new SessionEndedError(session?.endReason ?? 'unknown')
  const standing = standingOf(account, core.credentials.failures(nameHash(account.accountId)), now, core.settings)
  if (standing.kind !== 'active' && standing.kind !== 'locked') throw new SessionEndedError('account-closed')
  const holds = session.role === acting.role && session.deputyFor === acting.deputyFor && rolesNow(core, account, now).some(held => held.role === acting.role && held.deputyFor === acting.deputyFor)
  if (!holds || !hasRight(acting.role, act)) throw new RightMissingError(act, ROLE_NAMES[acting.role].zh)
  if (RIGHTS[act].factor === true) requireFresh(session.factorMs, now, core.settings.freshFactorMs)
}

/** Steady time. Throws FactorNeededError. */
export function requireFresh(factorMs: number | null, { steadyMs }: Now, withinMs: number): void {
  if (factorMs === null || steadyMs - factorMs >= withinMs) throw new FactorNeededError()
}

export type Told = { readonly [key: string]: AuditEvent['detail'][string] }
/** One act with its entry: authorised, done and written down in one transaction, or not at all; a refusal has an entry of its own. */
export function perform<Result>(core: Core, acting: Acting, act: Act, event: { readonly action: string, readonly object: string | null, readonly application?: string }, work: (now: Now) => { readonly result: Result, readonly detail?: Told }): Result {
  const entry = { action: event.action, actor: actorOf(acting), object: event.object, application: event.application ?? null }
  try {
    return core.audit.transaction(() => {
      authorize(core, acting, act)
      const { result, detail = {} } = work(nowOf(core))
      core.audit.append({ ...entry, result: 'done', detail })
      return result
    })
  } catch (error) {
    if (error instanceof RightMissingError || error instanceof AccountRefusedError || error instanceof FactorNeededError) core.audit.append({ ...entry, result: 'refused', detail: { code: error.code } })
    throw error
  }
}

export function required(core: Core, id: AccountId): Account {
  const account = core.accounts.get(id)
  if (account === null) throw new AccountRefusedError(`沒有「${id}」這個帳號。`, `there is no account ${id}`)
  return account
}

/** Words that go into records as they stand; every code point of a name is kept. Throws AccountRefusedError. */
export function plain(text: string, what: { readonly zh: string, readonly en: string }, maxChars = 200): string {
  const trimmed = text.trim()
  if (trimmed === '' || Array.from(trimmed).length > maxChars || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u.test(trimmed)) {
    throw new AccountRefusedError(`${what.zh}是空的、超過 ${maxChars} 字，或含有無法列印的字元。`, `${what.en} is empty, longer than ${maxChars} characters or holds characters that cannot be printed`)
  }
  return trimmed
}

