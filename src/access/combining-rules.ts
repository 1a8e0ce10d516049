import { FatalError } from '../domain/index.ts'
import { loadRuleShelf } from '../rules/index.ts'
import { ruleSetRole } from './roles.ts'
import type { MayCombine } from './roles.ts'

const RULE_SETS = new URL('../../config/rule-sets', import.meta.url).pathname

/** Which roles one person may have, by the rule set in force today. Throws FatalError when there is none. */
export async function combiningRules(): Promise<MayCombine> {
  const shelf = await loadRuleShelf(RULE_SETS)
  const rules = shelf.ok ? shelf.shelf.inForceOn(Temporal.Now.plainDateISO('Asia/Taipei')) : null
  if (rules === null) throw new FatalError('CUSTOS_ACCOUNT_USAGE', `no rule set is in force in ${RULE_SETS}, so nobody can say which roles one person may have`, { remedy: 'Restore config/rule-sets of the release, or look at what check-config says of it.' })
  return roles => rules.mayCombine([...new Set(roles.map(ruleSetRole))])
}

