import type { Bilingual } from '../config/index.ts'
import type { DeadlineRule } from './deadline.ts'
import type { Period } from './period.ts'
import type { RawRuleSet } from './schema.ts'

/** What each record keeps of the rules it was made under (R1): `xinyi-113-09-30@1` and the SHA-256 of that file, hex. */
export interface RuleSetRef { readonly name: string, readonly sha256: string }

type DeepReadonly<T> = T extends readonly (infer Item)[] ? readonly DeepReadonly<Item>[] : T extends object ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> } : T
export type Rules = DeepReadonly<RawRuleSet>
export type Form = Rules['forms'][number]
export type FormField = Form['fields'][number]
/** A form that somebody applies with; meaning.ts made sure that these are there. */
export type RequestForm = Form & Required<Pick<Form, 'applicants' | 'acts' | 'chain' | 'receivedBy'>>
export type Chain = Rules['chains'][number]
export type Post = Rules['posts'][number]
export type Role = Rules['roles'][number]
export type Ground = Rules['grounds'][number]
export type Notice = Rules['notices'][number]
export type Statement = Rules['statements'][number]

/** The one unit a checked period has. */
export function periodOf(raw: { readonly days?: number, readonly weeks?: number, readonly months?: number, readonly years?: number }): Period {
  if (raw.days !== undefined) return { days: raw.days }
  if (raw.weeks !== undefined) return { weeks: raw.weeks }
  if (raw.months !== undefined) return { months: raw.months }
  if (raw.years !== undefined) return { years: raw.years }
  throw new TypeError('a period without a unit passed the checks')
}

const byId = <Item extends { readonly id: string }>(kind: string, items: readonly Item[]) => {
  const known = new Map(items.map(item => [item.id, item]))
  return (id: string): Item => {
    const item = known.get(id)
    if (item === undefined) throw new RangeError(`the rule set has no ${kind} ${JSON.stringify(id.slice(0, 60))}`)
    return item
  }
}

/** One checked version of an office's rule. Immutable. Look-ups by id throw RangeError for an id it does not have; `has...` ask first. */
export class RuleSet {
  readonly ref: RuleSetRef
  readonly rules: Rules
  readonly effective: Temporal.PlainDate
  readonly form: (id: string) => Form
  readonly chain: (id: string) => Chain
  readonly post: (id: string) => Post
  readonly role: (id: string) => Role
  readonly ground: (id: string) => Ground
  readonly notice: (id: string) => Notice
  readonly statement: (id: string) => Statement
  readonly deadline: (id: string) => DeadlineRule

  /** `rules` must have passed the loader; nobody else makes one. */
  constructor(rules: Rules, { sha256, effective }: { readonly sha256: string, readonly effective: Temporal.PlainDate }) {
    this.rules = rules
    this.ref = Object.freeze({ name: refName(rules.id, rules.version), sha256 })
    this.effective = effective
    this.form = byId('form', rules.forms)
    this.chain = byId('chain', rules.chains)
    this.post = byId('post', rules.posts)
    this.role = byId('role', rules.roles)
    this.ground = byId('ground', rules.grounds)
    this.notice = byId('notice', rules.notices)
    this.statement = byId('statement', rules.statements)
    this.deadline = byId('deadline', rules.deadlines.map(raw =>
      ({ id: raw.id, name: raw.name, basis: raw.basis, period: periodOf(raw.period), extension: raw.extension === undefined ? null : periodOf(raw.extension) })))
  }

  /** Null for an unknown form and for one nobody applies with. */
  requestForm(id: string): RequestForm | null {
    const form = this.rules.forms.find(candidate => candidate.id === id && candidate.use === 'request')
    return form?.applicants && form.acts && form.chain !== undefined && form.receivedBy ? form as RequestForm : null
  }

  hasGround(id: string): boolean { return this.rules.grounds.some(ground => ground.id === id) }
  hasRole(id: string): boolean { return this.rules.roles.some(role => role.id === id) }

  /** The least time footage stays (R18), and how long a copy is archived and from when (R22). */
  get floor(): Period { return periodOf(this.rules.retention.floor) }
  get archive(): { readonly period: Period, readonly from: 'copied' | 'recorded' } { return { period: periodOf(this.rules.retention.archive), from: this.rules.retention.archiveFrom } }

  /** Why one account may not hold these roles together; null when it may. Roles the rule set does not know are refused. */
  mayCombine(roles: readonly string[]): Bilingual | null {
    const unknown = roles.find(role => !this.hasRole(role))
    if (unknown !== undefined) return { zh: `沒有角色「${unknown}」。`, en: `There is no role "${unknown}".` }
    const clash = this.rules.combining.apart.find(({ roles: pair }) => pair.every(role => roles.includes(role)))
    if (clash === undefined) return null
    const [first, second] = clash.roles.map(role => this.role(role))
    return {
      zh: `同一人不得兼任「${first!.name}」與「${second!.name}」：${clash.because.zh}`,
      en: `One person may not be ${first!.en} and ${second!.en}: ${clash.because.en}`,
    }
  }
}

export const refName = (id: string, version: number): string => `${id}@${version}`
