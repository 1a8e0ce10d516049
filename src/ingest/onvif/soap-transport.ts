import type { Credential, EpochMs } from '../../domain/index.ts'
import type { Clock } from '../../platform/clock.ts'
import { answerDigest, readOffer, type DigestChallenge } from '../http-auth.ts'
import type { DeviceText } from './device-text.ts'
import { HttpFormatError } from './http-answer.ts'
import { AnswerTimeout, httpPost, type HttpTarget, type RawAnswer } from './http-post.ts'
import { OnvifError, type OnvifFailure } from './onvif-error.ts'
import type { ComposedRequest } from './request-composer.ts'

export interface SoapTransportOptions {
  readonly host: string
  readonly port: number
  readonly credential: Credential | null
  readonly clock: Clock
  readonly deviceText: DeviceText
  /** Ends whatever is under way. With a `DeadlinePassed` as reason it becomes a typed failure, else the reason is thrown as it is. */
  readonly signal: AbortSignal
}

/** Abort reason of a session that ran out of time. */
export class DeadlinePassed extends Error {}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  /** Of the exchange that brought the answer, not of a refused one before it. */
  readonly sentAt: EpochMs
  readonly roundTripMs: number
}

/** A service of the device: where it is on the configured host. */
export interface ServicePlace {
  readonly path: string
  /** Null: as configured, or where a redirect led. */
  readonly origin: Origin | null
}
type Origin = Pick<HttpTarget, 'isTls' | 'port'>

interface Exchange extends HttpAnswer { readonly headers: RawAnswer['headers'] }

const NO_ROUTE_CODES = ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT']
const RESET_CODES = ['ECONNRESET', 'EPIPE']
const HTTPS_PORTS = [443, 8443]
const MOST_REDIRECTS = 3
const isRedirect = (status: number): boolean => status >= 301 && status <= 308 && status !== 304

/**
 * Carries requests to one device: always the configured host, one connection each, no second try of a failed
 * one.
 */
export class SoapTransport {
  readonly #options: SoapTransportOptions
  #challenge: DigestChallenge | null = null
  #nonceCount = 0
  #connected = false
  /** Where a redirect led. */
  #origin: Origin
  #fingerprint: string | null = null

  constructor(options: SoapTransportOptions) {
    this.#options = options
    this.#origin = { isTls: HTTPS_PORTS.includes(options.port), port: options.port }
  }

