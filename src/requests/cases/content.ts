import type { CameraUuid, EpochMs } from '../../domain/index.ts'
import type { FormField, RequestForm, RuleSet } from '../../rules/index.ts'
import type { Acts, Content } from './application.ts'
import { checkIdNumber } from './id-number.ts'
import { CASE_LIMITS } from './limits.ts'
import { WORDS_TEXTS, wordsFault } from './plain-words.ts'
import type { ContentProblem } from './refusal.ts'
import { SCOPE_TEXTS, scopeFaults } from './scope.ts'

export interface ContentContext { readonly ruleSet: RuleSet, readonly now: EpochMs, readonly isKnownCamera: (camera: CameraUuid) => boolean }

/** Kinds of fields a person writes text into; the others are filled from structured parts or by pen. */
const WRITTEN = new Set(['text', 'long-text', 'phone', 'id-number', 'date'])
const HASH = /^[0-9a-f]{64}$/

const problem = (where: string, zh: string, en: string): ContentProblem => ({ where, zh, en })
const wordsProblem = (where: string, text: string, maxChars: number, lines = false): readonly ContentProblem[] => {
  const fault = wordsFault(text, { maxChars, lines })
  return fault === null ? [] : [{ where, ...WORDS_TEXTS[fault] }]
}

function fieldProblems(where: string, values: Readonly<Record<string, string>>, fields: readonly FormField[]): readonly ContentProblem[] {
  const entries = Object.entries(values)
  if (entries.length > CASE_LIMITS.fields) return [problem(where, '欄位過多。', 'holds too many fields.')]
  return entries.flatMap(([id, text]) => {
    const field = fields.find(candidate => candidate.id === id)
    if (field === undefined) return [problem(`${where}.${id.slice(0, 40)}`, '這張表沒有這一欄。', 'is no field of this form.')]
    return text === '' ? [] : wordsProblem(`${where}.${id}`, text, field.maxChars ?? CASE_LIMITS.defaultFieldChars, field.kind === 'long-text')
  })
}

const written = (form: RequestForm, of: 'case' | 'agent'): readonly FormField[] => form.fields.filter(field => WRITTEN.has(field.kind) && (field.of === 'agent') === (of === 'agent'))
const anyOf = (acts: Acts): boolean => acts.view || acts.copy || acts.preserve

function actProblems(content: Content, form: RequestForm): readonly ContentProblem[] {
  const problems = (['view', 'copy', 'preserve'] as const).filter(act => content.acts[act] && !form.acts.includes(act))
    .map(act => problem(`acts.${act}`, '這種申請沒有此項。', 'This form has no such act.'))
  // R30, whatever a rule set says: nobody but an agency has the copy box.
  if (content.acts.copy && content.applicantClass !== 'agency' && problems.length === 0) problems.push(problem('acts.copy', '只有公務機關得申請複製。', 'Only an agency may ask for a copy.'))
  if (!anyOf(content.acts)) problems.push(problem('acts', '請至少勾選一項。', 'Tick at least one.'))
  return problems
}

