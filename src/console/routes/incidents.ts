import Type from 'typebox'
import type { IncidentFile } from '../../book/index.ts'
import { notHere } from '../errors.ts'
import { route, type Route } from '../route.ts'
import { CameraRef, closed, Instant, Limit, oneOf, orNull, RowId, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

const Text = Type.String()
const KINDS = ['what', 'range', 'person', 'measure', 'notice'] as const
const ById = closed({ incident: RowId })
const Facts = { incidentId: RowId, title: Text, from: Instant, to: Instant, application: orNull(Text), openedAt: Instant, openedBy: Text, closedAt: orNull(Instant), closedBy: orNull(Text) }
const IncidentSchema = named('Incident', closed({
  ...Facts,
  notes: Type.Array(closed({ noteId: RowId, kind: oneOf(KINDS), text: Text, happenedAt: orNull(Instant), range: orNull(closed({ camera: CameraRef, from: Instant, to: Instant })), writtenAt: Instant, writtenBy: Text })),
}))
const READERS = ['place-hold', 'sign-book', 'read-audit'] as const
const WRITERS = ['place-hold'] as const

export const incidentRoutes: readonly Route[] = [
  route({
    method: 'POST', url: '/api/incidents', who: WRITERS, summary: { zh: '開立事件檔', en: 'open an incident file' }, body: closed({ title: text(1000), from: Instant, to: Instant, application: Type.Optional(orNull(text(200))) }), status: 201, answer: closed({ incidentId: RowId }),
    handler: ({ parts, acting, body: { title, from, to, application } }) => ({ incidentId: parts.book.incidents.open({ title, range: { startAt: from, endAt: to }, application: application ?? null }, acting()) }),
  }),
  route({
    method: 'GET', url: '/api/incidents', who: READERS, summary: { zh: '事件檔清單', en: 'incident files, newest first' }, query: closed({ before: Type.Optional(RowId), limit: Limit }), answer: closed({ incidents: Type.Array(closed(Facts)), next: orNull(RowId) }),
    handler({ parts, query: { before, limit = 50 } }) {
      const rows = parts.book.incidents.list({ limit, ...(before === undefined ? {} : { before }) })
      return { incidents: rows.map(row => fileOf({ ...row, notes: [] })), next: rows.length < limit ? null : rows.at(-1)?.incident_id ?? null }
    },
  }),
  route({ method: 'GET', url: '/api/incidents/:incident', who: READERS, summary: { zh: '事件檔', en: 'one incident file' }, params: ById, answer: IncidentSchema, handler({ parts, params }) { const file = parts.book.incidents.get(params.incident); if (file === null) throw notHere(); return fileOf(file) } }),
  route({
    method: 'POST', url: '/api/incidents/:incident/notes', who: WRITERS, summary: { zh: '事件檔增記', en: 'add a note' }, params: ById, status: 201, answer: closed({ noteId: RowId }),
    body: closed({ kind: oneOf(KINDS), text: text(8000), happenedAt: Type.Optional(Instant), range: Type.Optional(closed({ camera: CameraRef, from: Instant, to: Instant })) }),
    handler: ({ parts, acting, params, body }) => ({ noteId: parts.book.incidents.note(params.incident, body, acting()) }),
  }),
  route({ method: 'POST', url: '/api/incidents/:incident/close', who: WRITERS, summary: { zh: '事件檔結案', en: 'close an incident file' }, params: ById, answer: null, handler: ({ parts, acting, params }) => { parts.book.incidents.close(params.incident, acting()) } }),
]

const fileOf = ({ incident_id, title, from_at, to_at, application, opened_at, opened_by, closed_at, closed_by, notes }: IncidentFile) => ({
  incidentId: incident_id, title, from: from_at, to: to_at, application, openedAt: opened_at, openedBy: opened_by, closedAt: closed_at, closedBy: closed_by,
  notes: notes.map(note => ({
    noteId: note.note_id, kind: note.kind, text: note.text, happenedAt: note.happened_at, writtenAt: note.written_at, writtenBy: note.written_by,
    range: note.camera_uuid === null || note.from_at === null || note.to_at === null ? null : { camera: note.camera_uuid, from: note.from_at, to: note.to_at },
  })),
})
