import fc from 'fast-check'
import t from 'tap'
import { bytesOf, headerOf, requestLineOf, RtspFormatError, RtspReader, statusOf, withHeaders,
  type RtspItem } from '../../../src/ingest/rtsp/rtsp-message.ts'
import { packet } from '../../support/cameras/scripted-camera.ts'
import { processorMsSince, processorNow } from '../../support/processor-time.ts'

function read(...pieces: (Buffer | string)[]): RtspItem[] {
  const reader = new RtspReader(), items: RtspItem[] = []
  for (const piece of pieces) {
    reader.push(Buffer.from(piece))
    for (let item; (item = reader.next()) !== null;) items.push(item)
  }
  return items
}
const shown = (items: readonly RtspItem[]) =>
  items.map(item => item.kind === 'packet' ? item.bytes.toString('hex') : bytesOf(item.message).toString())

t.test('messages and packets come out whole, however they were cut', async () => {
  const stream = Buffer.concat([
    Buffer.from('RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n'), packet(0, 'abc'),
      packet(1, ''),
    Buffer.from('RTSP/1.0 401 Unauthorized\nWWW-Authenticate: Digest realm="x"\n\n'),
    packet(2, 'RTSP/1.0 200 OK\r\n\r\n'),
  ])
  const whole = shown(read(stream))
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }), sizes => {
    const pieces: Buffer[] = []
    for (let at = 0, i = 0; at < stream.length; i++) {
      const size = sizes[i % sizes.length]!; pieces.push(stream.subarray(at, at + size)); at += size }
    return JSON.stringify(shown(read(...pieces))) === JSON.stringify(whole)
  }), { numRuns: 300 })
})

t.test('both line ends, bodies that are longer than told and line ends before a message are read',
  async t => {
  const [first, second] = read('\r\n\r\nRTSP/1.0 200 OK\nContent-Length: 3\n\nv=0 left of it\r\n',
    'RTSP/1.0 404 Not Found\r\n\r\n')
  t.match(first, { kind: 'message', message: { start: 'RTSP/1.0 200 OK' } })
  t.equal(first?.kind === 'message' ? first.message.body.toString() : '', 'v=0')
  t.equal(second?.kind === 'message' ? statusOf(second.message) : 0, 404)
})

t.test('a body shorter than told is given when no more comes', async t => {
  const reader = new RtspReader()
  reader.push(Buffer.from('RTSP/1.0 200 OK\r\nContent-Length: 900\r\n\r\nv=0'))
  t.equal(reader.next(), null)
  t.equal(reader.cutShort()?.body.toString(), 'v=0')
  t.equal(reader.cutShort(), null, 'once')
})

t.test('what has no end is refused', async t => {
  t.throws(() => read(`RTSP/1.0 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`), RtspFormatError)
  t.throws(() => read('RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n'), RtspFormatError)
  t.throws(() => read(`RTSP/1.0 200 OK\r\n${'a: b\r\n'.repeat(150)}\r\n`), RtspFormatError)
})

t.test('headers are found whatever their case, and replaced', async t => {
  const [item] = read('SETUP rtsp://c/x RTSP/1.0\r\ncseq: 7\r\nSession:  a b \r\n\r\n')
  const message = item?.kind === 'message' ? item.message : t.fail('no message') as never
  t.same(requestLineOf(message), { method: 'SETUP', uri: 'rtsp://c/x' })
  t.equal(headerOf(message, 'session'), 'a b')
  t.equal(bytesOf(withHeaders(message, { CSeq: '9', Session: undefined })).toString(),
    'SETUP rtsp://c/x RTSP/1.0\r\nCSeq: 9\r\n\r\n')
})

t.test('a header that goes on in the next lines is read whole', async t => {
  const [item] = read('RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r",\r\n nonce="abc",\r\n\topaque="x"\r\nCSeq: 4\r\n\r\n')
  const message = item?.kind === 'message' ? item.message : t.fail('no message') as never
  t.equal(headerOf(message, 'www-authenticate'), 'Digest realm="r", nonce="abc", opaque="x"')
  t.equal(headerOf(message, 'cseq'), '4')
  t.throws(() => read(`RTSP/1.0 200 OK\r\nX: a\r\n${' b\r\n'.repeat(400)}\r\n`), RtspFormatError)
})

t.test('an item stays as it is when more comes', async t => {
  const reader = new RtspReader(), items: RtspItem[] = []
  for (let n = 0; n < 200; n++) {
    reader.push(packet(0, `payload ${n}`).subarray(0, 7))
    reader.push(packet(0, `payload ${n}`).subarray(7))
    for (let item; (item = reader.next()) !== null;) items.push(item)
  }
  t.same(items.map(item => item.kind === 'packet' ? item.bytes.subarray(4).toString() : ''), Array.from({ length: 200 }, (_, n) => `payload ${n}`))
})

t.test('what comes in small pieces is copied and searched a few times, not once a piece', async t => {
  const reader = new RtspReader()
  const head = `RTSP/1.0 200 OK\r\nContent-Length: 200000\r\nX: ${'x'.repeat(30_000)}\r\n\r\n`
  const bytes = Buffer.from(head + 'y'.repeat(200_000)), startedAt = processorNow()
  let item: RtspItem | null = null
  for (let at = 0; at < bytes.length; at += 4) {
    reader.push(bytes.subarray(at, at + 4))
    item ??= reader.next()
  }
  t.equal(item?.kind === 'message' ? item.message.body.length : 0, 200_000)
  t.ok(processorMsSince(startedAt) < 1_000, `${processorMsSince(startedAt)} ms; 6 s before`)
})
