import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CameraRelay } from '../../../src/ingest/index.ts'
import { describeStream } from '../../../src/ingest/rtsp/index.ts'
import { headerOf, requestLineOf, RtspReader, statusOf, type RtspItem,
  type RtspMessage } from '../../../src/ingest/rtsp/rtsp-message.ts'
import { packet, rtspAnswer, ScriptedCamera } from '../../support/cameras/scripted-camera.ts'

const CREDENTIAL = { username: 'viewer', password: '戶政密碼'.repeat(40) }

/** In ffmpeg's place. */
class Viewer {
  readonly #socket: Socket
  readonly #reader = new RtspReader()
  readonly #url: string
  readonly packets: string[] = []
  #cseq = 0

  private constructor(socket: Socket, url: string) { this.#socket = socket; this.#url = url }

  static async open(t: Test, url: string): Promise<Viewer> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined)
    await once(socket, 'connect')
    t.teardown(() => { socket.destroy() })
    return new Viewer(socket, url)
  }

  async ask(method: string, uri = this.#url, header?: string): Promise<RtspMessage | 'closed'> {
    this.#socket.write(`${method} ${uri} RTSP/1.0\r\nCSeq: ${++this.#cseq}\r\n${header === undefined ? '' : `${header}\r\n`}\r\n`)
    for (;;) {
      const item = await this.next()
      if (item === 'closed') return item
      if (item.kind === 'message') return item.message
      this.packets.push(item.bytes.subarray(4).toString())
    }
  }

  async next(): Promise<RtspItem | 'closed'> {
    for (;;) {
      const item = this.#reader.next()
      if (item !== null) return item
      const closed = once(this.#socket, 'close').then(() => null)
      const chunk = await Promise.race([once(this.#socket, 'data').then(([bytes]) => bytes as Buffer),
        closed])
      if (chunk === null) return 'closed'
      this.#reader.push(chunk)
    }
  }

  get socket(): Socket { return this.#socket }
}

const fieldsOf = (request: RtspMessage): Map<string, string> =>
  new Map([...(headerOf(request, 'authorization') ?? '').matchAll(/(\w+)="?([^",]*)"?/g)].map(
    ([, name = '', value = '']) => [name, value]))

function isProved(request: RtspMessage, algorithm: 'md5' | 'sha256', nonce: string): boolean {
  const hash = (...parts: string[]) => createHash(algorithm).update(parts.join(':')).digest('hex')
  const { method, uri } = requestLineOf(request)
  const expected = hash(hash(CREDENTIAL.username, 'r', CREDENTIAL.password), nonce, hash(method, uri))
  return fieldsOf(request).get('response') === expected
}

async function relayed(t: Test): Promise<CameraRelay> {
  const relay = await CameraRelay.open()
  t.teardown(() => relay[Symbol.asyncDispose]())
  return relay
}

for (const algorithm of ['md5', 'sha256'] as const) {
  t.test(`proves a password of any length by ${algorithm}, and the viewer learns nothing of it`, async t => {
    await using camera = await ScriptedCamera.start(request => {
      const name = algorithm === 'md5' ? 'MD5' : 'SHA-256'
      if (!isProved(request, algorithm, 'n1')) return rtspAnswer(request, '401 Unauthorized',
        { headers: [`WWW-Authenticate: Digest realm="r", nonce="n1", algorithm=${name}`] })
      return rtspAnswer(request, '200 OK', { body: 'v=0\r\n' })
    })
    using ticket = (await relayed(t)).ticket(camera.url('/a?b=c'), CREDENTIAL)
    const viewer = await Viewer.open(t, ticket.url)
    const answer = await viewer.ask('DESCRIBE')
    t.match(answer, { start: 'RTSP/1.0 200 OK' })
    t.equal(headerOf(answer as RtspMessage, 'cseq'), '1', 'the number that the viewer gave')
    t.equal(requestLineOf(camera.requests[0]!).uri, camera.url('/a?b=c'))
    await viewer.ask('SETUP', `${ticket.url}/trackID=1`)
    t.equal(requestLineOf(camera.requests.at(-1)!).uri, `${camera.url('/a?b=c')}/trackID=1`)
    t.same(camera.methods(), ['DESCRIBE', 'DESCRIBE', 'SETUP'], 'asked once for the password')
    t.equal(ticket.fault(), null)
  })
}

t.test('a wrong password is asked for once and told as that', async t => {
  await using camera = await ScriptedCamera.start(request =>
    rtspAnswer(request, '401 Unauthorized', { headers: ['WWW-Authenticate: Digest realm="r", nonce="n"'] }))
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  t.match(await (await Viewer.open(t, ticket.url)).ask('DESCRIBE'), { start: 'RTSP/1.0 403 Forbidden' })
  t.match(ticket.fault(), { reason: 'auth-refused' })
  t.equal(camera.requests.length, 2, 'a camera that counts wrong passwords counts one')
})

t.test('a proof that cannot be given is no wrong password', async t => {
  await using camera = await ScriptedCamera.start(request =>
    rtspAnswer(request, '401 Unauthorized', {
      headers: ['WWW-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-512-256'] }))
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  await (await Viewer.open(t, ticket.url)).ask('DESCRIBE')
  t.match(ticket.fault(), { reason: 'auth-unsupported', message: 'the camera asks for Digest SHA-512-256' })
  t.equal(camera.requests.length, 1)
})

t.test('the password itself is sent only to a camera that offers nothing but Basic', async t => {
  const asked = async (...challenges: string[]) => {
    const camera = await ScriptedCamera.start(request => headerOf(request, 'authorization') !== undefined ? rtspAnswer(request, '200 OK')
      : rtspAnswer(request, '401 Unauthorized', { headers: challenges.map(each => `WWW-Authenticate: ${each}`) }))
    t.teardown(async () => { await camera[Symbol.asyncDispose]() })
    const ticket = (await relayed(t)).ticket(camera.url(), { username: 'u', password: 'secret' })
    t.teardown(() => { ticket[Symbol.dispose]() })
    await (await Viewer.open(t, ticket.url)).ask('DESCRIBE')
    return { proofs: camera.requests.map(request => headerOf(request, 'authorization')?.split(' ')[0]), fault: ticket.fault() }
  }
  t.strictSame(await asked('Basic realm="r"'), { proofs: [undefined, 'Basic'], fault: null })
  t.match(await asked('Digest realm="Office, Basic floor", nonce="abc"'), { proofs: [undefined, 'Digest'] })
  t.match(await asked('Digest realm="r",\r\n nonce="abc"', 'Basic realm="r"'), { proofs: [undefined, 'Digest'] })
  t.match(await asked('Digest realm="r", nonce="abc", algorithm=SHA-512-256', 'Basic realm="r"'),
    { proofs: [undefined], fault: { reason: 'auth-unsupported', message: 'the camera asks for Digest SHA-512-256, Basic' } })
})

t.test('a challenge with 400, a camera that closes after it, and one that sends no reason phrase',
  async t => {
  await using camera = await ScriptedCamera.start((request, socket) => {
    if (isProved(request, 'md5', 'n1')) return rtspAnswer(request, '200')
    socket.end(rtspAnswer(request, '400 Bad Request',
      { headers: ['WWW-Authenticate: Digest realm="r", nonce="n1"'] }))
    return ''
  })
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  const answer = await (await Viewer.open(t, ticket.url)).ask('OPTIONS')
  t.equal(answer === 'closed' ? 0 : statusOf(answer), 200)
})

t.test('places for the account in an address are filled for the camera alone', async t => {
  await using camera = await ScriptedCamera.start(request => rtspAnswer(request, '200 OK'))
  const url = camera.url('/user={username}_password={password}_channel=1.sdp?real_stream')
  using ticket = (await relayed(t)).ticket(url, { username: 'admin', password: 'a/b &{username}$&' })
  t.match(await (await Viewer.open(t, ticket.url)).ask('DESCRIBE'), { start: 'RTSP/1.0 200 OK' })
  t.equal(requestLineOf(camera.requests[0]!).uri,
    camera.url('/user=admin_password=a%2Fb%20%26%7Busername%7D%24%26_channel=1.sdp?real_stream'))
})

t.test('a password that a camera repeats from its address never reaches ffmpeg, and its requests still name it', async t => {
  const account = { username: 'admin', password: 'a/b c' }, filled = '/user=admin_password=a%2Fb%20c_channel=1.sdp'
  await using camera = await ScriptedCamera.start(request => {
    const { method } = requestLineOf(request)
    return rtspAnswer(request, '200 OK', method !== 'DESCRIBE' ? {} : {
      headers: [`Content-Base: ${camera.url(filled)}/`],
      body: `v=0\r\na=control:${camera.url('/user=admin_password=a/b')}\r\nm=video 0 RTP/AVP 96\r\na=control:${camera.url(filled)}/track1\r\n`,
    })
  })
  using ticket = (await relayed(t)).ticket(camera.url('/user={username}_password={password}_channel=1.sdp'), account)
  const viewer = await Viewer.open(t, ticket.url)
  const answer = await viewer.ask('DESCRIBE')
  if (answer === 'closed') throw new Error('closed')
  const base = headerOf(answer, 'content-base')!
  const control = /m=video[^]*a=control:(\S+)/.exec(answer.body.toString('utf8'))![1]!
  t.notMatch(`${base} ${control}`, /a%2Fb|a\/b c/)
  t.match(control, /^rtsp:.*track1$/)
  await viewer.ask('SETUP', control)
  t.equal(requestLineOf(camera.requests.at(-1)!).uri, `${camera.url(filled)}/track1`)
})

t.test('a redirect is followed on the same host, with the password asked for anew', async t => {
  await using moved = await ScriptedCamera.start(request =>
    isProved(request, 'md5', 'n2') ? rtspAnswer(request, '200 OK')
      : rtspAnswer(request, '401 Unauthorized',
        { headers: ['WWW-Authenticate: Digest realm="r", nonce="n2"'] }))
  await using camera = await ScriptedCamera.start(request =>
    rtspAnswer(request, '302 Moved', { headers: [`Location: ${moved.url('/moved')}`] }))
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  t.match(await (await Viewer.open(t, ticket.url)).ask('DESCRIBE'), { start: 'RTSP/1.0 200 OK' })
  t.equal(requestLineOf(moved.requests.at(-1)!).uri, moved.url('/moved'))
})

t.test('a camera that redirects in a circle is left after three times', async t => {
  await using camera = await ScriptedCamera.start(request =>
    rtspAnswer(request, '302 Moved', { headers: [`Location: ${requestLineOf(request).uri}/more`] }))
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  await (await Viewer.open(t, ticket.url)).ask('DESCRIBE')
  t.match(ticket.fault(), { reason: 'redirected', message: 'the camera redirects more than 3 times' })
  t.equal(camera.requests.length, 4)
})

t.test('what a camera answers instead of a description is told', async t => {
  for (const [status, reason] of [['404 Not Found', 'no-such-stream'], ['453 Not Enough Bandwidth',
    'closed-by-camera'], ['503 Service Unavailable', 'closed-by-camera']] as const) {
    await using camera = await ScriptedCamera.start(request => rtspAnswer(request, status))
    await t.rejects(describeStream(camera.url(), null, await relayed(t), new AbortController().signal),
      { reason, message: `the camera answers DESCRIBE with ${status.slice(0, 3)}` })
  }
  await using closing = await ScriptedCamera.start(() => null)
  await t.rejects(describeStream(closing.url(), null, await relayed(t), new AbortController().signal),
    { reason: 'closed-by-camera', message: /closed the connection/ })
})

t.test('nothing goes to another host, whenever the camera sends there', async t => {
  for (const method of ['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY']) {
    await using thief = await ScriptedCamera.start(request =>
      rtspAnswer(request, '401 Unauthorized', { headers: ['WWW-Authenticate: Basic realm="x"'] }),
        '127.0.0.2')
    await using camera = await ScriptedCamera.start(request =>
      rtspAnswer(request, '302 Moved', { headers: [`Location: ${thief.url()}`] }))
    using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
    const answer = await (await Viewer.open(t, ticket.url)).ask(method)
    t.equal(headerOf(answer as RtspMessage, 'location'), undefined, 'nor is the viewer told of it')
    t.match(ticket.fault(), { reason: 'redirected',
      message: 'the camera redirects to another host (127.0.0.2)' })
    t.same(thief.requests, [])
  }
})

/** A packet of RTP on the first channel. */
function numbered(sequence: number, size = 4): Buffer {
  const bytes = Buffer.alloc(12 + size, sequence)
  bytes.set([0x80, 96])
  bytes.writeUInt16BE(sequence, 2)
  bytes.writeUInt32BE(7, 8)
  return packet(0, bytes)
}
const sequenceOf = (item: RtspItem | 'closed'): number =>
  item !== 'closed' && item.kind === 'packet' ? item.bytes.readUInt16BE(6) : -1

t.test('over TLS packets pass, keep-alives are proved, and missing packets are noticed', async t => {
  await using camera = await ScriptedCamera.start((request, socket) => {
    const { method } = requestLineOf(request), nonce = method === 'GET_PARAMETER' ? 'n2' : 'n1'
    if (!isProved(request, 'md5', nonce)) return rtspAnswer(request, '401 Unauthorized',
      { headers: [`WWW-Authenticate: Digest realm="r", nonce="${nonce}"`] })
    if (method === 'GET_PARAMETER') socket.write(numbered(43))
    const first = method === 'PLAY' ? Array.from({ length: 40 }, (_, n) => numbered(n)) : []
    return Buffer.concat([Buffer.from(rtspAnswer(request, '200 OK')), ...first])
  }, '127.0.0.1', true)
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  const viewer = await Viewer.open(t, ticket.url)
  t.match(await viewer.ask('PLAY'), { start: 'RTSP/1.0 200 OK' })
  for (let n = 0; n < 40; n++) t.equal(sequenceOf(await viewer.next()), n)
  t.same(ticket.takeLossesAgoMs(), [])
  viewer.socket.write(`GET_PARAMETER ${ticket.url} RTSP/1.0\r\nCSeq: 9\r\n\r\n`)
  t.equal(sequenceOf(await viewer.next()), 43, 'and the answer is kept from the viewer')
  t.equal(ticket.takeLossesAgoMs().length, 1)
})

t.test('a camera over TLS that is held back for longer than it may be silent is not given up', { timeout: 60_000 }, async t => {
  const packets = Array.from({ length: 400 }, (_, n) => numbered(n, 40_000))
  await using camera = await ScriptedCamera.start(request => Buffer.concat([Buffer.from(rtspAnswer(request, '200 OK')),
    ...requestLineOf(request).method === 'PLAY' ? packets : []]), '127.0.0.1', true)
  using ticket = (await relayed(t)).ticket(camera.url(), null)
  const socket = connect(Number(new URL(ticket.url).port), '127.0.0.1'), reader = new RtspReader()
  socket.write(`PLAY ${ticket.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`)
  await sleep(7_500)
  const got: number[] = []
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    reader.push(chunk)
    for (let item; (item = reader.next()) !== null;) if (item.kind === 'packet') got.push(sequenceOf(item))
    if (got.length === packets.length) break
  }
  t.strictSame(got, [...packets.keys()])
  t.equal(ticket.fault(), null)
})

