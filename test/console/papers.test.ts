import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { CheckpointBook } from '../../src/audit/index.ts'
import { DAY_MS } from '../access/support/office.ts'
import { ACTING, facts } from '../archive/support/rig.ts'
import { flat, readPdf } from '../paper/support/poppler.ts'
import { at, CHIEF, CLERK, CUSTODIAN, DIRECTOR, done, LOBBY, OUTSIDE, party, police, SECRETARY, staff } from '../requests/support/front-desk.ts'
import { Console, type Caller, type Said } from './support/caller.ts'
import { Counter } from './support/procedure.ts'

async function office(t: Test) {
  const console = await Console.open(t), counter = new Counter(console)
  const printed = (action: string): { readonly name: string, readonly object: string | null, readonly application: string | null, readonly detail: string }[] =>
    console.front.office.db.prepare<[string], { name: string, object: string | null, application: string | null, detail: string }>("SELECT actor_name AS name, object, application, detail FROM audit_entry WHERE action = ? AND result = 'done' ORDER BY seq").all(action)
  return { console, front: console.front, counter, printed }
}
const paper = (number: string): string => `/api/papers/applications/${encodeURIComponent(number)}`
function pdfIn(t: Test, said: Said) {
  if (said.status !== 200) throw new Error(`no paper: ${said.status} ${JSON.stringify(said.body)}`)
  t.match(said.headers, { 'content-type': 'application/pdf', 'cache-control': 'no-store', 'content-disposition': /^attachment; filename\*=UTF-8''/ })
  return readPdf(t, said.raw)
}

t.test('a case on its form: as it stands, masked, named in the log with who printed it; only for who may see the case', async t => {
  const { front, counter, printed } = await office(t)
  const agency = done(await front.receive(police())).application
  done(await front.signAll(agency, OUTSIDE))
  const said = await (await counter.as(CLERK)).get(paper(agency.number)), pdf = pdfIn(t, said)
  for (const part of ['☑調閱', '☑複製', '趙警員', '大廳（lobby）', `系統編號：${agency.number}`, '同意']) t.ok(pdf.flat.includes(flat(part)), part)
  t.match(said.headers, { 'custos-pages': '1', 'custos-missing-glyphs': undefined, 'content-disposition': new RegExp(encodeURIComponent(`附件2-${agency.number}.pdf`)) })
  t.match(printed('application.printed'), [{ name: '人員lin (lin)', object: agency.number, application: agency.number, detail: /"form":"form-2","missing":0,"pages":1/ }])
  t.ok((await (await counter.as(CLERK)).get(paper(agency.number))).raw.equals(said.raw), 'again the same bytes')

  const insider = done(await front.receive(staff({ applicantAccount: 'lee', applicantUnit: '戶籍課' }), ['lee', 'staff'])).application
  t.equal((await (await counter.as(['lee', 'staff'])).get(paper(agency.number))).status, 404, 'staff print their own')
  t.ok(pdfIn(t, await (await counter.as(['lee', 'staff'])).get(paper(insider.number))).flat.includes('釐清櫃檯糾紛'))
  t.equal((await (await counter.as(['admin', 'system-admin'])).get(paper(agency.number))).status, 403)
  t.equal((await (await counter.as(CLERK)).get(paper('115-調-9999'))).status, 404)
  t.equal(printed('application.printed').length, 3, 'what was refused is not on record as printed')
})

