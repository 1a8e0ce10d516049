import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import { actorOf, FactorNeededError, hasRight, isCsrfToken, RightMissingError, SessionEndedError, type Act, type Acting } from '../access/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import { answerOf } from './answer.ts'
import { cookieName, CSRF_HEADER } from './csrf.ts'
import { badRequest, ConsoleRefusal, foreignPage, noRole, notHere } from './errors.ts'
import { requireOwnPage, type OwnNames } from './hosts.ts'
import type { ConsoleParts } from './parts.ts'
import { RateGate, sourceKey, type Rate } from './rate-gate.ts'
import { ReplayMemory } from './replay-memory.ts'
import { partAsked } from './ranges.ts'
import { FileAnswer, isReplayed, keyOf, StreamAnswer, type Route, type RouteContext, type StreamFacts } from './route.ts'
import { inboundCheck, outbound } from './schema-check.ts'

export interface MountOptions {
  readonly parts: ConsoleParts
  readonly routes: readonly Route[]
  readonly names: () => OwnNames
  readonly isTls: boolean
  readonly clock: Clock
  readonly log: Logger
  readonly rates?: Rates
}
export interface Rates { readonly source: Rate, readonly session: Rate }

/** A screen that loads asks for a dozen things at once and then a few a minute; a program that lists thousands stays under the second figure. */
const USUAL_RATES: Rates = { source: { burst: 200, perSecond: 40 }, session: { burst: 120, perSecond: 20 } }
const KEY = /^[\w-]{8,100}$/
const UNSAFE = new Set(['POST', 'PUT', 'DELETE', 'PATCH'])

/** What is known of a request beside what fastify knows. */
interface Found { readonly route: Route, readonly token: string | null, readonly startedMs: number, /** Hash of the session, hex; null where none is asked for. */ holder: string | null }
const found = new WeakMap<FastifyRequest, Found>()
const contextOf = (request: FastifyRequest): Route | undefined => (request.routeOptions.config as { custos?: Route } | undefined)?.custos
/** A file of the console's own pages: the same to everybody. */
const isPage = (request: FastifyRequest): boolean => (request.routeOptions.config as { isPage?: boolean } | undefined)?.isPage === true

