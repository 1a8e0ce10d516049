import t from 'tap'
import { CASE, Desk, LOBBY, at } from './support/desk.ts'

const REFUSED = { code: 'CUSTOS_BOOK_REFUSED' }
const WHEN = { startAt: at('2026-11-22T00:00:00Z'), endAt: at('2026-11-23T00:00:00Z') }

t.test('an incident file grows by notes until it is closed, each on record', async t => {
  const desk = new Desk(t), { incidents } = desk.book, { custodian, head } = await desk.people()
  t.throws(() => incidents.open({ title: '外洩', range: WHEN }, head), { code: 'CUSTOS_RIGHT_MISSING' })
  t.throws(() => incidents.open({ title: ' ', range: WHEN }, custodian), REFUSED)
  t.throws(() => incidents.open({ title: '外洩', range: { startAt: WHEN.endAt, endAt: WHEN.startAt } }, custodian), REFUSED)
  const id = incidents.open({ title: '影像疑似外洩', range: WHEN, application: CASE }, custodian)
  const range = { camera: LOBBY, from: at('2026-11-10T00:00:00Z'), to: at('2026-11-10T01:00:00Z') }
  incidents.note(id, { kind: 'what', text: '民眾來電反映影像出現於社群網站' }, custodian)
  incidents.note(id, { kind: 'range', text: '大廳', range }, custodian)
  incidents.note(id, { kind: 'notice', text: '通知當事人', happenedAt: WHEN.startAt }, custodian)
  t.throws(() => incidents.note(id, { kind: 'range', text: '大廳' }, custodian), REFUSED)
  t.throws(() => incidents.note(id, { kind: 'what', text: '大廳', range }, custodian), REFUSED)
  t.throws(() => incidents.note(77, { kind: 'what', text: '大廳' }, custodian), REFUSED)
  incidents.close(id, custodian)
  t.throws(() => incidents.note(id, { kind: 'what', text: '遲了' }, custodian), REFUSED)
  t.throws(() => { incidents.close(id, custodian) }, REFUSED)
  t.match(incidents.get(id), { title: '影像疑似外洩', application: CASE, closed_by: '人員chen (chen)', notes: [{ kind: 'what' }, { kind: 'range', camera_uuid: LOBBY, from_at: range.from }, { kind: 'notice', happened_at: WHEN.startAt }] })
  t.throws(() => desk.office.db.exec('DELETE FROM incident_note'), /never deleted/)
  t.same(desk.office.entries('incident.noted').filter(({ result }) => result === 'done').length, 3)
})

t.test('the timeline of a time or a case comes from the audit log in pages, for auditors, and its reading is an entry', async t => {
  const desk = new Desk(t), { office } = desk, { incidents } = desk.book, { custodian } = await desk.people()
  t.throws(() => incidents.timeline(WHEN, custodian), { code: 'CUSTOS_RIGHT_MISSING' })
  desk.use()
  office.audit.transaction(() => { for (let i = 0; i < 1500; i++) office.audit.append({ action: i % 2 === 0 ? 'segment.sealed' : 'hold.placed', actor: { kind: 'system', name: 'custos', role: null, source: null }, object: String(i), application: null, result: 'done', detail: {} }) })
  office.clock.stepWall(-3_600_000)
  for (let i = 0; i < 600; i++) desk.office.audit.append({ action: 'hold.ended', actor: { kind: 'system', name: 'custos', role: null, source: null }, object: String(i), application: null, result: 'done', detail: {} })
  const first = incidents.timeline(WHEN, office.machine)
  t.equal(first.entries.length, 1000)
  const second = incidents.timeline(WHEN, office.machine, first.next ?? 0)
  t.equal(second.next, null)
  const all = [...first.entries, ...second.entries]
  t.equal(new Set(all.map(({ seq }) => seq)).size, all.length)
  t.same(all.filter(({ action }) => action === 'segment.sealed'), [])
  t.equal(all.filter(({ action }) => action === 'hold.placed' || action === 'hold.ended').length, 1350)
  t.ok(all.every(({ at: time }, i) => i === 0 || all[i - 1]!.at <= time), 'in order of time, though the clock went back')
  t.same(incidents.timelineOf(CASE, office.machine).entries.map(({ action }) => action), ['viewing.opened', 'book.entered'])
  t.equal(office.entries('audit.read').filter(({ result }) => result === 'done').length, 3)
  t.throws(() => incidents.timeline({ startAt: WHEN.startAt, endAt: at('2028-11-23T00:00:00Z') }, office.machine), REFUSED)
})
