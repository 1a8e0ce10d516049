import Type from 'typebox'
import { checkpointTable } from '../../audit/index.ts'
import type { CameraUuid } from '../../domain/index.ts'
import { announcementOrder, blankOrder, bookOrder, cameraLabel, caseOrder, checkpointOrder, destructionOrder, FORM_NAMES, MOST_STAFF_ENTRIES, MOST_ZONES, notePrinted, orderTitle, PaperRefusedError, signageOrder, type CaseForm, type FormName, type PaperOrder } from '../../paper/index.ts'
import type { Application } from '../../requests/index.ts'
import { officeDay, type RuleSet } from '../../rules/index.ts'
import { destructionSheetOf } from '../destruction-sheet.ts'
import { badRequest, notHere } from '../errors.ts'
import type { ConsoleParts } from '../parts.ts'
import { realDay } from '../real-day.ts'
import { FileAnswer, route, type Route, type RouteContext } from '../route.ts'
import { NUMBER_PATTERN, NumberSchema } from '../schemas/cases.ts'
import { closed, LocalDay, oneOf, text } from '../schemas/common.ts'
import { CASE_READERS, known } from './applications.ts'
import { ARCHIVE_READERS, ItemRef } from './archive.ts'
import { BOOK_READERS } from './book.ts'
import { destructionOf } from './destructions.ts'

const PDF = ['application/pdf']
const HEADERS = {
  'custos-pages': { zh: '頁數', en: 'how many pages it has' },
  'custos-missing-glyphs': { zh: '無字形之字元（字碼，紙上以方框標示，須手寫補正）；沒有時無此標頭', en: 'characters that no face has, by their code points: boxes on the paper, to be written by hand. Not there when there are none' },
}
/** A header is bounded; the paper itself names all of them. */
const MOST_TOLD = 100
const CASE_FORMS: readonly string[] = ['form-2', 'form-3', 'form-4'] satisfies CaseForm[]
const Word = text(400)
const Zones = Type.Array(closed({ zone: Type.String({ minLength: 1, maxLength: 400 }), count: Type.Integer({ minimum: 1, maximum: 9999 }) }), { minItems: 1, maxItems: MOST_ZONES })
const PublicBody = { zones: Zones, date: LocalDay, edition: Type.Integer({ minimum: 1, maximum: 9999 }), listPlace: Type.Optional(Word) }

/** Papers as PDF, by the very orders of `custos paper`. What names people is on record as printed before it leaves. */
export const paperRoutes: readonly Route[] = [
  route({
    method: 'GET', url: '/api/papers/blank/:form', who: 'role', summary: { zh: '空白表單', en: 'an empty form for pen and stamp, under the rules in force' }, params: closed({ form: oneOf(Object.keys(FORM_NAMES) as FormName[]) }), answer: PDF, headers: HEADERS,
    handler: context => print(context, blankOrder(context.params.form, inForce(context)), '空白'),
  }),
  route({
    method: 'GET', url: '/api/papers/applications/:number', who: CASE_READERS, summary: { zh: '申請案之表單（附件2、3、4，記入稽核）', en: 'a case on its own form; that it was printed is on record' }, params: closed({ number: NumberSchema }), answer: PDF, headers: HEADERS,
    handler: context => { const application = caseOf(context, context.params.number); return print(context, orderOf(context, formOf(application), [application]), application.number) },
  }),
  route({
    method: 'GET', url: '/api/papers/applications/:number/refusal', who: CASE_READERS, summary: { zh: '駁回（部分駁回）通知稿', en: 'the draft notice of a refused or partly refused case (R36)' }, params: closed({ number: NumberSchema }), answer: PDF, headers: HEADERS,
    handler: context => { const application = caseOf(context, context.params.number); return print(context, orderOf(context, 'refusal', [application]), application.number) },
  }),
  route({
    method: 'GET', url: '/api/papers/form-4', who: CASE_READERS, summary: { zh: '附件4：數件印於一份', en: 'several cases of form 4 on one paper, five a page' }, answer: PDF, headers: HEADERS,
    query: closed({ numbers: Type.String({ maxLength: 2000, pattern: `^${NUMBER_PATTERN}(,${NUMBER_PATTERN}){0,${MOST_STAFF_ENTRIES - 1}}$`, description: 'separated by commas' }) }),
    handler(context) {
      const applications = [...new Set(context.query.numbers.split(','))].map(number => caseOf(context, number)) as [Application, ...Application[]]
      return print(context, orderOf(context, 'form-4', applications), applications[0].number)
    },
  }),
  route({
    method: 'GET', url: '/api/papers/book/:page', who: BOOK_READERS, summary: { zh: '附件5 紀錄簿一頁（記入稽核）', en: 'a page of the log book; that it was printed is on record' }, params: closed({ page: Type.Integer({ minimum: 1, maximum: 9_999_999 }) }), answer: PDF, headers: HEADERS,
    handler: context => print(context, bookOrder(context.parts.book.log.page(context.params.page), inForce(context)), String(context.params.page)),
  }),
  route({
    method: 'GET', url: '/api/papers/destructions/:item', who: ARCHIVE_READERS, summary: { zh: '銷毀紀錄（記入稽核）', en: 'a destruction record, for stamps; that it was printed is on record' }, params: closed({ item: ItemRef }), answer: PDF, headers: HEADERS,
    handler: context => print(context, destructionOrder(destructionSheetOf(destructionOf(context.parts, context.params.item)), inForce(context)), context.params.item),
  }),
  route({
    method: 'GET', url: '/api/papers/checkpoint', who: 'role', summary: { zh: '稽核紀錄查核點', en: 'the checkpoint of a day, else the newest, to be signed and kept elsewhere (P6)' }, query: closed({ day: Type.Optional(LocalDay) }), answer: PDF, headers: HEADERS,
    handler(context) {
      const { parts: { db, site }, query: { day } } = context, table = checkpointTable(db)
      const stored = day === undefined ? table.newestDay() ?? table.newest() : table.ofDay(realDay(day, 'day').toString())
      const order = stored === null ? null : checkpointOrder(stored, { site: site.name, timezone: site.timezone }, inForce(context))
      if (order === null) throw notHere()
      return print(context, order, String(stored?.size))
    },
  }),
  route({
    method: 'POST', url: '/api/papers/announcement', who: ['camera-register'], guard: true, summary: { zh: '鏡頭公告', en: 'the announcement of places and numbers for the notice board (R4)' }, body: closed(PublicBody), answer: PDF, headers: HEADERS,
    handler: context => print(context, announcementOrder(factsOf(context.body), inForce(context)), String(context.body.edition)),
  }),
  route({
    method: 'POST', url: '/api/papers/signage', who: ['camera-register'], guard: true, summary: { zh: '錄影監視標示', en: 'a sign for each zone (R51)' }, answer: PDF, headers: HEADERS,
    body: closed({ ...PublicBody, purpose: Type.Optional(Word), contact: Type.Optional(Word), noticeUrl: Type.String({ minLength: 1, maxLength: 220 }) }),
    handler: context => print(context, signageOrder({ ...factsOf(context.body), purpose: context.body.purpose ?? '維護場所安全', contact: context.body.contact ?? '', noticeUrl: context.body.noticeUrl }, inForce(context)), String(context.body.edition)),
  }),
]

