import { isIPv6 } from 'node:net'
import type { MonoMs } from '../domain/index.ts'
import { TooManyRequests } from './errors.ts'

/** How many at once, and how many a second after that. */
export interface Rate { readonly burst: number, readonly perSecond: number }
interface Bucket { left: number, atMs: MonoMs }

/** More than an office has machines; past it the longest unused is forgotten, which gives it a full bucket and no more. */
const MOST_KEYS = 4096

/** Token buckets by key, in running time, bounded. */
export class RateGate {
  readonly #rate: Rate
  readonly #buckets = new Map<string, Bucket>()
  constructor(rate: Rate) { this.#rate = rate }
  get size(): number { return this.#buckets.size }

  /** Throws TooManyRequests. */
  pass(key: string, now: MonoMs): void {
    const { burst, perSecond } = this.#rate
    const known = this.#buckets.get(key)
    const left = known === undefined ? burst : Math.min(burst, known.left + (now - known.atMs) / 1000 * perSecond)
    this.#buckets.delete(key)
    this.#buckets.set(key, { left: Math.max(0, left - 1), atMs: now })
    if (this.#buckets.size > MOST_KEYS) this.#buckets.delete(this.#buckets.keys().next().value ?? '')
    if (left < 1) throw new TooManyRequests(Math.ceil((1 - left) / perSecond * 1000))
  }
}

/** Of IPv6 the first half, for one machine may have any address in it. */
export function sourceKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail = ''] = plain.split('::')
  const first = head.split(':').filter(part => part !== ''), last = tail.split(':').filter(part => part !== '')
  const whole = plain.includes('::') ? [...first, ...Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0'), ...last] : first
  return whole.slice(0, 4).map(part => Number.parseInt(part, 16).toString(16)).join(':')
}
