import type { AccessTime } from '../access/index.ts'
import { AuditLog } from '../audit/index.ts'
import type { Config } from '../config/index.ts'
import { openCatalogueBeside, type Db } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { openOfficeBeside } from '../platform/office-database.ts'
import { openHostClock, steadyTime } from '../trusted-time/index.ts'

/** The office's database beside whoever has it. The caller disposes of it. */
export interface OfficeBeside extends Disposable {
  readonly db: Db
  /** Of the office. */
  readonly audit: AuditLog
  /** As the recorder wrote it down last, running on. */
  readonly time: AccessTime
}

/** Throws FatalError when the office never ran, or when another version wrote what is there. */
export function officeBeside({ state }: Pick<Config, 'state'>, mode: 'read' | 'write'): OfficeBeside {
  using parts = new DisposableStack()
  const { db } = parts.use(openOfficeBeside(state.dir, mode))
  const recorder = parts.use(openCatalogueBeside(state.dir, 'read'))
  const audit = new AuditLog({ db, clock: systemClock, trusted: () => ({ at: null, state: 'command-line' }) })
  const time = steadyTime(recorder.db, systemClock, openHostClock().bootId)
  const open = parts.move()
  return { db, audit, time, [Symbol.dispose]: () => { open.dispose() } }
}
