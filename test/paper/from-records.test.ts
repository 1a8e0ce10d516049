import t from 'tap'
import { bookPaperOf, layOut, printPaper, refusalNoticeOf, requestPaperOf, staffEntryOf, Typeface } from '../../src/paper/index.ts'
import { Desk, wording } from '../book/support/desk.ts'
import { done, DOOR, FrontDesk, hour, LOBBY, OUTSIDE, party, police, staff } from '../requests/support/front-desk.ts'
import { shippedRules } from '../rules/support.ts'
import { flat, readPdf } from './support/poppler.ts'

const ruleSet = await shippedRules()
const face = await Typeface.open()
t.teardown(() => face[Symbol.asyncDispose]())
const context = { face, ruleSet, office: ruleSet.rules.office.name }
const facts = { ruleSet, cameraName: (camera: string): string => (camera === LOBBY ? '大廳' : '大門') }

t.test('an application of an agency: fields, pairs of camera and time, signatures by step, and the hash the desk keeps', async t => {
  const front = await FrontDesk.open(t)
  const asked = [hour(LOBBY), hour(LOBBY, '2026-11-19'), hour(DOOR)]
  const { application } = done(await front.signAll(done(await front.receive(police({ asked }))).application, OUTSIDE))
  const view = await front.desk.reader.read(await front.as('lin', 'clerk'), application.number)
  const paper = requestPaperOf(application, facts)
  t.equal(paper.sha256, view.steps.at(-1)?.recordSha256, 'what the QR says can be looked up')
  t.same(paper.signatures.map(step => step?.decision), ['同意', '同意', '同意', '同意'])
  t.equal(paper.signatures.filter(step => step?.isDeputy).length, 0)
  t.same(paper.cameras, ['大廳：時段 (1)、(2)', '大門：時段 (2)'], 'which times are of which camera is not lost')
  t.same(paper.ranges, ['(1) 115年11月19日09時00分00秒 至 115年11月19日10時00分00秒', '(2) 115年11月20日09時00分00秒 至 115年11月20日10時00分00秒'])
  t.throws(() => refusalNoticeOf(application, facts), { code: 'CUSTOS_PAPER_REFUSED' })
  t.throws(() => requestPaperOf({ ...application, content: { ...application.content, form: 'form-9' } }, facts), { code: 'CUSTOS_PAPER_REFUSED' })
})

t.test('a party: ID numbers are masked even where somebody hands in a whole one, plain scopes are not numbered', async t => {
  const front = await FrontDesk.open(t)
  const { application } = done(await front.receive(party()))
  const paper = requestPaperOf({ ...application, content: { ...application.content, fields: { ...application.content.fields, 'applicant-id': 'A123456789' } } }, facts)
  t.match(paper.fields['applicant-id'], /^A12\*+789$/)
  t.same([paper.cameras, paper.ranges.length, paper.signatures], [['大廳'], 1, [null, null, null, null]])
  t.equal(paper.fields['applicant'], '𡍼大明')
})

t.test('a member of staff: an entry of 附件4 with cameras and range', async t => {
  const front = await FrontDesk.open(t)
  const { application } = done(await front.receive(staff({ applicantAccount: 'lee', applicantUnit: '戶籍課' }), ['lee', 'staff']))
  t.match(staffEntryOf(application, facts), { number: application.number, applicant: '人員lee', unit: '資訊室', ranges: ['大廳　115年11月20日09時00分00秒 至 115年11月20日10時00分00秒'], signatures: [null, null, null] })
})

t.test('pages of the log book: what the book says, corrected lines struck, signatures in their boxes, the page\'s own hash', async t => {
  const desk = new Desk(t)
  const { custodian } = await desk.people()
  const first = desk.use({ applicant: '王𡍼明' })
  const { auditSeq: _, ...said } = { auditSeq: 0, ...wording() }
  const second = desk.book.log.correct(first, { ...said, applicant: '王塗明' }, '姓名誤植', custodian)
  desk.book.log.sign(second, 'custodian', custodian)
  const page = desk.book.log.page(1), paper = bookPaperOf(page)
  t.match(paper, { sha256: page.sha256, page: 1, isFull: false, lines: [{ line: 1, applicant: '王𡍼明', struckBy: 2, custodian: '' }, { line: 2, applicant: '王塗明', corrects: { line: 1, reason: '姓名誤植' }, uses: [true, false, false, false], superior: '' }] })
  t.not(paper.lines[1]?.custodian, '')
  const { flat: text } = readPdf(t, (await printPaper(face, layOut(context, { form: 'form-5', data: paper }))).pdf)
  for (const part of ['王𡍼明', '更正第1行：姓名誤植', '已由第2行更正', page.sha256, '第1頁（本頁未滿）', paper.lines[0]!.day]) t.ok(text.includes(flat(part)), part)
  t.throws(() => bookPaperOf(desk.book.log.page(2)), { code: 'CUSTOS_PAPER_REFUSED' })
})
