import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CameraRelay, CameraSurvey } from '../../../src/ingest/index.ts'
import { readOffer } from '../../../src/ingest/http-auth.ts'
import { headerOf, requestLineOf } from '../../../src/ingest/rtsp/rtsp-message.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { startCraftedCameras } from '../../support/cameras/crafted-server.ts'
import { packet, rtspAnswer, ScriptedCamera, type CameraScript } from '../../support/cameras/scripted-camera.ts'
import { processorMsSince, processorNow } from '../../support/processor-time.ts'

const MANY_LINES = Array.from({ length: 101 }, (_, i) => `X-${i}: a`)
const SETUP = 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1'

/** A viewer that sends one request of a session with such a camera, and what the relay says of it. */
async function asked(t: Test, script: CameraScript, { method = 'DESCRIBE', header = '', host = '127.0.0.1', credential = null as { username: string, password: string } | null } = {}) {
  const camera = await ScriptedCamera.start(script, host), relay = await CameraRelay.open()
  const url = host === '::1' ? `rtsp://[::1]:${camera.port}/live` : camera.url()
  const ticket = relay.ticket(url, credential)
  const viewer: Socket = connect(Number(new URL(ticket.url).port), '127.0.0.1').on('error', () => undefined)
  await once(viewer, 'connect')
  t.teardown(async () => {
    viewer.destroy()
    ticket[Symbol.dispose]()
    await relay[Symbol.asyncDispose]()
    await camera[Symbol.asyncDispose]()
  })
  viewer.write(`${method} ${ticket.url} RTSP/1.0\r\nCSeq: 1\r\n${header === '' ? '' : `${header}\r\n`}\r\n`)
  return { camera, ticket, viewer }
}

t.test('heads beyond every bound end the session that they came in, and nothing else', async t => {
  const atOnce = await asked(t, (request, socket) => {
    socket.end(rtspAnswer(request, '200 OK', { headers: MANY_LINES }))
    return ''
  })
  const afterSilence = await asked(t, () => Buffer.concat([Buffer.from([0x24, 0, 0xff, 0xff]), Buffer.from('a\n'.repeat(120) + '\n')]))
  const playing = await asked(t, (request, socket) => {
    if (requestLineOf(request).method === 'PLAY') setTimeout(() => socket.write(`RTSP/1.0 200 OK\r\n${MANY_LINES.join('\r\n')}\r\n\r\n`), 200)
    return rtspAnswer(request, '200 OK')
  }, { method: 'PLAY' })
  const ended = once(playing.viewer.resume(), 'close')
  await Promise.all([once(atOnce.viewer.resume(), 'close'), ended, sleep(2_500)])
  t.match(playing.ticket.fault(), { reason: 'bad-stream' })
  t.equal(afterSilence.ticket.fault()?.reason ?? 'none', 'none', 'that one waits for its answer')
})

t.test('a camera at an IPv6 address that sends over UDP, and one whose network is gone, end nobody', async t => {
  let setups = 0
  const { viewer } = await asked(t, request => {
    if (requestLineOf(request).method !== 'SETUP') return rtspAnswer(request, '200 OK')
    return setups++ === 0 ? rtspAnswer(request, '461 Unsupported Transport')
      : rtspAnswer(request, '200 OK', { headers: ['Transport: RTP/AVP;unicast;client_port=1-2;server_port=5000-5001'] })
  }, { method: 'SETUP', header: SETUP, host: '::1' })
  const [answer] = await once(viewer, 'data') as [Buffer]
  t.match(answer.toString(), /200 OK/)
  await sleep(300)
})

t.test('a challenge of any length is read in no time', async t => {
  const startedAt = processorNow()
  t.match(readOffer([`Digest ${'a'.repeat(64_000)}`, `Digest ${'a '.repeat(32_000)}`, `Digest realm="${'x'.repeat(64_000)}`]), { digest: null })
  t.ok(processorMsSince(startedAt) < 500, `${processorMsSince(startedAt)} ms`)
})

