import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** No 0, 1, I, O: codes are read from paper and typed. */
const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'
const TOKEN_CHARS = 20, RECOVERY_CHARS = 10
const MAX_NAME_CHARS = 200

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

function drawn(chars: number, group: number): string {
  const text = [...randomBytes(chars)].map(byte => ALPHABET[byte & 31]).join('')
  return text.match(new RegExp(`.{1,${group}}`, 'g'))?.join('-') ?? text
}
const typed = (text: string): string => text.slice(0, 100).toUpperCase().replace(/[^0-9A-Z]/g, '')

/** What was typed as a name, of an account or of nobody, in the form failures are counted by. */
export const nameHash = (name: string): Buffer => sha256(`custos sign-in\n${name.slice(0, MAX_NAME_CHARS)}`)

/** 100 random bits in groups of four. */
export const newToken = (): string => drawn(TOKEN_CHARS, 4)
export const tokenHash = (token: string): Buffer => sha256(`custos one-time\n${typed(token)}`)
/** Ten codes of 50 random bits. */
export const newRecoveryCodes = (): string[] => Array.from({ length: 10 }, () => drawn(RECOVERY_CHARS, 5))
export const typedCode = typed
export const looksLikeRecoveryCode = (text: string): boolean => typed(text).length === RECOVERY_CHARS

/** 256 random bits; what the browser holds. */
export const newSessionToken = (): string => randomBytes(32).toString('base64url')
const SESSION_TOKEN = /^[A-Za-z0-9_-]{43}$/
/** Null for what cannot be a session token. */
export const sessionHash = (token: string): Buffer | null => SESSION_TOKEN.test(token) ? sha256(`custos session\n${token}`) : null

/** The token a page of this session sends back with each change; derived, so that nothing is stored for it. */
export const csrfToken = (sessionToken: string): string => createHmac('sha256', sessionToken).update('custos csrf').digest('base64url')
export const isCsrfToken = (sessionToken: string, given: string): boolean => isSame(Buffer.from(csrfToken(sessionToken)), Buffer.from(given.slice(0, 100)))

export const isSame = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)