t.test('a character without a glyph is told beside the paper; a refused case has its notice', async t => {
  const { front, counter, printed } = await office(t)
  const citizen = done(await front.receive(party({ fields: { ...party().fields, applicant: '𡍼大明\uE000' } }))).application
  t.match(await (await counter.as(CLERK)).get(`${paper(citizen.number)}/refusal`), { status: 409, body: { code: 'CUSTOS_PAPER_REFUSED', zh: /沒有不予核准/, en: /neither refused/ } })
  done(await front.signAll(citizen, OUTSIDE, { decision: 'refuse', reason: '畫面涉及第三人之重大利益', ground: 'third-party' }))
  const form = await (await counter.as(CLERK)).get(paper(citizen.number)), pdf = pdfIn(t, form)
  t.match(form.headers, { 'custos-missing-glyphs': 'U+E000' })
  t.ok(pdf.flat.includes('𡍼大明') && pdf.flat.includes('A12***') && !pdf.flat.includes('A123456789'))
  const notice = pdfIn(t, await (await counter.as(CLERK)).get(`${paper(citizen.number)}/refusal`))
  for (const part of ['理由：畫面涉及第三人之重大利益', '救濟教示：']) t.ok(notice.flat.includes(flat(part)), part)
  t.match(printed('application.printed').map(({ detail }) => (JSON.parse(detail) as { form: string, missing: number })), [{ form: 'form-3', missing: 1 }, { form: 'refusal', missing: 1 }])
})

t.test('附件4 takes several cases, of that form alone, each on record', async t => {
  const { front, counter, printed } = await office(t)
  const numbers: string[] = []
  for (const purpose of ['釐清糾紛', '清點鑰匙']) numbers.push(done(await front.receive(staff({ fields: { applicant: '人員lee', purpose } }), ['lee', 'staff'])).application.number)
  const several = (all: readonly string[]): string => `/api/papers/form-4?numbers=${encodeURIComponent(all.join(','))}`
  const clerk = await counter.as(CLERK), pdf = pdfIn(t, await clerk.get(several([...numbers, numbers[0]!])))
  for (const part of ['釐清糾紛', '清點鑰匙', `${numbers[0]}等2件`]) t.ok(pdf.flat.includes(flat(part)), part)
  t.same(printed('application.printed').map(each => each.application), numbers)
  const agency = done(await front.receive(police())).application
  t.match(await clerk.get(several([numbers[0]!, agency.number])), { status: 409, body: { code: 'CUSTOS_PAPER_REFUSED', zh: /不是這種表單/ } })
  t.equal((await clerk.get('/api/papers/form-4?numbers=a,b')).status, 400)
  t.equal((await clerk.get(several(Array.from({ length: 51 }, () => '115-調-0001')))).status, 400)
})

t.test('a page of the book, a destruction record and the day\'s checkpoint, each by who may', async t => {
  const { console, front, counter, printed } = await office(t)
  t.match(await (await counter.as(CUSTODIAN)).get('/api/papers/book/1'), { status: 409, body: { code: 'CUSTOS_PAPER_REFUSED', zh: /沒有第 1 頁/ } })
  t.equal((await (await counter.as(CUSTODIAN)).get('/api/papers/checkpoint')).status, 404, 'none was made yet')
  front.office.audit.transaction(() => {
    const { seq } = front.office.audit.append({ action: 'viewing.opened', actor: { kind: 'account', name: '人員lin (lin)', role: 'custodian', source: 'desk' }, object: 'session-1', application: '115-調-0001', result: 'done', detail: {} })
    console.parts.book.log.enter({
      auditSeq: seq, application: '115-調-0001', applicant: '趙警員', unit: '信義分局', matter: '偵辦竊盜案', basis: '刑事訴訟法第230條', uses: { accompanied: true, copied: false, forInquiry: false, other: null }, persons: [{ name: '趙警員', part: 'applicant' }],
      ranges: [{ camera: LOBBY, cameraName: '大廳', from: at('2026-11-20T09:00:00'), to: at('2026-11-20T10:00:00') }],
    })
  })
  t.ok(pdfIn(t, await (await counter.as(CUSTODIAN)).get('/api/papers/book/1')).flat.includes('偵辦竊盜案'))
  t.equal((await (await counter.as(CLERK)).get('/api/papers/book/1')).status, 403)
  t.match(printed('book.printed'), [{ name: '人員lin (lin)', object: '1', application: null }])

  const folder = path.join(front.stateDir, 'source')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'a.mp4'), 'a')
  const { itemNo } = await console.archive.put(ACTING, { folder, facts: facts({ application: '115-調-0001' }) })
  const sheet = `/api/papers/destructions/${itemNo}`
  t.equal((await (await counter.as(CUSTODIAN)).get(sheet)).status, 404, 'what stands has none')
  console.archiveTime.aheadMs = 366 * DAY_MS
  await console.archive.sweep()
  console.archive.acts.sign(await front.as(...CUSTODIAN), itemNo)
  const pdf = pdfIn(t, await (await counter.as(DIRECTOR)).get(sheet)), record = console.archive.destruction(itemNo)
  for (const part of [itemNo, '大廳（lobby）', '115年11月20日09時00分00秒', '115年11月22日', '116年11月22日', '民法第121條', '管理人員人員lin', record?.keyId ?? '?', `第${record?.auditSeq}筆`, '本紀錄不含任何影像']) t.ok(pdf.flat.includes(flat(part)), part)
  t.ok(pdf.flat.includes(record?.sha256 ?? '?'), 'and the record\'s own hash')
  t.match(printed('destruction.printed'), [{ name: '人員boss (boss)', object: itemNo, application: '115-調-0001' }])
  t.equal((await (await counter.as(['lee', 'staff'])).get(sheet)).status, 403)

  new CheckpointBook({ db: front.office.db, log: front.office.audit, clock: front.office.clock }).make('start')
  t.ok(pdfIn(t, await (await counter.as(SECRETARY)).get('/api/papers/checkpoint')).flat.includes('稽核紀錄查核點'))
  t.equal((await (await counter.as(SECRETARY)).get('/api/papers/checkpoint?day=2026-01-01')).status, 404)
  t.equal((await (await counter.as(SECRETARY)).get('/api/papers/checkpoint?day=2026-02-30')).status, 400)
})

