import { headLines, noteText, rocText, type Checkpoint } from '../audit/index.ts'
import type { EpochMs } from '../domain/index.ts'
import { frame, type Mark } from './marks.ts'
import { grouped, paperOf, type Paper, type PaperContext, type PaperRecord } from './paper.ts'
import { Sheets } from './sheets.ts'
import { fitText } from './text-box.ts'

/** R4: where and how many; nothing of addresses, pictures or directions has a place here. */
export interface Announcement extends PaperRecord { readonly announcedOn: string, readonly version: number, readonly zones: readonly { readonly zone: string, readonly count: number }[], readonly listPlace: string }
/** R51, one page for each zone. `noticeUrl` is in the QR. */
export interface Signage extends PaperRecord { readonly zones: readonly string[], readonly purpose: string, readonly contact: string, readonly listPlace: string, readonly noticeUrl: string }
export interface CheckpointSheet { readonly site: string, readonly timezone: string, readonly checkpoint: Checkpoint & { readonly at: EpochMs } }

/** 鏡頭公告 for the notice board. */
export function announcementPaper(context: PaperContext, announcement: Announcement | null): Paper {
  const { face, office, ruleSet } = context
  const title = '錄影監視系統設置區位公告'
  const sheets = new Sheets(face, {}, (each, isFirst) => { each.title(`${office}${title}${isFirst ? '' : '（續頁）'}`, office); each.gap(3) })
  sheets.text(`公告日期：${announcement?.announcedOn ?? '　　　年　　　月　　　日'}　　　版次：${announcement === null ? '　　' : `第 ${announcement.version} 版`}`, { sizePt: 12 })
  sheets.gap(2)
  sheets.text(`依據：${ruleSet.rules.title}第二點。`, { sizePt: 12 })
  sheets.gap(2)
  sheets.text('公告事項：本所為維護場所安全，設置錄影監視系統，其設置區位及數量如下：', { sizePt: 12, lead: 1.5 })
  sheets.gap(4)
  const zones = announcement?.zones ?? []
  const boxMm = 24, boxHeadMm = 7, placeMm = announcement !== null && announcement.listPlace !== '' ? 10 : 0
  const total = zones.reduce((sum, each) => sum + each.count, 0)
  const middle = { align: 'center', valign: 'middle', sizePt: 12 } as const
  sheets.rows([{ mm: 24, head: '編號', style: middle }, { mm: sheets.width - 60, head: '設置區位', style: { valign: 'middle', sizePt: 12 } }, { mm: 36, head: '數量（支）', style: middle }], [
    ...(announcement === null ? Array.from({ length: 10 }, () => ({ cells: ['', '', ''], minMm: 11 })) : zones.map((each, index) => ({ cells: [String(index + 1), each.zone, String(each.count)], minMm: 11 }))),
    { cells: ['合計', '', announcement === null ? '' : String(total)], minMm: 11 },
  ], { headMm: 10, keepMm: 6 + placeMm + boxHeadMm + boxMm })
  sheets.gap(6)
  if (placeMm > 0 && announcement !== null) { sheets.text(`申請調閱及相關規定：${announcement.listPlace}`, { sizePt: 11 }); sheets.gap(4) }
  sheets.boxes(['管理人員', '主任'], { highMm: boxMm, headMm: boxHeadMm })
  return paperOf(context, sheets, { form: 'announcement', title, record: announcement })
}

const QR_MM = 34
/** 標示: one page for each zone, to be read from three metres away. */
export function signagePaper(context: PaperContext, signage: Signage): Paper {
  const { face, office } = context
  const title = '錄影監視中'
  let zone = signage.zones[0] ?? ''
  const draw = (sheets: Sheets): void => {
    const { side, width } = sheets
    const outer = { x: side, y: 18, w: width, h: 245 }
    const line = (y: number, h: number, text: string, sizePt: number, minPt: number): readonly Mark[] => fitText(face, text, { x: side + 6, y, w: width - 12, h }, { sizePt, minPt, align: 'center', valign: 'middle' }).marks
    sheets.put(...frame(outer, 3), ...frame({ x: outer.x + 2.5, y: outer.y + 2.5, w: outer.w - 5, h: outer.h - 5 }, 1), ...cameraMarks(side + width / 2, 52),
      ...line(75, 42, title, 88, 40), ...line(118, 12, 'CCTV in operation', 20, 12), ...line(134, 18, zone, 28, 12), ...line(156, 14, office, 21, 11))
    const rows = [['目的', signage.purpose], ['聯絡', signage.contact], ['設置清冊公告處', signage.listPlace]] as const
    rows.forEach(([name, text], index) => {
      const y = 178 + index * 20
      sheets.put(...fitText(face, name, { x: side + 8, y, w: 36, h: 18 }, { sizePt: 13, minPt: 9, valign: 'middle' }).marks, ...fitText(face, text, { x: side + 44, y, w: width - 44 - QR_MM - 20, h: 18 }, { sizePt: 13, minPt: 8, valign: 'middle' }).marks)
    })
    sheets.put({ kind: 'qr', box: { x: side + width - QR_MM - 12, y: 183, w: QR_MM, h: QR_MM }, text: signage.noticeUrl }, ...fitText(face, '完整告知事項', { x: side + width - QR_MM - 14, y: 218, w: QR_MM + 4, h: 7 }, { sizePt: 10, align: 'center' }).marks)
  }
  const sheets = new Sheets(face, {}, draw)
  for (const next of signage.zones.slice(1)) { zone = next; sheets.page() }
  return paperOf(context, sheets, { form: 'signage', title, record: signage })
}

