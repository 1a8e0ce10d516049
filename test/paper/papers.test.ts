import t from 'tap'
import { layOut, PaperPress, printPaper, Typeface, FORM_NAMES, formNamed, type FormName, type PaperJob } from '../../src/paper/index.ts'
import { shippedRules } from '../rules/support.ts'
import { flat, readPdf } from './support/poppler.ts'
import { bookLine, destruction, entry, jobs, record, request } from './support/samples.ts'

const face = await Typeface.open()
const ruleSet = await shippedRules()
t.teardown(() => face[Symbol.asyncDispose]())
const office = ruleSet.rules.office.name
const context = { face, ruleSet, office }
const print = (job: PaperJob) => printPaper(face, layOut(context, job))

/** After office-rules §2, read off the paper in order. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  'form-1': ['臺北市信義區戶政事務所錄影監視系統查核表', '日期', '正常運作', '是', '否', '異常情形及處理情形', '查核人員', '主管核章'],
  'form-2': ['錄影監視系統影音資料', '調閱', '複製', '申請書（公務機關）', '申請日期', '申請機關', '申請人（代理人）', '機關用印', '聯絡電話', '法令（公文）依據', '調閱目的', '範圍及用途', '附繳文件', '調閱時段', '調閱鏡頭位址', '應負保密責任', '承辦人', '課長', '秘書', '主任'],
  'form-3': ['錄影監視系統影音資料調閱申請書（當事人及利害關係人）', '申請日期', '申請人', '身分證字號', '聯絡地址', '聯絡電話', '代理人', '代理人與申請人關係', '申請事由', '附繳文件', '調閱時段', '調閱鏡頭位址', '不得以任何形式攜出', '申請人（或代理人）簽名或蓋章', '承辦人', '課長', '秘書', '主任'],
  'form-4': ['臺北市信義區戶政事務所內部人員調閱影音資料紀錄表', '日期', '申請人員', '調閱目的', '核章', '申請單位主管', '管理單位承辦人', '管理單位主管'],
  'form-5': ['臺北市信義區戶政事務所錄影監視系統影音應用紀錄簿', '日期時間', '申請人', '案由', '應用情形', '□陪同閱覽', '□複製', '□提供檢調', '□其他', '簽章', '管理人員', '主管'],
  cover: ['案號', '申請機關', '總雜湊值', '簽章金鑰指紋', '管理人員（簽章）', '領取人（簽章）'], custody: ['保管移轉紀錄', '申請', '核准', '封裝完成', '移交', '媒體序號', '領取人（簽章）'],
  destruction: ['銷毀紀錄', '案號', '鏡頭及時段', '雜湊值', '複製存檔日期', '期限計算依據', '銷毀方式', '執行人', '見證人', '讀回檢查結果', '稽核紀錄位置'], refusal: ['不予核准', '理由', '法令依據', '救濟教示', '機關用印'], announcement: ['設置區位公告', '公告日期', '設置區位', '數量'],
}
const BLANKS = Object.keys(LABELS) as FormName[]

for (const name of BLANKS) t.test(`${FORM_NAMES[name]} blank: labels of the rule, A4, one page, nothing filled in, faces embedded`, async t => {
  const { pdf, missing, pages } = await print({ form: 'blank', name })
  const read = readPdf(t, pdf)
  for (const label of LABELS[name]!) t.ok(read.flat.includes(label), label)
  t.same(read.size, name === 'form-5' ? [297, 210] : [210, 297])
  t.same([pages, read.pages, missing], [1, 1, []])
  t.match(read.flat, /（空白表單）.*規定版本：xinyi-113-09-30@1/)
  t.notMatch(read.text, /☑|undefined|null|\{/)
  for (const font of read.fonts) t.match(font, { name: /TW-Kai/, embedded: 'yes', subset: 'yes', unicode: 'yes' })
})

t.test('lines a page: twelve checks, five entries, fourteen lines', async t => {
  const count = async (name: FormName, label: RegExp): Promise<number> => (readPdf(t, (await print({ form: 'blank', name })).pdf).flat.match(label) ?? []).length
  t.equal(await count('form-1', /年月日□□/g), 12)
  t.equal(await count('form-4', /管理單位承辦人/g), 5)
  t.equal(await count('form-5', /年月日/g), 14)
})

for (const job of jobs) t.test(`${job.form} filled: what was given stands on it, with number, page and hash, the same bytes each time`, async t => {
  const { pdf, pages, missing } = await print(job)
  t.ok((await print(job)).pdf.equals(pdf), 'a reprint is the same to the byte')
  await using another = await Typeface.open()
  another.shape('先畫過別的字：Ω Å −')
  t.ok((await printPaper(another, layOut({ ...context, face: another }, job))).pdf.equals(pdf), 'also from faces that drew other things before')
  const read = readPdf(t, pdf)
  t.same([missing, read.pages], [[], pages])
  t.match(read.flat, new RegExp(`第1頁／共${pages}頁`))
  if (job.form !== 'checkpoint') t.ok(read.flat.includes('系統編號：115-調-0001') && read.flat.includes('ab12'.repeat(16)))
  t.match(read.info, /Creator:\s+Custos/)
  // ROC years only (R46); the cover sheet is the one where UTC is asked for.
  if (job.form !== 'cover' && job.form !== 'signage') t.notMatch(read.flat.replace(/sha256[^ ]*/gi, ''), /20[2-3]\d[-年/]/)
})

