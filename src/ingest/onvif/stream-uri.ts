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

/** `rtsp://` with nothing, a name or an address behind it, and the ports that some devices write twice. */
const AUTHORITY = /^(?:\[[0-9a-z:.%]+\]|[a-z0-9._-]+)?(?::\d{1,5})*:?$/i
/** As often as devices were seen to escape what was escaped already. */
const MOST_UNESCAPES = 3

/**
 * The rule for the address a device gives, because an RTSP client sends our password to the host in it: rtsp or rtsps only; the host is
 * always replaced by the one of the configuration (a device behind NAT names 0.0.0.0, a private address or
 * nothing, a hostile one names
 * anything); port, path and query are the device's, blanks and letters beyond ASCII in them are escaped; user
 * part and fragment are
 * dropped. Throws OnvifError `bad-uri`.
 */
export function readStreamUri(text: string, contactedHost: string, deviceText: DeviceText): StreamUri {
  const refused = (why: string) => new OnvifError('bad-uri', `the stream address ${why}`)
  if (text.length > MAX_URI_LENGTH) throw refused(`is longer than ${MAX_URI_LENGTH} characters`)
  const [, scheme = '', authority = '', rest = ''] =
    /^(rtsps?):\/\/([^/?#]*)([^#]*)/i.exec(unescaped(text.trim())) ?? []
  if (scheme === '') throw refused(
    `is not an rtsp or rtsps address${/^https?:/i.test(text.trim()) ? ' but a web address' : ''}`)
  const escapedRest = escaped(rest)
  if (!SAFE_URI.test(authority + escapedRest + '/')) throw refused(
    'holds a quote, a line end, or another character that is not allowed')
  const named = authority.slice(authority.lastIndexOf('@') + 1)
  if (!AUTHORITY.test(named)) throw refused('has no readable host')
  const [namedHost = ''] = /^(?:\[[^\]]*\]|[^:]*)/.exec(named) ?? []
  const port = /:(\d{1,5}):?$/.exec(named)?.[1]
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) throw refused('names a port that does not exist')

  const host = contactedHost.includes(':') ? `[${contactedHost}]` : contactedHost
  const path = escapedRest.startsWith('/') ? escapedRest : `/${escapedRest}`
  const uri = `${scheme.toLowerCase()}://${host}${port === undefined ? '' : `:${Number(port)}`}${withoutPlaces(path)}`
  return {
    uri,
    shownUri: deviceText.forAddress(uri).replace(SECRET_IN_PATH, '$1[redacted]'),
    replacedHost: namedHost.toLowerCase() === host.toLowerCase() || namedHost === '' ? null
      : deviceText.forFact(namedHost),
  }
}

/** Some devices escape `&` for XML twice and more. */
function unescaped(text: string): string {
  let plain = text
  for (let i = 0; i < MOST_UNESCAPES && plain.includes('&amp;'); i++) plain = plain.replaceAll('&amp;', '&')
  return plain
}

/** Blanks and what is not ASCII; a lone half of a character becomes the sign for one that cannot be shown. */
const escaped = (rest: string): string => rest.replace(/ |[^\0-\x7f]+/g,
  found => encodeURIComponent(found.toWellFormed()))

/** Places for the account are the configuration's alone: a device that names some gets no password for it. */
const withoutPlaces = (path: string): string => path.replaceAll('{', '%7B').replaceAll('}', '%7D')
