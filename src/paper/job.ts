import { assertNever } from '../domain/index.ts'
import { PaperRefusedError } from './errors.ts'
import { blankPaper, type FormName } from './form-names.ts'
import { bookFormPaper, checkFormPaper, staffFormPaper, type BookPaper, type CheckPaper, type StaffPaper } from './line-forms.ts'
import type { Paper, PaperContext } from './paper.ts'
import { announcementPaper, checkpointPaper, signagePaper, type Announcement, type CheckpointSheet, type Signage } from './public-sheets.ts'
import { coverSheetPaper, custodySheetPaper, destructionPaper, refusalPaper, type CoverSheet, type CustodySheet, type DestructionRecord, type RefusalNotice } from './record-sheets.ts'
import { requestFormPaper, type RequestPaper } from './request-form.ts'

/** One document to print, as plain data: it may cross to another thread. */
export type PaperJob =
  | { readonly form: 'blank', readonly name: FormName }
  | { readonly form: 'form-1', readonly data: CheckPaper }
  | { readonly form: 'form-2' | 'form-3', readonly data: RequestPaper }
  | { readonly form: 'form-4', readonly data: StaffPaper }
  | { readonly form: 'form-5', readonly data: BookPaper }
  | { readonly form: 'cover', readonly data: CoverSheet }
  | { readonly form: 'custody', readonly data: CustodySheet }
  | { readonly form: 'destruction', readonly data: DestructionRecord }
  | { readonly form: 'refusal', readonly data: RefusalNotice }
  | { readonly form: 'announcement', readonly data: Announcement }
  | { readonly form: 'signage', readonly data: Signage }
  | { readonly form: 'checkpoint', readonly data: CheckpointSheet }

/** Lays a document out. Throws PaperRefusedError when the rule set has no such form. */
export function layOut(context: PaperContext, job: PaperJob): Paper {
  const { ruleSet } = context
  switch (job.form) {
    case 'blank': return blankPaper(context, job.name)
    case 'form-1': return checkFormPaper(context, ruleSet.form(job.form), job.data)
    case 'form-2': case 'form-3': {
      const form = ruleSet.requestForm(job.form)
      if (form === null) throw new PaperRefusedError(`規定中沒有 ${job.form}。`, `the rule set has no ${job.form}`)
      return requestFormPaper(context, form, job.data)
    }
    case 'form-4': return staffFormPaper(context, ruleSet.form(job.form), job.data)
    case 'form-5': return bookFormPaper(context, ruleSet.form(job.form), job.data)
    case 'cover': return coverSheetPaper(context, job.data)
    case 'custody': return custodySheetPaper(context, job.data)
    case 'destruction': return destructionPaper(context, job.data)
    case 'refusal': return refusalPaper(context, job.data)
    case 'announcement': return announcementPaper(context, job.data)
    case 'signage': return signagePaper(context, job.data)
    case 'checkpoint': return checkpointPaper(context, job.data)
    default: return assertNever(job)
  }
}
