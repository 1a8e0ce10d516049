import { isIP } from 'node:net'
import { LIMITS } from './defaults.ts'

const LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/
const ALL_DIGITS = /^\d+$/

/** An IPv4 or IPv6 address or a DNS name. 10.0.0.300 is neither: a last label of digits is a mistyped address. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true
  if (text.length > LIMITS.hostChars) return false
  const labels = text.split('.')
  return labels.every(label => LABEL.test(label)) && !ALL_DIGITS.test(labels.at(-1) ?? '')
}

/** 127.0.0.0/8, ::1 in its short form, or `localhost`, which is trusted to mean what RFC 6761 says. */
export const isLoopback = (host: string): boolean =>
  host === '::1' || host.toLowerCase() === 'localhost' || (isIP(host) === 4 && host.startsWith('127.'))
