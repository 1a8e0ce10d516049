import Type from 'typebox'
import type { Static } from 'typebox'
import { cameraOf } from '../../footage/index.ts'
import { applicationNumber, foundOf, parseApplicationNumber, type Answer, type ApplicationNumber, type Due, type SentCommand } from '../../requests/index.ts'
import { CaseRefusal } from '../answer.ts'
import { badRequest, notHere } from '../errors.ts'
import type { ConsoleParts } from '../parts.ts'
import { realDay } from '../real-day.ts'
import { route, type Route } from '../route.ts'
import { CASE_STATES, CaseAnswerSchema, CaseLineSchema, CaseViewSchema, CommandSchema, ContentSchema, FoundLineSchema, GrantRowSchema, GrantSchema, NumberSchema } from '../schemas/cases.ts'
import { CameraRef, closed, Instant, Limit, LocalDay, orNull, text } from '../schemas/common.ts'

/** Whose holders may look at cases; staff see their own, as the desk decides. */
export const CASE_READERS = ['receive-application', 'sign-book', 'read-audit', 'mark-filed', 'ask-view'] as const
const GRANT_READERS = ['receive-application', 'sign-book', 'read-audit', 'mark-filed'] as const
/** Whose rights begin any step; the desk asks for the one of the step. */
const STEPPERS = ['receive-application', 'approve-step', 'ask-view', 'open-granted-view'] as const
const ByNumber = closed({ number: NumberSchema })

