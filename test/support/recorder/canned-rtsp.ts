import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** What a canned camera does on a request: answers with a status line and body, falls silent, closes, or sends raw bytes. */
export type CannedAnswer = { readonly status: string, readonly body?: string, readonly headers?: readonly string[] } | 'silent' | 'close' | { readonly raw: Buffer }

export type CannedMethod = 'OPTIONS' | 'DESCRIBE' | 'SETUP' | 'PLAY'
export type CannedScript = Partial<Record<CannedMethod, CannedAnswer>>

const H264_SDP = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=x', 't=0 0', 'a=control:*', 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'a=control:track1', ''].join('\r\n')
const PUBLIC = 'Public: OPTIONS, DESCRIBE, SETUP, PLAY'
const DEFAULTS: Record<CannedMethod, CannedAnswer> = {
  OPTIONS: { status: '200 OK', headers: [PUBLIC] },
  DESCRIBE: { status: '200 OK', body: H264_SDP, headers: ['Content-Type: application/sdp'] },
  SETUP: { status: '200 OK', headers: ['Transport: RTP/AVP/TCP;unicast;interleaved=0-1', 'Session: 1234'] },
  PLAY: { status: '200 OK', headers: ['Session: 1234'] },
}

/** An RTSP server on 127.0.0.1 that says what it was told to, whoever asks. */
export async function startCannedRtsp(script: CannedScript): Promise<{ readonly url: string, readonly requests: string[] } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const requests: string[] = []
  const server = createServer(socket => {
    sockets.add(socket)
    let text = ''
    socket.on('error', () => undefined).on('data', data => {
      text += data.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(0, end)
        text = text.slice(end + 4)
        requests.push(request)
        const method = /^(OPTIONS|DESCRIBE|SETUP|PLAY) /.exec(request)?.[1] as CannedMethod | undefined
        answer(socket, method === undefined ? { status: '200 OK' } : script[method] ?? DEFAULTS[method], /CSeq: *(\d+)/i.exec(request)?.[1] ?? '0')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `rtsp://127.0.0.1:${(server.address() as AddressInfo).port}/live`, requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function answer(socket: Socket, how: CannedAnswer, cseq: string): void {
  if (how === 'silent') return
  if (how === 'close') { socket.end(); return }
  if ('raw' in how) { socket.write(how.raw); return }
  const { status, body = '', headers = [] } = how
  socket.write([`RTSP/1.0 ${status}`, `CSeq: ${cseq}`, ...headers, `Content-Length: ${body.length}`, '', body].join('\r\n'))
}
