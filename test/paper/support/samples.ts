import { epochMs } from '../../../src/domain/index.ts'
import type { BookPaperLine, CoverSheet, CustodySheet, DestructionRecord, PaperJob, RefusalNotice, RequestPaper, SignedStep, StaffEntry } from '../../../src/paper/index.ts'

export const AT = epochMs(Date.parse('2026-11-26T01:00:00.000Z'))
export const record = { systemNo: '115-調-0001', sha256: 'ab12'.repeat(16), at: AT } as const
export const signed = (name: string, isDeputy = false): SignedStep => ({ name, isDeputy, decision: '同意', on: '115年11月26日' })
export const request = (changes: Partial<RequestPaper> = {}): RequestPaper => ({
  ...record, appliedOn: '115年11月26日', acts: { view: true, copy: true, preserve: false },
  fields: { agency: '臺北市政府警察局信義分局', applicant: '偵查佐陳喆煊', phone: '02-2723-0000', 'legal-basis': '刑事訴訟法第230條', purpose: '偵辦竊盜案', use: '僅供本案偵查', reason: '皮包遺失', 'applicant-id': 'A12****789', 'applicant-address': '臺北市信義區信義路五段15號', 'applicant-phone': '0912-345-678' },
  agents: [{ agent: '龔𡍼鑫', 'agent-id': 'B22****123', relation: '配偶' }], necessity: '須移送地檢署', notes: { 'legal-basis': '來文字號：北市警信分刑字第1153001234號' }, attachments: ['公文影本'],
  ranges: ['115年11月25日14時00分00秒 至 115年11月25日15時30分00秒'], cameras: ['一樓大廳服務臺（lobby-1）'], signatures: [signed('王承辦'), signed('李課長', true), null, null], ...changes,
})
export const entry = (changes: Partial<StaffEntry> = {}): StaffEntry => ({ number: '115-調-0007', on: '115年11月20日', applicant: '王頴犇', unit: '戶籍登記課', purpose: '查明證件遺失經過', ranges: ['一樓大廳服務臺　115年11月19日14時00分00秒 至 115年11月19日15時00分00秒'], signatures: [signed('李課長'), null, null], ...changes })
export const bookLine = (line: number, changes: Partial<BookPaperLine> = {}): BookPaperLine => ({
  line, day: '115年11月26日', time: '14時05分', applicant: '偵查佐陳喆煊', unit: '信義分局', matter: '偵辦竊盜案', detail: '115-調-0001　一樓大廳', uses: [true, false, false, false], other: '', struckBy: null, corrects: null, custodian: '', superior: '', ...changes,
})
const from = '115年11月25日14時00分00秒', to = '115年11月25日15時30分00秒'
export const cover: CoverSheet = {
  ...record, application: '115-調-0001', agency: '臺北市政府警察局信義分局', legalBasis: '刑事訴訟法第230條', purpose: '偵辦竊盜案', cameras: [{ camera: '一樓大廳', from, to, fromUtc: '2026-11-25T06:00:00.000Z', toUtc: '2026-11-25T07:30:00.000Z' }],
  files: 31, bytes: 1_234_567_890, totalSha256: '0f'.repeat(32), keyFingerprint: 'e4'.repeat(32), createdOn: '115年11月26日15時00分00秒', createdUtc: '2026-11-26T07:00:00.000Z', maker: '龔𡍼鑫（管理人員）', witness: '林承辦（承辦人）', receiver: '臺北市政府警察局信義分局　偵查佐陳喆煊', medium: 'USB　4C53　信戶-1',
}
export const custody: CustodySheet = { ...record, application: '115-調-0001', totalSha256: '0f'.repeat(32), keyFingerprint: 'e4'.repeat(32), bookLine: 31, archiveItem: 'A115-0007', files: 31, bytes: 1_234_567_890, medium: { type: 'USB', serial: '4C53', label: '信戶-1' }, receiver: { name: '陳喆煊', unit: '信義分局', idType: '服務證' }, events: [{ stage: '封裝完成', on: from, who: '王管理', what: '讀回核對相符' }] }
export const destruction: DestructionRecord = {
  ...record, application: '114-調-0012', ranges: [{ camera: '一樓大廳', from, to }], bytes: 812_345_678, contentSha256: '77'.repeat(32), copiedOn: '114年11月20日', expiredOn: '115年11月20日', computation: '複製存檔之日起一年', destroyedOn: '115年11月21日00時03分12秒', method: '消除電子檔',
  keyId: 'k-12', executor: '系統自動執行', witness: '王管理', readBack: '檔案與金鑰均已不存在', auditPosition: '第48211筆',
}
export const refusal: RefusalNotice = { ...record, recipient: '陳喆煊君', values: { 案號: '115-調-0001', 申請日期: '115年11月20日', 鏡頭與時段: '一樓大廳', 理由: '無調閱之必要', 法令依據: '作業規定第六點', 救濟教示: '得於30日內提起訴願' } }
export const checkpoint = { site: '信義區戶政事務所', timezone: 'Asia/Taipei', checkpoint: { origin: 'custos/xinyi', size: 48211, root: Buffer.alloc(32, 7), at: AT, lastHash: Buffer.alloc(32, 9), keyFingerprint: 'cd'.repeat(32), signature: Buffer.alloc(64, 3), body: 'custos/xinyi\n48211\n' } } as const

/** Every document, filled. */
export const jobs: readonly PaperJob[] = [
  { form: 'form-1', data: { ...record, lines: [{ on: '115年5月9日', isWorking: false, fault: '正門鏡頭無畫面，已通知廠商修復', checker: '龔𡍼鑫', enteredLate: '115年5月12日', superior: { name: '林主任', on: '115年5月28日' } }] } },
  { form: 'form-2', data: request() }, { form: 'form-3', data: request({ acts: { view: true, copy: false, preserve: true } }) }, { form: 'form-4', data: { ...record, entries: [entry()] } },
  { form: 'form-5', data: { ...record, page: 3, isFull: false, lines: [bookLine(29), bookLine(30, { struckBy: 31 }), bookLine(31, { corrects: { line: 30, reason: '姓名誤植' }, uses: [false, true, true, false] })] } },
  { form: 'cover', data: cover }, { form: 'custody', data: custody }, { form: 'destruction', data: destruction }, { form: 'refusal', data: refusal },
  { form: 'announcement', data: { ...record, announcedOn: '115年11月26日', version: 2, listPlace: '本所一樓公布欄', zones: [{ zone: '一樓大廳', count: 4 }, { zone: '停車場', count: 2 }] } },
  { form: 'signage', data: { ...record, zones: ['一樓大廳', '停車場'], purpose: '維護場所安全', contact: '02-2723-0000', listPlace: '本所公布欄', noticeUrl: 'https://example.gov.tw/cctv' } },
  { form: 'checkpoint', data: checkpoint as never },
]