t.test('附件2: boxes ticked, agent and necessity named, signed steps beneath the room for the stamp', async t => {
  const { flat: text } = readPdf(t, (await print({ form: 'form-2', data: request() })).pdf)
  for (const part of ['☑調閱', '☑複製', '（代理人：龔𡍼鑫）', '複製之必要：須移送地檢署', '系統簽核：王承辦', '李課長（代）', '來文字號：北市警信分刑字第1153001234號']) t.ok(text.includes(part), part)
  const { flat: view } = readPdf(t, (await print({ form: 'form-2', data: request({ acts: { view: true, copy: false, preserve: false }, necessity: '' }) })).pdf)
  t.ok(view.includes('☑調閱') && view.includes('□複製'))
})

t.test('附件3 has no copy box, whatever the data says', async t => {
  t.notMatch(readPdf(t, (await print({ form: 'form-3', data: request() })).pdf).flat, /[□☑]複製/)
})

t.test('附件5: a corrected line stays, struck through, and both say of each other', async t => {
  const paper = layOut(context, { form: 'form-5', data: { ...record, page: 1, isFull: false, lines: [bookLine(1, { struckBy: 2, applicant: '舊名' }), bookLine(2, { corrects: { line: 1, reason: '誤植' }, applicant: '新名' })] } })
  const isStruck = (name: string) => paper.pages[0]!.marks.some(mark => mark.kind === 'text' && mark.struck && mark.pieces.map(piece => piece.text).join('') === name)
  t.same([isStruck('舊名'), isStruck('新名')], [true, false])
  const { flat: text } = readPdf(t, (await printPaper(face, paper)).pdf)
  for (const part of ['舊名', '新名', '已由第2行更正', '更正第1行：誤植']) t.ok(text.includes(part), part)
  t.throws(() => layOut(context, { form: 'form-5', data: { ...record, page: 1, isFull: true, lines: Array.from({ length: 15 }, (_, index) => bookLine(index + 1)) } }), { code: 'CUSTOS_PAPER_REFUSED' })
})

t.test('a name no face can draw: the page says so, and the caller is told', async t => {
  const printed = await print({ form: 'form-2', data: request({ fields: { ...request().fields, applicant: '王\u{30000}\uE000' } }) })
  t.same(printed.missing, ['U+30000', 'U+E000'])
  const { flat: text } = readPdf(t, printed.pdf)
  t.ok(text.includes('以方框標示字碼，請手寫補正：U+30000、U+E000'))
  t.ok(text.includes('王\u{30000}\uE000'))
})

