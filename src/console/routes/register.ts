import Type from 'typebox'
import { notHere } from '../errors.ts'
import { route, type Route } from '../route.ts'
import { AccountRef, closed, Instant, orNull, oneOf, RoleSchema, RowId, Sha256, text } from '../schemas/common.ts'

const Reason = text(2000)
const Deputy = closed({ deputyId: RowId, absentId: AccountRef, deputyAccountId: AccountRef, role: RoleSchema, fromAtMs: Instant, toAtMs: Instant, document: Type.String(), namedBy: Type.String(), endedAtMs: orNull(Instant) })
const HandOver = closed({ handOverId: RowId, role: RoleSchema, fromId: AccountRef, toId: AccountRef, items: Type.String(), givenAtMs: Instant, takenAtMs: orNull(Instant) })
const Review = closed({ reviewId: RowId, year: Type.Integer(), list: Type.String({ description: 'JSON, as it was hashed' }), sha256: Sha256, madeBy: Type.String(), madeAtMs: Instant, signedBy: orNull(Type.String()), signedAtMs: orNull(Instant), remark: orNull(Type.String()) })

export const registerRoutes: readonly Route[] = [
  route({ method: 'GET', url: '/api/deputies', who: ['account-list'], summary: { zh: '職務代理', en: 'who stands in for whom' }, answer: closed({ deputies: Type.Array(Deputy) }), handler: ({ parts }) => ({ deputies: parts.access.register.deputies() }) }),
  route({
    method: 'POST', url: '/api/deputies', who: ['name-deputy'], summary: { zh: '登記職務代理', en: 'name a deputy' }, body: closed({ absentId: AccountRef, deputyId: AccountRef, role: RoleSchema, fromAtMs: Instant, toAtMs: Instant, document: text(500) }), status: 201, answer: closed({ deputyId: RowId }),
    handler: ({ parts, acting, body }) => ({ deputyId: parts.access.register.nameDeputy(body, acting()) }),
  }),
  route({ method: 'POST', url: '/api/deputies/:deputy/end', who: ['name-deputy'], summary: { zh: '結束職務代理', en: 'end a deputy' }, params: closed({ deputy: RowId }), answer: null, handler: ({ parts, acting, params }) => { parts.access.register.endDeputy(params.deputy, acting()) } }),
  route({
    method: 'GET', url: '/api/hand-overs', who: 'session', summary: { zh: '與本人有關之移交', en: 'hand-overs from or to oneself' }, answer: closed({ handOvers: Type.Array(HandOver) }),
    handler: ({ parts, session }) => { const { accountId } = session().account; return { handOvers: parts.access.register.handOvers().filter(({ fromId, toId }) => fromId === accountId || toId === accountId) } },
  }),
  route({ method: 'POST', url: '/api/hand-overs', who: ['hand-over'], summary: { zh: '移交職務（第一簽）', en: 'hand over the role acted in; it moves with the other\'s signature' }, body: closed({ toId: AccountRef, items: text(8000) }), status: 201, answer: closed({ handOverId: RowId }), handler: ({ parts, acting, body }) => ({ handOverId: parts.access.register.handOver(body, acting()) }) }),
  route({ method: 'POST', url: '/api/hand-overs/:handOver/take', who: 'session', summary: { zh: '簽收移交（第二簽）', en: 'take a role over; both sign in anew with new passwords' }, params: closed({ handOver: RowId }), answer: null, handler: ({ parts, token, params }) => { parts.access.register.takeOver(params.handOver, token()) } }),
  route({ method: 'POST', url: '/api/account-reviews', who: ['make-account-review'], summary: { zh: '製作年度帳號清查', en: 'make the yearly review of accounts' }, body: closed({ year: Type.Integer({ minimum: 1912, maximum: 9999 }) }), status: 201, answer: Review, handler: ({ parts, acting, body }) => parts.access.register.makeReview(body.year, acting()) }),
  route({
    method: 'GET', url: '/api/account-reviews/:review', who: ['account-list'], summary: { zh: '一份帳號清查', en: 'one review of accounts' }, params: closed({ review: RowId }), answer: Review,
    handler({ parts, params }) { const review = parts.access.register.review(params.review); if (review === null) throw notHere(); return review },
  }),
  route({ method: 'POST', url: '/api/account-reviews/:review/sign', who: ['sign-account-review'], summary: { zh: '帳號清查簽章', en: 'sign a review of accounts' }, params: closed({ review: RowId }), body: closed({ remark: text(2000) }), answer: null, handler: ({ parts, acting, params, body }) => { parts.access.register.signReview(params.review, body.remark, acting()) } }),
  route({
    method: 'GET', url: '/api/break-glass', who: ['close-break-glass'], summary: { zh: '緊急啟封狀態', en: 'what is broken open, and which forms are owed' },
    answer: closed({ open: Type.Array(closed({ openingId: RowId, by: Type.Array(Type.String()), openedAtMs: Instant, closesInMs: Type.Number(), reason: Type.String() })), formsOwed: Type.Array(closed({ openingId: RowId, openedAtMs: Instant, by: Type.Array(Type.String()) })) }), handler: ({ parts }) => parts.access.breakGlass.view(),
  }),
  route({ method: 'POST', url: '/api/break-glass', who: ['break-glass'], summary: { zh: '緊急啟封（二人各一次）', en: 'one of the two words that break glass' }, body: closed({ reason: Reason }), answer: closed({ kind: oneOf(['first', 'opened']), openingId: RowId }), handler: ({ parts, acting, body }) => parts.access.breakGlass.say(body.reason, acting()) }),
  route({ method: 'POST', url: '/api/break-glass/:opening/close', who: ['close-break-glass'], summary: { zh: '關閉緊急啟封', en: 'close what was broken open' }, params: closed({ opening: RowId }), answer: null, handler: ({ parts, acting, params }) => { parts.access.breakGlass.close(params.opening, acting()) } }),
  route({ method: 'POST', url: '/api/break-glass/:opening/settle', who: ['settle-break-glass'], summary: { zh: '補登啟封之附件4', en: 'enter the form that is owed' }, params: closed({ opening: RowId }), body: closed({ application: text(200) }), answer: null, handler: ({ parts, acting, params, body }) => { parts.access.breakGlass.settle(params.opening, body.application, acting()) } }),
]
