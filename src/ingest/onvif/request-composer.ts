import onvif from 'onvif'
import type { Credential, EpochMs } from '../../domain/index.ts'

export type ServiceName = 'device' | 'media' | 'media2'

/** A SOAP request ready to post. `secrets` are the one-time values in it that must not be printed. */
export interface ComposedRequest {
  readonly service: ServiceName
  readonly operation: string
  readonly action: string
  readonly body: string
  readonly secrets: readonly string[]
}

/** By address or name, as the office has it. */
export interface TimeServer { readonly name: string, readonly type: 'IPv4' | 'IPv6' | 'DNS' }

const OPERATION = /<s:Body[^>]*><(\w+) xmlns="([^"]+)"/
const ONE_TIME_VALUES = /<(?:Password|Nonce) [^>]*>([^<]+)</g

/**
 * The package's Cam, kept from talking: what it would send is taken here and carried by `soap-transport.ts`, and what comes back
 * never reaches it. In 0.8.3 an answer of 256 KiB of the word `xmlns` holds the event loop for 17 s, an answer cut short
 * never ends the call, answers have no size limit, and firmware `5.10` is read as the number 5.1.
 */
class ComposingCam extends onvif.Cam {
  readonly taken: string[] = []
  _request(options: { readonly body: string }): void { this.taken.push(options.body) }
}

/** Writes the requests of one session. One per session: it carries the device's clock. */
export class RequestComposer {
  readonly #cam: ComposingCam

  constructor(credential: Credential | null) {
    this.#cam = new ComposingCam({
      hostname: 'unused', autoconnect: false,
      // The package puts the user into XML unescaped, and hashes one byte a character: UTF-8 has to be handed over byte by byte.
      ...(credential === null ? {} : {
        username: escaped(credential.username), password: Buffer.from(credential.password, 'utf8').toString('latin1'),
      }),
    })
  }

  /** From here on tokens are dated by the device's clock. The package counts on by process uptime, so a step of the host clock is harmless. */
  setDeviceTime(now: EpochMs): void {
    this.#cam.timeShift = now - process.uptime() * 1000
  }

  /** Unauthenticated, as the standard has it. */
  systemDateAndTime(): ComposedRequest { return this.#compose('device', cam => { cam.getSystemDateAndTime(unanswered) }) }
  services(): ComposedRequest { return this.#compose('device', cam => { cam.getServices(false, unanswered) }) }
  capabilities(): ComposedRequest { return this.#compose('device', cam => { cam.getCapabilities(unanswered) }) }
  deviceInformation(): ComposedRequest { return this.#compose('device', cam => { cam.getDeviceInformation(unanswered) }) }

  profiles(service: 'media' | 'media2'): ComposedRequest {
    this.#cam.media2Support = service === 'media2'
    return this.#compose(service, cam => { cam.getProfiles(unanswered) })
  }

  streamUri(service: 'media' | 'media2', profileToken: string): ComposedRequest {
    this.#cam.media2Support = service === 'media2'
    return this.#compose(service, cam => { cam.getStreamUri({ protocol: 'RTSP', profileToken: escaped(profileToken) }, unanswered) })
  }

  setTimeServer({ name, type }: TimeServer): ComposedRequest {
    const key = type === 'IPv4' ? 'IPv4Address' : type === 'IPv6' ? 'IPv6Address' : 'DNSname'
    const server = { type, [key]: escaped(name) }
    return this.#compose('device',
      cam => { cam.setNTP({ fromDHCP: false, NTPManual: [server] }, unanswered) })
  }

  /** Null: the device keeps the time of its time server. */
  setClock(now: EpochMs | null): ComposedRequest {
    return this.#compose('device', cam => {
      cam.setSystemDateAndTime({
        dateTimeType: now === null ? 'NTP' : 'Manual', daylightSavings: false,
          ...(now === null ? {} : { dateTime: new Date(now) }),
      }, unanswered)
    })
  }

  /** For the devices that want a password even for their clock: the header of another request around the same question. */
  authenticatedSystemDateAndTime(): ComposedRequest {
    const question = '<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>'
    const { body } = this.deviceInformation()
    return described('device', body.replace(/<GetDeviceInformation [^>]*\/>/, question))
  }

  #compose(service: ServiceName, ask: (cam: ComposingCam) => void): ComposedRequest {
    this.#cam.taken.length = 0
    ask(this.#cam)
    const [body] = this.#cam.taken
    if (body === undefined) throw new TypeError('the onvif package no longer sends through _request: look at the new version')
    return described(service, body)
  }
}

function described(service: ServiceName, body: string): ComposedRequest {
  const [, operation, namespace] = OPERATION.exec(body) ?? []
  if (operation === undefined || namespace === undefined) throw new TypeError('the onvif package composes bodies of another form: look at the new version')
  return { service, operation, action: `${namespace}/${operation}`, body, secrets: [...body.matchAll(ONE_TIME_VALUES)].map(found => found[1] ?? '') }
}

const unanswered = (): void => {}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
