import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SimulatedDevice, SimulatedProfile } from './simulated-device.ts'
import { envelope, faultBody } from './soap-answers.ts'

/** What goes wrong on the wire, in place of the answer. */
export const WIRE_FAULTS = [
  'resets-connection', 'never-answers', 'drips', 'drips-header', 'closes-mid-answer', 'switches-protocol', 'not-http', 'redirects',
  'status-401', 'status-403', 'soap-fault', 'auth-fault', 'html-page', 'random-bytes', 'empty-answer', 'truncated-xml', 'other-answer',
  'huge-answer', 'deep-xml', 'entity-bomb', 'xmlns-flood', 'echoes-request',
] as const
/** What the device tells wrongly, in an answer that is well formed. */
export const FACT_FAULTS = [
  'no-profiles', 'mjpeg-only', 'other-host-uri', 'unroutable-uri', 'userinfo-uri', 'javascript-uri', 'file-uri', 'http-uri',
  'newline-uri', 'quote-uri', 'double-quote-uri', 'backslash-uri', 'overlong-uri', 'empty-uri', 'bad-port-uri',
] as const
/** `refuses-connection` closes the port itself. */
export type SimulatedFault = 'refuses-connection' | (typeof WIRE_FAULTS)[number] | (typeof FACT_FAULTS)[number]

const DRIP_EVERY_MS = 20
const HUGE_ANSWER_BYTES = 50 * 1024 * 1024

export const isWireFault = (fault: SimulatedFault): fault is (typeof WIRE_FAULTS)[number] => (WIRE_FAULTS as readonly string[]).includes(fault)

/** The device as it describes itself under that fault. */
export function deviceUnder(fault: SimulatedFault | null, device: SimulatedDevice): SimulatedDevice {
  const with_ = (change: (profile: SimulatedProfile) => Partial<SimulatedProfile>): SimulatedDevice =>
    ({ ...device, profiles: device.profiles.map(profile => ({ ...profile, ...change(profile) })) })
  const uri = (text: string) => with_(() => ({ uri: text }))
  switch (fault) {
    case 'no-profiles': return { ...device, profiles: [] }
    case 'mjpeg-only': return with_(() => ({ codec: 'mjpeg' }))
    case 'other-host-uri': return uri('rtsp://collector.example:8554/take/it?x=1')
    case 'unroutable-uri': return uri('rtsp://0.0.0.0:554/live')
    case 'userinfo-uri': return uri('rtsp://root:hunter2@127.0.0.1@127.0.0.1:554/live')
    case 'javascript-uri': return uri('javascript:alert(1)')
    case 'file-uri': return uri('file:///etc/passwd')
    case 'http-uri': return uri('http://127.0.0.1/live')
    case 'newline-uri': return uri("rtsp://127.0.0.1/live\nfile '/etc/passwd'")
    case 'quote-uri': return uri("rtsp://127.0.0.1/live'x")
    case 'double-quote-uri': return uri('rtsp://127.0.0.1/live"x')
    case 'backslash-uri': return uri('rtsp://127.0.0.1\\@collector.example/live')
    case 'overlong-uri': return uri(`rtsp://127.0.0.1/${'a'.repeat(2000)}`)
    case 'empty-uri': return uri('')
    case 'bad-port-uri': return uri('rtsp://127.0.0.1:99999/live')
    default: return device
  }
}

/** Answers `request` as that fault has it. */
export function answerWrongly(fault: (typeof WIRE_FAULTS)[number], request: IncomingMessage, response: ServerResponse, device: SimulatedDevice, body: string): void {
  const soap = (inner: string, status = 200) => { response.writeHead(status, { 'content-type': 'application/soap+xml' }).end(envelope(inner)) }
  const raw = (text: string | Buffer) => { request.socket.end(text) }
  switch (fault) {
    case 'resets-connection': request.socket.resetAndDestroy(); return
    case 'never-answers': return
    case 'drips': response.writeHead(200); drip(() => response.write(' '), response); return
    case 'drips-header': request.socket.write('HTTP/1.1 200 OK\r\n'); drip(() => request.socket.write('x'), response); return
    case 'closes-mid-answer':
      response.writeHead(200, { 'content-length': 100_000 })
      response.write('<?xml version="1.0"?><env:Envelope', () => { request.socket.end() })
      return
    case 'switches-protocol': raw('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'); return
    case 'not-http': raw(randomBytes(4096)); return
    case 'redirects': response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(); return
    case 'status-401': response.writeHead(401).end(); return
    case 'status-403': response.writeHead(403).end('<html>forbidden</html>'); return
    case 'soap-fault': soap(faultBody('ActionNotSupported', 'Optional Action Not Implemented'), 500); return
    case 'auth-fault': soap(faultBody('NotAuthorized', 'Sender not Authorized'), 400); return
    case 'html-page': response.writeHead(200, { 'content-type': 'text/html' }).end('<!DOCTYPE html><html><body><p>Login<br></body></html>'); return
    case 'random-bytes': response.writeHead(200).end(randomBytes(50_000)); return
    case 'empty-answer': response.writeHead(200).end(); return
    case 'truncated-xml': response.writeHead(200).end(envelope('<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime>').slice(0, -60)); return
    case 'other-answer': soap('<tds:SystemRebootResponse><tds:Message>rebooting</tds:Message></tds:SystemRebootResponse>'); return
    case 'huge-answer': response.writeHead(200, { 'content-length': HUGE_ANSWER_BYTES }); pour(response, HUGE_ANSWER_BYTES); return
    case 'deep-xml': soap('<a>'.repeat(100_000) + '</a>'.repeat(100_000)); return
    case 'entity-bomb':
      response.writeHead(200).end('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>' + envelope('<x>&c;</x>'))
      return
    case 'xmlns-flood': soap('xmlns'.repeat(200_000)); return
    case 'echoes-request': {
      const { username = '', password = '' } = device.credential ?? {}
      const [, response = ''] = /response="([^"]*)"/.exec(request.headers.authorization ?? '') ?? []
      const values = body.replace(/<\/?[^<>]*>/g, ' ').replace(/\s+/g, ' ')
      soap(faultBody('InvalidArgs', `${response} ${username}:${password} ${values} ${request.headers.authorization ?? ''}`), 500)
    }
  }
}

function drip(write: () => void, response: ServerResponse): void {
  const timer = setInterval(write, DRIP_EVERY_MS)
  response.once('close', () => { clearInterval(timer) })
}

/** As fast as the other side takes it, and no further than it takes it. */
function pour(response: ServerResponse, sizeBytes: number): void {
  const chunk = Buffer.alloc(64 * 1024, 'a')
  let leftBytes = sizeBytes
  const more = () => {
    while (leftBytes > 0) {
      leftBytes -= chunk.length
      if (!response.write(chunk)) { response.once('drain', more); return }
    }
    response.end()
  }
  more()
}
