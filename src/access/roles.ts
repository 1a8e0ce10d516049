import type { Branded } from '../domain/index.ts'

/** What is typed to sign in: 1-40 of a-z, 0-9, '-', '_', '.'; belongs to one person for good. */
export type AccountId = Branded<string, 'AccountId'>
const ACCOUNT_ID = /^[a-z][a-z0-9._-]{0,39}$/
export const isAccountId = (text: string): text is AccountId => ACCOUNT_ID.test(text)
/** Throws RangeError for what is no account name. */
export function accountId(text: string): AccountId {
  if (!isAccountId(text)) throw new RangeError(`not an account name: ${JSON.stringify(text.slice(0, 60))}`)
  return text
}

/** Roles of R67, named as the rule set names them, and 本所人員, who ask by 附件4. 核章主管 is four of them, one a post: who signs at which step is the chain's business. */
export const ROLES = ['system-admin', 'custodian', 'clerk', 'chief', 'secretary', 'director', 'unit-head', 'checker', 'auditor', 'records', 'staff', 'vendor'] as const
export type Role = typeof ROLES[number]
export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text)

export const ROLE_NAMES: Readonly<Record<Role, { readonly zh: string, readonly en: string }>> = {
  'system-admin': { zh: '系統管理', en: 'system administrator' }, 'custodian': { zh: '管理人員', en: 'custodian' }, 'clerk': { zh: '承辦人', en: 'clerk in charge' },
  'chief': { zh: '核章主管（課長）', en: 'approver: section chief' }, 'secretary': { zh: '核章主管（秘書）', en: 'approver: secretary' },
  'director': { zh: '核章主管（主任）', en: 'approver: director' }, 'unit-head': { zh: '核章主管（單位主管）', en: 'approver: head of a unit' },
  'checker': { zh: '查核', en: 'checker' }, 'auditor': { zh: '稽核', en: 'auditor, reads only' }, 'records': { zh: '檔案管理', en: 'records keeper' }, 'staff': { zh: '本所人員', en: 'member of staff' }, 'vendor': { zh: '廠商', en: 'vendor on a visit' },
}

export const APPROVERS = ['chief', 'secretary', 'director', 'unit-head'] as const satisfies readonly Role[]
export const isApprover = (role: Role): boolean => (APPROVERS as readonly Role[]).includes(role)
/** The rule set's role: it knows posts apart from roles. */
export const ruleSetRole = (role: Role): string => isApprover(role) ? 'approver' : role

const POSTS: ReadonlyMap<string, Role> = new Map([['課長', 'chief'], ['秘書', 'secretary'], ['主任', 'director'], ['單位主管', 'unit-head']])
/** A role by its key, its Chinese name or, for an approver, the post; null for anything else, also for 核章主管 without a post. */
export function roleNamed(text: string): Role | null {
  const plain = text.trim()
  if (isRole(plain)) return plain
  return POSTS.get(plain) ?? ROLES.find(role => ROLE_NAMES[role].zh === plain) ?? null
}

/** Why one person may not have these roles together; null when they may. The table is the rule set's. */
export type MayCombine = (roles: readonly Role[]) => { readonly zh: string, readonly en: string } | null