t.test('ten thousand characters of reason, control characters and marks of direction: printed whole, on further pages, in sight', async t => {
  const reason = `${'事由說明'.repeat(2500)}\u202e\u0007完`
  const printed = await print({ form: 'form-3', data: request({ fields: { ...request().fields, reason } }) })
  t.ok(printed.pages > 2)
  t.same(printed.missing, ['U+202E', 'U+0007'])
  t.equal((readPdf(t, printed.pdf).flat.match(/說/g) ?? []).length, 2500, 'every one of them')
})

/** Texts of a page's marks, line by line. */
const textsOf = (paper: ReturnType<typeof layOut>, page: number) => paper.pages[page]!.marks.flatMap(mark => mark.kind === 'text' ? [{ text: mark.pieces.map(piece => piece.text).join(''), struck: mark.struck === true }] : [])

t.test('附件4: each entry keeps its number and applicant on its own line, and further pages name the number, under a head of their own', async t => {
  const entries = Array.from({ length: 7 }, (_, i) => entry({ number: `115-調-00${10 + i}`, applicant: `人員${'甲乙丙丁戊己庚'[i]}`, ...(i === 1 || i === 6 ? { purpose: '查明民眾陳情之經過，'.repeat(60), ranges: Array.from({ length: 40 }, (_, k) => `一樓大廳第${k}支`) } : {}) }))
  const paper = layOut(context, { form: 'form-4', data: { ...record, entries } })
  t.equal(paper.pages.length, 4)
  for (const [page, mine] of [[0, entries.slice(0, 5)], [1, entries.slice(5)]] as const) for (const { number, applicant } of mine) for (const text of [number, applicant]) t.equal(textsOf(paper, page).filter(each => each.text === text).length, 1, `${text} on page ${page + 1}`)
  for (const page of [2, 3]) t.ok(['接續', '內容'].every(head => textsOf(paper, page).some(each => each.text === head)), `page ${page + 1} has its head`)
  t.same([...new Set([2, 3].flatMap(page => textsOf(paper, page)).map(each => each.text).filter(text => text.startsWith('115-調-001')))], ['115-調-0011', '115-調-0016'])
  const { flat: text } = readPdf(t, (await printPaper(face, paper)).pdf)
  for (let k = 0; k < 40; k++) t.equal(text.split(`一樓大廳第${k}支`).length, 3, `camera ${k} of both, once each`)
  for (let page = 1; page <= 4; page++) t.ok(text.includes(`第${page}頁／共4頁`))
})

t.test('附件5: further pages go on line by line and field by field; what was struck is struck there too, and its correction is named on the line itself', t => {
  const full = { matter: '偵辦竊盜案，'.repeat(20), detail: '一樓大廳；'.repeat(200), unit: '信義分局偵查隊'.repeat(12), uses: [true, true, true, true], other: '其他情形，'.repeat(20), corrects: { line: 28, reason: '誤植姓名，'.repeat(20) } }
  const paper = layOut(context, { form: 'form-5', data: { ...record, page: 3, isFull: true, lines: Array.from({ length: 14 }, (_, i) => bookLine(29 + i, i === 3 ? { ...full, struckBy: 35 } : i === 9 ? full : {})) } })
  t.ok(textsOf(paper, 0).some(each => each.text.startsWith('已由第35行更正') && !each.struck), 'on the line')
  const further = paper.pages.slice(1).flatMap((_, i) => textsOf(paper, i + 1))
  const named = further.flatMap(({ text }, i) => /^第\d+行$/.test(text) ? [`${text}${further[i + 1]?.text}`] : [])
  t.same(named.filter((name, i) => name !== named[i - 1]), [32, 38].flatMap(line => ['申請人', '案由', '更正', '應用情形'].map(field => `第${line}行${field}`)))
  const of = (part: string) => further.filter(each => each.text.includes(part))
  const detail = of('一樓大廳；')
  t.ok(detail.some(each => each.struck) && detail.some(each => !each.struck), 'of the line that was corrected, and of the other')
  t.ok(of('誤植姓名').every(each => !each.struck), 'the correction itself stands')
  t.end()
})

