import type { Readable } from 'node:stream'
import type { Static, TSchema } from 'typebox'
import Type from 'typebox'
import type { Acting, Act, OpenSession } from '../access/index.ts'
import type { ConsoleParts } from './parts.ts'
import type { BytePart } from './ranges.ts'

/** Who may call: anybody; whoever is signed in; whoever acts in a role; or whose role has one of these rights. */
export type Who = 'anyone' | 'session' | 'role' | readonly [Act, ...Act[]]
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
export interface Words { readonly zh: string, readonly en: string }

/** What a handler gets. Everything in `params`, `query` and `body` has passed its schema. */
export interface RouteContext<Params, Query, Body> {
  readonly parts: ConsoleParts
  readonly params: Params
  readonly query: Query
  readonly body: Body
  /** Address the request came from; what the audit log keeps (R72). */
  readonly source: string
  /** The session as it stands. Throws SessionEndedError where nobody is signed in. */
  session(): OpenSession
  /** The session's own word; never to be shown, logged or sent back. Throws SessionEndedError. */
  token(): string
  /** Who acts, in the role taken. Throws SessionEndedError, ConsoleRefusal while no role was chosen. */
  acting(): Acting
  /** The Idempotency-Key; only on routes declared `idempotent`. */
  readonly key: string
  /** The body of an upload, of one of the route's `uploads` types. */
  readonly upload: { readonly type: string, readonly stream: Readable } | null
  beginSession(token: string): void
  dropSession(): void
}

type Of<Schema> = Schema extends TSchema ? Static<Schema> : Record<never, never>

/** One route, declared once: fastify, the OpenAPI document, the table of who may, CSRF and idempotency are all made from this. */
export interface Route {
  readonly method: Method
  /** Fastify's form: `/api/applications/:number`. */
  readonly url: string
  readonly tag: string
  readonly summary: Words
  readonly who: Who
  readonly params: TSchema | null
  readonly query: TSchema | null
  readonly body: TSchema | null
  /** Schema of the answer; null is 204 without a body, a content type is bytes. */
  readonly answer: TSchema | null | readonly string[]
  readonly status: number
  /** Needs an Idempotency-Key: the same key with the same request is answered as the first time. */
  readonly idempotent: boolean
  /** Content types of an uploaded file; then there is no JSON body. */
  readonly uploads: readonly string[]
  /** The right is looked at here, before the handler: for parts that take no `Acting`. Otherwise the part called looks, inside its transaction. */
  readonly guard: boolean
  /** A read that does not count as use, for screens that refresh themselves (R66). */
  readonly isBackground: boolean
  /** What the answer's own headers say, by their names; for the document. */
  readonly headers: Readonly<Record<string, Words>>
  readonly handler: (context: RouteContext<unknown, unknown, unknown>) => unknown
}

interface Declared<P, Q, B> {
  readonly method: Method
  readonly url: string
  readonly summary: Words
  readonly who: Who
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly answer: TSchema | null | readonly string[]
  readonly status?: number
  readonly idempotent?: boolean
  readonly uploads?: readonly string[]
  readonly guard?: boolean
  readonly isBackground?: boolean
  readonly headers?: Readonly<Record<string, Words>>
  /** The answer, or a promise of it; what its schema does not declare is cut off. Bytes are a `FileAnswer` or a `StreamAnswer`. */
  readonly handler: (context: RouteContext<Of<P>, Of<Q>, Of<B>>) => unknown
}

/** Declares a route. Reads with a list of rights are always guarded. */
export const route = <const P extends TSchema | undefined = undefined, const Q extends TSchema | undefined = undefined, const B extends TSchema | undefined = undefined>(declared: Declared<P, Q, B>): Route => ({
  method: declared.method, url: declared.url, tag: declared.url.split('/')[2] ?? '', summary: declared.summary, who: declared.who, params: declared.params ?? null, query: declared.query ?? null, body: declared.body ?? null,
  answer: declared.answer, status: declared.status ?? (declared.answer === null ? 204 : 200), idempotent: declared.idempotent === true, uploads: declared.uploads ?? [],
  guard: declared.guard ?? declared.method === 'GET', isBackground: declared.isBackground === true, headers: declared.headers ?? {}, handler: declared.handler as Route['handler'],
})

/** Bytes for a person to keep: always as a download, never shown as a page of this site. */
export class FileAnswer {
  readonly content: Buffer
  readonly type: string
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
  constructor(content: Buffer, type: string, name: string, headers: Readonly<Record<string, string>> = {}) { this.content = content; this.type = type; this.name = name; this.headers = headers }
}

/** A download that is made while it is sent, whole or in part: a line that broke goes on where it was. Never more of it in memory than a few pieces. */
export interface StreamFacts {
  readonly type: string
  readonly name: string
  readonly bytes: number
  /** Quoted; the same for the same bytes. */
  readonly etag: string
  readonly headers?: Readonly<Record<string, string>>
  /** Begins it, and puts on record that it was; what it gives is destroyed when the client breaks off. */
  readonly open: (part: BytePart) => Readable
}
export class StreamAnswer {
  readonly facts: StreamFacts
  constructor(facts: StreamFacts) { this.facts = facts }
}

/** An object that takes no other keys. */
export const closed = <const P extends Record<string, TSchema>>(properties: P, options: { readonly description?: string } = {}) => Type.Object(properties, { additionalProperties: false, ...options })
export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
/** Whether the same change again, with its key, is answered from memory. Sessions answer with cookies, uploads are the same file again, and papers are printed again. */
export const isReplayed = ({ method, uploads, tag, answer }: Pick<Route, 'method' | 'uploads' | 'tag' | 'answer'>): boolean => method !== 'GET' && uploads.length === 0 && tag !== 'session' && !Array.isArray(answer)
export const keyOf = (route: Pick<Route, 'method' | 'url'>): string => `${route.method} ${route.url}`
