import { checkpointTable, headNow, originOf, OtherLogs, AuditLog, type WholeHead } from '../audit/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { wordsFault } from '../requests/index.ts'
import { actingPerson } from './acting-person.ts'
import { officeToRead, usage, withAudit, type Output } from './audit-access.ts'

const REASON_MOST_CHARS = 200

/**
 * `custos audit accept-office-log`: a person says that the office's log is the right one though it did not fit
 * what was signed of it: the head that was refused last, or where none was and the log of office.db did not part
 * from the recorder's, its head of now. With an entry in the recorder's log.
 */
export async function auditAcceptOfficeLog({ configFile, reason: reasonText, by, out }: {
  readonly configFile: string, readonly reason: string, readonly by: string, readonly out: Output,
}): Promise<number> {
  const actor = actingPerson(by, '--by'), reason = reasonText.trim()
  if (wordsFault(reason, { maxChars: REASON_MOST_CHARS, lines: false }) !== null) {
    usage('--reason is empty, too long or cannot be printed', `Say why in 1 to ${REASON_MOST_CHARS} characters: it stands in the audit log.`)
  }
  return await withAudit({ configFile, mode: 'write', out }, ({ db, log, config }) => {
    const others = new OtherLogs({ db, log, clock: systemClock, key: () => null })
    const head = others.refused() ?? strangeOffice(db, config.state.dir)
      ?? usage('the office\'s log fits what was signed of it; nothing is to be accepted', 'Run custos audit verify for both logs.')
    const { origin, size, root, lastHash } = head
    others.accept({ origin, size, root, lastHash }, { actor, reason })
    out.write(`已登錄：${actor.name} 確認辦公端稽核紀錄 ${origin}（${size} 筆）為正當，其後以此為準。\nNoted: ${actor.name} accepts the office's audit log ${origin} (${size} entries); it counts from now on.\n`)
    return 0
  })
}

/** Head of an office's log that did not part from this one, and that nobody has accepted yet. */
function strangeOffice(db: Db, stateDir: string): WholeHead | null {
  using office = officeToRead(stateDir)
  if (office === null) return null
  const table = checkpointTable(office.db), parting = table.parting()
  const newest = new OtherLogs({ db, log: new AuditLog({ db, clock: systemClock }), clock: systemClock, key: () => null }).newest()[0]
  const isOurs = parting === null ? newest === undefined : parting.from === checkpointTable(db).logId()
  if (isOurs || newest?.origin === originOf(table.logId())) return null
  return headNow(new AuditLog({ db: office.db, clock: systemClock }), table.logId())
}
