import { signedTextOf, type StoredCheckpoint } from '../audit/index.ts'
import type { BookPage } from '../book/index.ts'
import { epochMs, type AuditActor, type AuditSink, type CameraUuid } from '../domain/index.ts'
import type { Application } from '../requests/index.ts'
import { rocDateText, startOfOfficeDay, type RuleSet, type RuleShelf } from '../rules/index.ts'
import { PaperRefusedError } from './errors.ts'
import { FORM_NAMES, type FormName } from './form-names.ts'
import { applicationHash, refusalNoticeOf, requestPaperOf, staffEntryOf } from './from-application.ts'
import { bookPaperOf } from './from-book.ts'
import type { PaperJob } from './job.ts'
import { paperHash, type PrintedPaper } from './paper.ts'
import type { DestructionRecord } from './record-sheets.ts'

/** A paper that somebody asked for: what is drawn, under which rules, and, where it names people, what the audit log says of the printing. Command line and console print by this alone. */
export interface PaperOrder { readonly job: PaperJob, readonly ruleSet: RuleSet, readonly named: { readonly action: string, readonly object: string, readonly applications: readonly string[] } | null }

export type CaseForm = 'form-2' | 'form-3' | 'form-4' | 'refusal'
export interface Zone { readonly zone: string, readonly count: number }
export interface PublicFacts { readonly zones: readonly Zone[], readonly on: Temporal.PlainDate, readonly edition: number, readonly listPlace: string }

export const MOST_STAFF_ENTRIES = 50, MOST_ZONES = 200, MOST_WORDS = 100

/** Name and id, as people know a camera; the id alone where it has no name, its uuid where nothing is known of it. */
export const cameraLabel = (uuid: CameraUuid, known: { readonly id: string, readonly name: string | undefined } | null): string => known === null ? uuid : known.name === undefined || known.name === known.id ? known.id : `${known.name}（${known.id}）`

export const blankOrder = (name: FormName, ruleSet: RuleSet): PaperOrder => ({ job: { form: 'blank', name }, ruleSet, named: null })

/** A case on its own form or its refusal; of 附件4 several on one paper. Throws PaperRefusedError, RuleSetError. */
export function caseOrder(form: CaseForm, applications: readonly [Application, ...Application[]], { shelf, cameraName }: { readonly shelf: Pick<RuleShelf, 'get'>, readonly cameraName: (camera: CameraUuid) => string }): PaperOrder {
  const [first] = applications, ruleSet = shelf.get(first.ruleSet)
  if (applications.length > (form === 'form-4' ? MOST_STAFF_ENTRIES : 1)) throw new PaperRefusedError('案件過多，不能印在同一份文件。', 'too many cases for one paper')
  const strange = applications.find(each => (form !== 'refusal' && each.content.form !== form) || each.ruleSet.sha256 !== first.ruleSet.sha256)
  if (strange !== undefined) throw new PaperRefusedError(`案號 ${strange.number} 不是這種表單，或不是同一版規定。`, `${strange.number} was not made on this form, or under other rules`)
  const facts = { ruleSet, cameraName }
  const named = { action: 'application.printed', object: first.number, applications: applications.map(each => each.number) }
  if (form === 'refusal') return { job: { form, data: refusalNoticeOf(first, facts) }, ruleSet, named }
  if (form !== 'form-4') return { job: { form, data: requestPaperOf(first, facts) }, ruleSet, named }
  const sha256 = applications.length === 1 ? applicationHash(first) : paperHash(applications.map(applicationHash))
  const at = epochMs(Math.max(...applications.map(each => each.signatures.at(-1)?.at ?? each.receivedAt)))
  return { job: { form, data: { systemNo: applications.length === 1 ? first.number : `${first.number} 等 ${applications.length} 件`, sha256, at, entries: applications.map(each => staffEntryOf(each, facts)) } }, ruleSet, named }
}

/** Throws PaperRefusedError for a page without lines. */
export const bookOrder = (page: BookPage, ruleSet: RuleSet): PaperOrder => ({ job: { form: 'form-5', data: bookPaperOf(page) }, ruleSet, named: { action: 'book.printed', object: String(page.number), applications: [] } })

export const destructionOrder = (data: DestructionRecord, ruleSet: RuleSet): PaperOrder => ({ job: { form: 'destruction', data }, ruleSet, named: { action: 'destruction.printed', object: data.systemNo, applications: [data.application] } })

/** R4. Throws PaperRefusedError. */
export function announcementOrder({ zones, on, edition, listPlace }: PublicFacts, ruleSet: RuleSet): PaperOrder {
  requireZones(zones)
  const data = { announcedOn: rocDateText(on), version: edition, zones: zones.map(({ zone, count }) => ({ zone, count })), listPlace: requireWords(listPlace) }
  return { job: { form: 'announcement', data: { ...data, systemNo: `公告-${edition}`, sha256: paperHash({ ...data }), at: startOfOfficeDay(on) } }, ruleSet, named: null }
}

/** R51, one page for each zone. Throws PaperRefusedError. */
export function signageOrder({ zones, on, edition, listPlace, purpose, contact, noticeUrl }: PublicFacts & { readonly purpose: string, readonly contact: string, readonly noticeUrl: string }, ruleSet: RuleSet): PaperOrder {
  requireZones(zones)
  if (!/^https?:\/\/[\x21-\x7e]{1,200}$/.test(noticeUrl)) throw new PaperRefusedError('完整告知事項須為 http 或 https 網址。', 'the full notice stands at an http or https address')
  const data = { zones: zones.map(each => each.zone), purpose: requireWords(purpose), contact: requireWords(contact), listPlace: requireWords(listPlace), noticeUrl }
  return { job: { form: 'signage', data: { ...data, systemNo: `標示-${edition}`, sha256: paperHash({ ...data }), at: startOfOfficeDay(on) } }, ruleSet, named: null }
}

/** Null when the stored text is none of ours. */
export function checkpointOrder(stored: StoredCheckpoint, { site, timezone }: { readonly site: string, readonly timezone: string }, ruleSet: RuleSet): PaperOrder | null {
  const text = signedTextOf(stored)
  return text === null || text.at === null ? null : { job: { form: 'checkpoint', data: { site, timezone, checkpoint: { ...text, at: text.at } } }, ruleSet, named: null }
}

/** Who printed it, in one transaction with handing it out: one entry for each case on it, none where nobody is named. */
export function notePrinted(audit: Pick<AuditSink, 'append'>, actor: AuditActor, { job, named }: PaperOrder, { pages, missing }: PrintedPaper): void {
  if (named === null) return
  for (const application of named.applications.length === 0 ? [null] : named.applications) {
    audit.append({ action: named.action, actor, object: named.object, application, result: 'done', detail: { form: job.form, pages, sha256: 'data' in job && 'sha256' in job.data ? job.data.sha256 : null, missing: missing.length } })
  }
}

/** What a paper of it is called. */
export const orderTitle = ({ job }: PaperOrder): string => FORM_NAMES[job.form === 'blank' ? job.name : job.form]

function requireZones(zones: readonly Zone[]): void {
  if (zones.length === 0 || zones.length > MOST_ZONES) throw new PaperRefusedError(`設置區位須有 1 至 ${MOST_ZONES} 處。`, `there are 1 to ${MOST_ZONES} zones`)
  for (const { zone } of zones) requireWords(zone)
}
function requireWords(text: string): string {
  if (Array.from(text).length > MOST_WORDS) throw new PaperRefusedError(`「${Array.from(text).slice(0, 10).join('')}…」過長，至多 ${MOST_WORDS} 字。`, `at most ${MOST_WORDS} characters`)
  return text
}
