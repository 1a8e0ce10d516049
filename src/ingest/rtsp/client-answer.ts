import { http } from '../../platform/http.ts'
import type { HiddenPassword } from './hidden-password.ts'
import { headerOf, statusOf, type RtspMessage } from './rtsp-message.ts'

/** Headers that ffmpeg makes use of; by others it would take the camera for a server of another kind. */
const HEADERS = new Set(['content-type', 'content-base', 'session', 'transport', 'public', 'range',
  'rtp-info'])
/** Lines of a description that tell what is sent and hold no address; others ffmpeg can do without. */
const SDP_ATTRIBUTES = ['rtpmap', 'fmtp', 'framesize', 'framerate', 'x-framerate', 'x-dimensions', 'cliprect',
  'range', 'length', 'type', 'charset', 'recvonly', 'sendrecv', 'sendonly', 'inactive', 'rtcp-fb', 'ssrc',
  'crypto', 'source-filter', 'mid', 'group', 'samplerate']
const SDP_LINE = new RegExp(`^(?:[vtcmbrz]=|a=(?:${SDP_ATTRIBUTES.join('|')})\\b)`, 'i')
const CONTROL = 'a=control:'
const MAX_SDP_LINES = 2_000
/** Between the addresses of an RTP-Info header. */
const RTP_INFO_PARTS = /((?:^|,)\s*url=|;\s*(?:seq|rtptime)=\d*)/i
/** ffmpeg divides it by two, without a remainder: by one second it would send a keep-alive a packet. */
const LEAST_TIMEOUT_S = 2
const TIMEOUT = /(;timeout=\s*\+?)(\d+)/i

/**
 * An answer of the camera as ffmpeg gets it: what it makes use of, without the password, with the number of
 * its own request. Throws RelayFault.
 */
export function answerForClient(answer: RtspMessage, request: RtspMessage,
  hidden: HiddenPassword): RtspMessage {
  hidden.restart()
  const status = statusOf(answer)
  const headers = answer.headers.filter(([name]) => HEADERS.has(name.toLowerCase()))
    .map(([name, value]) => [name, headerForClient(name.toLowerCase(), value, hidden)] as const)
  const cseq = headerOf(request, 'cseq')
  return {
    start: `RTSP/1.0 ${status} ${http.STATUS_CODES[status] ?? 'Refused'}`, // the camera's words may hold anything
    headers: cseq === undefined ? headers : [['CSeq', cseq], ...headers],
    body: Buffer.from(sdpForClient(answer.body.toString('latin1'), hidden), 'latin1'),
  }
}

function headerForClient(name: string, value: string, hidden: HiddenPassword): string {
  const hide = (text: string): string =>
    Buffer.from(hidden.hide(Buffer.from(text, 'utf8').toString('latin1')), 'latin1').toString('utf8')
  switch (name) {
    case 'content-base': return hide(value)
    case 'rtp-info':
      return value.split(RTP_INFO_PARTS).map((part, i) => i % 2 === 0 ? hide(part) : part).join('')
    case 'session': return value.replace(TIMEOUT, (whole: string, name: string, seconds: string) =>
      Number(seconds) >= LEAST_TIMEOUT_S ? whole : `${name}${LEAST_TIMEOUT_S}`)
    default: return value
  }
}

function sdpForClient(body: string, hidden: HiddenPassword): string {
  if (body === '') return body
  return body.split(/\r?\n/, MAX_SDP_LINES).flatMap(line => {
    const isControl = line.slice(0, CONTROL.length).toLowerCase() === CONTROL
    if (isControl) return [CONTROL + hidden.hide(line.slice(CONTROL.length))]
    return SDP_LINE.test(line) || !hidden.isIn(line) ? [line] : []
  }).join('\r\n')
}
