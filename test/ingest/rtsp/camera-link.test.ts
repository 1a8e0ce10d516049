import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { CameraLink, LinkClosed } from '../../../src/ingest/rtsp/camera-link.ts'
import type { RtspMessage } from '../../../src/ingest/rtsp/rtsp-message.ts'

const NOTHING = Buffer.alloc(0)
const request = (cseq: string): RtspMessage => ({ start: 'DESCRIBE rtsp://c/live RTSP/1.0', headers: [['CSeq', cseq]], body: NOTHING })
const answer = (cseq: string | null, status = '200 OK'): string => `RTSP/1.0 ${status}\r\n${cseq === null ? '' : `CSeq: ${cseq}\r\n`}\r\n`

/** A link to a camera that sends these bytes for each request it gets, and what it heard. */
async function linked(t: Test, ...sent: (string | Buffer)[]) {
  const heard: string[] = [], sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => undefined).on('data', chunk => {
      heard.push(chunk.toString('latin1'))
      if (chunk.toString('latin1').startsWith('DESCRIBE ')) socket.write(sent.shift() ?? '')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const link = await CameraLink.open({ isTls: false, host: '127.0.0.1', port, url: 'rtsp://c/live' })
  t.teardown(() => { link.close(); server.close(); for (const socket of sockets) socket.destroy() })
  let writes = 0, passedBytes = 0
  link.onPackets = bytes => { writes++; passedBytes += bytes.length }
  return { link, heard, passed: () => ({ writes, bytes: passedBytes }) }
}

for (const [what, bytes] of [['empty packets', Buffer.alloc(8_000_000, Buffer.from([0x24, 0, 0, 0]))],
  ['requests', Buffer.from('A /\n\n'.repeat(800_000))], ['answers to nobody', Buffer.from(answer('77').repeat(200_000))],
  ['what is nothing', Buffer.from('A0'.repeat(4_000_000))], ['large packets', Buffer.alloc(8_000_000, Buffer.from([0x24, 0, 0x57, 0]))],
] as const) {
  t.test(`${what} without end before an answer are the end of the session`, async t => {
    const { link, passed } = await linked(t, bytes)
    await t.rejects(link.request(request('1')), { reason: 'bad-stream', message: 'the camera sends without end before it plays' })
    t.ok(passed().writes < 1_000, `written ${passed().writes} times`)
    t.ok(passed().bytes <= 4 << 20)
    t.match(await link.request(request('2')).catch((error: unknown) => error), { reason: 'bad-stream' }, 'for good')
  })
}

t.test('three megabytes of pictures before an answer are passed on, many with each write', async t => {
  const packets = 2_500, one = Buffer.concat([Buffer.from([0x24, 0, 0x05, 0x14]), Buffer.alloc(1_300, 1)])
  const { link, passed } = await linked(t, Buffer.concat([...Array.from({ length: packets }, () => one), Buffer.from(answer('1'))]))
  t.match(await link.request(request('1')), { start: 'RTSP/1.0 200 OK' })
  t.equal(passed().bytes, packets * one.length)
  t.ok(passed().writes < packets / 5, `written ${passed().writes} times`)
})

t.test('an answer that is put off a few times is waited for, and not without end', async t => {
  const { link } = await linked(t, `${answer('1', '100 Continue')}${answer(null, '199 Later')}${answer('1')}`,
    `${answer('2', '100 Continue').repeat(50)}${answer('2')}`)
  t.match(await link.request(request('1')), { start: 'RTSP/1.0 200 OK' })
  await t.rejects(link.request(request('2')), { reason: 'bad-stream', message: 'the camera puts off its answer without end' })
})

t.test('the answer to another request is not taken for the one that is waited for', async t => {
  const { link } = await linked(t, `${answer('9', '401 No')}${answer('0', '404 No')}${answer('01')}`, answer(null), answer('x y'))
  t.match(await link.request(request('1')), { start: 'RTSP/1.0 200 OK' })
  t.match(await link.request(request('2')), { start: 'RTSP/1.0 200 OK' }, 'one without a number is')
  t.match(await link.request(request('3')), { start: 'RTSP/1.0 200 OK' }, 'and one whose number is none')
})

t.test('a camera that does not count its answers is believed after a while, and then at once', async t => {
  const { link } = await linked(t, answer('0', '200 First'), answer('0', '200 Second'))
  t.match(await link.request(request('1')), { start: 'RTSP/1.0 200 First' })
  const before = performance.now()
  t.match(await link.request(request('2')), { start: 'RTSP/1.0 200 Second' })
  t.ok(performance.now() - before < 2_000)
})

t.test('a camera that asks something itself is answered', async t => {
  const { link, heard } = await linked(t, `OPTIONS rtsp://us/ RTSP/1.0\r\nCSeq: 41\r\n\r\nANNOUNCE rtsp://us/ RTSP/1.0\r\nCSeq: 42\r\n\r\n`
    + `OPTIONS * RTSP/1.0\r\nCSeq: 1 Evil\r\n\r\nA /\r\n\r\n${answer('1')}`)
  t.match(await link.request(request('1')), { start: 'RTSP/1.0 200 OK' })
  for (let i = 0; i < 100 && !heard.join('').includes('501'); i++) await new Promise(resolve => { setTimeout(resolve, 10) })
  t.equal(heard.slice(1).join(''), 'RTSP/1.0 200 OK\r\nCSeq: 41\r\n\r\nRTSP/1.0 501 Not Implemented\r\nCSeq: 42\r\n\r\nRTSP/1.0 200 OK\r\n\r\n')
})

t.test('a head beyond every bound is told as that', async t => {
  const { link } = await linked(t, `RTSP/1.0 200 OK\r\n${'X: a\r\n'.repeat(150)}\r\n`)
  await t.rejects(link.request(request('1')), { reason: 'bad-stream', message: 'more than 100 header lines' })
})

t.test('a camera that closes where an answer is due is told apart from one that is at fault', async t => {
  const { link } = await linked(t, '')
  setTimeout(() => { link.close() }, 50)
  t.type(await link.request(request('1')).catch((error: unknown) => error), LinkClosed)
})
