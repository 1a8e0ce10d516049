import type { Acting } from '../access/index.ts'
import type { ApplicationNumber, DeskReader } from '../requests/index.ts'
import type { Rules } from '../rules/index.ts'

/** What the log book says of a case (R40), and the watermark shows of it. */
export interface CaseFacts { readonly applicant: string, readonly unit: string, readonly matter: string, readonly basis: string, readonly agents: readonly string[] }

/** Words of a form on one line, cut to what a book line takes. */
const oneLine = (text: string, mostChars: number): string => Array.from(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()).slice(0, mostChars).join('')

/** Reads the case as the person may see it. Throws UnknownApplicationError. */
export function caseFactsOf(reader: Pick<DeskReader, 'application'>, shelf: Rules) {
  return (acting: Acting, number: ApplicationNumber): CaseFacts => {
    const application = reader.application(acting, number)
    const { content } = application
    const form = shelf.get(application.ruleSet).requestForm(content.form)
    const meant = (means: string, of?: string): string => {
      const field = form?.fields.find(each => each.means === means && (of === undefined || each.of === undefined || each.of === of))
      return field === undefined ? '' : content.fields[field.id] ?? ''
    }
    const agentField = form?.fields.find(field => field.of === 'agent' && field.means === 'applicant')?.id
    return {
      applicant: oneLine(meant('applicant', 'applicant'), 200), unit: oneLine(meant('agency') || (content.applicantUnit ?? ''), 200), matter: oneLine(meant('purpose'), 500) || number,
      basis: oneLine(meant('legal-basis'), 400) || `${form?.annex ?? content.form} 核准`,
      agents: agentField === undefined ? [] : content.agents.map(agent => oneLine(agent.fields[agentField] ?? '', 200)).filter(name => name !== ''),
    }
  }
}
