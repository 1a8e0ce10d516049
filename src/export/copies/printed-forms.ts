import type { CameraUuid } from '../../domain/index.ts'
import { requestPaperOf, type PaperPress } from '../../paper/index.ts'
import type { FormFile } from '../package/seal-package.ts'
import type { Papers } from './ports.ts'

export interface PrintedFormsOptions {
  readonly press: Pick<PaperPress, 'print'>
  readonly office: string
  readonly cameraName: (camera: CameraUuid) => string
}

/** The approved form as it stands in the case, printed under the rules of the case (E10). */
export const printedForms = ({ press, office, cameraName }: PrintedFormsOptions): Papers => ({
  async forms({ application, ruleSet }): Promise<readonly FormFile[]> {
    if (application === null || ruleSet === null || application.content.form !== 'form-2') return []
    const { pdf } = await press.print({ form: 'form-2', data: requestPaperOf(application, { ruleSet, cameraName }) }, { ruleSet, office })
    return [{ name: '附件2.pdf', bytes: pdf }]
  },
})
