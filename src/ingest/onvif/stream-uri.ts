import type { DeviceText } from './device-text.ts'
import { OnvifError } from './onvif-error.ts'

/** Where to fetch a stream. */
export interface StreamUri {
  /** Address for the RTSP client, without user part; its host is the one of the configuration. */
  readonly uri: string
  /** The same for logs and screens: some devices put a password into the path. */
  readonly shownUri: string
  /** The host the device named, when it was another. */
  readonly replacedHost: string | null
}

const MAX_URI_LENGTH = 1024
/** Printable ASCII without quotes and backslash: what ffmpeg's concat script can carry and every URL reader splits alike. */
const SAFE_URI = /^[!#-&(-[\]^_a-~]+$/
const SECRET_IN_PATH = /((?:passw(?:or)?d|pwd|pass|user(?:name)?|auth|token)[=:])[^&_/?;]*/gi

/**
 * The rule for the address a device gives, because an RTSP client sends our password to the host in it: rtsp or rtsps only; the host is
 * always replaced by the one of the configuration (a device behind NAT names 0.0.0.0 or a private address, a hostile one names
 * anything); port, path and query are the device's; user part and fragment are dropped. Throws OnvifError `bad-uri`.
 */
export function readStreamUri(text: string, contactedHost: string, deviceText: DeviceText): StreamUri {
  const refused = (why: string) => new OnvifError('bad-uri', `the stream address ${why}`)
  if (text.length > MAX_URI_LENGTH) throw refused(`is longer than ${MAX_URI_LENGTH} characters`)
  if (!SAFE_URI.test(text)) throw refused('holds a space, a quote, or another character that is not allowed')
  const [, scheme = '', authority = '', rest = ''] = /^(rtsps?):\/\/([^/?#]*)([^#]*)/i.exec(text) ?? []
  if (scheme === '') throw refused('is not an rtsp or rtsps address')
  const [, namedHost = '', port] = /^(\[[0-9a-z:.%]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?:?$/i.exec(authority.slice(authority.lastIndexOf('@') + 1)) ?? []
  if (namedHost === '') throw refused('has no readable host')
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) throw refused('names a port that does not exist')

  const host = contactedHost.includes(':') ? `[${contactedHost}]` : contactedHost
  const path = rest.startsWith('/') ? rest : `/${rest}`
  const uri = `${scheme.toLowerCase()}://${host}${port === undefined ? '' : `:${Number(port)}`}${path}`
  return {
    uri,
    shownUri: deviceText.forAddress(uri).replace(SECRET_IN_PATH, '$1[redacted]'),
    replacedHost: namedHost.toLowerCase() === host.toLowerCase() ? null : deviceText.forFact(namedHost),
  }
}
