import { FatalError } from '../domain/index.ts'
import { fillWording, type SlotValues } from '../rules/index.ts'
import { grouped, paperOf, type Paper, type PaperContext, type PaperRecord } from './paper.ts'
import { Sheets, type Column } from './sheets.ts'
import { fitText } from './text-box.ts'
import { frame } from './marks.ts'

export interface CameraRange { readonly camera: string, readonly from: string, readonly to: string }
/** E14. Local texts in ROC years; `...Utc` are ISO 8601, and stand on this paper only. */
export interface CoverSheet extends PaperRecord {
  readonly application: string
  readonly agency: string
  readonly legalBasis: string
  readonly purpose: string
  readonly cameras: readonly { readonly camera: string, readonly from: string, readonly to: string, readonly fromUtc: string, readonly toUtc: string }[]
  readonly files: number
  readonly bytes: number
  /** Hex. Of manifest.json, which lists every file with its own. */
  readonly totalSha256: string
  /** Hex SHA-256 of the signing key, as the office has posted it. */
  readonly keyFingerprint: string
  readonly createdOn: string
  readonly createdUtc: string
  /** Who made it, who released it as the second person, who takes it away; with post or unit. */
  readonly maker: string
  readonly witness: string
  readonly receiver: string
  /** Kind, serial number, label; what it is handed over on. */
  readonly medium: string
}
/** E9. */
export interface CustodySheet extends PaperRecord {
  readonly application: string
  /** 申請, 核准, 擷取, 封裝, 寫入媒體, 移交, in order. */
  readonly events: readonly { readonly stage: string, readonly on: string, readonly who: string, readonly what: string }[]
  readonly medium: { readonly type: string, readonly serial: string, readonly label: string } | null
  readonly receiver: { readonly name: string, readonly unit: string, readonly idType: string } | null
  readonly totalSha256: string
  readonly keyFingerprint: string
  /** Line of 附件5 that this hand-over is. */
  readonly bookLine: number
  /** Number of the Master that stays here. */
  readonly archiveItem: string
  readonly files: number
  readonly bytes: number
}
/** R24: keeps no image. */
export interface DestructionRecord extends PaperRecord {
  readonly application: string
  readonly ranges: readonly CameraRange[]
  readonly bytes: number
  readonly contentSha256: string
  readonly copiedOn: string
  readonly expiredOn: string
  /** How the expiry was computed. */
  readonly computation: string
  readonly destroyedOn: string
  readonly method: string
  readonly keyId: string
  readonly executor: string
  readonly witness: string
  readonly readBack: string
  readonly auditPosition: string
}
/** R36: values for the rule set's notice; `recipient` heads it. */
export interface RefusalNotice extends PaperRecord { readonly recipient: string, readonly values: SlotValues }

const KEY_MM = 42
const BLANK_DATE = '　　年　　月　　日'
/** A hash on two lines of eight groups, for eyes that compare. */
const hashText = (hex: string): string => { const groups = grouped(hex).split(' '); return `${groups.slice(0, 8).join(' ')}\n${groups.slice(8).join(' ')}` }
const bytesText = (bytes: number): string => `${bytes.toLocaleString('en-US')} 位元組`
const keyColumns = (sheets: Sheets): readonly Column[] => [{ mm: KEY_MM, style: { align: 'center', valign: 'middle', minPt: 7 } }, { mm: sheets.width - KEY_MM, style: { valign: 'middle' } }]
const facts = (sheets: Sheets, rows: readonly (readonly [string, string, number?])[]): void => { sheets.rows(keyColumns(sheets), rows.map(([key, value, minMm = 9]) => ({ cells: [key, value], minMm }))) }
const LABEL_MM = 24
/** Two keys and two values a row. */
const pairs = (sheets: Sheets, rows: readonly (readonly [string, string, string, string])[]): void => {
  const label = { mm: LABEL_MM, style: { align: 'center', valign: 'middle', minPt: 7, sizePt: 10 } } as const, value = { mm: sheets.width / 2 - LABEL_MM, style: { valign: 'middle', sizePt: 10 } } as const
  sheets.rows([label, value, label, value], rows.map(cells => ({ cells, minMm: 9 })))
}
const headed = (context: PaperContext, title: string): Sheets => new Sheets(context.face, {}, (sheets, isFirst) => { sheets.title(`${context.office}${title}${isFirst ? '' : '（續頁）'}`, context.office); sheets.gap(2) })