t.test('packets pass before and after the answer to PLAY, keep-alives are proved and their answers kept from the viewer', async t => {
  await using camera = await ScriptedCamera.start((request, socket) => {
    const { method } = requestLineOf(request)
    if (method === 'GET_PARAMETER') {
      const isFresh = isProved(request, 'md5', 'n2')
      if (isFresh) socket.write(packet(0, 'after'))
      return isFresh ? rtspAnswer(request, '200 OK')
        : rtspAnswer(request, '401 Unauthorized',
          { headers: ['WWW-Authenticate: Digest realm="r", nonce="n2"'] })
    }
    if (!isProved(request, 'md5', 'n1')) return rtspAnswer(request, '401 Unauthorized',
      { headers: ['WWW-Authenticate: Digest realm="r", nonce="n1"'] })
    return Buffer.concat([packet(0, 'early'), Buffer.from(rtspAnswer(request, '200 OK')), packet(0, 'late'),
      packet(0, 'cut').subarray(0, 5)])
  })
  using ticket = (await relayed(t)).ticket(camera.url(), CREDENTIAL)
  const viewer = await Viewer.open(t, ticket.url)
  t.match(await viewer.ask('PLAY'), { start: 'RTSP/1.0 200 OK' })
  t.same(viewer.packets, ['early'])
  viewer.socket.write(`GET_PARAMETER ${ticket.url} RTSP/1.0\r\nCSeq: 9\r\n\r\n`)
  for (const socket of camera.sockets) socket.write('ut')
  const items = [await viewer.next(), await viewer.next(), await viewer.next()]
  t.same(items.map(item => item === 'closed' || item.kind === 'message' ? 'no packet'
    : item.bytes.subarray(4).toString()), ['late', 'cut', 'after'])
  for (const socket of camera.sockets) socket.end()
  t.equal(await viewer.next(), 'closed', 'and the end of the one is the end of the other')
})