/** Puts the declared routes on a fastify instance, with all that stands before and behind a handler. */
export async function mountRoutes(app: FastifyInstance, { parts, routes, names, isTls, clock, log, rates = USUAL_RATES }: MountOptions): Promise<void> {
  const bySource = new RateGate(rates.source), bySession = new RateGate(rates.session), replays = new ReplayMemory()
  const { sessions } = parts.access
  const sending = new Sending()
  await app.register(cookie)
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'self'"], imgSrc: ["'self'", 'blob:', 'data:'], mediaSrc: ["'self'", 'blob:'], connectSrc: ["'self'"], styleSrc: ["'self'"], scriptSrc: ["'self'"], objectSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'self'"], frameAncestors: ["'none'"] } },
    strictTransportSecurity: isTls ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' }, crossOriginResourcePolicy: { policy: 'same-origin' },
  })
  app.removeContentTypeParser('text/plain')
  app.setValidatorCompiler(({ schema, httpPart }) => inboundCheck(schema as object, { isText: httpPart !== 'body' }))
  app.setSerializerCompiler(({ schema }) => outbound(schema as object))
  const types = [...new Set(routes.flatMap(({ uploads }) => uploads))]
  if (types.length > 0) app.addContentTypeParser(types, (_request, payload, done) => { done(null, payload) })

  app.addHook('onRequest', async (request, reply) => {
    const startedMs = clock.monoNow()
    const route = contextOf(request)
    reply.header('cache-control', 'no-store').header('x-request-id', request.id)
    bySource.pass(sourceKey(request.ip), startedMs)
    const { host, origin } = request.headers, fetchSite = request.headers['sec-fetch-site']
    requireOwnPage({ host, origin, fetchSite: Array.isArray(fetchSite) ? fetchSite[0] : fetchSite, isUnsafe: UNSAFE.has(request.method), isTls }, names())
    if (isPage(request)) return
    if (route === undefined) throw notHere()
    const token = request.cookies[cookieName(isTls)] ?? null
    const known: Found = { route, token, startedMs, holder: null }
    found.set(request, known)
    requireType(request, route)
    if (route.who === 'anyone') return
    if (token === null) throw new SessionEndedError('none')
    // The token's own hash is the key; the token itself is kept nowhere.
    const session = sessions.look(token)
    known.holder = session.hash.toString('hex')
    bySession.pass(known.holder, startedMs)
    if (UNSAFE.has(request.method)) {
      const given = request.headers[CSRF_HEADER]
      if (typeof given !== 'string' || !isCsrfToken(token, given)) throw foreignPage('頁面的防偽碼不符，請重新載入。', 'the page\'s own token is missing or not right; load it anew')
    }
    if (route.who === 'session') { if (!route.isBackground) sessions.touch(token); return }
    if (session.role === null) throw noRole()
    if (route.guard && route.who !== 'role') guard(parts, sessions.acting(token), route.who, route)
    else if (!route.isBackground) sessions.touch(token)
    if (route.idempotent && !KEY.test(keyHeader(request))) throw badRequest('缺少或不合格的 Idempotency-Key 標頭（8 至 100 個英數字、底線或連字號）。', 'the header Idempotency-Key is missing or malformed: 8 to 100 letters, digits, underscores or hyphens')
  })

  app.setErrorHandler((error, request, reply) => {
    const { status, body, retryAfterMs, isFault } = answerOf(error, request.id)
    if (isFault) log.error({ err: error, requestId: request.id, route: contextOf(request)?.url ?? null }, 'console request failed')
    if (retryAfterMs !== null) reply.header('retry-after', String(Math.ceil(retryAfterMs / 1000)))
    // Written as text: no schema of the route applies to a refusal.
    reply.code(status).type('application/json; charset=utf-8').serializer(String).send(JSON.stringify(body))
  })
  app.setNotFoundHandler(async () => { throw notHere() })
  app.addHook('onResponse', async (request, reply) => {
    const route = contextOf(request)
    log.info({ requestId: request.id, method: request.method, route: route?.url ?? null, status: reply.statusCode, elapsedMs: Math.round(clock.monoNow() - (found.get(request)?.startedMs ?? clock.monoNow())) }, 'console request')
  })

  for (const route of routes) {
    app.route({
      method: route.method, url: route.url, config: { custos: route } as object, ...(route.uploads.length > 0 ? { bodyLimit: UPLOAD_BYTES } : {}),
      schema: {
        ...(route.params === null ? {} : { params: route.params }), ...(route.query === null ? {} : { querystring: route.query }), ...(route.body === null ? {} : { body: route.body }),
        ...(route.answer === null || Array.isArray(route.answer) ? {} : { response: { [route.status]: route.answer } }),
      },
      handler: async (request, reply) => {
        const act = async (): Promise<unknown> => await route.handler(contextFor(request, reply, { route, parts, isTls }))
        const key = keyHeader(request), holder = found.get(request)?.holder ?? null
        const isRemembered = holder !== null && isReplayed(route) && !route.idempotent && KEY.test(key)
        const result = isRemembered ? await replays.once({ place: [holder, request.method, request.url, key], body: request.body, now: clock.monoNow() }, act) : await act()
        return result instanceof StreamAnswer ? sending.send(result.facts, request, reply) : send(route, result, reply)
      },
    })
  }
}

const UPLOAD_BYTES = 21 * 1024 * 1024
/** Each reads a disk as fast as its client takes it; an office fetches one at a time. */
const MOST_SENDING = 4

