import { isoOf, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { originOf, type Checkpoint, type LogHead } from './checkpoint.ts'
import { OFFICE_LOG_ACCEPTED } from './other-logs.ts'
import { LOG_PARTED } from './parting.ts'
import { checkpointTable, signedTextOf } from './tables/checkpoints.ts'
import { entryTable } from './tables/entries.ts'
import { headTable, type KnownHead } from './tables/heads.ts'
import { faultOf, keysOf, verifyAuditLog, type AuditFault, type AuditVerdict } from './verify.ts'

/** A head of the office's log that a person accepted though it did not fit those before. */
export interface AcceptedHead { readonly origin: string, readonly size: number, readonly at: EpochMs, readonly auditSeq: number }

export interface TwoLogsVerdict {
  readonly recorder: AuditVerdict
  /** Null where there is no office log. */
  readonly office: AuditVerdict | null
  /** What is wrong between the two; null where nothing is. */
  readonly between: AuditFault | null
  /** Oldest first. Heads that were remembered before the newest of them are not held against the office's log. */
  readonly accepted: readonly AcceptedHead[]
}

const PAGE = 10_000

/**
 * Walks the recorder's log and the office's beside it. Each gets all checkpoints from outside and answers for
 * what they say of it. The office's log has to hold every head that the recorder remembers since a person last
 * accepted one, and both have to agree up to where they parted. Reads only, beside both running.
 */
export function verifyTwoLogs({ recorder, office }: {
  readonly recorder: Db, readonly office: Db | null,
}, outside: readonly Checkpoint[] = []): TwoLogsVerdict {
  // Before the office's log is looked at: it has every entry that the recorder knew of then.
  const known = knownOffice(recorder)
  const ofRecorder = verifyAuditLog(recorder, outside, { others: new Set(office === null ? [] : [originIn(office)]) })
  const accepted = known.accepted.map(({ origin, size, at, auditSeq }) => ({ origin, size, at, auditSeq: auditSeq ?? 0 }))
  if (office === null) return { recorder: ofRecorder, office: null, between: missing(known), accepted }
  const origin = originIn(office)
  const remembered = known.heads.filter(head => head.origin === origin)
  const ofOffice = verifyAuditLog(office, outside, { others: new Set([originIn(recorder)]), keys: keysOf(recorder), remembered })
  const between = notAccepted(recorder, known.accepted) ?? exchanged(known, origin) ?? partedOtherwise(recorder, office, known)
  return { recorder: ofRecorder, office: ofOffice, between, accepted }
}

const originIn = (db: Db): string => originOf(checkpointTable(db).logId())

interface KnownOffice {
  /** Since the newest accepted one, that included. */
  readonly heads: readonly LogHead[]
  readonly accepted: readonly KnownHead[]
  /** The log that counts as the office's; null while none is known. */
  readonly origin: string | null
}

/** By the rows and by the checkpoints that name it: somebody may have taken rows away. */
function knownOffice(db: Db): KnownOffice {
  const rows = headTable(db).others(), accepted = rows.filter(({ how }) => how === 'accepted')
  const last = accepted.at(-1), sinceSeq = last?.auditSeq ?? 0
  const named = checkpointTable(db).bySize().filter(({ size }) => size >= sinceSeq).flatMap(stored => signedTextOf(stored)?.also ?? [])
  const heads = [...rows.filter(({ id }) => id >= (last?.id ?? 0)), ...named]
  return { heads, accepted, origin: rows.at(-1)?.origin ?? named.at(-1)?.origin ?? null }
}

function missing({ origin }: KnownOffice): AuditFault | null {
  if (origin === null) return null
  return faultOf('log-missing', null, null, `錄影機記得辦公端的稽核紀錄（${origin}），但旁邊沒有 office.db`, `the recorder remembers an audit log of the office (${origin}), and no office.db stands beside it`)
}

/** What excuses the office's log has to stand in the recorder's. */
function notAccepted(recorder: Db, accepted: readonly KnownHead[]): AuditFault | null {
  const entries = entryTable(recorder)
  for (const { origin, size, root, auditSeq } of accepted) {
    const entry = auditSeq === null ? null : entries.get(auditSeq)
    const isTold = entry?.action === OFFICE_LOG_ACCEPTED && entry.object === origin
      && entry.detail.includes(`"root":"${root.toString('base64')}","size":${size}`)
    if (!isTold) {
      return faultOf('not-accepted-so', auditSeq, entry?.at ?? null, `辦公端紀錄（${size} 筆）標為已確認，但錄影機的紀錄中沒有這一筆確認`,
        `the office's log of ${size} entries is marked as accepted, and no entry of the recorder's log says so`)
    }
  }
  return null
}

function exchanged({ origin }: KnownOffice, found: string): AuditFault | null {
  if (origin === null || origin === found) return null
  return faultOf('other-log', null, null, `office.db 是另一份紀錄（${found}），錄影機所知的是 ${origin}：整份被換掉`,
    `office.db is another log (${found}) than the one that the recorder knows (${origin}): it was exchanged`)
}

/** Both begin with the same entries, as many as both say. */
function partedOtherwise(recorder: Db, office: Db, { accepted }: KnownOffice): AuditFault | null {
  const parting = checkpointTable(office).parting(), origin = originIn(office)
  const told = entryTable(recorder).lastOfAction(LOG_PARTED)
  const isAccepted = accepted.some(head => head.origin === origin)
  if (parting === null || originOf(parting.from) !== originIn(recorder)) {
    if (isAccepted || (parting === null && told?.object !== origin)) return null // the recorder's log began anew, and somebody answers for it; or both began by themselves
    return faultOf('not-parted-so', told?.seq ?? null, told?.at ?? null, `兩份紀錄不是由同一份分出：辦公端記為 ${parting?.from ?? '無'}，錄影機為 ${originIn(recorder)}`,
      `the two logs did not part from one: the office's names ${parting?.from ?? 'none'}, the recorder's is ${originIn(recorder)}`)
  }
  const { size } = parting
  if (told !== null && told.object === origin && told.detail !== `{"size":${size}}`) {
    return faultOf('not-parted-so', told.seq, told.at, `辦公端記載兩份紀錄共有 ${size} 筆，錄影機第 ${told.seq} 筆記載的不同`,
      `the office's log says that both have ${size} entries in common, entry ${told.seq} of the recorder's log says otherwise`)
  }
  const differing = firstDifference(entryTable(recorder), entryTable(office), size)
  if (differing === null) return null
  const entry = entryTable(recorder).get(differing)
  return faultOf('not-parted-so', differing, entry?.at ?? null, `兩份紀錄的前 ${size} 筆應相同，第 ${differing} 筆起不同或不見`,
    `the first ${size} entries of both logs are the same ones; from entry ${differing} on they differ or are gone`)
}

function firstDifference(a: ReturnType<typeof entryTable>, b: ReturnType<typeof entryTable>, size: number): number | null {
  for (let from = 1; from <= size; from += PAGE) {
    const to = Math.min(size, from + PAGE - 1), [ours, theirs] = [a.hashes(from, to), b.hashes(from, to)]
    for (let i = 0; i <= to - from; i++) {
      const hash = ours[i]
      if (hash === undefined || theirs[i]?.equals(hash) !== true) return from + i
    }
  }
  return null
}

/** Of an accepted head, for people. */
export const acceptedText = ({ origin, size, at, auditSeq }: AcceptedHead): { readonly zh: string, readonly en: string } => ({
  zh: `辦公端紀錄 ${origin}（${size} 筆）於 ${isoOf(at)} 由人確認，見錄影機第 ${auditSeq} 筆；在那之前記得的不再據以查核`,
  en: `the office's log ${origin} (${size} entries) was accepted by a person at ${isoOf(at)}, see the recorder's entry ${auditSeq}; what was remembered before is not held against it`,
})
