import type { RequestForm } from '../rules/index.ts'
import type { Box, Mark } from './marks.ts'
import { formTitle, paperOf, type Paper, type PaperContext, type PaperRecord } from './paper.ts'
import { PaperRefusedError } from './errors.ts'
import { Sheets } from './sheets.ts'
import { table, type Cell, type Left } from './table.ts'
import { fitText, neededMm } from './text-box.ts'

/** A step that was signed in the system; the stamp goes above it. */
export interface SignedStep { readonly name: string, readonly isDeputy: boolean, readonly decision: string, readonly on: string }
/** An application as 附件2 or 附件3 shows it: texts only, dates in ROC years. Names to the code point, ID numbers masked. */
export interface RequestPaper extends PaperRecord {
  readonly appliedOn: string
  readonly acts: { readonly view: boolean, readonly copy: boolean, readonly preserve: boolean }
  /** By id of the rule set's fields. */
  readonly fields: Readonly<Record<string, string>>
  readonly agents: readonly Readonly<Record<string, string>>[]
  /** 必要性 of a copy; empty when none is asked. */
  readonly necessity: string
  /** 來文字號, 身分查驗, 當事人 or 利害關係人: printed after the field they belong to. */
  readonly notes: Readonly<Record<string, string>>
  readonly attachments: readonly string[]
  readonly ranges: readonly string[]
  readonly cameras: readonly string[]
  /** By step of the chain; null is a box left for pen and stamp. */
  readonly signatures: readonly (SignedStep | null)[]
}

const LABEL_MM = 34, SEAL_MM = 60, SIGN_MM = 25, SIGN_HEAD_MM = 7, ROW_MM = 10.5, SIGNATURE_MM = 10
const SIZES_PT = [11, 10.5, 10, 9.5, 9, 8.5, 8] as const
/** How the rest of the page is shared on the blank form. */
const WEIGHTS: Readonly<Record<string, number>> = { 'legal-basis': 1.2, purpose: 1.6, use: 1.6, reason: 2.4, attachments: 1.2, ranges: 1.6, cameras: 1.6 }

const lines = (...parts: readonly string[]): string => parts.filter(part => part !== '').join('\n')
const tick = (is: boolean): string => (is ? '☑' : '□')

function valueOf(id: string, paper: RequestPaper | null): string {
  if (paper === null) return ''
  const own = paper.fields[id] ?? '', note = paper.notes[id] ?? ''
  const [agent] = paper.agents
  switch (id) {
    case 'attachments': return lines(paper.attachments.join('、'), note)
    case 'ranges': return paper.ranges.join('\n')
    case 'cameras': return paper.cameras.join('\n')
    case 'use': return lines(own, paper.necessity === '' ? '' : `複製之必要：${paper.necessity}`, paper.acts.preserve ? '☑申請保存（影像留存於受理單位）' : '', note)
    case 'reason': return lines(note, own, paper.acts.preserve ? '☑申請保存（影像留存於受理單位）' : '')
    default: return lines(own === '' ? agent?.[id] ?? '' : own, note)
  }
}

const signedText = (signed: SignedStep | null | undefined): string => (signed === null || signed === undefined ? '' : `系統簽核：${signed.name}${signed.isDeputy ? '（代）' : ''}\n${signed.decision}　${signed.on}`)

/** Heights that share `roomMm`: full size if it can be, then smaller, then cut evenly; cut text goes on on another page. */
export function shareRows(need: (index: number, sizePt: number) => number, weights: readonly number[], leastMm: number, roomMm: number): { readonly sizePt: number, readonly heights: readonly number[] } {
  const total = (heights: readonly number[]): number => heights.reduce((sum, each) => sum + each, 0)
  const spread = (heights: readonly number[]): readonly number[] => { const spare = roomMm - total(heights), all = total(weights); return heights.map((each, index) => each + spare * weights[index]! / all) }
  for (const sizePt of SIZES_PT) {
    const heights = weights.map((_, index) => Math.max(leastMm, need(index, sizePt)))
    if (total(heights) <= roomMm) return { sizePt, heights: spread(heights) }
  }
  const sizePt = SIZES_PT.at(-1)!
  let most = roomMm
  const capped = (): readonly number[] => weights.map((_, index) => Math.max(leastMm, Math.min(most, need(index, sizePt))))
  while (total(capped()) > roomMm && most > leastMm) most -= 1
  return { sizePt, heights: spread(capped()) }
}