/** Downloads that are made while they are sent, a few at once. */
class Sending {
  #open = 0
  send({ type, name, bytes, etag, headers = {}, open }: StreamFacts, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { range, 'if-range': ifRange } = request.headers
    reply.header('content-range', `bytes */${bytes}`) // how a part beyond the end is refused
    const asked = partAsked({ range, ifRange: Array.isArray(ifRange) ? ifRange[0] : ifRange, etag, bytes })
    reply.removeHeader('content-range')
    if (this.#open >= MOST_SENDING) throw new ConsoleRefusal('CUSTOS_CONSOLE_TOO_MANY', 503, '下載數已達上限，請稍候。', 'too many downloads are under way; wait a little')
    const part = asked ?? { start: 0, end: bytes }, stream = open(part)
    this.#open += 1
    stream.once('close', () => { this.#open -= 1 })
    if (asked !== null) reply.header('content-range', `bytes ${part.start}-${part.end - 1}/${bytes}`)
    return reply.code(asked === null ? 200 : 206).type(type).headers(headers).header('accept-ranges', 'bytes').header('etag', etag).header('content-length', part.end - part.start).header('content-disposition', dispositionOf(name)).send(stream)
  }
}
const keyHeader = (request: FastifyRequest): string => { const key = request.headers['idempotency-key']; return typeof key === 'string' ? key : '' }

function requireType(request: FastifyRequest, { uploads, body }: Route): void {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  const allowed = uploads.length > 0 ? uploads : body === null ? [] : ['application/json']
  const hasBody = request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0'
  if (allowed.length === 0 ? hasBody : type === undefined || !allowed.includes(type)) {
    throw badRequest(allowed.length === 0 ? '此請求不得有內容。' : `內容格式須為 ${allowed.join('、')}。`, allowed.length === 0 ? 'this request takes no body' : `the content type must be ${allowed.join(' or ')}`, [], allowed.length === 0 ? 400 : 415)
  }
}

/** Looked at here because the part behind takes no `Acting`; the refusal stands in the audit log as others do (R71). */
function guard(parts: ConsoleParts, acting: Acting, acts: readonly [Act, ...Act[]], route: Route): void {
  const act = acts.find(each => acting.kind === 'account' && hasRight(acting.role, each)) ?? acts[0]
  try { parts.access.sessions.requireRight(acting, act) } catch (error) {
    if (error instanceof FactorNeededError && route.isBackground) return // the right was found before the code is asked for: a screen that refreshes itself tells how far a thing is, and shows none of it
    if (error instanceof RightMissingError || error instanceof FactorNeededError) {
      parts.audit.append({ action: 'console.refused', actor: actorOf(acting), object: keyOf(route), application: null, result: 'refused', detail: { code: error.code, act } })
    }
    throw error
  }
}

function contextFor(request: FastifyRequest, reply: FastifyReply, { route, parts, isTls }: { readonly route: Route, readonly parts: ConsoleParts, readonly isTls: boolean }): RouteContext<unknown, unknown, unknown> {
  const token = (): string => {
    const held = found.get(request)?.token ?? null
    if (held === null) throw new SessionEndedError('none')
    return held
  }
  const cookieFacts = { path: '/', httpOnly: true, secure: isTls, sameSite: 'strict' } as const
  return {
    parts, params: request.params ?? {}, query: request.query ?? {}, body: route.uploads.length > 0 ? undefined : request.body, source: request.ip, token,
    session: () => parts.access.sessions.look(token()),
    acting: () => parts.access.sessions.acting(token()),
    key: keyHeader(request),
    upload: route.uploads.length === 0 ? null : { type: request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '', stream: request.body as Readable },
    beginSession: fresh => { reply.setCookie(cookieName(isTls), fresh, cookieFacts) },
    dropSession: () => { reply.clearCookie(cookieName(isTls), cookieFacts) },
  }
}

/** For a download (RFC 6266): the name as it is, and one of plain letters for what cannot read it. */
const dispositionOf = (name: string): string =>
  `attachment; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)}; filename="${name.replace(/[^A-Za-z0-9._-]/g, '_')}"`

function send({ status, answer }: Route, result: unknown, reply: FastifyReply): FastifyReply {
  if (result instanceof FileAnswer) {
    return reply.code(status).type(result.type).headers(result.headers).header('content-disposition', dispositionOf(result.name)).serializer((bytes: Buffer) => bytes as unknown as string).send(result.content)
  }
  if (answer === null) return reply.code(status).send()
  if (Array.isArray(answer)) throw new TypeError('a route that answers bytes answered none')
  return reply.code(status).type('application/json; charset=utf-8').send(result)
}