t.test('a redirect to what is no host is told in few words', async t => {
  const { ticket, viewer } = await asked(t, request => rtspAnswer(request, '302 Moved', { headers: [`Location: rtsp://${'a'.repeat(31_000)}/`] }))
  await once(viewer, 'data')
  t.match(ticket.fault(), { reason: 'redirected', message: 'the camera redirects without an address that can be used' })
})

t.test('a device that calls each proof stale gets one more and no third', async t => {
  let nonces = 0
  const { camera, ticket, viewer } = await asked(t, request =>
    rtspAnswer(request, '401 Unauthorized', { headers: [`WWW-Authenticate: Digest realm="r", nonce="n${nonces++}", stale=true`] }),
  { credential: { username: 'u', password: 'wrong' } })
  await once(viewer, 'data')
  t.match(ticket.fault(), { reason: 'auth-refused' })
  t.equal(camera.requests.filter(request => headerOf(request, 'authorization') !== undefined).length, 2)
})

t.test('packets before the answer to PLAY, more than the viewer takes at once, hold up nothing behind them', async t => {
  const rtp = packet(0, Buffer.alloc(1400, 1)), after = packet(0, 'AFTER')
  for (const bytes of [200_000, 2_000_000, 3_500_000]) {
    const { camera, viewer } = await asked(t, (request, socket) => {
      const sending = setInterval(() => { if (socket.destroyed) clearInterval(sending); else socket.write(after) }, 20)
      return Buffer.concat([...Array.from({ length: Math.floor(bytes / rtp.length) }, () => rtp), Buffer.from(rtspAnswer(request, '200 OK'))])
    }, { method: 'PLAY' })
    viewer.pause()
    await sleep(150)
    let tail = ''
    viewer.on('data', (chunk: Buffer) => { tail = (tail + chunk.toString('latin1')).slice(-3000) }).resume()
    for (let i = 0; i < 60 && !tail.includes('AFTER'); i++) await sleep(50)
    t.match(tail, 'AFTER', `${bytes} bytes before it`)
    viewer.destroy()
    for (let i = 0; i < 60 && camera.sockets.size > 0; i++) await sleep(50)
    t.equal(camera.sockets.size, 0, 'the camera is let go with its viewer')
  }
})

t.test('a look at a camera that sends a packet before its description ends, and the next one may look', async t => {
  const camera = await ScriptedCamera.start(request =>
    Buffer.concat([packet(0, 'x'), Buffer.from(rtspAnswer(request, '200 OK', { body: 'v=0\r\nm=video 0 RTP/AVP 26\r\n' }))]))
  t.teardown(() => camera[Symbol.asyncDispose]())
  const survey = new CameraSurvey(systemClock, 500), at = { kind: 'url', url: camera.url() } as const
  t.match(await survey.probe(at, null), { description: { video: 'JPEG' } })
  t.match(await survey.probe(at, null), { description: { video: 'JPEG' } })
})

t.test('whoever opens many connections to the relay keeps no session out', async t => {
  const relay = await CameraRelay.open()
  const camera = await ScriptedCamera.start(request => rtspAnswer(request, '200 OK'))
  t.teardown(async () => { await relay[Symbol.asyncDispose](); await camera[Symbol.asyncDispose]() })
  const ticket = relay.ticket(camera.url(), null), port = Number(new URL(ticket.url).port)
  const idle = Array.from({ length: 1_200 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  await sleep(500)
  const viewer = connect(port, '127.0.0.1')
  viewer.write(`OPTIONS ${ticket.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`)
  const [answer] = await once(viewer, 'data') as [Buffer]
  t.match(answer.toString(), /200 OK/)
  for (const socket of [...idle, viewer]) socket.destroy()
})

t.test('a recorder that stood still ends no session for it', async t => {
  await using cameras = await startCraftedCameras(['plain'])
  await using relay = await CameraRelay.open()
  using ticket = relay.ticket(cameras.urlOf('plain'), null)
  const viewer = connect(Number(new URL(ticket.url).port), '127.0.0.1').on('error', () => undefined).resume()
  t.teardown(() => { viewer.destroy() })
  viewer.write(`PLAY ${ticket.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`)
  await sleep(3_000)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7_000)
  await sleep(2_500)
  t.equal(ticket.fault(), null)
  t.notOk(viewer.destroyed)
})
