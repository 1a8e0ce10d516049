import { ruleSetRole, type Role } from '../access/index.ts'
import { formatProblems, type Bilingual } from '../config/index.ts'
import type { EpochMs } from '../domain/index.ts'
import type { Logger } from '../platform/logger.ts'
import { loadRuleShelf, officeDay, RuleSetError, SHIPPED_RULE_SETS, type RuleSet, type Rules, type RuleSetRef, type RuleShelf } from '../rules/index.ts'

const CLOSED: Bilingual = { zh: '沒有生效中的作業規定。', en: 'no rule set is in force' }

/** The office's rules as they stand on disk. Without any, nothing is received or decided; recording never asks. */
export class LiveRules implements Rules {
  readonly folder: string
  readonly #log: Logger
  #shelf: RuleShelf | null = null
  #problems = 0
  constructor(options: { readonly folder: string | null, readonly log: Logger }) {
    this.folder = options.folder ?? SHIPPED_RULE_SETS
    this.#log = options.log.child({ cap: 'rules' })
  }

  /** Problems of the folder as it was last read; the rules read before stay in force meanwhile. */
  get problems(): number { return this.#problems }

  /** Reads the folder again. What is wrong with it is logged once and changes nothing. */
  async reload(): Promise<void> {
    const result = await loadRuleShelf(this.folder)
    if (result.ok) {
      if (this.#problems > 0 || this.#shelf === null) this.#log.info({ ruleSets: result.shelf.all.map(({ ref }) => ref.name) }, 'rule sets read')
      this.#shelf = result.shelf
      this.#problems = 0
      return
    }
    if (this.#problems !== result.problems.length) this.#log.error({ problems: formatProblems(result.problems) }, this.#shelf === null ? 'no rule set can be read: the office is closed' : 'changed rule sets refused, the old ones go on')
    this.#problems = result.problems.length
  }

  get all(): readonly RuleSet[] { return this.#shelf?.all ?? [] }
  inForceOn(day: Temporal.PlainDate): RuleSet | null { return this.#shelf?.inForceOn(day) ?? null }
  has(ref: RuleSetRef): boolean { return this.#shelf?.has(ref) === true }
  get(ref: RuleSetRef): RuleSet {
    if (this.#shelf !== null) return this.#shelf.get(ref)
    throw new RuleSetError('CUSTOS_RULE_SET_MISSING', `no rule set can be read from ${this.folder}; cases made under ${ref.name} can be neither decided nor printed`, { remedy: `restore that folder; the log names each problem of it with its line` })
  }

  /** Which roles one person may have, by the rules of that moment. */
  mayCombine(roles: readonly Role[], now: EpochMs): Bilingual | null {
    const rules = this.inForceOn(officeDay(now))
    return rules === null ? CLOSED : rules.mayCombine([...new Set(roles.map(ruleSetRole))])
  }
}
