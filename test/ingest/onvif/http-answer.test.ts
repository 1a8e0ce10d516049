import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { HttpFormatError } from '../../../src/ingest/onvif/http-answer.ts'
import { httpPost, type RawAnswer } from '../../../src/ingest/onvif/http-post.ts'

/** What is read of an answer of these bytes, whose connection the device closes. */
async function read(bytes: string): Promise<RawAnswer> {
  const server = createServer(socket => {
    socket.on('error', () => undefined).once('data', () => { socket.end(Buffer.from(bytes, 'latin1')) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    return await httpPost({ isTls: false, host: '127.0.0.1', port, path: '/' }, { headers: {}, body: '' },
      { signal: AbortSignal.timeout(8_000), onConnected: () => undefined })
  } finally { server.close() }
}

t.test('headers of one name are kept in their order, and those over two lines in one', async t => {
  const { headers, text } = await read('HTTP/1.1 401 no\r\nA: 1\r\na:2\r\n'
    + 'WWW-Authenticate: Digest realm="r",\r\n\tnonce="n"\r\nno header\r\n of it\r\nB: 3\r\n\r\nbody')
  t.same([...headers], [['a', ['1', '2']],
    ['www-authenticate', ['Digest realm="r", nonce="n"']], ['b', ['3']]])
  t.equal(text, 'body')
})

t.test('what a device says before its answer is skipped, a few times', async t => {
  const before = 'HTTP/1.1 100 Continue\r\n\r\n', after = 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody'
  for (const bytes of [`${before}${after}`, `HTTP/1.1 102 Processing\nA: b\n\n${before}${after}`]) {
    const { status, headers, text } = await read(bytes)
    t.same([status, [...headers], text], [200, [['x', ['y']]], 'body'])
  }
  for (const bytes of [before, `${before.repeat(100)}${after}`,
    `HTTP/1.1 101 Switching Protocols\r\n\r\n${after}`,
    `${before}SSH-2.0-OpenSSH_9.2\r\n\r\n`, `HTTP/1.1 099 x\r\n\r\n${after}`]) {
    await t.rejects(read(bytes), HttpFormatError, bytes.slice(0, 60))
  }
})

t.test('more headers than any device has reason to send are refused', async t => {
  t.equal((await read(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(200)}\r\n`)).headers.get('a')?.length, 200)
  for (const line of ['a:', 'a: b', 'none', ' more']) {
    await t.rejects(read(`HTTP/1.1 200 OK\r\nA: b\r\n${`${line}\n`.repeat(201)}\r\n`),
      { name: 'HttpFormatError', message: /header lines/ }, line)
  }
})

const chunked = (body: string): string => `HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n${body}`
t.test('chunks are read as far as they can be', async t => {
  for (const [body, text] of [
    ['3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n', 'abcde'], ['A\nabcdefghij\n0\n\n', 'abcdefghij'],
    ['  \r\n 3 \r\nabc3\r\ndef', 'abcdef'], ['00000003\r\nabc', 'abc'], ['ff\r\nabc', 'abc'],
    ['ffffffff\r\nabc', 'abc'],
    ['3\r\nabc\r\nxyz\r\ndef', 'abc'], ['', ''], ['3', ''], ['3\r\n', ''], [`3${' '.repeat(80)}\r\nabc`, ''],
    ['zz\r\nabc', ''], ['-1\r\nabc', ''], [`64\r\n${'x'.repeat(100)}\r\n0\r\n\r\n`, 'x'.repeat(100)],
  ] as const) t.equal((await read(chunked(body))).text, text, JSON.stringify(body.slice(0, 40)))
})

t.test('a body in many small chunks is read, and one in pieces of a byte refused', async t => {
  const some = await read(chunked('1\r\na\r\n'.repeat(50_000)))
  t.equal(some.text.length, 50_000)
  await t.rejects(read(chunked('1\na'.repeat(690_000))), { name: 'HttpFormatError', message: /chunks/ })
})
