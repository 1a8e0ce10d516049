import type { Static, TSchema } from 'typebox'
import { Errors } from 'typebox/schema'
import { Settings } from 'typebox/system'
import { LIMITS } from './defaults.ts'
import { nearestOf } from './near-key.ts'
import { keyText, type Finding, type Steps } from './problem.ts'
import { ConfigSchema, type Note, type RawConfig } from './schema.ts'
import { texts, type ProblemText } from './texts.ts'

/** Of a checked value what is right. A key is absent if it was left out, null if it was there and wrong. */
export type Draft<T> =
  | (T extends readonly (infer Item)[] ? readonly Draft<Item>[] : T extends object ? { readonly [Key in keyof T]?: Draft<T[Key]> } : T)
  | null

/** The part of JSON Schema that schema.ts uses. */
export interface SchemaNode extends Partial<Note> {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly const?: string | boolean
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
}

export const configNode = ConfigSchema as SchemaNode

type Mapping = Readonly<Record<string, unknown>>
export const isMapping = (value: unknown): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value)

const mappingOf = (node: SchemaNode): SchemaNode => node.anyOf?.find(variant => variant.type === 'object') ?? node

function childOf(node: SchemaNode | undefined, step: string | number): SchemaNode | undefined {
  if (node === undefined) return undefined
  if (typeof step === 'number') return node.items
  const { properties, patternProperties } = mappingOf(node)
  if (properties && Object.hasOwn(properties, step)) return properties[step]
  return Object.entries(patternProperties ?? {}).find(([pattern]) => new RegExp(pattern).test(step))?.[1]
}

/** No key on the way to an error holds a slash: unknown keys are reported by their parent. */
function stepsOf(root: SchemaNode, pointer: string): Steps {
  let node: SchemaNode | undefined = root
  return pointer.split('/').slice(1).map(part => {
    const step = node?.items ? Number(part) : part
    node = childOf(node, step)
    return step
  })
}

const valueAt = (value: unknown, steps: Steps): unknown =>
  steps.reduce<unknown>((inside, step) => (inside as Mapping | undefined)?.[step], value)

function expectation(node: SchemaNode, value: unknown): { text: ProblemText, example: string } {
  const example = node.example ?? ''
  if (value === null) return { text: texts.emptyValue, example }
  if (node.quotable && (typeof value === 'number' || typeof value === 'boolean')) return { text: texts.quoteIt, example: JSON.stringify(example) }
  return { text: node.expect ?? (node.type === 'array' ? texts.notList : texts.notMapping), example }
}

const ACCOUNT_KEY = /^(user(name)?|pass(word|wd)?|pwd|login)$/i

function unknownKey(node: SchemaNode, steps: Steps, key: string): Finding {
  const at = { steps: [...steps, key], at: 'key' } as const
  if (node.patternProperties) return { ...at, text: texts.name, example: 'main' }
  const known = Object.keys(mappingOf(node).properties ?? {})
  if (ACCOUNT_KEY.test(key)) return { ...at, text: texts.accountKey, example: 'credential: lobby' }
  const near = nearestOf(key, known)
  const example = childOf(node, near ?? known[0] ?? '')?.example ?? ''
  return { ...at, text: texts.unknownKey({ key: keyText(key), near, known }), example: `${near ?? known[0] ?? ''}: ${example}` }
}

const MAX_ERRORS = LIMITS.problems * 8 // several errors tell of one problem; the library's own bound is 8

function allErrors(schema: TSchema, value: unknown): ReturnType<typeof Errors>[1] {
  const { maxErrors } = Settings.Get()
  Settings.Set({ maxErrors: MAX_ERRORS })
  try { return Errors(schema, value)[1] } finally { Settings.Set({ maxErrors }) }
}

/** Everything wrong with the shape, one finding a place, and the draft of what is right; no draft when the bound cut the search short. */
export const checkShape = (value: Mapping): { findings: readonly Finding[], draft: Draft<RawConfig> } => checkShapeOf(ConfigSchema, value)

/** The same for another file with a schema made in the manner of schema.ts. */
export function checkShapeOf<Shape extends TSchema>(schema: Shape, value: Mapping): { findings: readonly Finding[], draft: Draft<Static<Shape>> } {
  const findings: Finding[] = []
  const wrong = new Set<string>()
  const root = schema as SchemaNode
  const errors = allErrors(schema, value)
  for (const error of errors) {
    const steps = stepsOf(root, error.instancePath)
    const node = steps.reduce<SchemaNode | undefined>(childOf, root)
    if (error.keyword === 'boolean' || node === undefined) continue // said again by additionalProperties
    if (error.keyword === 'additionalProperties') {
      for (const key of error.params.additionalProperties) findings.push(unknownKey(node, steps, key))
    } else if (error.keyword === 'required') {
      for (const key of error.params.requiredProperties) {
        findings.push({ steps: [...steps, key], text: texts.missing(key), example: `${key}: ${childOf(node, key)?.example ?? ''}` })
      }
    } else {
      const found = valueAt(value, steps)
      if (wrong.has(error.instancePath) || (node.anyOf && isMapping(found))) continue // the variant's own errors say more
      wrong.add(error.instancePath)
      findings.push({ steps, ...expectation(node, found) })
    }
  }
  return { findings, draft: errors.length < MAX_ERRORS ? prune(root, value, '', wrong) as Draft<Static<Shape>> : null }
}

/** Follows the schema, not the value, so that a value that holds itself ends too. */
function prune(node: SchemaNode, value: unknown, pointer: string, wrong: ReadonlySet<string>): unknown {
  if (node.items) return Array.isArray(value) ? value.map((item, index) => prune(node.items!, item, `${pointer}/${index}`, wrong)) : null
  if (isMapping(value)) {
    if (mappingOf(node).type !== 'object') return null
    return Object.fromEntries(Object.keys(value).flatMap(key => {
      const child = childOf(node, key)
      return child ? [[key, prune(child, value[key], `${pointer}/${key}`, wrong)]] : []
    }))
  }
  if (wrong.has(pointer)) return null
  if (node.anyOf) return node.anyOf.some(variant => variant.const !== undefined && variant.const === value) ? value : null
  return typeof value === (node.type === 'integer' ? 'number' : node.type) ? value : null
}
