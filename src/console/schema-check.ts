import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { badRequest, type ConsoleRefusal, type FieldProblem } from './errors.ts'

const MOST_PROBLEMS = 20
const KINDS: Readonly<Record<string, string>> = { string: '文字', integer: '整數', number: '數字', boolean: ' true 或 false', object: '物件', array: '清單', null: ' null' }

interface Found { readonly keyword: string, readonly instancePath: string, readonly message: string, readonly params: object }

/** What would do, from the schema alone: nothing of what was sent. */
function wordsOf({ keyword, instancePath, message, params }: Found, all: readonly Found[]): Pick<FieldProblem, 'zh' | 'en'> {
  const { limit, type, pattern, requiredProperties, additionalProperties } = params as { readonly limit?: number, readonly type?: string | readonly string[], readonly pattern?: unknown, readonly requiredProperties?: readonly string[], readonly additionalProperties?: unknown }
  const both = (zh: string, en = `${message}.`) => ({ zh, en })
  switch (keyword) {
    case 'additionalProperties': {
      const extra = Array.isArray(additionalProperties) ? additionalProperties.map(String).slice(0, 5).map(key => key.slice(0, 60)).join(', ') : null
      return extra === null ? both('格式不符。') : both(`沒有這個欄位：${extra}。`, `has no such field: ${extra}.`)
    }
    case 'const': {
      const allowed = [...new Set(all.filter(other => other.keyword === 'const' && other.instancePath === instancePath).map(other => String((other.params as { readonly allowedValue?: unknown }).allowedValue)))]
      return both(`須為下列之一：${allowed.join('、')}。`, `must be one of: ${allowed.join(', ')}.`)
    }
    case 'required': return both(`缺少欄位：${requiredProperties?.join('、') ?? ''}。`)
    case 'type': return both(`須為${[type].flat().map(each => KINDS[each ?? ''] ?? '').join('或')}。`)
    case 'pattern': return both(`格式不符，須符合 ${String(pattern)}。`)
    case 'minimum': return both(`不得小於 ${limit}。`)
    case 'maximum': return both(`不得大於 ${limit}。`)
    case 'minLength': return both(`不得少於 ${limit} 字。`)
    case 'maxLength': return both(`不得超過 ${limit} 字。`)
    case 'minItems': return both(`不得少於 ${limit} 項。`)
    case 'maxItems': return both(`不得超過 ${limit} 項。`)
    default: return both('格式不符。')
  }
}

/** `/asked/2/from` as people write it: `asked[2].from`. */
const whereOf = (pointer: string): string => pointer.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~').slice(0, 60)).reduce((path, part) => /^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`, '')

/** Checks values of one schema. Not compiled: code made of ninety routes' schemas takes more memory than these few requests a minute are worth. */
export function checkOf(schema: TSchema): { readonly fits: (value: unknown) => boolean, readonly problems: (value: unknown) => readonly FieldProblem[] } {
  return {
    fits: value => Value.Check(schema, value),
    problems: value => {
      const found = Value.Errors(schema, value)
      const seen = new Map<string, FieldProblem>()
      for (const each of found) {
        if (each.keyword === 'boolean') continue // its own line says which key was one too many
        const where = whereOf(each.instancePath)
        if (!seen.has(where)) seen.set(where, { where, ...wordsOf(each, found) })
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
