import { AuditLog } from '../audit/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'

/** A log as a command enters into it: nobody here knows how the clocks stand. */
export const logBeside = (db: Db): AuditLog =>
  new AuditLog({ db, clock: systemClock, trusted: () => ({ at: null, state: 'command-line' }) })
