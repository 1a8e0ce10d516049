import type { CameraUuid } from '../../domain/index.ts'
import { bookLineToComeOf, requestPaperOf, type PaperPress } from '../../paper/index.ts'
import type { FormFile } from '../package/seal-package.ts'
import type { Papers } from './ports.ts'
import { coverOf, custodyOf } from './sheet-records.ts'

export interface PrintedFormsOptions {
  readonly press: Pick<PaperPress, 'print'>
  readonly office: string
  readonly cameraName: (camera: CameraUuid) => string
}

/** Printed under the rules of the case: the approved form as it stands there, the line of the log book as it will read (E10), and the sheets beside a package. */
export const printedForms = ({ press, office, cameraName }: PrintedFormsOptions): Papers => ({
  async forms({ application, ruleSet, use, facts: { packageId, createdAt } }): Promise<readonly FormFile[]> {
    if (application === null || ruleSet === null || application.content.form !== 'form-2') return []
    const printed = await press.print({ form: 'form-2', data: requestPaperOf(application, { ruleSet, cameraName }) }, { ruleSet, office })
    const line = use === null ? null : await press.print({ form: 'form-5', data: bookLineToComeOf(use, { systemNo: packageId, at: createdAt }) }, { ruleSet, office })
    return [{ name: '附件2.pdf', bytes: printed.pdf }, ...(line === null ? [] : [{ name: '附件5.pdf', bytes: line.pdf }])]
  },
  async sheets(facts): Promise<readonly FormFile[]> {
    const { ruleSet } = facts
    const cover = await press.print({ form: 'cover', data: coverOf(facts) }, { ruleSet, office }), custody = await press.print({ form: 'custody', data: custodyOf(facts) }, { ruleSet, office })
    return [{ name: '封面.pdf', bytes: cover.pdf }, { name: '保管移轉紀錄及收據.pdf', bytes: custody.pdf }]
  },
})
