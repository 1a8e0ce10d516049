import { createHash } from 'node:crypto'
import type { CameraUuid } from '../domain/index.ts'
import { officeDay, rocDateText, rocDateTimeText, type RuleSet } from '../rules/index.ts'
import { maskedIdNumber, type Application, type Scope, type Signature } from '../requests/index.ts'
import { PaperRefusedError } from './errors.ts'
import type { StaffEntry } from './line-forms.ts'
import type { RefusalNotice } from './record-sheets.ts'
import type { RequestPaper, SignedStep } from './request-form.ts'

export interface ApplicationFacts {
  readonly ruleSet: RuleSet
  /** As the camera is called, for people; the record knows it by its uuid. */
  readonly cameraName: (camera: CameraUuid) => string
}

const CLASSES = { agency: '公務機關', 'data-subject': '當事人', 'interested-party': '利害關係人', staff: '本所人員' } as const
const DECISIONS = { agree: '同意', return: '退回補正', refuse: '不同意' } as const

/** As the desk stores it: the hash of the record's text (application_event.record_sha256). */
export const applicationHash = (application: Application): string => createHash('sha256').update(JSON.stringify(application)).digest('hex')

const signedOf = ({ name, capacity, decision, at }: Signature): SignedStep => ({ name, isDeputy: capacity === 'deputy', decision: DECISIONS[decision], on: rocDateText(officeDay(at)) })

function stepsOf(application: Application, ruleSet: RuleSet): readonly (SignedStep | null)[] {
  const form = ruleSet.form(application.content.form)
  const steps = form.chain === undefined ? 0 : ruleSet.chain(form.chain).steps.length
  return Array.from({ length: steps }, (_, step) => { const signature = application.signatures.findLast(each => each.step === step); return signature === undefined ? null : signedOf(signature) })
}

/** One line for each camera and range: 附件2 and 3 have a field for either, and the pairs must not be lost. */
function scopeLines(scope: Scope, cameraName: (camera: CameraUuid) => string): { readonly cameras: readonly string[], readonly ranges: readonly string[], readonly pairs: readonly string[] } {
  const cameras = [...new Set(scope.map(line => line.camera))]
  const spans = [...new Set(scope.map(({ from, to }) => `${rocDateTimeText(from)} 至 ${rocDateTimeText(to)}`))]
  const spanOf = ({ from, to }: Scope[number]): number => spans.indexOf(`${rocDateTimeText(from)} 至 ${rocDateTimeText(to)}`)
  const isPlain = cameras.every(camera => scope.filter(line => line.camera === camera).length === spans.length)
  const mark = (index: number): string => `(${index + 1})`
  return {
    ranges: spans.map((span, index) => (isPlain ? span : `${mark(index)} ${span}`)),
    cameras: cameras.map(camera => (isPlain ? cameraName(camera) : `${cameraName(camera)}：時段 ${scope.filter(line => line.camera === camera).map(line => mark(spanOf(line))).join('、')}`)),
    pairs: scope.map(({ camera, from, to }) => `${cameraName(camera)}　${rocDateTimeText(from)} 至 ${rocDateTimeText(to)}`),
  }
}

const lastChange = (application: Application): Application['receivedAt'] => application.signatures.at(-1)?.at ?? application.receivedAt

/** 附件2 or 附件3 of a stored application. ID numbers that were not masked yet are masked. */
export function requestPaperOf(application: Application, { ruleSet, cameraName }: ApplicationFacts): RequestPaper {
  const { content } = application
  const form = ruleSet.requestForm(content.form)
  if (form === null) throw new PaperRefusedError('這件申請案沒有對應的表單。', 'the application has no form in its rule set')
  const ids = form.fields.filter(field => field.kind === 'id-number').map(field => field.id)
  const masked = (values: Readonly<Record<string, string>>): Readonly<Record<string, string>> => Object.fromEntries(Object.entries(values).map(([id, text]) => [id, ids.includes(id) && !text.includes('*') ? maskedIdNumber(text) : text]))
  const { identity, authority } = content
  const { ranges, cameras } = scopeLines(content.asked, cameraName)
  const notes = {
    ...(authority === null ? {} : { 'legal-basis': authority.kind === 'document' ? `來文字號：${authority.number}` : '附機關用印之申請書掃描檔' }),
    ...(identity === null ? {} : { attachments: `身分查驗：${identity.document}，${rocDateTimeText(identity.seenAt)}，${identity.seenBy}` }),
    ...(content.applicantClass === 'agency' ? {} : { reason: `（${CLASSES[content.applicantClass]}）` }),
  }
  return {
    systemNo: application.number, sha256: applicationHash(application), at: lastChange(application), appliedOn: content.fields['applied-on'] ?? rocDateText(officeDay(application.receivedAt)), acts: content.acts,
    fields: masked(content.fields), agents: content.agents.map(agent => masked(agent.fields)), necessity: content.necessity ?? '', notes,
    attachments: [...application.attachments.map(each => each.name), ...content.agents.flatMap(agent => (agent.powerOfAttorney === null ? [] : [`委任書（${agent.powerOfAttorney}）`]))], ranges, cameras, signatures: stepsOf(application, ruleSet),
  }
}

/** An entry of 附件4. */
export function staffEntryOf(application: Application, { ruleSet, cameraName }: ApplicationFacts): StaffEntry {
  const { content } = application
  return {
    number: application.number, on: content.fields['date'] ?? rocDateText(officeDay(application.receivedAt)), applicant: content.fields['applicant'] ?? '', unit: content.applicantUnit ?? '', purpose: content.fields['purpose'] ?? '',
    ranges: scopeLines(content.asked, cameraName).pairs, signatures: stepsOf(application, ruleSet),
  }
}

/** R36. Throws PaperRefusedError when the case was neither refused nor partly refused. */
export function refusalNoticeOf(application: Application, { ruleSet, cameraName }: ApplicationFacts): RefusalNotice {
  const { state, content } = application
  const decision = state.kind === 'refused' ? state.decision : state.kind === 'partly-approved' ? state.approval : null
  if (decision === null) throw new PaperRefusedError('本案沒有不予核准或部分不予核准。', 'the case was neither refused nor partly refused')
  const remedy = ruleSet.notice('remedy').text.replaceAll('{機關}', ruleSet.rules.office.name).trim()
  return {
    systemNo: application.number, sha256: applicationHash(application), at: decision.at, recipient: content.fields['agency'] ?? content.fields['applicant'] ?? '',
    values: {
      案號: application.number, 申請日期: rocDateText(officeDay(application.receivedAt)), 鏡頭與時段: scopeLines(content.asked, cameraName).pairs.join('\n'), 理由: decision.reason ?? '',
      法令依據: decision.ground === null ? '' : ruleSet.ground(decision.ground).citation, 救濟教示: remedy,
    },
  }
}
