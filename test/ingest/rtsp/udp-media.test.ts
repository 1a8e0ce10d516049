import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { UdpMedia } from '../../../src/ingest/rtsp/udp-media.ts'

/** 40 packets of the pictures, their reports on the same port among them (RFC 5761), and one packet that is missing. */
function datagrams(): Buffer[] {
  const report = Buffer.from([0x80, 200, 0, 6, ...Array.from({ length: 24 }, (_, i) => i)])
  const rtp = (n: number): Buffer => {
    const bytes = Buffer.alloc(60, 1)
    bytes.set([0x80, 96, n >> 8, n & 0xff, 0, 0, 0, 0, 0, 0, 0, 7])
    return bytes
  }
  return Array.from({ length: 50 }, (_, n) => rtp(n)).flatMap((each, n) => n === 45 ? [] : n % 10 === 9 ? [each, report] : [each])
}

async function heard(t: Test, hasRoom: (passed: number) => boolean): Promise<{ readonly passed: Buffer[], readonly losses: number[] }> {
  const passed: Buffer[] = [], losses: number[] = []
  const media = new UdpMedia({ cameraAddress: '127.0.0.1',
    onPacket: bytes => { passed.push(bytes); return hasRoom(passed.length) },
    onPicture: () => undefined, onLoss: () => { losses.push(passed.length) } })
  const camera = createSocket('udp4').bind(0, '127.0.0.1')
  t.teardown(() => { media.close(); camera.close() })
  await once(camera, 'listening')
  const asked = await media.setup({ start: 'SETUP rtsp://c/1 RTSP/1.0', headers: [['Transport', 'RTP/AVP/TCP;unicast;interleaved=0-1']], body: Buffer.alloc(0) })
  const port = Number(/client_port=(\d+)/.exec(asked?.headers[0]?.[1] ?? '')?.[1])
  const sent = datagrams()
  for (const each of sent) camera.send(each, port, '127.0.0.1')
  for (let i = 0; i < 200 && passed.length < sent.length; i++) await new Promise(resolve => { setTimeout(resolve, 10) })
  t.same(passed.map(each => each.subarray(4).toString('hex')), sent.map(each => each.toString('hex')), 'all of them pass')
  return { passed, losses }
}

t.test('reports on the port of the pictures do not count among them', async t => {
  t.strictSame((await heard(t, () => true)).losses, [50], 'the one that is missing is told, and nothing else')
})

t.test('of what there is no room for pictures alone are a loss', async t => {
  t.strictSame((await heard(t, passed => passed !== 11)).losses, [50], 'a report')
  t.strictSame((await heard(t, passed => passed !== 12)).losses, [12, 50], 'a packet of the pictures')
})
