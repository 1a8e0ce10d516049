import { SYSTEM, type AuditEvent } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { AuditLog } from './audit-log.ts'
import type { WholeHead } from './checkpoint.ts'
import { checkpointTable } from './tables/checkpoints.ts'
import { entryTable } from './tables/entries.ts'
import { headTable } from './tables/heads.ts'

export const LOG_PARTED = 'log.parted'

/** Which log another one began as a copy of, and how many entries both have in common. */
export interface Parting { readonly from: string, readonly size: number }

/**
 * Makes a log of its own out of the whole copy of one: a new id, and what it is a copy of. To be called in the
 * transaction that ends the copying, before the first entry. Throws TypeError for a copy of a copy.
 */
export function partLog(db: Db): Parting {
  const table = checkpointTable(db)
  if (table.parting() !== null) throw new TypeError('a log that was parted is parted again')
  const parting = { from: table.logId(), size: entryTable(db).tail().seq }
  db.prepare('UPDATE audit_log SET id = lower(hex(randomblob(8))), parted_from = ?, parted_size = ?')
    .run(parting.from, parting.size)
  return parting
}

/** The first entry of each of the two logs behind what they have in common; `other` is the origin of the other one. */
export const partedEvent = (other: string, size: number): AuditEvent =>
  ({ action: LOG_PARTED, actor: SYSTEM, object: other, application: null, result: 'done', detail: { size } })

/**
 * Of the log that was copied: its entry, and the head of the copy, so that no other log passes for it.
 * To be called before anything else is entered. Throws AuditUnavailableError.
 */
export function notePartedLog({ db, log, clock }: {
  readonly db: Db, readonly log: AuditLog, readonly clock: Clock,
}, copy: WholeHead): void {
  log.transaction(() => {
    const { seq } = log.append(partedEvent(copy.origin, copy.size))
    headTable(db).insert(copy, { at: clock.wallNow(), how: 'told', auditSeq: seq })
  })
}
