import { BlockList, isIP } from 'node:net'
import { LIMITS } from './defaults.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/
const ALL_DIGITS = /^\d+$/

/** An IPv4 or IPv6 address or a DNS name. 10.0.0.300 is neither: a last label of digits is a mistyped address. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true
  if (text.length > LIMITS.hostChars) return false
  const labels = text.split('.')
  return labels.every(label => LABEL.test(label)) && !ALL_DIGITS.test(labels.at(-1) ?? '')
}

/** `localhost` is trusted to mean what RFC 6761 says. */
export function isLoopback(host: string): boolean {
  const family = isIP(host)
  if (family === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
