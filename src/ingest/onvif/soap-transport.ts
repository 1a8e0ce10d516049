import type { ClientRequest, IncomingMessage } from 'node:http'
import { http } from '../../platform/http.ts'
import type { Credential, EpochMs } from '../../domain/index.ts'
import type { Clock } from '../../platform/clock.ts'
import { answerDigest, readOffer, type DigestChallenge } from '../http-auth.ts'
import { OnvifError, type OnvifFailure } from './onvif-error.ts'
import type { DeviceText } from './device-text.ts'
import type { ComposedRequest } from './request-composer.ts'

/** The profile list of a 64-channel recorder is about 0.8 MB; nothing else comes near. */
export const MAX_ANSWER_BYTES = 2 * 1024 * 1024

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

interface Exchange extends HttpAnswer { readonly challenges: readonly string[] }

const NO_ROUTE_CODES = ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT']
const RESET_CODES = ['ECONNRESET', 'EPIPE']

/** Carries requests to one device: always the host and port of the configuration, never a redirect, one connection each, no second try. */
export class SoapTransport {
  readonly #options: SoapTransportOptions
  #challenge: DigestChallenge | null = null
  #nonceCount = 0
  #connected = false

  constructor(options: SoapTransportOptions) { this.#options = options }

  /** Answers an HTTP digest challenge once; beyond that any status is the caller's to judge. Throws OnvifError. */
  async post(request: ComposedRequest, path: string): Promise<HttpAnswer> {
    this.#options.deviceText.addSecrets(request.secrets)
    const first = await this.#exchange(request, path)
    if (first.status !== 401 || this.#options.credential === null) return first
    const challenge = readOffer(first.challenges).digest
    if (challenge === null) return first
    this.#challenge = challenge
    this.#nonceCount = 0
    return await this.#exchange(request, path)
  }

  async #exchange(request: ComposedRequest, path: string): Promise<Exchange> {
    const { host, port, clock, signal } = this.#options
    signal.throwIfAborted()
    const sentAt = clock.wallNow()
    const startedAt = clock.monoNow()
    let outgoing: ClientRequest | undefined
    let answering = false
    try {
      outgoing = http.request({
        host, port, path, method: 'POST', agent: false, signal,
        headers: {
          'content-type': `application/soap+xml; charset=utf-8; action="${request.action}"`,
          'content-length': Buffer.byteLength(request.body), ...this.#authorization(path),
        },
      })
      outgoing.once('socket', socket => { socket.once('connect', () => { this.#connected = true }) })
      const incoming = await answerOf(outgoing, request.body)
      answering = true
      const text = await boundedText(incoming)
      return {
        status: incoming.statusCode ?? 0, text, sentAt, roundTripMs: clock.monoNow() - startedAt,
        challenges: incoming.headersDistinct['www-authenticate'] ?? [],
      }
    } catch (error) {
      throw this.#failureOf(error, answering)
    } finally {
      outgoing?.destroy()
    }
  }

  #authorization(path: string): { authorization?: string } {
    const { credential, deviceText } = this.#options
    if (this.#challenge === null || credential === null) return {}
    const { authorization, secrets } = answerDigest(this.#challenge, credential, { method: 'POST', uri: path, nonceCount: ++this.#nonceCount })
    deviceText.addSecrets(secrets)
    return { authorization: Buffer.from(authorization, 'utf8').toString('latin1') } // node writes header text as Latin-1
  }

  #failureOf(error: unknown, answering: boolean): unknown {
    const { host, port, signal, deviceText } = this.#options
    const device = `${host} port ${port}`
    if (signal.aborted && !(signal.reason instanceof DeadlinePassed)) return signal.reason
    if (signal.aborted) {
      return this.#connected ? new OnvifError('timed-out', `${device} did not answer in time`)
        : new OnvifError('unreachable', `no connection to ${device} came about in time`)
    }
    if (error instanceof OnvifError) return error
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
    const cause = new Error(deviceText.forError(error instanceof Error ? error.message || code : String(error)))
    const failed = (failure: OnvifFailure, what: string) => new OnvifError(failure, `${device} ${what}`, cause)
    if (code === 'ECONNREFUSED') return failed('refused', 'refuses the connection')
    if (NO_ROUTE_CODES.includes(code) || !this.#connected) return failed('unreachable', 'cannot be reached')
    if (answering) return failed('not-onvif', 'broke its answer off')
    if (RESET_CODES.includes(code)) return failed('refused', 'broke the connection off')
    return failed('not-onvif', 'does not speak HTTP')
  }
}

function answerOf(outgoing: ClientRequest, body: string): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  outgoing.on('response', resolve)
  outgoing.on('error', reject) // stays: an error after the answer must find a listener
  outgoing.on('close', () => { reject(new Error('closed without an answer')) }) // an unasked protocol switch ends with this alone
  outgoing.end(Buffer.from(body, 'utf8')) // with a string node would write the headers as UTF-8 too, and a name twice encoded
  return promise
}

async function boundedText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_ANSWER_BYTES) throw new OnvifError('not-onvif', `the answer is larger than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, sizeBytes).toString('utf8')
}
