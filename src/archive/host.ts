import { readFileSync } from 'node:fs'
import path from 'node:path'
import { loadRuleShelf, officeDay } from '../rules/index.ts'
import { epochMs } from '../domain/index.ts'
import { CALENDAR_YEAR, type ArchiveRule } from './pin.ts'

const RULE_SETS = new URL('../../config/rule-sets', import.meta.url).pathname
const CREDENTIAL = 'custos-archive'

/** What the rule set in force says of archived copies; the calendar year from the copy while none can be read. */
export async function archiveRules(wallNow: () => number): Promise<() => ArchiveRule> {
  const shelf = await loadRuleShelf(RULE_SETS)
  return () => (shelf.ok ? shelf.shelf.inForceOn(officeDay(epochMs(wallNow()))) : null)?.archive ?? { period: CALENDAR_YEAR, from: 'copied' }
}

/** systemd's credential `custos-archive`; null where none was given. */
export function archiveCredential(env: NodeJS.ProcessEnv): Buffer | null {
  const folder = env['CREDENTIALS_DIRECTORY']
  if (folder === undefined) return null
  try { return readFileSync(path.join(folder, CREDENTIAL)) } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