/** 封面. */
export function coverSheetPaper(context: PaperContext, cover: CoverSheet | null): Paper {
  const title = '錄影監視影像證據封面'
  const sheets = headed(context, title)
  facts(sheets, [
    ['案號', cover?.application ?? ''], ['封裝編號', cover?.systemNo ?? ''], ['申請機關', cover?.agency ?? ''], ['法令（公文）依據', cover?.legalBasis ?? '', 11], ['調閱目的', cover?.purpose ?? '', 13],
    ['封裝完成時間', cover === null ? BLANK_DATE : `${cover.createdOn}（臺北時間）\n${cover.createdUtc}（UTC）`, 11], ['檔案數量及大小', cover === null ? '' : `${cover.files.toLocaleString('en-US')} 個檔案，共 ${bytesText(cover.bytes)}`],
    ['製作人', cover?.maker ?? ''], ['見證人', cover?.witness ?? ''], ['領取人', cover?.receiver ?? ''], ['交付媒體', cover?.medium ?? ''],
  ])
  sheets.gap(3)
  const wide = (sheets.width - 56) / 2
  sheets.rows([{ mm: 56, head: '鏡頭', style: { valign: 'middle', sizePt: 10, minPt: 7 } }, { mm: wide, head: '起（臺北時間／UTC）', style: { valign: 'middle', sizePt: 9.5 } }, { mm: wide, head: '迄（臺北時間／UTC）', style: { valign: 'middle', sizePt: 9.5 } }],
    cover === null ? Array.from({ length: 4 }, () => ({ cells: ['', '', ''], minMm: 12 })) : cover.cameras.map(each => ({ cells: [each.camera, `${each.from}\n${each.fromUtc}`, `${each.to}\n${each.toUtc}`], minMm: 12 })))
  sheets.gap(3)
  facts(sheets, [['總雜湊值\nSHA-256', cover === null ? '' : hashText(cover.totalSha256), 14], ['簽章金鑰指紋\nSHA-256', cover === null ? '' : hashText(cover.keyFingerprint), 14]])
  sheets.gap(1.5)
  sheets.text('總雜湊值為 manifest.json 之雜湊值，該檔列有其餘各檔之雜湊值。請以本所另行公布之金鑰指紋核對，勿僅以隨附之金鑰核對；核對步驟見 VERIFY.txt。', { sizePt: 9 })
  sheets.gap(3)
  sheets.boxes(['管理人員（簽章）', '見證人（簽章）', '領取人（簽章）及日期'], { highMm: 24 })
  return paperOf(context, sheets, { form: 'cover', title, record: cover })
}

/** Lines for moves by hand fill the page; where fewer have room, a page of their own. */
const LEAST_MOVES = 3, MOVE_MM = 10, MOVES_HEAD_MM = 7
/** The receipt and its boxes stand together. */
const RECEIPT_MM = 42
/** 保管移轉: what the system knows, then lines for moves that are written by hand. */
export function custodySheetPaper(context: PaperContext, custody: CustodySheet | null): Paper {
  const title = '錄影監視影像證據保管移轉紀錄及收據'
  const sheets = headed(context, title)
  pairs(sheets, [['案號', custody?.application ?? '', '封裝編號', custody?.systemNo ?? ''], ['附件5行次', custody === null ? '' : `第 ${custody.bookLine} 行`, '存檔編號', custody?.archiveItem ?? '']])
  facts(sheets, [['總雜湊值 SHA-256', custody === null ? '' : hashText(custody.totalSha256), 11], ['金鑰指紋 SHA-256', custody === null ? '' : hashText(custody.keyFingerprint), 11]])
  sheets.gap(3)
  const stages = custody?.events ?? ['申請', '核准', '擷取', '封裝完成', '寫入媒體', '移交'].map(stage => ({ stage, on: '', who: '', what: '' }))
  sheets.rows([{ mm: 26, head: '階段', style: { align: 'center', valign: 'middle', minPt: 7 } }, { mm: 44, head: '日期時間', style: { align: 'center', valign: 'middle', sizePt: 9, minPt: 7 } }, { mm: 40, head: '經手人', style: { valign: 'middle', sizePt: 10 } }, { mm: sheets.width - 110, head: '說明', style: { valign: 'middle', sizePt: 10 } }],
    stages.map(each => ({ cells: [each.stage, each.on, each.who, each.what], minMm: 10 })))
  sheets.gap(3)
  const { medium, receiver } = custody ?? { medium: null, receiver: null }
  pairs(sheets, [['媒體種類', medium?.type ?? '', '媒體序號', medium?.serial ?? ''], ['媒體標籤', medium?.label ?? '', '領取人', receiver?.name ?? ''], ['領取單位', receiver?.unit ?? '', '證件種類', receiver?.idType ?? '']])
  sheets.gap(3)
  sheets.need(RECEIPT_MM)
  sheets.text(`收據：茲收到上列封裝編號之錄影監視影像證據${custody === null ? '　　　個檔案' : ` ${custody.files.toLocaleString('en-US')} 個檔案，共 ${bytesText(custody.bytes)}`}，總雜湊值如上，經核對無誤。`, { sizePt: 11 })
  sheets.gap(1.5)
  sheets.boxes(['移交人（簽章）', '見證人（簽章）', '領取人（簽章）及日期'], { highMm: 22 })
  sheets.gap(3)
  const roomMm = sheets.bottom - sheets.y - MOVES_HEAD_MM - 6
  if (roomMm < LEAST_MOVES * MOVE_MM) sheets.page()
  sheets.text('其後之移轉（手寫）：', { sizePt: 9 })
  sheets.gap(1)
  const moves = Math.floor((sheets.bottom - sheets.y - MOVES_HEAD_MM - 0.1) / MOVE_MM)
  sheets.rows([{ mm: 40, head: '日期時間' }, { mm: 44, head: '交出人（簽章）' }, { mm: 44, head: '收受人（簽章）' }, { mm: sheets.width - 128, head: '原因及媒體狀態' }], Array.from({ length: moves }, () => ({ cells: ['', '', '', ''], minMm: MOVE_MM })), { headMm: MOVES_HEAD_MM })
  return paperOf(context, sheets, { form: 'custody', title, record: custody })
}