  /** SHA-256 of the certificate that the device showed; null over plain HTTP. */
  get certificate(): string | null { return this.#fingerprint }

  get hasAnsweredDigest(): boolean { return this.#challenge !== null }
  isAt({ isTls, port }: Origin): boolean { return this.#origin.isTls === isTls && this.#origin.port === port }

  /**
   * Follows redirects on the host and answers a digest challenge once; beyond that any status is the caller's
   * to judge. Throws OnvifError.
   */
  async post(request: ComposedRequest, place: ServicePlace): Promise<HttpAnswer> {
    this.#options.deviceText.addSecrets(request.secrets)
    let at = place, isAnswered = false
    for (let redirects = 0; ;) {
      const answer = await this.#exchange(request, at)
      if (isRedirect(answer.status) && redirects++ < MOST_REDIRECTS) {
        at = this.#redirected(answer, at); continue }
      const challenge = isAnswered || answer.status < 400 || this.#options.credential === null ? null
        : this.#offerOf(answer)
      if (challenge === null) return answer
      this.#challenge = challenge
      this.#nonceCount = 0
      isAnswered = true
    }
  }

  #offerOf(answer: Exchange): DigestChallenge | null {
    return readOffer(answer.headers.get('www-authenticate') ?? []).digest
  }

  /**
   * Another port of the host, or HTTPS there. Throws OnvifError for another host, and for a step back from
   * HTTPS.
   */
  #redirected(answer: Exchange, { path }: ServicePlace): ServicePlace {
    const { host, deviceText } = this.#options
    const location = answer.headers.get('location')?.[0] ?? ''
    const { isTls: wasTls, port } = this.#origin
    const name = host.includes(':') ? `[${host.replace(/%.*$/, '')}]` : host
    const own = `${wasTls ? 'https' : 'http'}://${name}:${port}${path}`
    const next = location.length > MAX_LOCATION_LENGTH ? null : URL.parse(location, own)
    if (next === null || !/^https?:$/.test(next.protocol)) throw new OnvifError('not-onvif',
      'the device redirects without an address')
    if (next.hostname !== URL.parse(own)?.hostname) throw new OnvifError('redirected',
      `the device redirects to another host (${deviceText.forError(next.hostname)})`)
    const isTls = next.protocol === 'https:'
    if (this.#origin.isTls && !isTls) throw new OnvifError('redirected',
      'the device redirects from HTTPS to HTTP')
    this.#origin = { isTls, port: next.port === '' ? isTls ? 443 : 80 : Number(next.port) }
    return { path: next.pathname + next.search, origin: null }
  }

  async #exchange(request: ComposedRequest, place: ServicePlace): Promise<Exchange> {
    const { host, clock, signal } = this.#options
    const { isTls, port } = place.origin ?? this.#origin
    const sentAt = clock.wallNow(), startedAt = clock.monoNow()
    let isConnected = false
    try {
      const { status, text, headers, fingerprint } = await httpPost({ isTls, host, port, path: place.path }, {
        headers: { 'Content-Type': `application/soap+xml; charset=utf-8; action="${request.action}"`,
          ...this.#authorization(place.path) },
        body: request.body,
      }, { signal, onConnected: () => { this.#connected = isConnected = true } })
      this.#fingerprint = fingerprint
      return { status, text, headers, sentAt, roundTripMs: clock.monoNow() - startedAt }
    } catch (error) {
      throw this.#failureOf(error, { isTls, port, isConnected })
    }
  }

  #authorization(path: string): Record<string, string> {
    const { credential, deviceText } = this.#options
    if (this.#challenge === null || credential === null) return {}
    const request = { method: 'POST', uri: path, nonceCount: ++this.#nonceCount }
    const { authorization, secrets } = answerDigest(this.#challenge, credential, request)
    deviceText.addSecrets(secrets)
    return { Authorization: authorization }
  }

  #failureOf(error: unknown, { isTls, port, isConnected }: {
    isTls: boolean, port: number, isConnected: boolean }): unknown {
    const { host, signal, deviceText } = this.#options
    const device = `${host} port ${port}`
    if (signal.aborted && !(signal.reason instanceof DeadlinePassed)) return signal.reason
    if (signal.aborted) {
      return this.#connected ? new OnvifError('timed-out', `${device} did not answer in time`)
        : new OnvifError('unreachable', `no connection to ${device} came about in time`)
    }
    if (error instanceof OnvifError) return error
    if (error instanceof AnswerTimeout) return new OnvifError('timed-out', `${device} did not answer in time`)
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
    const cause = new Error(deviceText.forError(error instanceof Error ? error.message || code
      : String(error)))
    const failed = (failure: OnvifFailure, what: string) =>
      new OnvifError(failure, `${device} ${what}`, cause)
    if (error instanceof HttpFormatError) return new OnvifError('not-onvif', `${device}: ${error.message}`)
    if (isTls && !isConnected && this.#connected) return failed('https-failed',
      'cannot be reached over HTTPS, where the device redirects to')
    if (code === 'ECONNREFUSED') return failed('refused', 'refuses the connection')
    if (NO_ROUTE_CODES.includes(code) || !isConnected) return failed('unreachable', 'cannot be reached')
    if (RESET_CODES.includes(code)) return failed('refused', 'broke the connection off')
    return failed('not-onvif', 'does not speak HTTP')
  }
}

const MAX_LOCATION_LENGTH = 1_024