t.test('a path is good for one connection, and no other is answered', async t => {
  await using camera = await ScriptedCamera.start(request => rtspAnswer(request, '200 OK'))
  const relay = await relayed(t)
  const ticket = relay.ticket(camera.url(), CREDENTIAL)
  t.match(await (await Viewer.open(t, ticket.url)).ask('OPTIONS'), { start: 'RTSP/1.0 200 OK' })
  t.equal(await (await Viewer.open(t, ticket.url)).ask('OPTIONS'), 'closed', 'a second time')
  t.equal(await (await Viewer.open(t, ticket.url.replace(/[0-9a-f]{32}/, '0'.repeat(32)))).ask('OPTIONS'),
    'closed', 'a guess')
  const unused = relay.ticket(camera.url(), CREDENTIAL)
  unused[Symbol.dispose]()
  t.equal(await (await Viewer.open(t, unused.url)).ask('OPTIONS'), 'closed', 'after its run')
  t.equal(camera.requests.length, 1)
})

t.test('a camera that cannot be reached is told as ffmpeg would', async t => {
  const camera = await ScriptedCamera.start(() => null)
  const url = camera.url()
  await camera[Symbol.asyncDispose]()
  using ticket = (await relayed(t)).ticket(url, null)
  await (await Viewer.open(t, ticket.url)).ask('OPTIONS')
  t.match(ticket.fault(), { reason: 'refused' })
})

