import { epochMs, type Credential, type EpochMs } from '../../domain/index.ts'
import type { Clock } from '../../platform/clock.ts'
import { offsetOf, readDeviceTime, type ClockOffset } from './clock-offset.ts'
import { DeviceText } from './device-text.ts'
import { readProfiles, type MediaProfile } from './media-profile.ts'
import { OnvifError } from './onvif-error.ts'
import { RequestComposer, type ComposedRequest, type ServiceName,
  type TimeServer } from './request-composer.ts'
import { readAnswer } from './soap-answer.ts'
import { DeadlinePassed, SoapTransport, type HttpAnswer, type ServicePlace } from './soap-transport.ts'
import { textAt, type XmlElement } from './xml-element.ts'

/** A whole look-up is 4 to 8 exchanges; the slowest camera seen takes 2.5 s for each. */
export const DEFAULT_TIMEOUT_MS = 30_000

export interface OnvifTarget {
  readonly host: string
  readonly port: number
  readonly credential: Credential | null
  readonly clock: Clock
  readonly signal: AbortSignal
  /** For everything together, from the first connection to the last byte. */
  readonly timeoutMs?: number
}

export interface ListedProfiles { readonly service: 'media' | 'media2', readonly profiles: readonly MediaProfile[] }

const DEVICE_PATH = '/onvif/device_service'
const NAMESPACES = new Map<string | undefined, 'media' | 'media2'>([
  ['http://www.onvif.org/ver10/media/wsdl', 'media'], ['http://www.onvif.org/ver20/media/wsdl', 'media2'],
])
/** Devices name up to twenty. */
const MOST_SERVICES = 100
const MAX_PATH_LENGTH = 512
/** Below this another date in a token changes nothing. */
const CLOCKS_APART_MS = 5_000

/**
 * How requests prove the password: in the message dated by the device's clock or by ours, or by HTTP digest
 * alone.
 */
type Proof = 'device-clock' | 'own-clock' | 'http-only'

/**
 * Opens a session, does `job` with it under one deadline, and leaves nothing behind. Throws OnvifError, or
 * the reason of `target.signal` once that aborts.
 */
