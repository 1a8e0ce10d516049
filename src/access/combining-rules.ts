import { FatalError } from '../domain/index.ts'
import { loadRuleShelf, SHIPPED_RULE_SETS } from '../rules/index.ts'
import { ruleSetRole } from './roles.ts'
import type { MayCombine } from './roles.ts'

/** Which roles one person may have, by the rule set in force today; `folder` null is the release's. Throws FatalError when there is none. */
export async function combiningRules(folder: string | null): Promise<MayCombine> {
  const place = folder ?? SHIPPED_RULE_SETS
  const shelf = await loadRuleShelf(place)
  const rules = shelf.ok ? shelf.shelf.inForceOn(Temporal.Now.plainDateISO('Asia/Taipei')) : null
  if (rules === null) throw new FatalError('CUSTOS_ACCOUNT_USAGE', `no rule set is in force in ${place}, so nobody can say which roles one person may have`, { remedy: 'Restore that folder (config/rule-sets of the release), or look at what check-config says of it.' })
  return roles => rules.mayCombine([...new Set(roles.map(ruleSetRole))])
}

