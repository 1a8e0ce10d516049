import { FatalError } from '../domain/index.ts'
import type { RuleSet, RuleSetRef } from './rule-set.ts'

/** A record was made under rules that are not on the shelf, or no longer the same. Nothing is decided under guessed rules. */
export class RuleSetError extends FatalError {}

/** What those who work under rules ask of them. */
export type Rules = Pick<RuleShelf, 'inForceOn' | 'get' | 'has'>

/** All versions an office has had, side by side. */
export class RuleShelf {
  readonly #byName: ReadonlyMap<string, RuleSet>
  readonly #inOrder: readonly RuleSet[]

  /** Throws RangeError on an empty list. */
  constructor(ruleSets: readonly RuleSet[]) {
    if (ruleSets.length === 0) throw new RangeError('a shelf needs at least one rule set')
    this.#byName = new Map(ruleSets.map(ruleSet => [ruleSet.ref.name, ruleSet]))
    this.#inOrder = ruleSets.toSorted((a, b) => Temporal.PlainDate.compare(a.effective, b.effective) || a.rules.version - b.rules.version)
  }

  get all(): readonly RuleSet[] { return this.#inOrder }

  /** The rules for what begins on `day`: the latest in force, of one date the highest version. Null before the first. */
  inForceOn(day: Temporal.PlainDate): RuleSet | null {
    return this.#inOrder.findLast(ruleSet => Temporal.PlainDate.compare(ruleSet.effective, day) <= 0) ?? null
  }

  /** Whether `get` would find these rules unchanged. */
  has({ name, sha256 }: RuleSetRef): boolean { return this.#byName.get(name)?.ref.sha256 === sha256 }

  /** The very rules a record was made under (R45). Throws RuleSetError when they are gone or were changed. */
  get(ref: RuleSetRef): RuleSet {
    const ruleSet = this.#byName.get(ref.name)
    if (ruleSet === undefined) {
      throw new RuleSetError('CUSTOS_RULE_SET_MISSING', `the rule set ${ref.name} is not in the folder; cases made under it can be neither decided nor printed`,
        { remedy: `put the file of ${ref.name} back beside the newer one (SHA-256 ${ref.sha256}); old versions stay for as long as their records` })
    }
    if (ruleSet.ref.sha256 !== ref.sha256) {
      throw new RuleSetError('CUSTOS_RULE_SET_CHANGED', `the file of the rule set ${ref.name} is not the one records were made under: its SHA-256 is ${ruleSet.ref.sha256}, theirs ${ref.sha256}`,
        { remedy: 'restore the file from the release or a backup, and put changes into a file of their own with a higher version' })
    }
    return ruleSet
  }
}
