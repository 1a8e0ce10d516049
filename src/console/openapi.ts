import type { TSchema } from 'typebox'
import { RIGHTS } from '../access/index.ts'
import { SCHEMA_NAMES } from './schemas/names.ts'
import { ErrorSchema } from './schemas/common.ts'
import { CSRF_HEADER } from './csrf.ts'
import { isReplayed, type Route, type Who } from './route.ts'

type Json = { readonly [key: string]: unknown }
const PARAMETER = /:([A-Za-z0-9]+)/g

/** The OpenAPI 3.1 document of these routes: the very schemas they are checked by. Stable, so that it can be kept beside the code. */
export function openApiOf(routes: readonly Route[]): Json {
  const components = new Map<string, Json>()
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const url = route.url.replace(PARAMETER, '{$1}')
    paths[url] = { ...paths[url], [route.method.toLowerCase()]: operationOf(route, components) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Custos', version: '1', description: '戶政事務所錄影系統之申請、核准與紀錄。時間為 UTC 毫秒；時段為半開區間。/ Applications, approvals and records of the office\'s video recorder. Instants are UTC milliseconds, ranges half-open.' },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: { session: { type: 'apiKey', in: 'cookie', name: '__Host-custos' } },
      schemas: { Error: plain(ErrorSchema, components), ...Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))) },
    },
  }
}

function operationOf(route: Route, components: Map<string, Json>): Json {
  const { summary, who, tag } = route
  const bytes = (types: readonly string[]): Json => Object.fromEntries(types.map(type => [type, { schema: { type: 'string', format: 'binary' } }]))
  const json = (schema: TSchema): Json => ({ 'application/json': { schema: plain(schema, components) } })
  const content = route.answer === null ? {} : { content: Array.isArray(route.answer) ? bytes(route.answer) : json(route.answer as TSchema) }
  const body = route.uploads.length > 0 ? bytes(route.uploads) : route.body === null ? null : json(route.body)
  return {
    tags: [tag], summary: `${summary.zh} / ${summary.en}`, description: whoText(who), 'x-custos-who': who,
    ...(who === 'anyone' ? { security: [] } : { security: [{ session: [] }] }),
    parameters: [
      ...parametersOf('path', route.params, components), ...parametersOf('query', route.query, components),
      ...(route.method === 'GET' || who === 'anyone' ? [] : [{ name: CSRF_HEADER, in: 'header', required: true, schema: { type: 'string' } }]),
      ...(isReplayed(route) ? [{ name: 'idempotency-key', in: 'header', required: route.idempotent, schema: { type: 'string', pattern: '^[\\w-]{8,100}$' } }] : []),
    ],
    ...(body === null ? {} : { requestBody: { required: true, content: body } }),
    responses: { [route.status]: { description: summary.en, ...headersOf(route), ...content }, default: { description: 'refused', content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } } },
  }
}

const headersOf = ({ headers }: Route): Json => Object.keys(headers).length === 0 ? {} : { headers: Object.fromEntries(Object.entries(headers).map(([name, { zh, en }]) => [name, { description: `${zh} / ${en}`, schema: { type: 'string' } }])) }

function parametersOf(place: 'path' | 'query', schema: TSchema | null, components: Map<string, Json>): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as { properties?: Record<string, TSchema>, required?: readonly string[] }
  return Object.entries(properties).map(([name, each]) => ({ name, in: place, required: required.includes(name), schema: plain(each, components) }))
}

export function whoText(who: Who): string {
  if (who === 'anyone') return '任何人 / anybody'
  if (who === 'session') return '已登入者 / whoever is signed in'
  if (who === 'role') return '已選擇職務者 / whoever acts in a role'
  return who.map(act => `${act}: ${RIGHTS[act].zh} / ${RIGHTS[act].en}`).join('; ')
}

/** A schema with the named ones it holds by reference. */
function plain(schema: unknown, components: Map<string, Json>): Json {
  const name = SCHEMA_NAMES.get(schema as object)
  if (name === undefined) return copy(schema, components) as Json
  if (!components.has(name)) {
    components.set(name, {}) // its place, for one that holds itself
    components.set(name, copy(schema, components) as Json)
  }
  return { $ref: `#/components/schemas/${name}` }
}
function copy(value: unknown, components: Map<string, Json>): unknown {
  if (Array.isArray(value)) return value.map(each => plain(each, components))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each, components)]))
}
