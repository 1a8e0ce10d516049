import { createHash } from 'node:crypto'
import { rocDateTimeText } from '../rules/index.ts'
import { hasUse, lineHash, USE_KINDS, USE_NAMES, type BookLine } from './line.ts'
import type { BookSignature, Box } from './tables/lines.ts'

/** As the rule's form has it. */
export const LINES_A_PAGE = 14

export interface PrintedLine {
  readonly line: BookLine
  /** Number of the line that corrects this one: it prints struck through (R43). */
  readonly struckBy: number | null
  readonly signatures: readonly BookSignature[]
}
export interface BookPage { readonly number: number, readonly lines: readonly PrintedLine[], readonly sha256: string, readonly isFull: boolean }

/** Over the number and the lines' own hashes, computed anew: signatures and corrections come later and leave it as it was printed. Hex. */
export const pageHash = (number: number, lines: readonly BookLine[]): string =>
  createHash('sha256').update(`custos book page 1\n${number}\n${lines.map(line => `${line.line} ${lineHash(line)}\n`).join('')}`).digest('hex')

const escaped = (text: string): string => text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
const grouped = (hex: string): string => hex.match(/.{1,4}/g)?.join(' ') ?? ''

function rowHtml({ line, struckBy, signatures }: PrintedLine): string {
  const box = (which: Box): string => { const found = signatures.find(each => each.box === which); return found === undefined ? '' : `${escaped(found.name)}<br><small>${escaped(signedText(found))}</small>` }
  const ticks = USE_KINDS.map(kind => `${hasUse(line.uses, kind) ? '☑' : '□'}${USE_NAMES[kind].zh}`).join(' ') + (line.uses.other === null ? '' : `：${escaped(line.uses.other)}`)
  const what = line.ranges.map(({ cameraName, from, to }) => `${escaped(cameraName)} ${rocDateTimeText(from)}至${rocDateTimeText(to)}`).join('<br>')
  const note = [line.corrects === null ? '' : `更正第 ${line.corrects} 行：${escaped(line.reason ?? '')}`, struckBy === null ? '' : `已由第 ${struckBy} 行更正`].filter(text => text !== '').join('；')
  return `<tr${struckBy === null ? '' : ' class="struck"'}><td>${line.line}</td><td>${rocDateTimeText(line.usedAt)}</td><td>${escaped(line.applicant)}${line.unit === '' ? '' : `<br><small>${escaped(line.unit)}</small>`}</td>` +
    `<td>${escaped(line.matter)}<br><small>${escaped(line.application)}<br>${what}</small>${note === '' ? '' : `<br><small class="note">${note}</small>`}</td><td>${ticks}</td><td class="sign">${box('custodian')}</td><td class="sign">${box('head')}</td></tr>`
}
const signedText = ({ atMs }: BookSignature): string => new Intl.DateTimeFormat('zh-TW-u-ca-roc', { dateStyle: 'long', timeZone: 'Asia/Taipei' }).format(atMs)
const EMPTY_ROW = `<tr><td></td><td>年　月　日<br>時　分</td><td></td><td></td><td>${USE_KINDS.map(kind => `□${USE_NAMES[kind].zh}`).join(' ')}</td><td class="sign"></td><td class="sign"></td></tr>`

/** One landscape page of 附件5 to print; boxes not signed here stay empty for pen and stamp, a page without lines is the blank form. Needs no network and runs no script. */
export function bookPageHtml({ title, page }: { readonly title: string, readonly page: BookPage }): string {
  return `<!doctype html>
<html lang="zh-Hant-TW"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escaped(title)} ${page.number}</title>
<style>
@page { size: A4 landscape; margin: 10mm }
body { font: 9.5pt/1.3 "Noto Sans TC", "Microsoft JhengHei", sans-serif; color: #000; margin: 0 } h1 { font-size: 14pt; text-align: center; margin: 0 0 2mm } small { font-size: 7.5pt }
table { border-collapse: collapse; width: 100% } th, td { border: 0.3mm solid #000; padding: 0.8mm 1.2mm; vertical-align: top; overflow-wrap: anywhere } tr { break-inside: avoid }
.sign { width: 24mm } .struck td { text-decoration: line-through } .struck .note { text-decoration: none; display: inline-block } footer { font: 7.5pt "Noto Sans Mono", Consolas, monospace; margin-top: 1.5mm }
</style></head><body>
<h1>${escaped(title)}</h1>
<table><thead><tr><th rowspan="2">行</th><th rowspan="2">日期時間</th><th rowspan="2">申請人</th><th rowspan="2">案由</th><th rowspan="2">應用情形</th><th colspan="2">簽章</th></tr><tr><th>管理人員</th><th>主管</th></tr></thead>
<tbody>
${[...page.lines.map(rowHtml), ...Array.from({ length: LINES_A_PAGE - page.lines.length }, () => EMPTY_ROW)].join('\n')}
</tbody></table>
<footer>第 ${page.number} 頁　${page.lines.length === 0 ? '' : `SHA-256 ${grouped(page.sha256)}${page.isFull ? '' : '（本頁未滿 / page not full）'}`}</footer>
</body></html>
`
}
