import { actorOf, type Acting } from '../access/index.ts'
import type { CameraUuid, EpochMs, TimeRange } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { perform, type BookCore } from './core.ts'
import { BookRefusedError } from './errors.ts'
import { plainWords } from './line.ts'
import { ACTS_ONLY } from './tables/reviews.ts'

/** What is known of an incident grows by notes; a note that was wrong is answered by another. */
export type NoteKind = 'what' | 'range' | 'person' | 'measure' | 'notice'
export interface NewNote {
  readonly kind: NoteKind
  readonly text: string
  /** When the measure was taken or the notice sent. */
  readonly happenedAt?: EpochMs
  /** With kind `range` alone. */
  readonly range?: { readonly camera: CameraUuid, readonly from: EpochMs, readonly to: EpochMs }
}
export interface NoteRow { note_id: number, kind: NoteKind, text: string, happened_at: number | null, camera_uuid: string | null, from_at: number | null, to_at: number | null, written_at: number, written_by: string }
export interface IncidentRow { incident_id: number, title: string, from_at: number, to_at: number, application: string | null, opened_at: number, opened_by: string, closed_at: number | null, closed_by: string | null }
export interface IncidentFile extends IncidentRow { readonly notes: readonly NoteRow[] }
/** One entry of the audit log. Slots sealed and overwritten are left out of a timeline by time: they tell of no person. */
export interface TimelineEntry { readonly seq: number, readonly at: number, readonly actor: string, readonly role: string | null, readonly source: string | null, readonly action: string, readonly object: string | null, readonly application: string | null, readonly result: string, readonly detail: string }
export interface Timeline { readonly entries: readonly TimelineEntry[], /** Pass as `after` for the rest; null at the end. */ readonly next: number | null }

const COLUMNS = 'seq, at, actor_name AS actor, actor_role AS role, actor_source AS source, action, object, application, result, detail'
/** In order of time; both halves of the place, for a clock may have been set back. */
export const TIMELINE_SQL = `SELECT ${COLUMNS} FROM audit_entry WHERE ${ACTS_ONLY} AND at >= ? AND at < ? AND (at, seq) > (?, ?) ORDER BY at, seq LIMIT ?`
export const CASE_SQL = `SELECT ${COLUMNS} FROM audit_entry WHERE application = ? AND seq > ? ORDER BY seq LIMIT ?`
const MOST_ENTRIES = 1000
const LONGEST_MS = 366 * 86_400_000

