import type { AuditValue } from '../domain/index.ts'

/** Far deeper than any detail is meant to be. */
const MAX_DEPTH = 16

/**
 * The one text of a value by RFC 8785: keys by UTF-16 code unit, no blanks, ECMAScript escapes. Only text, whole numbers, truth values, null, lists and mappings.
 * Throws TypeError on anything else, also on a lone surrogate: what has no canonical form cannot be evidence.
 */
export function canonicalJson(value: AuditValue, depth = 0): string {
  if (depth > MAX_DEPTH) throw new TypeError(`an audit value is nested deeper than ${MAX_DEPTH}`)
  switch (typeof value) {
    case 'string': return canonicalText(value)
    case 'boolean': return value ? 'true' : 'false'
    case 'number':
      if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is no whole number, so it has no place in the audit log`)
      return String(value === 0 ? 0 : value) // -0 is 0
    default:
  }
  if (value === null) return 'null'
  if (isList(value)) return `[${value.map(item => canonicalJson(item, depth + 1)).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`${typeof value} has no place in the audit log`)
  return `{${Object.keys(value).sort().map(key => `${canonicalText(key)}:${canonicalJson(value[key]!, depth + 1)}`).join(',')}}`
}

// Array.isArray alone loses the readonly element type.
const isList = (value: AuditValue): value is readonly AuditValue[] => Array.isArray(value)

export function canonicalText(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('text with half a character (a lone surrogate) has no place in the audit log')
  return JSON.stringify(text)
}
