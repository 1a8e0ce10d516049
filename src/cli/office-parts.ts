import { type Access, openAccess } from '../access/index.ts'
import type { AuditLog } from '../audit/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { officeBeside } from './office-beside.ts'

export interface Out { write(text: string): unknown }
export type Options = Readonly<Record<string, string | true | undefined>>

/** What commands of the office stand on, beside a running recorder or without one. Owned by the caller. */
export interface OfficeParts extends Disposable { readonly config: Config, readonly db: Db, readonly audit: AuditLog, readonly access: Access }

/** Null when the configuration is refused; its problems were written then. Throws FatalError. */
export async function officeParts(configFile: string, mode: 'read' | 'write', out: Out): Promise<OfficeParts | null> {
  const result = await loadConfig(configFile, { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return null }
  const { config } = result
  const office = officeBeside(config, mode), { db, audit, time } = office
  const access = openAccess({ db, audit, time, stateDir: config.state.dir, officeName: config.site.name, mayCombine: () => null })
  return { config, db, audit, access, [Symbol.dispose]: () => { office[Symbol.dispose]() } }
}
