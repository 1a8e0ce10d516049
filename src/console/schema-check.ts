import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { badRequest, type ConsoleRefusal, type FieldProblem } from './errors.ts'

const MOST_PROBLEMS = 20

/** `/asked/2/from` as people write it: `asked[2].from`. */
const whereOf = (pointer: string): string => pointer.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~').slice(0, 60)).reduce((path, part) => /^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`, '')

/** Checks values of one schema. Not compiled: code made of ninety routes' schemas takes more memory than these few requests a minute are worth. */
export function checkOf(schema: TSchema): { readonly fits: (value: unknown) => boolean, readonly problems: (value: unknown) => readonly FieldProblem[] } {
  return {
    fits: value => Value.Check(schema, value),
    problems: value => {
      const found = Value.Errors(schema, value)
      const seen = new Map<string, FieldProblem>()
      for (const { instancePath, message, keyword, params } of found) {
        if (keyword === 'boolean') continue // its own line says which key was one too many
        const extra = keyword === 'additionalProperties' && Array.isArray((params as { additionalProperties?: unknown }).additionalProperties) ? ((params as { additionalProperties: unknown[] }).additionalProperties.map(String).slice(0, 5).map(key => key.slice(0, 60)).join(', ')) : null
        const where = whereOf(instancePath)
        if (!seen.has(where)) seen.set(where, extra === null ? { where, zh: '格式不符。', en: `${message}.` } : { where, zh: `沒有這個欄位：${extra}。`, en: `has no such field: ${extra}.` })
        if (seen.size === MOST_PROBLEMS) break
      }
      return [...seen.values()]
    },
  }
}

/** For what came in: the value, or the refusal. Text of a query or a path becomes the number it stands for. */
export function inboundCheck(schema: TSchema, { isText }: { readonly isText: boolean }): (value: unknown) => { readonly value: unknown } | { readonly error: ConsoleRefusal } {
  const { fits, problems } = checkOf(schema)
  return given => {
    const value = isText ? Value.Convert(schema, { ...given as object }) : given
    if (fits(value)) return { value }
    return { error: badRequest('送出的資料格式不符。', 'what was sent does not have the form it should', problems(value)) }
  }
}

/** For what goes out: what is not declared is cut off. Throws TypeError when what is left is not what was declared; paths only, no values. */
export function outbound(schema: TSchema): (value: unknown) => string {
  const { fits, problems } = checkOf(schema)
  return value => {
    const clean = Value.Clean(schema, JSON.parse(JSON.stringify(value ?? null)))
    if (!fits(clean)) throw new TypeError(`an answer is not as declared: ${problems(clean).map(({ where, en }) => `${where} ${en}`).join(' ')}`)
    return JSON.stringify(clean)
  }
}
