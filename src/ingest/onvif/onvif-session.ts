import { epochMs, type Credential } from '../../domain/index.ts'
import type { Clock } from '../../platform/clock.ts'
import { offsetOf, readDeviceTime, type ClockOffset } from './clock-offset.ts'
import { DeviceText } from './device-text.ts'
import { readProfiles, type MediaProfile } from './media-profile.ts'
import { OnvifError } from './onvif-error.ts'
import { RequestComposer, type ComposedRequest, type ServiceName } from './request-composer.ts'
import { readAnswer } from './soap-answer.ts'
import { DeadlinePassed, SoapTransport, type HttpAnswer } from './soap-transport.ts'
import { textAt, type XmlElement } from './xml-element.ts'

/** A whole look-up is 4 to 6 exchanges; slow cameras take 0.5 s for each. */
export const DEFAULT_TIMEOUT_MS = 8000

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
const NAMESPACES: Readonly<Record<string, 'media' | 'media2'>> = {
  'http://www.onvif.org/ver10/media/wsdl': 'media', 'http://www.onvif.org/ver20/media/wsdl': 'media2',
}
const MAX_PATH_LENGTH = 512

/** Opens a session, does `job` with it under one deadline, and leaves nothing behind. Throws OnvifError, or the reason of `target.signal` once that aborts. */
export async function withOnvifSession<T>(target: OnvifTarget, job: (session: OnvifSession) => Promise<T>): Promise<T> {
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
  readonly #transport: SoapTransport
  readonly #paths = new Map<ServiceName, string>([['device', DEVICE_PATH]])
  readonly deviceText: DeviceText

  constructor(target: OnvifTarget, signal: AbortSignal) {
    this.#clock = target.clock
    this.#credential = target.credential
    this.deviceText = new DeviceText(target.credential)
    this.#composer = new RequestComposer(target.credential)
    this.#transport = new SoapTransport({ ...target, signal, deviceText: this.deviceText })
  }

  /** Must come first: tokens are dated by the device's clock. Null when the device tells no usable UTC time. */
  async readClock(): Promise<ClockOffset | null> {
    this.#composer.setDeviceTime(this.#clock.wallNow()) // until the device has told its own
    const { answer, response } = await this.#askDate()
    const told = readDeviceTime(response)
    if (told === null) return null
    this.#composer.setDeviceTime(epochMs(told.at + answer.roundTripMs / 2))
    return told.isUtc ? offsetOf(told.at, answer) : null
  }

  async #askDate(): Promise<{ answer: HttpAnswer, response: XmlElement }> {
    try {
      return await this.#ask(this.#composer.systemDateAndTime())
    } catch (error) {
      if (this.#credential === null || !isFailure(error, 'auth-refused')) throw error
      return await this.#ask(this.#composer.authenticatedSystemDateAndTime())
    }
  }

  async information(): Promise<XmlElement> {
    return (await this.#ask(this.#composer.deviceInformation())).response
  }

  /** From Media2 where the device has it (Media1 cannot name H.265), else from Media1. */
  async listProfiles(): Promise<ListedProfiles> {
    await this.#findServices()
    if (this.#paths.has('media2')) {
      // Media2 is announced but broken on some devices.
      const listed = await this.#listProfilesOf('media2').catch(error => {
        if (this.#paths.has('media') && isFailure(error, 'soap-fault', 'not-onvif')) return null
        throw error
      })
      if (listed && (listed.profiles.some(profile => profile.codec !== 'other') || !this.#paths.has('media'))) return listed
    }
    if (!this.#paths.has('media')) throw new OnvifError('no-usable-profile', 'the device offers no media service')
    return await this.#listProfilesOf('media')
  }

  async #listProfilesOf(service: 'media' | 'media2'): Promise<ListedProfiles> {
    const { response } = await this.#ask(this.#composer.profiles(service))
    return { service, profiles: readProfiles(response, service, this.deviceText) }
  }

  /** As the device wrote it. */
  async streamUriText(service: 'media' | 'media2', profileToken: string): Promise<string> {
    const { response } = await this.#ask(this.#composer.streamUri(service, profileToken))
    return textAt(response, 'Uri') ?? textAt(response, 'MediaUri', 'Uri') ?? ''
  }

  async #findServices(): Promise<void> {
    try {
      const { response } = await this.#ask(this.#composer.services())
      for (const service of response.children) {
        const name = NAMESPACES[textAt(service, 'Namespace') ?? '']
        if (name) this.#addService(name, textAt(service, 'XAddr'))
      }
    } catch (error) {
      if (!isFailure(error, 'soap-fault', 'not-onvif')) throw error // devices older than GetServices
    }
    if (this.#paths.size > 1) return
    const { response } = await this.#ask(this.#composer.capabilities())
    this.#addService('media', textAt(response, 'Capabilities', 'Media', 'XAddr'))
  }

  /** Only the path of the address counts: the password goes to no host or port but the configured one. */
  #addService(name: ServiceName, address: string | undefined): void {
    const url = address === undefined || address.length > MAX_PATH_LENGTH ? null : URL.parse(address, 'http://device/')
    if (url && /^https?:$/.test(url.protocol)) this.#paths.set(name, url.pathname + url.search)
  }

  async #ask(request: ComposedRequest): Promise<{ answer: HttpAnswer, response: XmlElement }> {
    const answer = await this.#transport.post(request, this.#paths.get(request.service) ?? DEVICE_PATH)
    return { answer, response: readAnswer(answer, request.operation, this.deviceText) }
  }
}

const isFailure = (error: unknown, ...failures: readonly OnvifError['failure'][]): boolean =>
  error instanceof OnvifError && failures.includes(error.failure)
