import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CameraRelay } from '../../../src/ingest/index.ts'
import { rtspAnswer, ScriptedCamera } from '../../support/cameras/scripted-camera.ts'
import { until } from '../../support/until.ts'

/** A camera by bytes: `say` is called with each request as it came. */
async function sessionWith(t: Test, say: (request: string, socket: Socket) => void,
  { path = '/live', credential = null as { username: string, password: string } | null } = {}) {
  const sockets: Socket[] = [], requests: string[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    let got = ''
    socket.on('error', () => undefined).on('data', chunk => {
      got += chunk.toString('latin1')
      for (let end; (end = got.indexOf('\r\n\r\n')) >= 0; got = got.slice(end + 4)) {
        requests.push(got.slice(0, end))
        say(got.slice(0, end), socket)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relay = await CameraRelay.open(), { port } = server.address() as AddressInfo
  const ticket = relay.ticket(`rtsp://127.0.0.1:${port}${path}`, credential)
  const viewer = connect(Number(new URL(ticket.url).port), '127.0.0.1').on('error', () => undefined)
  t.teardown(async () => {
    viewer.destroy()
    ticket[Symbol.dispose]()
    for (const socket of sockets) socket.destroy()
    server.close()
    await relay[Symbol.asyncDispose]()
  })
  const seen: Buffer[] = []
  viewer.on('data', (chunk: Buffer) => { seen.push(chunk) })
  return { viewer, ticket, sockets, requests, seen: () => Buffer.concat(seen), ask: (method: string, uri = ticket.url, header = '') => {
    viewer.write(`${method} ${uri} RTSP/1.0\r\nCSeq: 1\r\n${header}\r\n`) } }
}
const okOf = (request: string, body = '', headers = ''): string => `RTSP/1.0 200 OK\r\nCSeq: ${/CSeq: (\d+)/i.exec(request)?.[1]}\r\n${headers}`
  + (body === '' ? '\r\n' : `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
function rtp(n: number, channel = 0): Buffer {
  const bytes = Buffer.alloc(64, n)
  bytes.set([0x24, channel, 0, 60, 0x80, 96, n >> 8 & 0xff, n & 0xff])
  bytes.writeUInt32BE(7, 12)
  return bytes
}
const packets = (from: number, count: number, channel = 0): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => rtp(from + i, channel)))

t.test('a camera that owes an answer is let go as soon as its viewer is gone', async t => {
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    const { viewer, sockets, ask } = await sessionWith(t, () => undefined)
    ask('OPTIONS')
    await until('connected', () => sockets.length === 1)
    const closed = once(sockets[0]!, 'close')
    await sleep(50)
    const leftAt = performance.now()
    viewer[leave]()
    await closed
    t.ok(performance.now() - leftAt < 2_000, `${leave}; 8 s and more before`)
    await sleep(50)
    t.equal(sockets.length, 1, 'and is not asked again')
  }
})

t.test('packets of a camera that closes at once reach the viewer', async t => {
  const sent = packets(0, 200)
  const { viewer, seen, ask } = await sessionWith(t, (request, socket) => { socket.end(Buffer.concat([Buffer.from(okOf(request)), sent])) })
  ask('PLAY')
  await once(viewer, 'close')
  t.ok(seen().subarray(-sent.length).equals(sent))
})

t.test('all packets of a camera that closes at once reach a viewer that takes its time', async t => {
  for (const [count, isTls] of [[5_000, true], [100_000, true], [100_000, false]] as const) {
    const sent = packets(0, count)
    await using camera = await ScriptedCamera.start((request, socket) => {
      setImmediate(() => { socket.end() })
      return Buffer.concat([Buffer.from(rtspAnswer(request, '200 OK')), sent])
    }, '127.0.0.1', isTls)
    await using relay = await CameraRelay.open()
    using ticket = relay.ticket(camera.url(), null)
    const viewer = connect(Number(new URL(ticket.url).port), '127.0.0.1'), seen: Uint8Array[] = []
    viewer.write(`PLAY ${ticket.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`)
    await sleep(300)
    for await (const chunk of viewer as AsyncIterable<Buffer>) seen.push(chunk)
    const got = Buffer.concat(seen).subarray(-sent.length)
    t.ok(got.equals(sent), `${got.length} bytes of ${sent.length}${isTls ? ' over TLS' : ''}`)
  }
})

t.test('messages without end while playing are the end of the session, at once or by and by', async t => {
  for (const [what, send] of [['at once', (socket: Socket) => { socket.write('RTSP/1.0 200 OK\r\n\r\n'.repeat(25_000)) }],
    ['by and by', (socket: Socket) => { const timer = setInterval(() => { if (socket.destroyed) clearInterval(timer); else socket.write('A / RTSP/1.0\r\n\r\n'.repeat(10)) }, 50) }]] as const) {
    const { viewer, ticket, ask } = await sessionWith(t, (request, socket) => {
      socket.write(okOf(request))
      if (request.startsWith('PLAY')) setTimeout(() => { send(socket) }, 100)
    })
    ask('PLAY')
    await once(viewer, 'close')
    t.match(ticket.fault(), { reason: 'bad-stream', message: 'the camera sends messages without end' }, what)
  }
})

t.test('a camera that asks while it plays is answered, and an answer to another request does not count', async t => {
  const { seen, requests, ask } = await sessionWith(t, (request, socket) => {
    if (request.startsWith('RTSP/')) return
    if (request.startsWith('GET_PARAMETER')) {
      socket.write('RTSP/1.0 401 No\r\nCSeq: 900\r\nWWW-Authenticate: Digest realm="r", nonce="n"\r\n\r\n')
      socket.write(request.includes('nonce="m"') ? packets(2, 1)
        : `RTSP/1.0 100 Continue\r\n\r\nRTSP/1.0 401 No\r\nCSeq: ${/CSeq: (\d+)/i.exec(request)![1]}\r\nWWW-Authenticate: Digest realm="r",\r\n nonce="m"\r\n\r\n`)
      return
    }
    socket.write(Buffer.concat([Buffer.from(okOf(request)), packets(0, 1), Buffer.from('OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 5\r\n\r\n'), packets(1, 1)]))
  }, { credential: { username: 'u', password: 'p' } })
  ask('PLAY')
  await until('the answer and the packets', () => requests.some(each => each.startsWith('RTSP/')) && seen().length > 128)
  t.same(requests.filter(each => each.startsWith('RTSP/')), ['RTSP/1.0 200 OK\r\nCSeq: 5'])
  ask('GET_PARAMETER')
  await until('the last packet', () => seen().subarray(-64).equals(packets(2, 1)))
  t.ok(seen().subarray(-192).equals(packets(0, 3)))
  t.same(requests.filter(each => each.startsWith('GET_PARAMETER')).map(each => /nonce="(\w+)"/.exec(each)?.[1]), [undefined, 'm'])
})

t.test('packets that are missing on a channel that was not set up first are no loss', async t => {
  const holed = (channel: number): Buffer => Buffer.concat([packets(0, 50, channel), packets(55, 5, channel)])
  const { seen, ticket, ask } = await sessionWith(t, (request, socket) => {
    socket.write(okOf(request, '', request.startsWith('SETUP') ? 'Transport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n' : ''))
    if (!request.startsWith('PLAY')) return
    socket.write(Buffer.concat([holed(0), packets(0, 50, 4)]))
    setTimeout(() => { socket.write(Buffer.concat([packets(55, 5, 4), packets(60, 1, 0)])) }, 300)
  })
  ask('SETUP', undefined, 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n')
  await until('the answer', () => seen().includes('4-5'))
  ask('PLAY')
  await until('the last packet', () => seen().subarray(-64).equals(rtp(49, 4)))
  t.same(ticket.takeLossesAgoMs(), [])
  await until('the last packet', () => seen().subarray(-64).equals(rtp(60, 0)))
  t.equal(ticket.takeLossesAgoMs().length, 1)
})

t.test('a password in an address that was given whole, and in a control without a host, stays here', async t => {
  const { seen, requests, ticket, ask } = await sessionWith(t, (request, socket) => {
    socket.write(okOf(request, request.startsWith('DESCRIBE') ? 'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:user=a_password=Ge%2fheim/track1\r\n' : ''))
  }, { path: '/user=a_password=Ge%2Fheim', credential: { username: 'a', password: 'Ge/heim' } })
  ask('DESCRIBE')
  await until('the answer', () => seen().includes('track1'))
  t.notMatch(seen().toString(), /Ge.{1,3}heim/)
  const [, control = ''] = /a=control:(\S+)/.exec(seen().toString()) ?? []
  ask('SETUP', `${ticket.url}/${control}`)
  await until('both requests', () => requests.length === 2)
  t.match(requests[1], /\/user=a_password=Ge%2Fheim\/user=a_password=Ge%2fheim\/track1 RTSP/)
})
