import { isAccountId, ruleSetRole, type Access, type AccountId, type Acting, type Role } from '../access/index.ts'
import type { EpochMs } from '../domain/index.ts'
import { officeDay } from '../rules/index.ts'
import type { Actor } from './cases/application.ts'
import type { Appointment, Deputy, Staffing } from './cases/staffing.ts'

type Post = Pick<Appointment, 'post' | 'unit'>
/** Roles that are head of the unit they are in. */
const HEADS: readonly Role[] = ['chief', 'secretary', 'unit-head']

/** The posts of the rule set that a role of an account in `unit` holds. `managingUnit` is the one that runs the system (管理單位). */
export function postsOf(role: Role, unit: string, managingUnit: string): readonly Post[] {
  const heads: readonly Post[] = HEADS.includes(role) ? [{ post: 'applicants-head', unit }, ...(unit === managingUnit ? [{ post: 'managing-head', unit: null }] : [])] : []
  switch (role) {
    case 'clerk': return [{ post: 'clerk', unit: null }, { post: 'managing-clerk', unit: null }]
    case 'chief': case 'secretary': case 'director': return [{ post: role, unit: null }, ...heads]
    default: return heads
  }
}

type People = Pick<Access, 'accounts' | 'register'>

/** Who acts, in the words of a rule set; and the posts of the one role acted in, for rights go with it: who is chief and secretary signs as the one they chose. */
export function actingStaff(acting: Acting, { accounts }: People, managingUnit: string, now: EpochMs): { readonly actor: Actor, readonly staffing: Staffing } | null {
  if (acting.kind !== 'account') return null
  const { accountId: account, displayName: name, role, deputyFor } = acting
  const today = officeDay(now).toString()
  const unit = accounts.get(deputyFor ?? account)?.unit ?? ''
  const held = postsOf(role, unit, managingUnit).map(post => ({ ...post, account, from: today, to: today }))
  return { actor: { account, name, role: ruleSetRole(role) }, staffing: deputyFor === null ? { appointments: held, deputies: [] } : { appointments: [], deputies: held } }
}

/** Everybody's posts today, to tell whose turn it is. */
export function officeStaffing({ accounts, register }: People, managingUnit: string, now: EpochMs): Staffing {
  const today = officeDay(now).toString()
  const active = accounts.list().filter(({ standing }) => standing.kind === 'active' || standing.kind === 'locked')
  const appointments = active.flatMap(({ accountId: account, roles, unit }) => roles.flatMap(role => postsOf(role, unit, managingUnit).map(post => ({ ...post, account, from: today, to: null }))))
  const deputies = register.deputies().filter(({ endedAtMs, fromAtMs, toAtMs }) => endedAtMs === null && fromAtMs <= now && now < toAtMs).flatMap(({ absentId, deputyAccountId, role }): Deputy[] => {
    const absent = accounts.get(absentId)
    if (absent === null || absent.state === 'left' || !absent.roles.includes(role) || !active.some(({ accountId }) => accountId === deputyAccountId)) return []
    return postsOf(role, absent.unit, managingUnit).map(post => ({ ...post, account: deputyAccountId, from: today, to: today }))
  })
  return { appointments, deputies }
}

export interface PaperPerson { readonly account: AccountId, readonly name: string, readonly unit: string, readonly roles: readonly string[], readonly staffing: Staffing }

/**
 * Somebody that a document system names: the posts they held when they decided, own and as deputy, as far as this office's own register knows. Null for nobody who could have.
 * Roles have no history: who lost one since has lost it for what comes late, too.
 */
export function paperPerson(people: People, managingUnit: string, account: string, { decidedAt, now }: { readonly decidedAt: EpochMs, readonly now: EpochMs }): PaperPerson | null {
  const person = isAccountId(account) ? people.accounts.get(account) : null
  if (person === null || (person.standing.kind !== 'active' && person.standing.kind !== 'locked') || person.createdAtMs > decidedAt) return null
  const { appointments, deputies } = officeStaffing(people, managingUnit, decidedAt)
  const today = officeDay(now).toString()
  const own = <Entry extends Appointment>(entries: readonly Entry[]): readonly Deputy[] => entries.filter(entry => entry.account === account).map(entry => ({ ...entry, from: today, to: today }))
  return { account: person.accountId, name: person.displayName, unit: person.unit, roles: person.roles.map(ruleSetRole), staffing: { appointments: own(appointments), deputies: own(deputies) } }
}
