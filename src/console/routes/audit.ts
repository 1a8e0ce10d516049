import Type from 'typebox'
import { checkpointTable, entryTable, entryText, noteText, signedTextOf, type AuditEntry } from '../../audit/index.ts'
import { epochMs, type EpochMs } from '../../domain/index.ts'
import { notHere } from '../errors.ts'
import { route, type Route } from '../route.ts'
import { closed, Count, Instant, Limit, oneOf, orNull, RowId, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

const Text = Type.String()
const EntrySchema = named('AuditEntry', closed({
  seq: RowId, at: Instant, trustedAt: orNull(Instant), clock: Text, actor: closed({ kind: Text, name: Text, role: orNull(Text), source: orNull(Text) }), action: Text, object: orNull(Text), application: orNull(Text), result: oneOf(['done', 'refused', 'failed']), detail: Type.String({ description: 'canonical JSON, as it was hashed' }), hash: Text,
}))
const USUAL = 50
/** The canonical text of an entry, exactly what its hash covers. */
const textOf = ({ hash: _, ...entry }: AuditEntry): string => entryText(entry)

export const auditRoutes: readonly Route[] = [
  route({
    method: 'GET', url: '/api/audit', who: ['read-audit'], summary: { zh: '查閱稽核紀錄（本身亦記入）', en: 'entries in order; the reading is an entry itself (R71)' }, query: closed({ after: Type.Optional(Count), limit: Limit }), answer: closed({ entries: Type.Array(EntrySchema), next: orNull(Count), size: Count }),
    handler({ parts: { db, audit }, session, query: { after = 0, limit = USUAL } }) {
      audit.append({ action: 'audit.read', actor: session().actor, object: null, application: null, result: 'done', detail: { after, limit } })
      const size = audit.size(), entries = entryTable(db).after(after, limit)
      return { entries: entries.map(entry => ({ ...entry, hash: entry.hash.toString('hex') })), next: entries.length < limit ? null : entries.at(-1)?.seq ?? null, size }
    },
  }),
  route({
    method: 'GET', url: '/api/audit/:seq/proof', who: ['read-audit'], summary: { zh: '一筆紀錄之證明', en: 'that an entry stands under a signed checkpoint; needs SHA-256 alone to be checked' }, params: closed({ seq: RowId }), query: closed({ size: Type.Optional(RowId) }),
    answer: closed({ schema: Type.Literal(1), seq: RowId, entry: Text, leaf: Text, size: RowId, path: Type.Array(Text), root: Text, checkpoint: text() }),
    handler({ parts: { db, audit }, session, params: { seq }, query: { size } }) {
      const entry = audit.get(seq), table = checkpointTable(db)
      const stored = size === undefined ? table.newest() : table.ofSize(size)
      const checkpoint = stored === null ? null : signedTextOf(stored)
      if (entry === null || checkpoint === null || checkpoint.size < seq) throw notHere()
      audit.append({ action: 'audit.read', actor: session().actor, object: String(seq), application: null, result: 'done', detail: { proof: true, size: checkpoint.size } })
      return { schema: 1, seq, entry: textOf(entry), leaf: entry.hash.toString('hex'), size: checkpoint.size, path: audit.tree.inclusion(seq, checkpoint.size).map(hash => hash.toString('hex')), root: checkpoint.root.toString('hex'), checkpoint: noteText(checkpoint) }
    },
  }),
  route({
    method: 'GET', url: '/api/timeline', who: ['read-audit'], summary: { zh: '時間軸：一段時間或一件申請案', en: 'what the log has of a time or of one application, for an incident (R61)' },
    query: closed({ from: Type.Optional(Instant), to: Type.Optional(Instant), application: Type.Optional(text(60)), after: Type.Optional(Count) }), answer: closed({
      entries: Type.Array(closed({ seq: RowId, at: Instant, actor: Text, role: orNull(Text), source: orNull(Text), action: Text, object: orNull(Text), application: orNull(Text), result: Text, detail: Text })), next: orNull(Count),
    }),
    handler: ({ parts: { book }, acting, query: { from, to, application, after } }) => application !== undefined ? book.incidents.timelineOf(application, acting(), after) : book.incidents.timeline({ startAt: epoch(from), endAt: epoch(to) }, acting(), after),
  }),
]
/** A range that was not given is none, and the incident files refuse it. */
const epoch = (at: number | undefined): EpochMs => epochMs(at ?? 0)