/** A camera on its bracket, of lines. */
function cameraMarks(x: number, y: number): readonly Mark[] {
  const line = (x1: number, y1: number, x2: number, y2: number): Mark => ({ kind: 'line', x1: x + x1, y1: y + y1, x2: x + x2, y2: y + y2, pt: 2.5 })
  return [line(-20, -14, 14, -8), line(14, -8, 12, 4), line(12, 4, -22, -2), line(-22, -2, -20, -14), line(14, -6, 20, -8), line(20, -8, 18, 5), line(18, 5, 12, 3), line(-8, 0.5, -10, 10), line(-10, 10, -20, 14), line(-22, 8, -20, 19)]
}

/** P6: the lines that bind the audit logs, as QR and text, with the whole signed note. The HTML page of `custos audit page` says the same. */
export function checkpointPaper(context: PaperContext, { site, timezone, checkpoint }: CheckpointSheet): Paper {
  const { face } = context
  const { size, root, at, lastHash, keyFingerprint, body } = checkpoint
  const title = '稽核紀錄查核點'
  const record: PaperRecord = { systemNo: `checkpoint-${size}`, sha256: root.toString('hex'), at }
  const sheets = new Sheets(face, {}, (each, isFirst) => { each.title(`${context.office}${title}${isFirst ? '' : '（續頁）'}`, context.office); each.gap(2) })
  sheets.text(`${site}　${rocText(at, timezone)}`, { sizePt: 12, align: 'center' })
  sheets.gap(3)
  sheets.text(`本頁證明：上述時刻，稽核紀錄共有 ${size} 筆，內容由下列雜湊固定。日後任何一筆被更改、刪除或插入，都會與本頁不符。請簽名歸檔，勿存於錄影主機。`, { lead: 1.5 })
  sheets.gap(3)
  const three = `${headLines(body).join('\n')}\n`, top = sheets.y, high = 50
  sheets.put(...frame({ x: sheets.side, y: top, w: sheets.width, h: high }), ...fitText(face, three.trim(), { x: sheets.side + 2, y: top, w: sheets.width - high - 4, h: high }, { sizePt: 12, minPt: 8, valign: 'middle', lead: 1.6 }).marks,
    { kind: 'qr', box: { x: sheets.side + sheets.width - high + 3, y: top + 3, w: high - 6, h: high - 6 }, text: three })
  sheets.gap(high + 3)
  sheets.rows([{ mm: 42, style: { align: 'center', valign: 'middle' } }, { mm: sheets.width - 42, style: { valign: 'middle', sizePt: 9 } }], [
    { cells: ['雜湊（十六進位）', grouped(root.toString('hex'))], minMm: 12 }, { cells: ['最後一筆雜湊', lastHash === null ? '－' : grouped(lastHash.toString('hex'))], minMm: 12 }, { cells: ['簽署金鑰指紋', keyFingerprint === null ? '未簽署' : grouped(keyFingerprint)], minMm: 12 },
  ])
  sheets.gap(3)
  sheets.text('完整文字（含數位簽章）', { sizePt: 10 })
  sheets.text(noteText(checkpoint).trimEnd(), { sizePt: 8.5 })
  sheets.gap(3)
  sheets.text(`核對：custos audit verify --config 設定檔 --checkpoint 存有框內各行之檔。列印後登錄：custos audit witnessed --config 設定檔 --size ${size} --by 姓名 --how print`, { sizePt: 9 })
  sheets.gap(3)
  sheets.boxes(['列印人', '主管', '政風或稽核', '歸檔日期、檔號'], { highMm: 22 })
  return paperOf(context, sheets, { form: 'checkpoint', title, record })
}