t.test('boxes for stamps never stand on a page that shows nothing: the last row comes along, or the page says what is signed for', t => {
  const zones = (count: number): PaperJob => ({ form: 'announcement', data: { ...record, announcedOn: '115年11月26日', version: 2, listPlace: '本所一樓公布欄', zones: Array.from({ length: count }, (_, i) => ({ zone: `區位${i + 1}`, count: 1 })) } })
  for (let count = 1; count < 45; count++) {
    const paper = layOut(context, zones(count)), last = textsOf(paper, paper.pages.length - 1).map(each => each.text)
    if (!['合計', '管理人員', '主任', '申請調閱及相關規定：本所一樓公布欄'].every(text => last.includes(text))) t.fail(`${count} places: ${last.join(' ')}`)
  }
  const ranges = (count: number): PaperJob => ({ form: 'destruction', data: { ...destruction, ranges: Array.from({ length: count }, () => destruction.ranges[0]!) } })
  let alone = 0
  for (let count = 1; count < 40; count++) {
    const paper = layOut(context, ranges(count)), last = textsOf(paper, paper.pages.length - 1).map(each => each.text)
    const saysWhat = last.some(text => text.startsWith(`以下簽章及於本文件第 1 頁至第 ${paper.pages.length} 頁`)), hasRows = last.includes('稽核紀錄位置')
    if (!last.includes('執行人') || saysWhat === hasRows) t.fail(`${count} ranges: ${last.join(' ')}`)
    if (saysWhat) alone++
  }
  t.ok(alone > 0, 'some do stand alone, and say so')
  t.end()
})

t.test('names of forms, Chinese and English', async t => {
  for (const [name, zh] of Object.entries(FORM_NAMES)) t.same([formNamed(name), formNamed(zh)], [name, name])
  t.equal(formNamed('附件9'), null)
  t.equal(formNamed('constructor'), null)
  t.throws(() => layOut(context, { form: 'blank', name: 'signage' }), { code: 'CUSTOS_PAPER_REFUSED' })
})

t.test('the office of the settings heads forms made under another name', async t => {
  const paper = layOut({ ...context, office: '臺北市大安區戶政事務所' }, { form: 'blank', name: 'form-4' })
  t.equal(flat(paper.title), '臺北市大安區戶政事務所內部人員調閱影音資料紀錄表')
})

t.test('the press: the same bytes from its own thread, refusals with code and remedy, and a broken thread is replaced', async t => {
  await using press = new PaperPress()
  const printed = await Promise.all(jobs.map(job => press.print(job, { ruleSet, office })))
  for (const [index, job] of jobs.entries()) t.ok(printed[index]!.pdf.equals((await print(job)).pdf), job.form)
  await t.rejects(press.print({ form: 'blank', name: 'signage' }, { ruleSet, office }), { code: 'CUSTOS_PAPER_REFUSED', remedy: /./ })
  await t.rejects(press.print({ form: 'form-2', data: { ...request(), fields: null as never } }, { ruleSet, office }), /TypeError/)
  t.equal((await press.print({ form: 'blank', name: 'form-1' }, { ruleSet, office })).pages, 1, 'and it goes on')
  await using bare = new PaperPress({ folder: t.testdir({}) })
  await t.rejects(bare.print({ form: 'blank', name: 'form-1' }, { ruleSet, office }), { code: 'CUSTOS_PAPER_FONT' })
})