/** 銷毀紀錄. */
export function destructionPaper(context: PaperContext, record: DestructionRecord | null): Paper {
  const title = '錄影監視影音資料銷毀紀錄'
  const sheets = headed(context, title)
  facts(sheets, [
    ['項次', record?.systemNo ?? ''], ['案號', record?.application ?? ''], ['鏡頭及時段', record?.ranges.map(each => `${each.camera}　${each.from} 至 ${each.to}`).join('\n') ?? '', 24], ['資料大小', record === null ? '' : bytesText(record.bytes)],
    ['銷毀內容之雜湊值\nSHA-256', record === null ? '' : hashText(record.contentSha256), 14], ['複製存檔日期', record?.copiedOn ?? BLANK_DATE], ['保存期限屆滿日', record?.expiredOn ?? BLANK_DATE], ['期限計算依據', record?.computation ?? '', 13],
    ['銷毀時間', record?.destroyedOn ?? `${BLANK_DATE}　　時　　分`], ['銷毀方式', record?.method ?? '', 11], ['銷毀之金鑰編號', record?.keyId ?? ''], ['執行人', record?.executor ?? ''], ['見證人', record?.witness ?? ''], ['讀回檢查結果', record?.readBack ?? '', 11], ['稽核紀錄位置', record?.auditPosition ?? ''],
  ])
  sheets.gap(2)
  sheets.text('本紀錄不含任何影像。', { sizePt: 9 })
  sheets.gap(3)
  sheets.boxes(['執行人', '見證人', '管理人員', '主管'], { highMm: 24 })
  return paperOf(context, sheets, { form: 'destruction', title, record })
}

/** 駁回或部分駁回通知 after the rule set's own wording; a draft until a person signs and sends it. Throws FatalError when a value is missing. */
export function refusalPaper(context: PaperContext, notice: RefusalNotice | null): Paper {
  const { ruleSet, office } = context
  const { title, text } = ruleSet.notice('refusal')
  const sheets = new Sheets(context.face, {}, (each, isFirst) => { each.title(`${office}${isFirst ? title : `${title}（續頁）`}`, office); each.gap(3) })
  let filled: string
  try { filled = notice === null ? text.replace(/\{[^{}\n]+\}/gu, '＿＿＿＿＿＿＿＿＿＿') : fillWording(text, notice.values) } catch (error) {
    throw new FatalError('CUSTOS_PAPER_REFUSED', `駁回通知缺少內容。/ the refusal notice is not complete: ${String(error)}`, { remedy: '請確認本案已不予核准，且有理由與法令依據。/ See that the case was refused with reason and ground.', cause: error })
  }
  const half = sheets.width / 2
  sheets.put(...fitText(context.face, `受文者：${notice?.recipient ?? ''}`, { x: sheets.side, y: sheets.y, w: sheets.width, h: 14 }, { sizePt: 12, minPt: 8, padMm: 0 }).marks)
  sheets.gap(15)
  for (const line of ['發文日期：中華民國　　　年　　　月　　　日', '發文字號：　　　　　　字第　　　　　　　　　　號', '附件：']) { sheets.text(line, { sizePt: 11 }); sheets.gap(1) }
  sheets.gap(4)
  for (const paragraph of filled.trim().split('\n')) { sheets.text(paragraph, { sizePt: 12, lead: 1.6 }); sheets.gap(2.5) }
  sheets.gap(4)
  sheets.need(62)
  sheets.put(...frame({ x: sheets.side + half, y: sheets.y, w: half, h: 45 }, 0.5), ...fitText(context.face, '機關用印', { x: sheets.side + half, y: sheets.y, w: half, h: 7 }, { sizePt: 9, align: 'center', valign: 'middle' }).marks,
    ...fitText(context.face, '承辦人：\n\n\n聯絡電話：\n\n\n主任：', { x: sheets.side, y: sheets.y, w: half, h: 45 }, { sizePt: 11, minPt: 8, padMm: 0 }).marks)
  return paperOf(context, sheets, { form: 'refusal', title, record: notice })
}
