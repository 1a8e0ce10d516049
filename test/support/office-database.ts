import { partLog } from '../../src/audit/index.ts'
import { openCatalogue, type Catalogue } from '../../src/platform/catalogue.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { openOfficeDatabase } from '../../src/platform/office-database.ts'

/** The office's database of an installation, made where there is none, for this process alone. */
export const openOfficeOf = (stateDir: string): Promise<Catalogue> =>
  openOfficeDatabase(stateDir, { nowMs: systemClock.wallNow(), partLog })

/** Both databases, as a recorder and its office have them that run. The office's is told of. */
export async function openBoth(stateDir: string): Promise<Catalogue> {
  using parts = new DisposableStack()
  parts.use(openCatalogue(stateDir, systemClock.wallNow()))
  const { db } = parts.use(await openOfficeOf(stateDir))
  const open = parts.move()
  return { db, [Symbol.dispose]: () => { open.dispose() } }
}
