import { createHash, randomBytes } from 'node:crypto'
import type { SimulatedDevice } from './simulated-device.ts'
import { unescaped } from './soap-answers.ts'

/** How a request proved itself; `none` where it did not, or not rightly. */
export type Proof = 'none' | 'ws-security' | 'http-digest'

const CREATED_WITHIN_MS = 5 * 60_000

/** Checks credentials as a device does: tokens against its own clock and never twice, digests against nonces it gave out. */
export class RequestGuard {
  readonly #device: SimulatedDevice
  readonly #deviceNow: () => number
  readonly #spentTokens = new Set<string>()
  /** Highest use count of each nonce. */
  readonly #nonces = new Map<string, number>()

  constructor(device: SimulatedDevice, deviceNow: () => number) {
    this.#device = device
    this.#deviceNow = deviceNow
  }

  proofOf(request: { readonly body: string, readonly path: string, readonly authorization: string | undefined }): Proof {
    const { credential, authentication = 'ws-security' } = this.#device
    if (!credential) return 'none'
    if (authentication === 'ws-security') return this.#isTokenGood(request.body, credential) ? 'ws-security' : 'none'
    return request.authorization !== undefined && this.#isDigestGood(request.authorization, request.path, credential) ? 'http-digest' : 'none'
  }

  /** For a 401; null where the device speaks WS-Security only. */
  newChallenge(): string | null {
    const { authentication = 'ws-security' } = this.#device
    if (authentication === 'ws-security') return null
    const nonce = randomBytes(16).toString('hex')
    this.#nonces.set(nonce, 0)
    return `Digest qop="auth", realm="Simulated, device", nonce="${nonce}", algorithm=${authentication === 'http-digest-md5' ? 'MD5' : 'SHA-256'}, stale="FALSE"`
  }

  #isTokenGood(body: string, credential: { username: string, password: string }): boolean {
    const value = (name: string) => new RegExp(`<(?:\\w+:)?${name}(?: [^>]*)?>([^<]*)<`).exec(body)?.[1] ?? ''
    const [nonce, created] = [value('Nonce'), value('Created')]
    const expected = createHash('sha1').update(Buffer.from(nonce, 'base64')).update(created).update(credential.password, 'utf8').digest('base64')
    const ageMs = Math.abs(Date.parse(created) - this.#deviceNow())
    const good = nonce !== '' && unescaped(value('Username')) === credential.username && value('Password') === expected
      && ageMs <= CREATED_WITHIN_MS && !this.#spentTokens.has(nonce)
    this.#spentTokens.add(nonce)
    return good
  }

  #isDigestGood(header: string, path: string, credential: { username: string, password: string }): boolean {
    const text = Buffer.from(header, 'latin1').toString('utf8')
    const field = (name: string) => {
      const [, quoted, plain] = new RegExp(`[ ,]${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^",\\s]+))`).exec(text) ?? []
      return plain ?? (quoted ?? '').replace(/\\(.)/g, '$1')
    }
    const hash = (...parts: string[]) =>
      createHash(this.#device.authentication === 'http-digest-md5' ? 'md5' : 'sha256').update(parts.join(':')).digest('hex')
    const expected = hash(hash(credential.username, field('realm'), credential.password), field('nonce'), field('nc'), field('cnonce'), 'auth', hash('POST', path))
    const used = this.#nonces.get(field('nonce'))
    const count = Number.parseInt(field('nc'), 16)
    if (used === undefined || !(count > used)) return false
    this.#nonces.set(field('nonce'), count)
    return field('username') === credential.username && field('uri') === path && field('response') === expected
  }
}