type Context = Pick<RouteContext<unknown, unknown, unknown>, 'parts' | 'session' | 'acting'>

/** In the press's own thread; the entry of who printed it before a byte leaves. Throws what the press throws, AuditUnavailableError. */
async function print({ parts: { press, audit, site }, session }: Context, order: PaperOrder, mark: string): Promise<FileAnswer> {
  const { actor } = session()
  const printed = await press.print(order.job, { ruleSet: order.ruleSet, office: site.name }), { pdf, pages, missing } = printed
  audit.transaction(() => { notePrinted(audit, actor, order, printed) })
  const told = missing.length > MOST_TOLD ? [...missing.slice(0, MOST_TOLD), `+${missing.length - MOST_TOLD}`] : missing
  return new FileAnswer(pdf, 'application/pdf', `${orderTitle(order)}-${mark}.pdf`, { 'custos-pages': String(pages), ...(told.length === 0 ? {} : { 'custos-missing-glyphs': told.join(', ') }) })
}

/** Throws PaperRefusedError. */
function formOf({ content: { form } }: Application): CaseForm {
  if (!CASE_FORMS.includes(form)) throw new PaperRefusedError('這件申請案沒有可印的表單。', 'the case has no form to print')
  return form as CaseForm
}
/** As this person may see it. Throws UnknownApplicationError. */
const caseOf = ({ parts, acting }: Context, number: string): Application => parts.desk.reader.application(acting(), known(number))
const orderOf = ({ parts }: Context, form: CaseForm, applications: readonly [Application, ...Application[]]): PaperOrder => caseOrder(form, applications, { shelf: parts.shelf, cameraName: labelOf(parts) })
const labelOf = ({ cameras }: ConsoleParts): (camera: CameraUuid) => string => { const all = cameras(); return uuid => cameraLabel(uuid, all.find(camera => camera.uuid === uuid) ?? null) }

/** Throws ConsoleRefusal before the first rule set is in force. */
function inForce({ parts: { shelf, wallNow } }: Context): RuleSet {
  const ruleSet = shelf.inForceOn(officeDay(wallNow()))
  if (ruleSet === null) throw badRequest('目前沒有施行中的規定。', 'no rule set is in force', [], 409)
  return ruleSet
}
const factsOf = ({ zones, date, edition, listPlace }: { readonly zones: readonly { readonly zone: string, readonly count: number }[], readonly date: string, readonly edition: number, readonly listPlace?: string }) =>
  ({ zones, on: realDay(date, 'date'), edition, listPlace: listPlace ?? '' })
