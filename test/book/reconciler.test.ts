import t from 'tap'
import { CASE, Desk, wording, LOBBY, at } from './support/desk.ts'

const found = async (desk: Desk): Promise<string[]> => (await desk.book.reconciler.run()).orphans.map(({ kind, subject }) => `${kind} ${subject}`)

t.test('a real book, log and case agree; each breach is found, told and shown to health', async t => {
  const desk = new Desk(t), { db } = desk.office, { custodian } = await desk.people()
  t.equal(desk.book.view().reconciled, null)
  for (let i = 0; i < 8; i++) desk.use({}, { object: `s${i}` })
  desk.book.log.correct(1, wording(), '誤植', custodian)
  t.same(await found(desk), [])
  t.match(desk.book.view().reconciled, { orphanCount: 0 })
  const alone = desk.office.audit.transaction(() => desk.audited(CASE, { object: 'secret' }))
  desk.unguard()
  db.exec("UPDATE book_line SET matter = '別的事' WHERE line = 2")
  db.exec("UPDATE book_range SET to_at = to_at + 1000 WHERE line = 3")
  db.exec("UPDATE book_person SET name = '別人' WHERE line = 4")
  db.pragma('foreign_keys = OFF')
  const gone = desk.book.log.get(5)!.line
  db.exec('DELETE FROM book_line WHERE line = 5')
  desk.papers.marked.add('115-調-0777')
  t.same((await found(desk)).sort(), [`form-without-line 115-調-0777`, 'line-altered 2', 'line-altered 3', 'line-altered 4', 'line-missing 5', `use-without-line ${alone}`, `use-without-line ${gone.useSeq}`].sort())
  t.match(desk.book.view().reconciled, { orphanCount: 7, byKind: { 'line-altered': 3, 'line-missing': 1 } })
  t.match(JSON.parse(desk.office.entries('book.reconciled').at(-1)!.detail), { orphans: 7, lines: 8 })
  desk.papers.approved.clear()
  desk.papers.refused.add(CASE)
  t.equal((await found(desk)).filter(orphan => orphan.startsWith('form-not-approved')).length, 5)
})

t.test('the last line cut off is missed as well', async t => {
  const desk = new Desk(t)
  desk.use()
  desk.use({}, { object: 's2' })
  desk.unguard()
  desk.office.db.pragma('foreign_keys = OFF')
  const { useSeq } = desk.book.log.get(2)!.line
  desk.office.db.exec('DELETE FROM book_line WHERE line = 2')
  t.same(await found(desk), [`use-without-line ${useSeq}`, 'line-missing 2'])
})

t.test('what is entered while it runs counts for the next night', async t => {
  const desk = new Desk(t)
  for (let i = 0; i < 600; i++) desk.use({}, { object: `s${i}` })
  const run = desk.book.reconciler.run()
  desk.use({}, { object: 'late' })
  const { lines, uses, orphans } = await run
  t.same([lines, uses, orphans], [600, 600, []])
  const stop = new AbortController()
  stop.abort(new Error('the recorder stops'))
  await t.rejects(desk.book.reconciler.run(stop.signal), /the recorder stops/)
})

t.test('a log that cannot be written ends the run with its error, and nothing is claimed', async t => {
  const desk = new Desk(t)
  desk.use()
  desk.office.db.pragma('query_only = ON')
  await t.rejects(desk.book.reconciler.run(), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  desk.office.db.pragma('query_only = OFF')
  t.equal(desk.book.view().reconciled, null)
})

t.test('who saw a camera at a time: disclosures by picture', t => {
  const desk = new Desk(t), { log } = desk.book
  desk.use()
  desk.use({ ranges: [{ camera: LOBBY, cameraName: '大廳', from: at('2026-11-10T01:00:00Z'), to: at('2026-11-10T02:00:00Z') }], persons: [{ name: '王小明', part: 'applicant' }, { name: '李四', part: 'agent' }] }, { object: 's2' })
  const seen = (from: string, to: string) => log.disclosuresOf(LOBBY, { startAt: at(from), endAt: at(to) }).map(({ line }) => line.line)
  t.same(seen('2026-11-10T00:30:00Z', '2026-11-10T01:00:00Z'), [1])
  t.same(seen('2026-11-10T00:30:00Z', '2026-11-10T01:00:00.001Z'), [2, 1])
  t.same(seen('2026-11-10T02:00:00Z', '2026-11-10T03:00:00Z'), [])
  t.match(log.disclosuresTo('李四')[0]?.line, { line: 2, basis: '刑事訴訟法第230條', application: CASE })
  t.same(log.disclosuresTo('李'), [], 'a person, not a part of a name')
  t.end()
})