t.test('blank forms for whoever acts in a role; the announcement and signs for who keeps the camera register', async t => {
  const { counter, printed } = await office(t)
  const chief = await counter.as(CHIEF)
  for (const [form, words] of [['form-1', '查核表'], ['form-2', '機關用印'], ['form-3', '身分證字號'], ['form-4', '核章'], ['form-5', '影音應用紀錄簿'], ['cover', '證據封面'], ['custody', '保管移轉'], ['destruction', '銷毀紀錄'], ['refusal', '理由'], ['announcement', '設置區位']] as const) {
    t.ok(pdfIn(t, await chief.get(`/api/papers/blank/${form}`)).flat.includes(words), form)
  }
  for (const form of ['signage', 'checkpoint']) t.match(await chief.get(`/api/papers/blank/${form}`), { status: 409, body: { code: 'CUSTOS_PAPER_REFUSED', zh: /沒有空白表單/ } })
  t.equal((await chief.get('/api/papers/blank/form-9')).status, 400)
  const zones = [{ zone: '一樓大廳', count: 4 }, { zone: '停車場', count: 2 }], asked = { zones, date: '2026-11-26', edition: 2, listPlace: '本所公布欄' }
  const custodian: Caller = await counter.as(CUSTODIAN)
  t.match(pdfIn(t, await custodian.post('/api/papers/announcement', asked)).flat, /公告日期：115年11月26日.*第2版.*1一樓大廳42停車場2合計6/)
  t.equal(pdfIn(t, await custodian.post('/api/papers/signage', { ...asked, noticeUrl: 'https://example.gov.tw/x', contact: '02-2723-0000' })).pages, 2)
  t.match(await custodian.post('/api/papers/signage', { ...asked, noticeUrl: 'javascript:alert(1)' }), { status: 409, body: { code: 'CUSTOS_PAPER_REFUSED' } })
  t.match(await custodian.post('/api/papers/announcement', { ...asked, zones: [{ zone: '長'.repeat(101), count: 1 }] }), { status: 409 })
  t.equal((await custodian.post('/api/papers/announcement', { ...asked, zones: [] })).status, 400)
  t.equal((await chief.post('/api/papers/announcement', asked)).status, 403)
  t.same([printed('application.printed'), printed('book.printed')], [[], []], 'nobody is named on these')
})