/** 附件2 or 附件3 by the rule set's own labels, blank when `paper` is null. Throws PaperRefusedError for a form that is no request of one page. */
export function requestFormPaper(context: PaperContext, form: RequestForm, paper: RequestPaper | null): Paper {
  const { face, ruleSet, office } = context
  if (form.linesPerPage !== 1) throw new PaperRefusedError(`${form.annex} 不是一案一頁的申請書。`, `${form.id} is not a form of one case a page`)
  const plainTitle = formTitle(context, form.title)
  const title = plainTitle.replace('□調閱', ` ${tick(paper?.acts.view === true)}調閱 `).replace('□複製', `${tick(paper?.acts.copy === true)}複製 `)
  let isMain = true
  const sheets = new Sheets(face, {}, each => {
    each.title(isMain ? title : `${plainTitle.replaceAll('□', '')}（續頁）`, office)
  })
  const fieldOf = (id: string) => form.fields.find(field => field.id === id)
  const labelOf = (id: string): string => fieldOf(id)?.label ?? id
  const appliedOn = labelOf('applied-on')
  sheets.text(paper === null || paper.appliedOn === '' ? `${appliedOn}：　　　年　　　月　　　日` : `${appliedOn}：${paper.appliedOn}`, { align: 'right' })
  sheets.gap(1.5)
  const left: Left[] = []
  const label = (row: number, column: number, text: string, extra: Partial<Cell> = {}): Cell => ({ row, column, text, align: 'center', valign: 'middle', minPt: 7, lead: 1.2, ...extra })
  const value = (row: number, column: number, id: string, extra: Partial<Cell> = {}): Cell => ({ row, column, id, text: valueOf(id, paper), valign: 'middle', minPt: 7, lead: 1.2, ...extra })
  const place = (columns: readonly number[], rows: readonly number[], cells: readonly Cell[]): void => {
    const placed = table(face, { x: sheets.side, y: sheets.y, columns, rows, cells })
    sheets.put(...placed.marks)
    left.push(...placed.left)
    sheets.y = placed.bottom
  }
  const hasSeal = fieldOf('seal') !== undefined
  const head = hasSeal ? ['agency', 'applicant', 'phone'] : ['applicant', 'applicant-id', 'applicant-address', 'applicant-phone', 'agent', 'agent-id', 'agent-address', 'agent-phone', 'relation']
  if (hasSeal) {
    const agent = paper?.agents.map(each => each['agent'] ?? '').filter(name => name !== '').join('、') ?? ''
    const shown = (id: string): Partial<Cell> => (id === 'applicant' && agent !== '' ? { text: `${valueOf(id, paper)}\n（代理人：${agent}）` } : {})
    place([LABEL_MM, sheets.width - LABEL_MM - SEAL_MM - 10, 10, SEAL_MM], head.map(() => 15), [
      ...head.flatMap((id, row) => [label(row, 0, labelOf(id)), value(row, 1, id, shown(id))]), label(0, 2, Array.from(labelOf('seal')).join('\n'), { rows: 3 }), { row: 0, column: 3, rows: 3 },
    ])
  } else {
    const half = (sheets.width - 2 * LABEL_MM) / 2
    const pairs: Cell[] = [0, 1, 2, 3].flatMap(row => [0, 1].flatMap(side => { const id = head[row * 2 + side]!; return [label(row, side * 2, labelOf(id)), value(row, side * 2 + 1, id)] }))
    place([LABEL_MM, half, LABEL_MM, half], [ROW_MM, ROW_MM, ROW_MM, ROW_MM, ROW_MM], [...pairs, label(4, 0, labelOf('relation')), value(4, 1, 'relation', { columns: 3 })])
  }
  const statement = form.statement === undefined ? null : ruleSet.statement(form.statement)
  const statementText = statement === null ? '' : `${statement.title}：\n${statement.lines.map((line, index) => `${'一二三四五六七八九十'[index] ?? index + 1}、${line}`).join('\n')}`
  const signature = fieldOf('signature')
  const statementMm = statement === null ? 0 : neededMm(face, statementText, sheets.width, { sizePt: 10, lead: 1.35 }) + (signature === undefined ? 0.5 : SIGNATURE_MM + 0.5)
  const flexible = ['legal-basis', 'purpose', 'use', 'reason', 'attachments', 'ranges', 'cameras'].filter(id => fieldOf(id) !== undefined)
  const room = sheets.bottom - sheets.y - statementMm - SIGN_MM - SIGN_HEAD_MM
  const { sizePt, heights } = shareRows((index, size) => neededMm(face, valueOf(flexible[index]!, paper), sheets.width - LABEL_MM, { sizePt: size }), flexible.map(id => WEIGHTS[id] ?? 1), ROW_MM, room)
  place([LABEL_MM, sheets.width - LABEL_MM], heights, flexible.flatMap((id, row) => [label(row, 0, labelOf(id)), { row, column: 1, id, text: valueOf(id, paper), sizePt, valign: 'middle' }]))
  if (statement !== null) {
    place([sheets.width], [statementMm], [{
      row: 0, column: 0, draw: (box: Box): readonly Mark[] => [
        ...fitText(face, statementText, { ...box, h: box.h - (signature === undefined ? 0 : SIGNATURE_MM) }, { sizePt: 10, minPt: 7, lead: 1.35 }).marks,
        ...(signature === undefined ? [] : fitText(face, `${signature.label}：＿＿＿＿＿＿＿＿＿＿＿＿`, { x: box.x, y: box.y + box.h - SIGNATURE_MM, w: box.w, h: SIGNATURE_MM }, { align: 'right', valign: 'middle', minPt: 8 }).marks),
      ],
    }])
  }
  const steps = ruleSet.chain(form.chain).steps
  sheets.boxes(steps.map(step => ruleSet.post(step.post).name), { highMm: SIGN_MM, headMm: SIGN_HEAD_MM, inside: steps.map((_, index) => signedText(paper?.signatures[index])) })
  const others = (paper?.agents ?? []).slice(hasSeal ? 0 : 1).map((agent, index) => ({ label: `代理人（${hasSeal ? index + 1 : index + 2}）`, rest: form.fields.filter(field => field.of === 'agent' && (agent[field.id] ?? '') !== '').map(field => `${field.label}：${agent[field.id]}`).join('\n') }))
  const rest = [...left.map(each => ({ label: `${labelOf(each.id)}（續）`, rest: each.rest })), ...others.filter(each => !hasSeal && each.rest !== '')]
  if (rest.length > 0) {
    isMain = false
    sheets.page()
    sheets.rows([{ mm: LABEL_MM, style: { align: 'center', minPt: 7 } }, { mm: sheets.width - LABEL_MM, style: { sizePt: 10 } }], rest.map(each => ({ cells: [each.label, each.rest], minMm: ROW_MM })))
  }
  return paperOf(context, sheets, { form: form.id, title: plainTitle, record: paper })
}
