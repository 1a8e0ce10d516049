import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { probeCamera } from '../../src/ingest/camera-probe.ts'
import { systemClock } from '../../src/platform/clock.ts'

/** A server on the loopback that answers whatever comes with these bytes and closes. */
async function answering(t: Test, bytes: string): Promise<number> {
  const server = createServer(socket => {
    socket.on('error', () => undefined).once('data', () => { socket.end(bytes) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return (server.address() as AddressInfo).port
}

type Target = Parameters<typeof probeCamera>[0]
const probed = (at: Target['at'], credential: Target['credential'] = null) =>
  probeCamera({ at, credential, clock: systemClock, signal: AbortSignal.timeout(30_000), sampleMs: 200 })

const SDP = 'v=0\r\nm=video 0 RTP/AVP 26\r\n'
t.test('whatever a camera answers, what comes of it is an outcome', async t => {
  for (const head of [
    ...[97, 98, 99, 100, 101, 102].map(count => Array.from({ length: count }, (_, i) => `X-${i}: y`)),
    ['Content-Length: -1'], ['Content-Length: 99999999'], ['Content-Length: x'], [`X: ${'y'.repeat(40_000)}`],
  ]) {
    const length = head.some(line => /length/i.test(line)) ? [] : [`Content-Length: ${SDP.length}`]
    const port = await answering(t, ['RTSP/1.0 200 OK', ...head, ...length, '', SDP].join('\r\n'))
    const { description, streamFault } = await probed({ kind: 'url', url: `rtsp://127.0.0.1:${port}/` })
    t.ok(description !== null || streamFault !== null, head.join().slice(0, 40))
    t.match(streamFault?.reason ?? '', /^(?:bad-stream|closed-by-camera|no-such-stream|codec-unsupported|)$/)
  }
})

t.test('a password with half a character in it is a wrong password', async t => {
  const account = { username: 'u\udc00', password: 'a\ud800' }
  const device = await answering(t, 'HTTP/1.1 500 x\r\n\r\n<Envelope><Body><Fault><faultstring>'
    + 'u\ufffd a\ufffd no</faultstring></Fault></Body></Envelope>')
  const at = { kind: 'onvif', host: '127.0.0.1', port: device, source: null } as const
  const { deviceFault } = await probed(at, account)
  t.equal(deviceFault?.failure, 'soap-fault')
  t.match(deviceFault?.message, /: \[redacted\] \[redacted\] no$/)
  const camera = await answering(t, 'RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n')
  const url = `rtsp://127.0.0.1:${camera}/{username}/{password}`
  t.match((await probed({ kind: 'url', url }, account)).streamFault, { reason: 'no-such-stream' })
})
