import { PaperRefusedError } from './errors.ts'
import { bookFormPaper, checkFormPaper, staffFormPaper } from './line-forms.ts'
import type { Paper, PaperContext } from './paper.ts'
import { announcementPaper } from './public-sheets.ts'
import { coverSheetPaper, custodySheetPaper, destructionPaper, refusalPaper } from './record-sheets.ts'
import { requestFormPaper } from './request-form.ts'

export const FORM_NAMES = {
  'form-1': '附件1', 'form-2': '附件2', 'form-3': '附件3', 'form-4': '附件4', 'form-5': '附件5', cover: '封面', custody: '保管移轉', destruction: '銷毀紀錄', refusal: '駁回通知', announcement: '鏡頭公告', signage: '標示', checkpoint: '查核點',
} as const
export type FormName = keyof typeof FORM_NAMES
const OTHER_NAMES: Readonly<Record<string, FormName>> = { 查核表: 'form-1', 紀錄簿: 'form-5', 影音應用紀錄簿: 'form-5', 'log-book': 'form-5', check: 'form-1', 公告: 'announcement' }

/** By its English or Chinese name; null when there is none. */
export const formNamed = (name: string): FormName | null =>
  (Object.keys(FORM_NAMES) as FormName[]).find(form => form === name || FORM_NAMES[form] === name) ?? (Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name]! : null)

/** The empty form for pen and stamp. Throws PaperRefusedError for what has none. */
export function blankPaper(context: PaperContext, name: FormName): Paper {
  const { ruleSet } = context
  switch (name) {
    case 'form-1': return checkFormPaper(context, ruleSet.form(name), null)
    case 'form-2': case 'form-3': {
      const form = ruleSet.requestForm(name)
      if (form === null) throw new PaperRefusedError(`規定中沒有 ${name}。`, `the rule set has no ${name}`)
      return requestFormPaper(context, form, null)
    }
    case 'form-4': return staffFormPaper(context, ruleSet.form(name), null)
    case 'form-5': return bookFormPaper(context, ruleSet.form(name), null)
    case 'cover': return coverSheetPaper(context, null)
    case 'custody': return custodySheetPaper(context, null)
    case 'destruction': return destructionPaper(context, null)
    case 'refusal': return refusalPaper(context, null)
    case 'announcement': return announcementPaper(context, null)
    case 'signage': case 'checkpoint': throw new PaperRefusedError(`${FORM_NAMES[name]}沒有空白表單。`, `${name} has no blank form`)
  }
}