t.test('a camera that sends over UDP alone is heard, and nobody else is', async t => {
  const media = createSocket('udp4').bind(0, '127.0.0.1')
  const stranger = createSocket('udp4').bind(0, '127.0.0.2')
  await Promise.all([once(media, 'listening'), once(stranger, 'listening')])
  t.teardown(() => { media.close(); stranger.close() })
  let clientPort = 0
  await using camera = await ScriptedCamera.start(request => {
    const transport = headerOf(request, 'transport') ?? ''
    if (requestLineOf(request).method !== 'SETUP') return rtspAnswer(request, '200 OK')
    if (transport.includes('TCP')) return rtspAnswer(request, '461 Unsupported Transport')
    clientPort = Number(/client_port=(\d+)/.exec(transport)?.[1])
    return rtspAnswer(request, '200 OK', { headers: [
      `Transport: ${transport};server_port=${media.address().port}-${media.address().port + 1}`] })
  })
  using ticket = (await relayed(t)).ticket(camera.url(), null)
  const viewer = await Viewer.open(t, ticket.url)
  const opened = once(media, 'message')
  const setUp = await viewer.ask('SETUP', ticket.url, 'Transport: RTP/AVP/TCP;unicast;interleaved=4-5')
  t.equal(headerOf(setUp as RtspMessage, 'transport'), 'RTP/AVP/TCP;unicast;interleaved=4-5')
  t.equal(clientPort % 2, 0)
  await opened // a firewall between has seen something go out
  await viewer.ask('PLAY')
  stranger.send('theirs', clientPort, '127.0.0.1')
  media.send('ours', clientPort, '127.0.0.1')
  t.match(await viewer.next(), { kind: 'packet', bytes: packet(4, 'ours') })
  const reported = once(media, 'message')
  viewer.socket.write(packet(4, 'report'))
  t.equal(String((await reported)[0]), 'report')
  const [before, behind] = [numbered(100), numbered(30_000)]
  for (const each of [before, behind]) {
    media.send(each.subarray(4), clientPort, '127.0.0.1')
    t.equal(sequenceOf(await viewer.next()), each === before ? 100 : 29_999, 'a packet to be dropped comes first')
  }
  t.equal(sequenceOf(await viewer.next()), 30_000)
})