/** R61. */
export class Incidents {
  readonly #core: BookCore
  readonly #db: Db
  constructor(core: BookCore) { this.#core = core; this.#db = core.db }

  /** `range`: when it happened, as far as known. Throws BookRefusedError. */
  open({ title, range, application = null }: { readonly title: string, readonly range: TimeRange, readonly application?: string | null }, acting: Acting): number {
    return perform(this.#core, acting, 'place-hold', { action: 'incident.opened', object: 'new', application }, write => {
      const words = plainWords(title, { zh: '事件名稱', en: 'the title' })
      if (!(range.startAt < range.endAt)) throw new BookRefusedError('時間的結束必須晚於開始。', 'the time ends before it begins')
      const paper = application === null ? null : plainWords(application, { zh: '申請編號', en: 'the application' }, { maxChars: 60 })
      const id = Number(this.#db.prepare<(string | number | null)[]>('INSERT INTO incident (title, from_at, to_at, application, opened_at, opened_by) VALUES (?, ?, ?, ?, ?, ?)')
        .run(words, range.startAt, range.endAt, paper, this.#core.time.wallNow(), actorOf(acting).name).lastInsertRowid)
      write({ incidentId: id, title: words, from: range.startAt, to: range.endAt })
      return id
    })
  }

  note(incidentId: number, { kind, text, happenedAt, range }: NewNote, acting: Acting): number {
    return perform(this.#core, acting, 'place-hold', { action: 'incident.noted', object: String(incidentId) }, write => {
      if (this.#required(incidentId).closed_at !== null) throw new BookRefusedError('事件檔已結案。', `incident ${incidentId} is closed`)
      const words = plainWords(text, { zh: '內容', en: 'the note' }, { maxChars: 2000 })
      if ((kind === 'range') !== (range !== undefined) || (range !== undefined && !(range.from < range.to))) throw new BookRefusedError('時段資料不完整。', 'a note of kind range, and no other, names a camera and a time')
      const id = Number(this.#db.prepare<(string | number | null)[]>('INSERT INTO incident_note (incident_id, kind, text, happened_at, camera_uuid, from_at, to_at, written_at, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
        .run(incidentId, kind, words, happenedAt ?? null, range?.camera ?? null, range?.from ?? null, range?.to ?? null, this.#core.time.wallNow(), actorOf(acting).name).lastInsertRowid)
      write({ noteId: id, kind })
      return id
    })
  }

  close(incidentId: number, acting: Acting): void {
    perform(this.#core, acting, 'place-hold', { action: 'incident.closed', object: String(incidentId) }, write => {
      if (this.#required(incidentId).closed_at !== null) throw new BookRefusedError('事件檔已結案。', `incident ${incidentId} is closed`)
      this.#db.prepare<(string | number)[]>('UPDATE incident SET closed_at = ?, closed_by = ? WHERE incident_id = ?').run(this.#core.time.wallNow(), actorOf(acting).name, incidentId)
      write({})
    })
  }

  get(incidentId: number): IncidentFile | null {
    const row = this.#db.prepare<[number], IncidentRow>('SELECT * FROM incident WHERE incident_id = ?').get(incidentId)
    if (row === undefined) return null
    return { ...row, notes: this.#db.prepare<[number], NoteRow>('SELECT note_id, kind, text, happened_at, camera_uuid, from_at, to_at, written_at, written_by FROM incident_note WHERE incident_id = ? ORDER BY note_id').all(incidentId) }
  }

  /** Newest first, without their notes; `before` is the last one seen. */
  list({ before = Number.MAX_SAFE_INTEGER, limit = 50 }: { readonly before?: number, readonly limit?: number } = {}): readonly IncidentRow[] {
    return this.#db.prepare<[number, number], IncidentRow>('SELECT * FROM incident WHERE incident_id < ? ORDER BY incident_id DESC LIMIT ?').all(before, Math.min(limit, 200))
  }

  /** What the audit log has of a time, a page at a time; the reading is an entry itself. Throws BookRefusedError on more than a year. */
  timeline({ startAt, endAt }: TimeRange, acting: Acting, after?: number): Timeline {
    if (!(startAt < endAt) || endAt - startAt > LONGEST_MS) throw new BookRefusedError('時間須為一年以內。', 'a timeline covers at most a year')
    return this.#read(acting, { from: startAt, to: endAt }, null, () => {
      const last = after === undefined ? undefined : this.#core.audit.get(after)
      return this.#db.prepare<number[], TimelineEntry>(TIMELINE_SQL).all(last?.at ?? startAt, endAt, last?.at ?? startAt, last?.seq ?? 0, MOST_ENTRIES + 1)
    })
  }
  /** The same for one application. */
  timelineOf(application: string, acting: Acting, after = 0): Timeline {
    return this.#read(acting, {}, application, () => this.#db.prepare<(string | number)[], TimelineEntry>(CASE_SQL).all(application, after, MOST_ENTRIES + 1))
  }

  #read(acting: Acting, what: { readonly [key: string]: number }, application: string | null, find: () => TimelineEntry[]): Timeline {
    return perform(this.#core, acting, 'read-audit', { action: 'audit.read', object: 'timeline', application }, write => {
      const rows = find()
      write({ ...what, entries: Math.min(rows.length, MOST_ENTRIES) })
      return { entries: rows.slice(0, MOST_ENTRIES), next: rows.length > MOST_ENTRIES ? rows[MOST_ENTRIES - 1]!.seq : null }
    })
  }

  #required(incidentId: number): IncidentFile {
    const found = this.get(incidentId)
    if (found === null) throw new BookRefusedError('沒有這個事件檔。', `there is no incident ${incidentId}`)
    return found
  }
}
