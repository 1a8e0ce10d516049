import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { discoverDevices, type Discovery } from '../../../src/ingest/onvif/discovery.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const HERE = '127.0.0.1'

/**
 * A search on the loopback; `answer` gets its question and the port to answer to, and the search ends when it
 * is done.
 */
async function searched(t: Test, answer: (question: string,
  send: (bytes: Buffer | string) => Promise<void>) => Promise<void>): Promise<Discovery> {
  const device = createSocket('udp4').bind(0, HERE), clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  await once(device, 'listening')
  t.teardown(() => { device.close() })
  const asked = once(device, 'message') as Promise<[Buffer, { port: number }]>
  const stop = new AbortController()
  const searching = discoverDevices({ clock, signal: stop.signal, forMs: 4_000,
    ways: [{ bindAddress: HERE, to: { address: HERE, port: device.address().port } }] })
  const [question, { port }] = await asked
  await answer(question.toString(), bytes => sent(device, bytes, port))
  for (let i = 0; i < 50; i++) await turn() // what is on its way is taken
  stop.abort()
  return await searching
}

const sent = (socket: Socket, bytes: Buffer | string, port: number): Promise<void> =>
  new Promise((resolve, reject) => { socket.send(bytes, port, HERE,
    error => { if (error) reject(error); else resolve() }) })

const answerTo = (question: string, { addresses = `http://${HERE}:8000/onvif/device_service`,
  scopes = '' } = {}): string =>
  `<Envelope><Header><RelatesTo>${/<w:MessageID>([^<]*)</.exec(question)?.[1]}</RelatesTo></Header><Body><ProbeMatches><ProbeMatch>`
  + `<Scopes>${scopes}</Scopes><XAddrs>${addresses}</XAddrs></ProbeMatch></ProbeMatches></Body></Envelope>`

t.test('a device that answers is found, with what it says of itself', async t => {
  const { devices, ignored } = await searched(t, async (question, send) => {
    t.match(question, /NetworkVideoTransmitter/)
    await send(answerTo(question,
      { scopes: 'onvif://www.onvif.org/Profile/S onvif://www.onvif.org/name/%E5%A4%A7%E9%96%80%1b[31m onvif://www.onvif.org/hardware/X-1' }))
  })
  t.same(devices, [{ address: HERE, port: 8000, name: '大門 [31m', hardware: 'X-1' }])
  t.equal(ignored, 0)
})

t.test('a network that cannot be asked leaves the others; where none can it is told', async t => {
  const device = createSocket('udp4').bind(0, HERE)
  await once(device, 'listening')
  t.teardown(() => { device.close() })
  const nowhere = { bindAddress: '192.0.2.1', to: { address: HERE, port: 3702 } }
  const here = { bindAddress: HERE, to: { address: HERE, port: device.address().port } }
  const asked = once(device, 'message'), stop = new AbortController()
  const options = { clock: new VirtualClock('2026-11-22T08:00:00.000Z'), signal: stop.signal, forMs: 4_000 }
  const searching = discoverDevices({ ...options, ways: [nowhere, here] })
  await asked
  for (let i = 0; i < 50; i++) await turn()
  stop.abort()
  t.match(await searching, { devices: [], unasked: ['192.0.2.1'] })
  await t.rejects(discoverDevices({ ...options, ways: [nowhere] }), { code: 'EADDRNOTAVAIL' })
})

t.test('an address that somebody else has is nobody\'s port, and a wrong answer is none', async t => {
  const { devices, ignored } = await searched(t, async (question, send) => {
    await send('no XML at all')
    await send(answerTo('<w:MessageID>uuid:another question<'))
    await send(answerTo(question, { addresses: 'http://10.0.0.1:22/ javascript:alert(1)' }))
  })
  t.same(devices, [{ address: HERE, port: null, name: '', hardware: '' }])
  t.equal(ignored, 2)
})

t.test('a datagram with more in it than any answer is not read, a long word left out', async t => {
  const extra = (inside: string) => async (question: string, send: (bytes: string) => Promise<void>) => {
    const scopes = 'onvif://www.onvif.org/name/a onvif://www.onvif.org/hardware/b'
    await send(answerTo(question, { scopes }).replace('<Scopes>', `${inside}<Scopes>`))
  }
  for (const inside of ['<a/>'.repeat(250), `<b${' a=""'.repeat(401)}/>`, `<b>${'&'.repeat(401)}</b>`]) {
    t.match(await searched(t, extra(inside)), { devices: [], ignored: 1 }, inside.slice(0, 10))
  }
  for (const inside of ['<a/>'.repeat(150), `<b${' a=""'.repeat(200)}/>`, `<b>${'&'.repeat(200)}</b>`]) {
    t.match(await searched(t, extra(inside)), { devices: [{ name: 'a', hardware: 'b' }], ignored: 0 })
  }
  const long = `onvif://www.onvif.org/name/${'%20'.repeat(400)}`
  const { devices } = await searched(t, async (question, send) => {
    await send(answerTo(question, { scopes: `${long} onvif://www.onvif.org/name/short`,
      addresses: `http://${HERE}:81/${'a'.repeat(1_024)} http://${HERE}:82/` }))
  })
  t.same(devices, [{ address: HERE, port: 82, name: 'short', hardware: '' }])
})

t.test('a hundred thousand hostile datagrams leave one device at most, and nothing behind',
  { timeout: 120_000 }, async t => {
  const random = seededRandom(20261129), before = process.memoryUsage().heapUsed
  let count = 0
  const { devices } = await searched(t, async (question, send) => {
    const whole = answerTo(question)
    const hostile = [
      () => Buffer.from(Array.from({ length: 200 }, () => random() * 256)),
        () => whole.slice(0, random() * whole.length),
        () => whole.replace('</Scopes>', `${'<a>'.repeat(200)}</Scopes>`),
      () => `<!DOCTYPE a [<!ENTITY b "c">]>${whole}`,
      () => whole.replace('<Scopes>', `<Scopes>${'onvif://www.onvif.org/name/%'.repeat(300)}`), () => '',
      () => Buffer.alloc(60_000, whole),
    ]
    for (; count < 100_000; count++) await send(hostile[Math.floor(random() * hostile.length)]!())
  })
  t.equal(count, 100_000)
  t.ok(devices.length <= 1)
  t.ok(process.memoryUsage().heapUsed - before < 64 << 20)
})