t.test('pictures that nobody records are told by the description, before the camera sends any', async t => {
  const describing = async (line: string) => {
    const camera = await ScriptedCamera.start(request => rtspAnswer(request, '200 OK',
      { body: `v=0\r\nm=video 0 RTP/AVP ${line}\r\na=control:trackID=1\r\n` }))
    t.teardown(async () => { await camera[Symbol.asyncDispose]() })
    const ticket = (await relayed(t)).ticket(camera.url(), null)
    t.teardown(() => { ticket[Symbol.dispose]() })
    const viewer = await Viewer.open(t, ticket.url)
    await viewer.ask('DESCRIBE')
    t.equal(ticket.fault(), null, 'to ask for a description alone is no fault')
    await viewer.ask('SETUP', `${ticket.url}/trackID=1`)
    return { methods: camera.methods(), fault: ticket.fault() }
  }
  for (const line of ['26', '26\r\na=rtpmap:26 JPEG/90000', '96\r\na=rtpmap:96 MP4V-ES/90000']) {
    const { methods, fault } = await describing(line)
    t.same(methods, ['DESCRIBE'])
    t.match(fault, { reason: 'codec-unsupported' })
  }
  for (const line of ['96', '96\r\na=rtpmap:96 h264/90000', '97\r\na=rtpmap:97 H265/90000']) {
    t.strictSame(await describing(line), { methods: ['DESCRIBE', 'SETUP'], fault: null })
  }
})

t.test('a camera that takes neither TCP nor UDP is told as that', async t => {
  await using camera = await ScriptedCamera.start(request => rtspAnswer(request, '461 Unsupported Transport'))
  using ticket = (await relayed(t)).ticket(camera.url(), null)
  await (await Viewer.open(t, ticket.url)).ask('SETUP', ticket.url,
    'Transport: RTP/AVP/TCP;unicast;interleaved=0-1')
  t.match(ticket.fault(), { reason: 'no-tcp' })
})