export async function withOnvifSession<T>(target: OnvifTarget,
  job: (session: OnvifSession) => Promise<T>): Promise<T> {
  const { clock, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = target
  signal.throwIfAborted()
  const deadline = new AbortController()
  const over = new AbortController()
  void clock.wait(timeoutMs, over.signal).then(() => { deadline.abort(new DeadlinePassed()) })
  try {
    return await job(new OnvifSession(target, AbortSignal.any([signal, deadline.signal])))
  } finally {
    over.abort()
  }
}

/** The questions to one device, one after the other; thrown away after each use, so nothing in it can grow stale. */
export class OnvifSession {
  readonly #clock: Clock
  readonly #credential: Credential | null
  readonly #composer: RequestComposer
  /** For devices that fail at the sight of WS-Security. */
  readonly #bareComposer = new RequestComposer(null)
  readonly #transport: SoapTransport
  readonly #services = new Map<ServiceName, Service>([['device', { path: DEVICE_PATH, named: null }]])
  #proof: Proof = 'device-clock'
  #deviceAheadMs = 0
  readonly #triedProofs = new Set<Proof>(['device-clock'])
  readonly deviceText: DeviceText

  constructor(target: OnvifTarget, signal: AbortSignal) {
    this.#clock = target.clock
    this.#credential = target.credential
    this.deviceText = new DeviceText(target.credential)
    this.#composer = new RequestComposer(target.credential)
    this.#transport = new SoapTransport({ ...target, signal, deviceText: this.deviceText })
  }

  /** SHA-256 of the certificate that the device showed; null over plain HTTP. */
  get certificate(): string | null { return this.#transport.certificate }

  /** Must come first: tokens are dated by the device's clock. Null when the device tells no usable UTC time. */
  async readClock(): Promise<ClockOffset | null> {
    this.#composer.setDeviceTime(this.#clock.wallNow()) // until the device has told its own
    const { answer, response } = await this.#askDate()
    const told = readDeviceTime(response)
    if (told === null) return null
    const deviceNow = epochMs(told.at + answer.roundTripMs / 2)
    this.#deviceAheadMs = deviceNow - this.#clock.wallNow()
    if (this.#proof === 'device-clock') this.#composer.setDeviceTime(deviceNow)
    return told.isUtc ? offsetOf(told.at, answer) : null
  }

  /** Unauthenticated, as the standard has it; some devices want a password even for their clock. */
  async #askDate(): Promise<Asked> {
    const date = (composer: RequestComposer): ComposedRequest => composer.systemDateAndTime()
    try { return await this.#askOnce(date(this.#composer)) } catch (error) {
      if (this.#credential === null || !isFailure(error, 'auth-refused')) throw error
      return await this.#ask(composer => composer === this.#bareComposer ? date(composer)
        : composer.authenticatedSystemDateAndTime())
    }
  }

  async setTimeServer(server: TimeServer): Promise<void> {
    await this.#ask(composer => composer.setTimeServer(server)) }
  async setClock(now: EpochMs | null): Promise<void> { await this.#ask(composer => composer.setClock(now)) }

  async information(): Promise<XmlElement> {
    return (await this.#ask(composer => composer.deviceInformation())).response
  }

  /** From Media2 where the device has it (Media1 cannot name H.265), else from Media1. */
  async listProfiles(): Promise<ListedProfiles> {
    await this.#findServices()
    const isKnown = (listed: ListedProfiles | null): boolean =>
      listed?.profiles.some(({ codec }) => codec === 'h264' || codec === 'h265') ?? false
    const hasMedia1 = this.#services.has('media')
    let media2: ListedProfiles | null = null
    if (this.#services.has('media2')) {
      // Media2 is announced but broken on some devices.
      media2 = await this.#listProfilesOf('media2').catch(error => {
        if (hasMedia1 && isFailure(error, 'soap-fault', 'not-onvif')) return null
        throw error
      })
      if (media2 !== null && (isKnown(media2) || !hasMedia1)) return media2
    }
    if (!hasMedia1) throw new OnvifError('no-usable-profile', 'the device offers no media service')
    const media1 = await this.#listProfilesOf('media')
    return isKnown(media1) || media2 === null || media1.profiles.length > 0 ? media1 : media2
  }

  async #listProfilesOf(service: 'media' | 'media2'): Promise<ListedProfiles> {
    const { response } = await this.#ask(composer => composer.profiles(service))
    return { service, profiles: readProfiles(response, service, this.deviceText) }
  }

  /** As the device wrote it. */
  async streamUriText(service: 'media' | 'media2', profileToken: string): Promise<string> {
    const { response } = await this.#ask(composer => composer.streamUri(service, profileToken))
    return textAt(response, 'Uri') ?? textAt(response, 'MediaUri', 'Uri') ?? ''
  }

  async #findServices(): Promise<void> {
    try {
      const { response } = await this.#ask(composer => composer.services())
      for (const service of response.children.slice(0, MOST_SERVICES)) {
        const name = NAMESPACES.get(textAt(service, 'Namespace'))
        if (name !== undefined) this.#addService(name, textAt(service, 'XAddr'))
      }
    } catch (error) {
      if (!isFailure(error, 'soap-fault', 'not-onvif')) throw error // devices older than GetServices
    }
    if (this.#services.size > 1) return
    const { response } = await this.#ask(composer => composer.capabilities())
    this.#addService('media', textAt(response, 'Capabilities', 'Media', 'XAddr'))
  }

  /** The host of the address never counts: the password goes to none but the configured one. */
  #addService(name: ServiceName, address: string | undefined): void {
    const url = address === undefined || address.length > MAX_PATH_LENGTH ? null : URL.parse(address, 'http://device/')
    if (url === null || !/^https?:$/.test(url.protocol)) return
    const isTls = url.protocol === 'https:'
    const port = url.port === '' ? isTls ? 443 : 80 : Number(url.port)
    this.#services.set(name, { path: url.pathname + url.search, named: { isTls, port } })
  }

  /**
   * Asks in the way that this device takes: a refusal may mean the date of the token, or that there is one at
   * all.
   */
  async #ask(compose: (composer: RequestComposer) => ComposedRequest): Promise<Asked> {
    const asked = (): Promise<Asked> => this.#askOnce(
      compose(this.#proof === 'http-only' ? this.#bareComposer : this.#composer))
    try { return await asked() } catch (error) {
      for (const proof of this.#otherProofs(error)) {
        const before = this.#proof
        this.#triedProofs.add(proof)
        this.#use(proof)
        const other = await asked().catch((next: unknown) => next)
        if (!(other instanceof Error)) return other as Asked
        this.#use(before)
      }
      throw error
    }
  }

  /** Each once a session: cameras count wrong passwords. */
  #otherProofs(error: unknown): Proof[] {
    const proofs: Proof[] = []
    if (this.#credential === null) return proofs
    const isRefused = isFailure(error, 'auth-refused')
    if (isRefused && Math.abs(this.#deviceAheadMs) > CLOCKS_APART_MS) proofs.push('own-clock')
    const isDigestRefused = isRefused && this.#transport.hasAnsweredDigest
    if (!isDigestRefused && isFailure(error, 'auth-refused', 'soap-fault', 'not-onvif')) proofs.push(
      'http-only')
    return proofs.filter(proof => !this.#triedProofs.has(proof))
  }

  #use(proof: Proof): void {
    this.#proof = proof
    this.#composer.setDeviceTime(epochMs(this.#clock.wallNow()
      + (proof === 'own-clock' ? 0 : this.#deviceAheadMs)))
  }

  /** At the configured port, and where no service answers there, at the one that the device names. */
  async #askOnce(request: ComposedRequest): Promise<Asked> {
    const service = this.#services.get(request.service) ?? { path: DEVICE_PATH, named: null }
    try { return await this.#askAt(request, { path: service.path, origin: service.isElsewhere === true
      ? service.named : null }) } catch (error) {
      if (service.named === null || service.isElsewhere === true
        || !isFailure(error, 'not-onvif')) throw error
      if (this.#transport.isAt(service.named)) throw error
      const asked = await this.#askAt(request, { path: service.path, origin: service.named }).catch(
        () => { throw error })
      this.#services.set(request.service, { ...service, isElsewhere: true })
      return asked
    }
  }

  async #askAt(request: ComposedRequest, place: ServicePlace): Promise<Asked> {
    const answer = await this.#transport.post(request, place)
    return { answer, response: await readAnswer(answer, request.operation, this.deviceText) }
  }
}

interface Asked { readonly answer: HttpAnswer, readonly response: XmlElement }
interface Service {
  readonly path: string
  /** Where the device says it is, on the configured host. */
  readonly named: ServicePlace['origin']
  /** It is there, and not at the configured port. */
  readonly isElsewhere?: true
}

const isFailure = (error: unknown, ...failures: readonly OnvifError['failure'][]): boolean =>
  error instanceof OnvifError && failures.includes(error.failure)