export const applicationRoutes: readonly Route[] = [
  route({
    method: 'POST', url: '/api/applications', who: ['receive-application', 'ask-view'], summary: { zh: '受理申請，並即保全所請影像', en: 'receive an application and hold what it asks for' }, idempotent: true, body: ContentSchema, answer: CaseAnswerSchema, status: 201,
    handler: async ({ parts, acting, body, key }) => told(parts, await parts.desk.receive(acting(), { key, content: body })),
  }),
  route({
    method: 'GET', url: '/api/applications', who: CASE_READERS, summary: { zh: '申請案清單、查詢、期限', en: 'cases, newest first; by number, name, state or what is due' },
    query: closed({ number: Type.Optional(text(40)), name: Type.Optional(text(200)), states: Type.Optional(Type.String({ pattern: `^(${CASE_STATES.join('|')})(,(${CASE_STATES.join('|')})){0,9}$`, description: 'separated by commas' })), dueBy: Type.Optional(LocalDay), after: Type.Optional(NumberSchema), limit: Limit }),
    answer: closed({ lines: Type.Array(CaseLineSchema), next: orNull(NumberSchema) }),
    handler({ parts, acting, query: { number, name, states, dueBy, after, limit } }) {
      const page = parts.desk.reader.search(acting(), {
        number: number ?? null, name: name ?? null, dueBy: dueBy === undefined ? null : realDay(dueBy, 'dueBy').toString(), after: after === undefined ? null : known(after), ...(limit === undefined ? {} : { limit }), ...(states === undefined ? {} : { states: states.split(',') as (typeof CASE_STATES)[number][] }),
      })
      return { next: page.next, lines: page.lines.map(line => ({ ...line, state: line.state.kind, step: line.state.kind === 'under-review' ? line.state.step : null, due: line.due === null ? null : dueOf(line.due) })) }
    },
  }),
  route({
    method: 'GET', url: '/api/applications/:number', who: CASE_READERS, summary: { zh: '一件申請案與其歷程', en: 'one case with its steps' }, params: ByNumber, answer: CaseViewSchema,
    async handler({ parts, acting, params }) {
      const view = await parts.desk.reader.read(acting(), known(params.number))
      return { ...view, dues: view.dues.map(dueOf), turn: [...view.turn].map(([account, capacity]) => ({ account, capacity })) }
    },
  }),
  route({
    method: 'POST', url: '/api/applications/:number/commands', who: STEPPERS, summary: { zh: '辦理一個步驟：核章、補正、撤回等', en: 'one step: a signature, a completion, a withdrawal and all others' }, idempotent: true, params: ByNumber, body: CommandSchema, answer: CaseAnswerSchema,
    handler: async ({ parts, acting, params, body, key }) => told(parts, await parts.desk.act(acting(), known(params.number), { key, command: sentOf(body) })),
  }),
  route({
    method: 'POST', url: '/api/applications/:number/id-number', who: CASE_READERS, summary: { zh: '顯示完整證號（記入稽核）', en: 'show a whole ID number; that it was shown is on record' }, params: ByNumber, body: closed({ place: text(100) }), answer: closed({ idNumber: orNull(Type.String()) }),
    handler: ({ parts, acting, params, body }) => ({ idNumber: parts.desk.reader.idNumber(acting(), known(params.number), body.place) }),
  }),
  route({
    method: 'GET', url: '/api/footage', who: ['receive-application'], summary: { zh: '查明影像是否仍在（不含畫面）', en: 'whether footage of a time still stands, and nothing else of it (R31); on record' },
    query: closed({ camera: CameraRef, from: Instant, to: Instant }), answer: closed({ found: FoundLineSchema, parts: Type.Array(closed({ from: Instant, to: Instant })) }),
    async handler({ parts, session, query }) {
      const { camera, from, to } = query
      if (!(from < to)) throw badRequest('時段的結束必須晚於開始。', 'a range ends after it begins', [{ where: 'to', zh: '須晚於開始。', en: 'is not after the start.' }], 422)
      if (cameraOf(parts.footage, camera) === null) throw notHere()
      parts.audit.append({ action: 'footage.looked-for', actor: session().actor, object: camera, application: null, result: 'done', detail: { from, to } })
      const [found] = await foundOf([{ camera, from, to }], parts.footage, parts.clock)
      return { found: found, parts: found!.parts.map(({ startAt, endAt }) => ({ from: startAt, to: endAt })) }
    },
  }),
  route({
    method: 'GET', url: '/api/grants', who: GRANT_READERS, summary: { zh: '有效之核准', en: 'grants that are open' }, answer: closed({ grants: Type.Array(GrantRowSchema) }), handler: ({ parts }) => ({ grants: parts.desk.grants.list() }),
  }),
  route({
    method: 'GET', url: '/api/grants/:number', who: GRANT_READERS, summary: { zh: '一件核准開放的範圍', en: 'what one grant opens, proved from its record' }, params: ByNumber, answer: GrantSchema,
    handler({ parts, params }) {
      const grant = parts.desk.grants.open(known(params.number))
      if (grant === null) throw notHere()
      return { ...grant, number: grant.application, canCopy: grant.copy !== null }
    },
  }),
]

/** Throws 404 for what is no number of any case. */
export function known(text: string): ApplicationNumber {
  const found = parseApplicationNumber(text)
  if (found === null) throw notHere()
  return applicationNumber(found, text.split('-')[2]?.length ?? 4)
}
/** The desk measures an attached file itself. */
function sentOf(body: Static<typeof CommandSchema>): SentCommand {
  return (body.kind === 'attach' ? { ...body, attachment: { ...body.attachment, sizeBytes: 0 } } : body)
}
const dueOf = ({ what, due, isOverdue, isPaused }: Due) => ({ what, day: due.day.toString(), until: due.until, dueAt: due.dueAt, nominal: due.nominal.toString(), unknownYears: due.unknownYears, isOverdue, isPaused })

/** Throws CaseRefusal. */
function told({ shelf }: ConsoleParts, answer: Answer) {
  if (!answer.ok) throw new CaseRefusal(answer)
  const ruleSet = shelf.get(answer.application.ruleSet)
  const { holds, cost, notices } = answer
  return {
    ...answer, holds: { ...holds, slots: cost?.slots ?? null, bytes: cost?.bytes ?? null, newlyHeld: cost?.newlyHeld ?? null },
    notices: notices.map(draft => ({ ...draft, title: ruleSet.notice(draft.notice).title })),
  }
}
