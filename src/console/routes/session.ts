import Type from 'typebox'
import { csrfToken, needsFactor, type OpenSession } from '../../access/index.ts'
import { route, type Route } from '../route.ts'
import { AccountRef, closed, Instant, orNull, RoleSchema, text } from '../schemas/common.ts'
import { named } from '../schemas/names.ts'

const Code = Type.String({ minLength: 6, maxLength: 32, description: 'six digits, or a recovery code' })
const Password = Type.String({ minLength: 1, maxLength: 400 })
const SessionSchema = named('Session', closed({
  account: closed({ id: AccountRef, name: Type.String(), unit: Type.String(), post: Type.String() }), role: orNull(RoleSchema), deputyFor: orNull(AccountRef),
  roles: Type.Array(closed({ role: RoleSchema, deputyFor: orNull(AccountRef) })), hasFactor: Type.Boolean(), needsFactor: Type.Boolean(), isFactorFresh: Type.Boolean(), recoveryCodesLeft: Type.Integer(), beganAt: Instant, isViewingLocked: Type.Boolean(),
  csrfToken: Type.String({ description: 'to be sent as x-custos-csrf with every change' }),
}))
const SignedIn = closed({ kind: Type.Literal('session'), lastUsedAt: orNull(Instant), session: SessionSchema })
const SignInAnswerSchema = named('SignInAnswer', Type.Union([
  SignedIn, closed({ kind: Type.Literal('code-needed') }), closed({ kind: Type.Literal('password-due'), why: Type.Union([Type.Literal('must-change'), Type.Literal('expired')]) }), closed({ kind: Type.Literal('undertaking-needed'), version: Type.String() }),
]))

export const sessionRoutes: readonly Route[] = [
  route({
    method: 'POST', url: '/api/session', who: 'anyone', summary: { zh: '登入', en: 'sign in' },
    body: closed({ name: text(200), password: Password, code: Type.Optional(Code), undertakes: Type.Optional(text(40)) }), answer: SignInAnswerSchema,
    async handler({ body, source, parts, beginSession }) {
      const { name, password, code, undertakes } = body
      const answer = await parts.access.signIn.signIn({ name, password, source, ...(code === undefined ? {} : { code }), ...(undertakes === undefined ? {} : { undertakes }) })
      if (answer.kind !== 'session') return answer
      beginSession(answer.token)
      return { kind: 'session', lastUsedAt: answer.lastUsedAtMs, session: sessionOf(parts, answer.token) }
    },
  }),
  route({ method: 'GET', url: '/api/session', who: 'session', isBackground: true, summary: { zh: '登入狀態', en: 'the session as it stands; does not count as use' }, answer: SessionSchema, handler: ({ parts, token }) => sessionOf(parts, token()) }),
  route({
    method: 'DELETE', url: '/api/session', who: 'session', summary: { zh: '登出', en: 'sign out' }, answer: null,
    handler({ parts, token, dropSession }) { parts.access.sessions.end(token()); dropSession() },
  }),
  route({
    method: 'POST', url: '/api/session/role', who: 'session', summary: { zh: '選擇職務', en: 'act in this role from now on' }, body: closed({ role: RoleSchema, deputyFor: Type.Optional(orNull(AccountRef)) }), answer: SessionSchema,
    handler({ parts, token, body }) { parts.access.sessions.actIn(token(), body.role, body.deputyFor ?? null); return sessionOf(parts, token()) },
  }),
  route({
    method: 'POST', url: '/api/session/password', who: 'anyone', summary: { zh: '變更密碼', en: 'exchange a password for another, also one that is due; ends the person\'s sessions' },
    body: closed({ name: text(200), password: Password, code: Type.Optional(Code), newPassword: Password }), answer: null,
    async handler({ parts, body: { name, password, code, newPassword }, source, dropSession }) { await parts.access.signIn.renewPassword({ name, password, newPassword, source, ...(code === undefined ? {} : { code }) }); dropSession() },
  }),
  route({
    method: 'POST', url: '/api/session/first-password', who: 'anyone', summary: { zh: '以一次性密碼設定密碼', en: 'set a password by a one-time token' }, body: closed({ name: text(200), token: text(100), newPassword: Password }), answer: null,
    async handler({ parts, body, source }) { await parts.access.signIn.redeem({ ...body, source }) },
  }),
  route({
    method: 'POST', url: '/api/session/factor', who: 'session', summary: { zh: '設定驗證器', en: 'a new secret for an authenticator, shown this once' }, answer: closed({ uri: Type.String(), secret: Type.String() }),
    handler: ({ parts, token }) => parts.access.factors.enrol(token()),
  }),
  route({
    method: 'POST', url: '/api/session/factor/confirm', who: 'session', summary: { zh: '確認驗證器，取得備援碼', en: 'end the enrolment; ten recovery codes, shown this once' }, body: closed({ code: Code }), answer: closed({ recoveryCodes: Type.Array(Type.String()) }),
    handler: ({ parts, token, body }) => ({ recoveryCodes: parts.access.factors.confirm(token(), body.code) }),
  }),
  route({
    method: 'POST', url: '/api/session/factor/show', who: 'session', summary: { zh: '輸入驗證碼', en: 'show the factor again, for acts that want it fresh' }, body: closed({ code: Code }), answer: SessionSchema,
    handler({ parts, token, body }) { parts.access.factors.prove(token(), body.code); return sessionOf(parts, token()) },
  }),
  route({
    method: 'POST', url: '/api/session/viewing', who: 'session', summary: { zh: '解除閱覽畫面鎖定', en: 'open a locked viewing screen again' }, body: closed({ password: Password }), answer: null,
    async handler({ parts, token, body }) { await parts.access.signIn.unlockViewing(token(), body.password) },
  }),
]

function sessionOf({ access }: Parameters<Route['handler']>[0]['parts'], token: string) {
  const session: OpenSession = access.sessions.look(token)
  const { account, role, deputyFor, rolesNow, beganAtMs, isViewingLocked } = session
  return {
    account: { id: account.accountId, name: account.displayName, unit: account.unit, post: account.post }, role, deputyFor, roles: rolesNow, hasFactor: access.factors.has(account.accountId), needsFactor: needsFactor(rolesNow.map(held => held.role)),
    isFactorFresh: access.factors.isFresh(session), recoveryCodesLeft: access.factors.recoveryCodesLeft(account.accountId), beganAt: beganAtMs, isViewingLocked, csrfToken: csrfToken(token),
  }
}
