import { createHash } from 'node:crypto'
import { canonicalJson } from '../audit/index.ts'
import type { AuditValue, EpochMs } from '../domain/index.ts'
import { startOfOfficeDay, type RuleSet } from '../rules/index.ts'
import { missingIn, pageSize, type Mark, type PageMarks } from './marks.ts'
import { FOOTER_MM, type Sheets } from './sheets.ts'
import { fitText } from './text-box.ts'
import type { Typeface } from './typeface.ts'

/** What a filled paper is made from; null stands for the blank form. */
export interface PaperRecord {
  /** 系統編號: of the application, copy or page. */
  readonly systemNo: string
  /** Hex; what the QR says. As the store has it, so that both can be compared. */
  readonly sha256: string
  /** When the record was made or last changed: the file says it as its own time, so that a reprint is the same to the byte. */
  readonly at: EpochMs
}
export interface PaperContext { readonly face: Typeface, readonly ruleSet: RuleSet, /** Heads every paper; of the settings, else the rule set's. */ readonly office: string }
/** A form's title under the office's name of today's settings; the rule set's own where it begins otherwise. */
export const formTitle = ({ ruleSet, office }: PaperContext, title: string): string => (title.startsWith(ruleSet.rules.office.name) ? office + title.slice(ruleSet.rules.office.name.length) : title)
/** A document laid out and not yet written. */
export interface Paper { readonly form: string, readonly title: string, readonly at: EpochMs, readonly pages: readonly PageMarks[] }
/** `missing`: code points that no face has, which stand on the paper as boxes with their names. Empty, or a person looks at it before it is used. */
export interface PrintedPaper { readonly pdf: Buffer, readonly pages: number, readonly missing: readonly string[] }

/** SHA-256 of the canonical JSON, hex: for records that no table holds. */
export const paperHash = (record: AuditValue): string => createHash('sha256').update(canonicalJson(record)).digest('hex')
export const grouped = (hex: string): string => hex.match(/.{1,4}/g)?.join(' ') ?? ''
export const qrText = (form: string, { systemNo, sha256 }: PaperRecord): string => `custos paper 1\n${form} ${systemNo}\n${sha256}`

const QR_MM = 17, SMALL_PT = 7.5

function footer({ face, ruleSet }: PaperContext, { form, record, landscape, side, page, pages, missing }: {
  readonly form: string, readonly record: PaperRecord | null, readonly landscape: boolean, readonly side: number, readonly page: number, readonly pages: number, readonly missing: readonly string[],
}): Mark[] {
  const { w, h } = pageSize(landscape)
  const top = h - FOOTER_MM + 3, width = w - 2 * side
  const line = (row: number, text: string, align: 'left' | 'right' = 'left', wide = width - QR_MM - 3, high = 4): Mark[] => [...fitText(face, text, { x: side, y: top + row * 4, w: wide, h: high }, { sizePt: SMALL_PT, minPt: 4, padMm: 0, lead: 1.3, align }).marks]
  return [
    ...line(0, `系統編號：${record?.systemNo ?? '（空白表單）'}　　規定版本：${ruleSet.ref.name}`, 'left', width - QR_MM - 35),
    ...line(0, `第 ${page} 頁／共 ${pages} 頁`, 'right'),
    ...(record === null ? [] : [...line(1, `紀錄雜湊 SHA-256：${grouped(record.sha256)}`), { kind: 'qr', box: { x: w - side - QR_MM, y: top, w: QR_MM, h: QR_MM }, text: qrText(form, record) } satisfies Mark]),
    ...(missing.length === 0 ? [] : line(2, `※ 下列字元無字形可印，以方框標示字碼，請手寫補正：${missing.join('、')}`, 'left', width - QR_MM - 3, 8)),
  ]
}

/** Closes a document: each page gets its footer, and a note of what could not be drawn on it. */
export function paperOf(context: PaperContext, sheets: Sheets, { form, title, record }: { readonly form: string, readonly title: string, readonly record: PaperRecord | null }): Paper {
  const { landscape, side, pages } = sheets
  return {
    form, title, at: record?.at ?? startOfOfficeDay(context.ruleSet.effective),
    pages: pages.map((marks, index) => ({ landscape, marks: [...marks, ...footer(context, { form, record, landscape, side, page: index + 1, pages: pages.length, missing: missingIn(marks) })] })),
  }
}

/** Throws PaperFontError. */
export async function printPaper(face: Typeface, paper: Paper): Promise<PrintedPaper> {
  const { pdfOf } = await import('./pdf.ts') // a dozen MiB that the recorder, which prints in a thread, need not hold
  return { pdf: await pdfOf(face, paper.pages, paper), pages: paper.pages.length, missing: missingIn(paper.pages.flatMap(page => page.marks)) }
}
