import Type from 'typebox'
import type { AccountView } from '../../access/index.ts'
import { route, type Route } from '../route.ts'
import { AccountRef, closed, Instant, oneOf, orNull, RoleSchema, RowId, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

const AccountSchema = named('Account', closed({
  id: AccountRef, name: Type.String(), unit: Type.String(), post: Type.String(), roles: Type.Array(RoleSchema), standing: oneOf(['applied', 'refused', 'left', 'active', 'disabled', 'locked']), disabledWhy: orNull(oneOf(['by-hand', 'idle', 'ended'])), endsAt: orNull(Instant),
  custodianId: orNull(AccountRef), usedAt: orNull(Instant), createdAt: Instant, leftAt: orNull(Instant), hasFactor: Type.Boolean(),
}))
const Reason = text(2000), ById = closed({ account: AccountRef })
const WantedSchema = closed({ roles: Type.Optional(Type.Array(RoleSchema, { maxItems: 12 })), unit: Type.Optional(text(200)), post: Type.Optional(text(200)), endsAtMs: Type.Optional(orNull(Instant)), displayName: Type.Optional(text(200)) })
const CreatedSchema = named('CreatedAccount', closed({ requestId: orNull(RowId), token: orNull(Type.String({ description: 'one-time, shown this once' })) }))

export const accountRoutes: readonly Route[] = [
  route({ method: 'GET', url: '/api/accounts', who: ['account-list'], summary: { zh: '帳號清冊', en: 'all accounts' }, answer: closed({ accounts: Type.Array(AccountSchema) }), handler: ({ parts }) => ({ accounts: parts.access.accounts.list().map(accountOf) }) }),
  route({
    method: 'POST', url: '/api/accounts', who: ['account-apply'], summary: { zh: '申請建立帳號', en: 'ask for an account; another person decides' }, status: 201, answer: CreatedSchema,
    body: closed({ id: text(60), displayName: text(200), unit: text(200), post: text(200), roles: Type.Array(RoleSchema, { maxItems: 12 }), endsAtMs: Type.Optional(orNull(Instant)), isTemporary: Type.Optional(Type.Boolean()), custodianId: Type.Optional(orNull(AccountRef)), reason: Reason }),
    handler: ({ parts, acting, body }) => parts.access.accounts.apply(body, acting()),
  }),
  route({
    method: 'GET', url: '/api/account-requests', who: ['account-list'], summary: { zh: '待核准之帳號申請', en: 'requests that wait for a decision' },
    answer: closed({ requests: Type.Array(closed({ requestId: RowId, accountId: AccountRef, kind: oneOf(['open', 'change', 'enable']), wanted: WantedSchema, reason: Type.String(), askedBy: Type.String(), askedAtMs: Instant })) }), handler: ({ parts }) => ({ requests: parts.access.accounts.openRequests() }),
  }),
  route({
    method: 'POST', url: '/api/account-requests/:request/decision', who: ['account-approve'], summary: { zh: '核准或駁回帳號申請', en: 'decide on a request' }, params: closed({ request: RowId }), body: closed({ decision: oneOf(['approved', 'refused']), reason: Reason }), answer: CreatedSchema,
    handler: ({ parts, acting, params, body }) => parts.access.accounts.decide(params.request, body.decision, body.reason, acting()),
  }),
  route({
    method: 'POST', url: '/api/accounts/:account/change', who: ['account-apply'], summary: { zh: '申請異動或啟用帳號', en: 'ask for a change, or for a disabled account to be enabled' }, params: ById, body: closed({ kind: oneOf(['change', 'enable']), wanted: WantedSchema, reason: Reason }), status: 201, answer: closed({ requestId: RowId }),
    handler: ({ parts, acting, params, body }) => ({ requestId: parts.access.accounts.ask(params.account, body.kind, body.wanted, body.reason, acting()) }),
  }),
  route({ method: 'POST', url: '/api/accounts/:account/disable', who: ['account-disable'], summary: { zh: '停用帳號', en: 'disable an account at once' }, params: ById, body: closed({ reason: Reason }), answer: null, handler: ({ parts, acting, params, body }) => { parts.access.accounts.disable(params.account, body.reason, acting()) } }),
  route({
    method: 'POST', url: '/api/accounts/:account/leave', who: ['account-leave'], summary: { zh: '離職關閉帳號', en: 'close the account of who leaves, for good' }, params: ById, answer: null,
    body: closed({ reason: Reason, undertaking: Type.Union([closed({ signed: Type.Literal(true) }), closed({ signed: Type.Literal(false), note: text(2000) })]) }), handler: ({ parts, acting, params, body }) => { parts.access.accounts.leave(params.account, body, acting()) },
  }),
  route({ method: 'POST', url: '/api/accounts/:account/unlock', who: ['account-unlock'], summary: { zh: '解除鎖定', en: 'unlock an account' }, params: ById, answer: null, handler: ({ parts, acting, params }) => { parts.access.accounts.unlock(params.account, acting()) } }),
  route({
    method: 'POST', url: '/api/accounts/:account/reset', who: ['account-reset'], summary: { zh: '發給一次性密碼', en: 'a one-time password, shown this once; the old one is void' }, params: ById, body: closed({ reason: Reason }), answer: closed({ token: Type.String() }),
    handler: ({ parts, acting, params, body }) => ({ token: parts.access.accounts.reset(params.account, body.reason, acting()) }),
  }),
  route({ method: 'POST', url: '/api/accounts/:account/factor-reset', who: ['factor-reset'], summary: { zh: '重設驗證器', en: 'take a factor away, to be enrolled anew' }, params: ById, body: closed({ reason: Reason }), answer: null, handler: ({ parts, acting, params, body }) => { parts.access.factors.reset(params.account, body.reason, acting()) } }),
]

const accountOf = ({ accountId, displayName, unit, post, roles, standing, endsAtMs, custodianId, usedAtMs, createdAtMs, leftAtMs, hasFactor }: AccountView) => ({
  id: accountId, name: displayName, unit, post, roles, standing: standing.kind, disabledWhy: standing.kind === 'disabled' ? standing.why : null, endsAt: endsAtMs, custodianId, usedAt: usedAtMs, createdAt: createdAtMs, leftAt: leftAtMs, hasFactor,
})
