import type { Credential } from '../../domain/index.ts'
import { answerBasic, answerDigest, readOffer, type DigestChallenge } from '../http-auth.ts'
import { RelayFault } from './relay-fault.ts'
import { headersOf, requestLineOf, statusOf, withHeaders, type RtspMessage } from './rtsp-message.ts'

/**
 * Proves the password to one camera, connection after connection. The host it is used with is the configured
 * one.
 */
export class RtspAuth {
  readonly #credential: Credential | null
  #challenge: DigestChallenge | 'basic' | null = null
  #nonceCount = 0
  #wasRefused = false
  /** A device that calls every nonce too old would count wrong passwords without end. */
  #wasStale = false

  constructor(credential: Credential | null) { this.#credential = credential }

  authorized(request: RtspMessage): RtspMessage {
    if (this.#credential === null || this.#challenge === null) return withHeaders(request,
      { Authorization: undefined })
    const { method, uri } = requestLineOf(request)
    const authorization = this.#challenge === 'basic' ? answerBasic(this.#credential)
      : answerDigest(this.#challenge, this.#credential,
        { method, uri, nonceCount: ++this.#nonceCount }).authorization
    return withHeaders(request, { Authorization: authorization })
  }

  /** Whether an answer is a question for the password; some cameras ask with 400 or 403. */
  static isChallenge(answer: RtspMessage): boolean {
    const status = statusOf(answer)
    return status === 401 || (status >= 400 && status < 500
      && headersOf(answer, 'www-authenticate').length > 0)
  }

  /**
   * Takes up a challenge. Throws RelayFault when the password was refused, or cannot be proved in a way that
   * is asked for.
   */
  take(answer: RtspMessage): void {
    const offer = readOffer(headersOf(answer, 'www-authenticate'))
    const before = this.#challenge
    const isStale = before !== null && (offer.digest?.isStale ?? false) && !this.#wasStale
    const isRepeated = before !== null && !isStale && this.#wasRefused
    this.#wasStale = isStale
    if (this.#credential === null) throw new RelayFault('auth-refused',
      'the camera asks for a password, and none is configured')
    if (isRepeated) throw new RelayFault('auth-refused', 'the camera refused the user name or password')
    if (offer.digest === null && !offer.isBasicAlone) {
      const names = offer.names.join(', ') || 'nothing that can be read'
      throw new RelayFault('auth-unsupported', `the camera asks for ${names}`)
    }
    this.#challenge = offer.digest ?? 'basic'
    this.#nonceCount = 0
    this.#wasRefused = true
  }

  /** The camera let a request through: a later challenge may only mean that a nonce is too old. */
  passed(): void { this.#wasRefused = this.#wasStale = false }
}