/** What can not be accepted at all, each with its place. What is merely missing is not here: see `lacking`. */
export function contentProblems(content: Content, form: RequestForm, context: ContentContext): readonly ContentProblem[] {
  const most = context.ruleSet.rules.agents.most
  return [
    ...(form.applicants.includes(content.applicantClass) ? [] : [problem('applicantClass', '這種申請人不用這張表。', 'This form is not for that kind of applicant.')]),
    ...actProblems(content, form),
    ...fieldProblems('fields', content.fields, written(form, 'case')),
    ...(content.agents.length > most ? [problem('agents', `代理人不得超過 ${most} 人。`, `There may be at most ${most} agents.`)] : []),
    ...content.agents.slice(0, most).flatMap((agent, index) => [
      ...fieldProblems(`agents[${index}].fields`, agent.fields, written(form, 'agent')),
      ...(agent.powerOfAttorney === null ? [] : wordsProblem(`agents[${index}].powerOfAttorney`, agent.powerOfAttorney, CASE_LIMITS.nameChars)),
    ]),
    ...(content.necessity === null ? [] : wordsProblem('necessity', content.necessity, CASE_LIMITS.reasonChars, true)),
    ...(content.authority?.kind === 'sealed-scan' && !HASH.test(content.authority.sha256) ? [problem('authority.sha256', '掃描檔的 SHA-256 有誤。', 'is no SHA-256.')] : []),
    ...(content.authority?.kind === 'document' ? wordsProblem('authority.number', content.authority.number, CASE_LIMITS.nameChars) : []),
    ...(content.identity === null ? [] : [...wordsProblem('identity.document', content.identity.document, CASE_LIMITS.nameChars), ...wordsProblem('identity.seenBy', content.identity.seenBy, CASE_LIMITS.nameChars)]),
    ...(content.applicantClass === 'staff' && (content.applicantAccount === null || content.applicantUnit === null)
      ? [problem('applicantAccount', '本所人員的申請須有帳號與單位。', 'A member of staff applies with account and unit.')] : []),
    ...(content.applicantUnit === null ? [] : wordsProblem('applicantUnit', content.applicantUnit, CASE_LIMITS.nameChars)),
    ...scopeFaults(content.asked, context).map(({ line, fault }) => ({ where: line === null ? 'asked' : `asked[${line}]`, ...SCOPE_TEXTS[fault] })),
  ]
}

const isFilled = (text: string | null | undefined): boolean => text !== null && text !== undefined && text.trim() !== ''

/** What is still missing before anybody may agree; what a completion notice lists. */
export function lacking(content: Content, form: RequestForm): readonly ContentProblem[] {
  const missing = (where: string, label: string, en: string): ContentProblem => problem(where, `缺少${label}。`, `${en} is missing.`)
  const isParty = content.applicantClass === 'data-subject' || content.applicantClass === 'interested-party'
  return [
    ...written(form, 'case').filter(field => field.required === true && !isFilled(content.fields[field.id])).map(field => missing(`fields.${field.id}`, field.label, field.en)),
    ...content.agents.flatMap((agent, index) => [
      ...written(form, 'agent').filter(field => field.required === true && !isFilled(agent.fields[field.id])).map(field => missing(`agents[${index}].fields.${field.id}`, field.label, field.en)),
      ...(isFilled(agent.powerOfAttorney) ? [] : [missing(`agents[${index}].powerOfAttorney`, '委任書', 'the power of attorney')]),
    ]),
    ...(content.applicantClass === 'agency' && content.authority === null ? [missing('authority', '機關用印之申請書或來文字號', 'the sealed paper or the document\'s number')] : []),
    ...(isParty && content.identity === null ? [missing('identity', '身分查驗', 'the check of identity')] : []),
    ...(content.acts.copy && !isFilled(content.necessity) ? [missing('necessity', '複製之必要說明', 'why a copy is necessary')] : []),
  ]
}

/** What a clerk should look at and may pass: an ID number whose check digit is wrong, or that is none of this country's. */
export function contentWarnings(content: Content, form: RequestForm): readonly ContentProblem[] {
  const of = (where: string, fields: readonly FormField[], values: Readonly<Record<string, string>>): readonly ContentProblem[] => fields
    .filter(field => field.kind === 'id-number' && isFilled(values[field.id]) && !checkIdNumber(values[field.id]!).isSound)
    .map(field => problem(`${where}.${field.id}`, '證號檢查碼不符（外國文件或早年證號可能如此），請核對。', 'The check digit does not fit (foreign and old documents may be so): look again.'))
  return [...of('fields', written(form, 'case'), content.fields), ...content.agents.flatMap((agent, index) => of(`agents[${index}].fields`, written(form, 'agent'), agent.fields))]
}

/** Names of the applicant and all agents as they were written. */
export function namesIn(content: Content, form: RequestForm): readonly string[] {
  const ids = form.fields.filter(field => field.means === 'applicant').map(field => field.id)
  return [content.fields, ...content.agents.map(agent => agent.fields)].flatMap(values => ids.map(id => values[id] ?? '')).filter(name => name !== '')
}
