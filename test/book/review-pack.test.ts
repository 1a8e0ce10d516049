import { createHash } from 'node:crypto'
import t from 'tap'
import { canonicalJson } from '../../src/audit/index.ts'
import { isOffHours, monthRange, OFFICE_HOURS, reviewText } from '../../src/book/index.ts'
import { OfficeCalendar } from '../../src/rules/index.ts'
import { DAY_MS } from '../access/support/office.ts'
import { CASE, Desk, at, wording } from './support/desk.ts'

const REFUSED = { code: 'CUSTOS_BOOK_REFUSED' }

t.test('months are local, and off hours follow the calendar of the office', t => {
  t.same(monthRange('2026-12'), { startAt: at('2026-11-30T16:00:00Z'), endAt: at('2026-12-31T16:00:00Z') })
  t.throws(() => monthRange('2026-13'), RangeError)
  t.throws(() => monthRange('115-11'), RangeError)
  const holiday = new OfficeCalendar([{ year: 2026, restDays: new Set(['2026-11-23']), remarks: new Map(), sourceSha256: '' }])
  const off = (iso: string, calendar = new OfficeCalendar()) => isOffHours(at(iso), calendar, OFFICE_HOURS)
  t.same([off('2026-11-23T00:00:00Z'), off('2026-11-22T23:59:59Z'), off('2026-11-23T09:59:59Z'), off('2026-11-23T10:00:00Z'), off('2026-11-22T04:00:00Z'), off('2026-11-23T04:00:00Z', holiday)], [false, true, false, true, true, true])
  t.end()
})

t.test('the pack of a month tells orphans, failures, off-hours use, grants, unsigned lines and corrections, and is signed once', async t => {
  const desk = new Desk(t), { office } = desk, { reviews, log } = desk.book
  let people = await desk.people()
  desk.use() // Sunday 16:00
  office.pass(DAY_MS)
  desk.use({}, { object: 's2' }) // Monday
  await t.rejects(office.access.signIn.signIn({ name: 'chen', password: 'wrong', source: 'desk 9' }))
  await t.rejects(office.access.signIn.signIn({ name: 'nobody', password: 'wrong', source: 'desk 9' }))
  people = { ...people, custodian: await office.acting(desk.chen!, 'custodian') }
  log.correct(1, wording(), '姓名誤植', people.custodian)
  log.sign(2, 'custodian', people.custodian)
  office.audit.append({ action: 'viewing.opened', actor: { kind: 'account', name: 'x', role: null, source: null }, object: 'secret', application: CASE, result: 'done', detail: {} })
  await desk.book.reconciler.run()
  t.throws(() => reviews.make('2026-11'), REFUSED, 'not over')
  t.same(reviews.due(), [])
  office.pass(20 * DAY_MS)
  t.same(reviews.due(), ['2026-11'])
  const night = await desk.book.nightly()
  t.same(night, { orphans: 1, packsMade: ['2026-11'] })
  t.same((await desk.book.nightly()).packsMade, [], 'made once')
  const [pack] = reviews.of('2026-11')
  t.match(pack?.content, {
    uses: { lines: 2, views: 2, copies: 0 }, orphans: { runs: 1, found: [{ kind: 'use-without-line' }] }, failedSignIns: { count: 2, by: [{ account: '(unknown)', source: 'desk 9', count: 1 }, { account: 'chen', source: 'desk 9', count: 1 }] },
    offHours: [{ line: 1 }], grants: [{ application: CASE }], unsigned: { count: 2, oldest: [{ line: 3, box: 'custodian' }, { line: 2, box: 'head' }] }, corrections: [{ line: 3, corrects: 1, by: '人員chen (chen)', reason: '姓名誤植' }],
  })
  t.equal(pack?.sha256, createHash('sha256').update(canonicalJson(JSON.parse(JSON.stringify(pack?.content)))).digest('hex'))
  t.match(reviewText(pack!), /115年11月[\s\S]*三方勾稽不符 1 項[\s\S]*有調閱或複製，紀錄簿沒有登錄[\s\S]*非辦公時間應用 1 次[\s\S]*第 3 行更正第 1 行[\s\S]*SHA-256 [0-9a-f]{64}/)
  const head = await office.acting(office.director!, 'director')
  t.throws(() => { reviews.sign(pack!.packId, '', people.custodian) }, { code: /^CUSTOS_(RIGHT_MISSING|SESSION_ENDED)$/ })
  t.throws(() => { reviews.sign(99, '', head) }, REFUSED)
  reviews.sign(pack!.packId, '已閱，請查明', head)
  t.throws(() => { reviews.sign(pack!.packId, '', head) }, REFUSED)
  t.throws(() => reviews.make('2026-11'), REFUSED)
  t.match(reviews.get(pack!.packId), { signedBy: 'boss', remark: '已閱，請查明' })
  t.match(office.entries('review-pack.signed').filter(({ result }) => result === 'done').map(({ detail }) => JSON.parse(detail) as object), [{ sha256: pack!.sha256 }])
  t.same(reviews.due(), [])
  t.throws(() => office.db.exec("UPDATE review_pack SET remark = 'x'"), /signed once/)
})

t.test('an altered pack is not signed', async t => {
  const desk = new Desk(t), { office } = desk
  await office.withDirector()
  office.pass(20 * DAY_MS)
  const pack = desk.book.reviews.make('2026-11')
  desk.unguard()
  office.db.exec("UPDATE review_pack SET content = replace(content, '\"lines\":0', '\"lines\":1')")
  const head = await office.acting(office.director!, 'director')
  t.throws(() => { desk.book.reviews.sign(pack.packId, '', head) }, REFUSED)
})
