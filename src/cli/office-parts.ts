import { openAccess, steadyTime, type Access } from '../access/index.ts'
import { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { openCatalogueBeside, type Catalogue } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { openHostClock } from '../trusted-time/index.ts'

export interface Out { write(text: string): unknown }
export type Options = Readonly<Record<string, string | true | undefined>>

/** What commands of the office stand on, beside a running recorder or without one. Owned by the caller. */
export interface OfficeParts extends Disposable { readonly config: Config, readonly catalogue: Catalogue, readonly audit: AuditLog, readonly access: Access }

/** Null when the configuration is refused; its problems were written then. Throws FatalError. */
export async function officeParts(configFile: string, mode: 'read' | 'write', out: Out): Promise<OfficeParts | null> {
  const result = await loadConfig(configFile, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return null }
  const { config } = result
  const catalogue = openCatalogueBeside(config.state.dir, mode), { db } = catalogue
  const audit = new AuditLog({ db, clock: systemClock, trusted: () => ({ at: null, state: 'command-line' }) })
  const access = openAccess({ db, audit, time: steadyTime(db, systemClock, openHostClock().bootId), stateDir: config.state.dir, officeName: config.site.name, mayCombine: () => null })
  return { config, catalogue, audit, access, [Symbol.dispose]: () => { catalogue[Symbol.dispose]() } }
}
