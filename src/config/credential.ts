import { inspect } from 'node:util'
import type { Credential } from '../domain/index.ts'

const HIDDEN = '[redacted]'
const hide = (): string => HIDDEN

/** A credential that JSON, `console.log` and pino print as "[redacted]"; its two fields read as usual. */
export function sealCredential(username: string, password: string): Credential {
  const credential = { username, password }
  Object.defineProperty(credential, 'toJSON', { value: hide })
  Object.defineProperty(credential, inspect.custom, { value: hide })
  return Object.freeze(credential)
}

export const sameCredential = (a: Credential | null, b: Credential | null): boolean =>
  a === b || (a !== null && b !== null && a.username === b.username && a.password === b.password)
