import type { Form } from '../rules/index.ts'
import { PaperRefusedError } from './errors.ts'
import type { Box, Mark } from './marks.ts'
import { formTitle, paperOf, type Paper, type PaperContext, type PaperRecord } from './paper.ts'
import type { SignedStep } from './request-form.ts'
import { Sheets } from './sheets.ts'
import { table, type Cell } from './table.ts'
import { fitText } from './text-box.ts'

/** A line of 附件1. No table holds checks yet: whoever makes one gives it in this shape. */
export interface CheckLine {
  /** ROC date. */
  readonly on: string
  readonly isWorking: boolean
  /** 異常情形及處理情形; empty when there was none. */
  readonly fault: string
  readonly checker: string
  /** 補登 (R9): when it was really entered, ROC date and time; else null. */
  readonly enteredLate: string | null
  /** Signed in the system; null leaves the box for the stamp. */
  readonly superior: { readonly name: string, readonly on: string } | null
}
export interface CheckPaper extends PaperRecord { readonly lines: readonly CheckLine[] }

/** An entry of 附件4, with cameras and times inside 調閱目的 (R39). */
export interface StaffEntry { readonly number: string, readonly on: string, readonly applicant: string, readonly unit: string, readonly purpose: string, readonly ranges: readonly string[], readonly signatures: readonly (SignedStep | null)[] }
export interface StaffPaper extends PaperRecord { readonly entries: readonly StaffEntry[] }

const BLANK_DATE = '　 年　月　日'
const chunked = <Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] => (items.length === 0 ? [[]] : Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size)))
const labelOf = (form: Form, id: string): string => form.fields.find(field => field.id === id)?.label ?? id
const centred = { align: 'center', valign: 'middle', minPt: 7, lead: 1.2 } as const
interface LeftOver { readonly where: string, readonly rest: string, readonly struck?: boolean }

/** What had no room on its line, in full order on pages of its own. */
function continuation(sheets: Sheets, left: readonly LeftOver[]): void {
  if (left.length === 0) return
  sheets.page()
  sheets.rows([{ mm: 40, head: '接續', style: { align: 'center', minPt: 7, sizePt: 10 } }, { mm: sheets.width - 40, head: '內容', style: { sizePt: 10 } }], left.map(({ where, rest, struck = false }) => ({ cells: [where, rest], minMm: 9, struck })))
}

/** 附件1 查核表. */
export function checkFormPaper(context: PaperContext, form: Form, paper: CheckPaper | null): Paper {
  if (form.use !== 'check') throw new PaperRefusedError(`${form.annex} 不是查核表。`, `${form.id} is no check form`)
  const { face, office } = context
  let isRest = false
  const sheets = new Sheets(face, {}, each => { each.title(isRest ? `${formTitle(context, form.title)}（續頁）` : formTitle(context, form.title), office); each.gap(2) })
  const columns = [27, 13, 13, 71, 26, 30], headMm = 8, left: LeftOver[] = []
  for (const [page, lines] of chunked(paper?.lines ?? [], form.linesPerPage).entries()) {
    if (page > 0) sheets.page()
    const [working = '正常運作', yes = '是', no = '否'] = labelOf(form, 'working').split(/[（／）]/)
    const rowMm = (sheets.bottom - sheets.y - 2 * headMm) / form.linesPerPage
    const head: Cell[] = [
      { row: 0, column: 0, rows: 2, text: labelOf(form, 'date') }, { row: 0, column: 1, columns: 2, text: working }, { row: 1, column: 1, text: yes }, { row: 1, column: 2, text: no },
      { row: 0, column: 3, rows: 2, text: labelOf(form, 'fault') }, { row: 0, column: 4, rows: 2, text: labelOf(form, 'checker') }, { row: 0, column: 5, rows: 2, text: labelOf(form, 'superior') },
    ]
    const body = Array.from({ length: form.linesPerPage }, (_, index): Cell[] => {
      const line = lines[index], row = index + 2
      return [
        { row, column: 0, id: `${page}/${index}/date`, ...centred, sizePt: 10, text: line === undefined ? BLANK_DATE : `${line.on}${line.enteredLate === null ? '' : `\n補登 ${line.enteredLate}`}` },
        { row, column: 1, ...centred, text: line?.isWorking === true ? '☑' : '□' }, { row, column: 2, ...centred, text: line?.isWorking === false ? '☑' : '□' },
        { row, column: 3, id: `${page}/${index}/fault`, text: line?.fault ?? '', sizePt: 10, minPt: 7, lead: 1.2, valign: 'middle' }, { row, column: 4, id: `${page}/${index}/checker`, ...centred, text: line?.checker ?? '' }, { row, column: 5, ...centred, sizePt: 8, valign: 'bottom', text: line?.superior === undefined || line.superior === null ? '' : `${line.superior.name}\n${line.superior.on}` },
      ]
    })
    const placed = table(face, { x: sheets.side, y: sheets.y, columns, rows: [headMm, headMm, ...Array.from({ length: form.linesPerPage }, () => rowMm)], cells: [...head.map(cell => ({ ...cell, ...centred })), ...body.flat()] })
    sheets.put(...placed.marks)
    left.push(...placed.left.flatMap(({ id, rest }) => { const [, index, field] = id.split('/'); const line = lines[Number(index)]; return line === undefined || field === undefined ? [] : [{ where: `${line.on}\n${labelOf(form, field)}`, rest }] }))
  }
  isRest = true
  continuation(sheets, left)
  return paperOf(context, sheets, { form: form.id, title: formTitle(context, form.title), record: paper })
}

const STAFF_COLUMNS = ['date', 'applicant', 'purpose'] as const

/** 附件4 內部人員調閱影音資料紀錄表: three stacked stamps beside each entry. Its number stands under the date: what goes on on a further page is found by it. */
export function staffFormPaper(context: PaperContext, form: Form, paper: StaffPaper | null): Paper {
  if (form.use !== 'request' || form.chain === undefined) throw new PaperRefusedError(`${form.annex} 不是申請紀錄表。`, `${form.id} is no record of requests`)
  const { face, ruleSet, office } = context
  const posts = ruleSet.chain(form.chain).steps.map(step => ruleSet.post(step.post).name)
  let isRest = false
  const sheets = new Sheets(face, {}, each => { each.title(isRest ? `${formTitle(context, form.title)}（續頁）` : formTitle(context, form.title), office); each.gap(2) })
  const columns = [27, 28, 67, 28, 30], headMm = 9, left: LeftOver[] = []
  for (const [page, entries] of chunked(paper?.entries ?? [], form.linesPerPage).entries()) {
    if (page > 0) sheets.page()
    const stepMm = (sheets.bottom - sheets.y - headMm) / form.linesPerPage / posts.length
    const head: Cell[] = STAFF_COLUMNS.map((id, column) => ({ row: 0, column, text: labelOf(form, id), ...centred }))
    const body = Array.from({ length: form.linesPerPage }, (_, index): Cell[] => {
      const entry = entries[index], row = 1 + index * posts.length, rows = posts.length
      const where = entry === undefined ? '' : [entry.purpose, ...entry.ranges].join('\n')
      return [
        { row, rows, column: 0, ...centred, id: `${page}/${index}/0`, sizePt: 10, text: entry === undefined ? BLANK_DATE : `${entry.on}\n${entry.number}` }, { row, rows, column: 1, ...centred, id: `${page}/${index}/1`, text: entry === undefined ? '' : entry.unit === '' ? entry.applicant : `${entry.applicant}\n${entry.unit}` },
        { row, rows, column: 2, id: `${page}/${index}/2`, text: where, sizePt: 10, minPt: 7, lead: 1.2, valign: 'middle' },
        ...posts.flatMap((post, step): Cell[] => {
          const signed = entry?.signatures[step]
          return [{ row: row + step, column: 3, text: post, ...centred, sizePt: 9 }, {
            row: row + step, column: 4, text: signed === null || signed === undefined ? '' : `${signed.name}${signed.isDeputy ? '（代）' : ''} ${signed.decision}\n${signed.on}`, sizePt: 7, minPt: 5, lead: 1.1, align: 'center', valign: 'bottom', padMm: 0.6,
          }]
        }),
      ]
    })
    const placed = table(face, {
      x: sheets.side, y: sheets.y, columns, rows: [headMm, ...Array.from({ length: form.linesPerPage * posts.length }, () => stepMm)], cells: [...head, { row: 0, column: 3, columns: 2, text: '核章', ...centred }, ...body.flat()],
    })
    sheets.put(...placed.marks)
    left.push(...placed.left.flatMap(({ id, rest }) => { const [, index, column] = id.split('/'); const entry = entries[Number(index)]; return entry === undefined || column === undefined ? [] : [{ where: `${entry.number}\n${labelOf(form, STAFF_COLUMNS[Number(column)] ?? '')}`, rest }] }))
  }
  isRest = true
  continuation(sheets, left)
  return paperOf(context, sheets, { form: form.id, title: formTitle(context, form.title), record: paper })
}

/** A line of 附件5. */
export interface BookPaperLine {
  /** Null while it is not entered. */
  readonly line: number | null
  /** `115年11月26日` and `14時05分`. */
  readonly day: string
  readonly time: string
  readonly applicant: string
  readonly unit: string
  readonly matter: string
  /** Application, cameras and times, in small print. */
  readonly detail: string
  /** The four boxes of 應用情形 in the form's order; `other` is the text of the last. */
  readonly uses: readonly boolean[]
  readonly other: string
  /** Struck through when not null: number of the line that corrects it. */
  readonly struckBy: number | null
  readonly corrects: { readonly line: number, readonly reason: string } | null
  /** Name and date of who signed in the system; empty leaves the box. */
  readonly custodian: string
  readonly superior: string
}
export interface BookPaper extends PaperRecord { /** Null for a line that goes with a package and is entered by its release. */ readonly page: number | null, readonly isFull: boolean, readonly lines: readonly BookPaperLine[] }

/** As the fields stand on a line. */
const BOOK_ORDER = { at: 0, applicant: 1, matter: 2, correction: 3, 'applied-as': 4 } as const
const BOOK_SIDE_MM = 14, BOOK_FOOTER_MM = 26, MATTER_MM = 4.2

/** One page of 附件5 影音應用紀錄簿, landscape: a corrected line stays and is struck through (R43), the page says its hash (R49). */
export function bookFormPaper(context: PaperContext, form: Form, paper: BookPaper | null): Paper {
  if (form.use !== 'book') throw new PaperRefusedError(`${form.annex} 不是紀錄簿。`, `${form.id} is no log book`)
  if ((paper?.lines.length ?? 0) > form.linesPerPage) throw new PaperRefusedError(`一頁只有 ${form.linesPerPage} 行。`, `a page has ${form.linesPerPage} lines`)
  const { face, office } = context
  let isRest = false
  const sheets = new Sheets(face, { landscape: true, side: BOOK_SIDE_MM, footer: BOOK_FOOTER_MM }, each => {
    each.y = 8
    each.title(isRest ? `${formTitle(context, form.title)}（續頁）` : formTitle(context, form.title), office)
    const { sizePt, padMm } = { sizePt: 9, padMm: 0 }
    if (!isRest) each.put(...fitText(face, paper === null ? '第　　頁' : paper.page === null ? '本行於交付時登錄，行次見保管移轉紀錄' : `第 ${paper.page} 頁${paper.isFull ? '' : '（本頁未滿）'}`, { x: each.side, y: 9, w: each.width, h: 6 }, { sizePt, padMm, align: 'right' }).marks)
  })
  const [custodian = '管理人員', superior = '主管'] = ['custodian', 'superior'].map(id => labelOf(form, id).replace(/^簽章：/, ''))
  const options = form.fields.find(field => field.kind === 'options')?.options ?? []
  const columns = [30, 42, sheets.width - 30 - 42 - 52 - 2 * 31, 52, 31, 31], headMm = 5.5
  const rowMm = (sheets.bottom - sheets.y - 2 * headMm) / form.linesPerPage
  const head: Cell[] = [
    ...['at', 'applicant', 'matter', 'applied-as'].map((id, column): Cell => ({ row: 0, column, rows: 2, text: labelOf(form, id) })), { row: 0, column: 4, columns: 2, text: '簽章' }, { row: 1, column: 4, text: custodian }, { row: 1, column: 5, text: superior },
  ]
  const left: (LeftOver & { readonly order: number })[] = []
  const keep = (index: number, field: keyof typeof BOOK_ORDER, rest: string): void => {
    const line = paper?.lines[index]
    if (rest === '' || line === undefined) return
    left.push({ where: `${line.line === null ? '' : `第${line.line}行\n`}${field === 'correction' ? '更正' : labelOf(form, field)}`, rest, struck: line.struckBy !== null && field !== 'correction', order: index * 10 + BOOK_ORDER[field] })
  }
  const body = Array.from({ length: form.linesPerPage }, (_, index): Cell[] => {
    const line = paper?.lines[index], row = index + 2, struck = line !== undefined && line.struckBy !== null
    const note = line === undefined ? '' : [line.struckBy === null ? '' : `已由第${line.struckBy}行更正`, line.corrects === null ? '' : `更正第${line.corrects.line}行：${line.corrects.reason}`].filter(text => text !== '').join('；')
    const small = { sizePt: 9, minPt: 6, lead: 1.12, padMm: 0.7, valign: 'middle' } as const
    const ticks = options.map((option, at) => `${line?.uses[at] === true ? '☑' : '□'}${option}`)
    const uses = [ticks.slice(0, 2).join('　'), `${ticks.slice(2).join('　')}${line === undefined || line.other === '' ? '' : `：${line.other}`}`].join('\n')
    const matter = (box: Box): readonly Mark[] => {
      if (line === undefined) return []
      const noteMm = note === '' ? 0 : 3.2
      const under = fitText(face, note, { x: box.x, y: box.y + box.h - noteMm, w: box.w, h: noteMm }, { sizePt: 6.5, minPt: 5, lead: 1.1, padMm: 0.4 })
      const first = fitText(face, line.matter, { ...box, h: MATTER_MM }, { ...small, minPt: 7, struck })
      const isShort = first.rest === ''
      const text = isShort ? line.detail : `${line.matter}\n${line.detail}`
      const room = { ...box, y: isShort ? box.y + MATTER_MM : box.y, h: box.h - noteMm - (isShort ? MATTER_MM : 0) }
      const style = { ...small, sizePt: isShort ? 7 : 9, minPt: 5.5, padMm: 0.4, valign: 'top', struck } as const
      const whole = fitText(face, text, room, style)
      const more = whole.rest === '' && under.rest === '' ? [] : fitText(face, '（接續頁）', { x: box.x, y: room.y + room.h - 2.6, w: box.w, h: 2.6 }, { sizePt: 5.5, lead: 1.1, padMm: 0.2, align: 'right' }).marks
      const main = more.length === 0 ? whole : fitText(face, text, { ...room, h: room.h - 2.6 }, { ...style, sizePt: whole.sizePt, minPt: whole.sizePt })
      keep(index, 'matter', main.rest); keep(index, 'correction', under.rest)
      return [...(isShort ? first.marks : []), ...main.marks, ...under.marks, ...more]
    }
    return [
      { row, column: 0, id: `${index}/at`, ...small, align: 'center', struck, text: line === undefined ? `${BLANK_DATE}\n　 時　 分` : `${line.day}\n${line.time}` },
      { row, column: 1, id: `${index}/applicant`, ...small, struck, text: line === undefined ? '' : line.unit === '' ? line.applicant : `${line.applicant}\n${line.unit}` },
      { row, column: 2, draw: matter }, { row, column: 3, id: `${index}/applied-as`, ...small, struck, text: uses },
      { row, column: 4, ...small, sizePt: 7.5, minPt: 5, align: 'center', text: line?.custodian ?? '' }, { row, column: 5, ...small, sizePt: 7.5, minPt: 5, align: 'center', text: line?.superior ?? '' },
    ]
  })
  const placed = table(face, { x: sheets.side, y: sheets.y, columns, rows: [headMm, headMm, ...Array.from({ length: form.linesPerPage }, () => rowMm)], cells: [...head.map((cell): Cell => ({ ...cell, ...centred, padMm: 0.4, sizePt: 10 })), ...body.flat()] })
  sheets.put(...placed.marks)
  // Line numbers stand outside the table: the form of the rule has no column for them, and corrections name them.
  paper?.lines.forEach(({ line }, index) => { sheets.put(...fitText(face, line === null ? '' : String(line), { x: 2, y: sheets.y + 2 * headMm + index * rowMm, w: BOOK_SIDE_MM - 2.5, h: rowMm }, { sizePt: 7, minPt: 4, padMm: 0.3, align: 'right', valign: 'middle' }).marks) })
  for (const { id, rest } of placed.left) { const [index, field = ''] = id.split('/'); if (Object.hasOwn(BOOK_ORDER, field)) keep(Number(index), field as keyof typeof BOOK_ORDER, rest) }
  isRest = true
  continuation(sheets, left.toSorted((a, b) => a.order - b.order))
  return paperOf(context, sheets, { form: form.id, title: formTitle(context, form.title), record: paper })
}
