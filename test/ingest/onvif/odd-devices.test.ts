import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { findStream } from '../../../src/ingest/onvif/index.ts'
import { CREDENTIAL, failureOf, MAIN, PROFILES } from '../../support/onvif/example-device.ts'
import { http, RawDevice, type RawRequest } from '../../support/onvif/raw-device.ts'
import { systemClock } from '../../../src/platform/clock.ts'

const FOUND = { uri: 'rtsp://127.0.0.1:8554/main' }
const target = (device: RawDevice, credential: typeof CREDENTIAL | null = null, timeoutMs = 8000) =>
  ({ host: '127.0.0.1', port: device.port, credential, clock: systemClock,
    signal: new AbortController().signal, timeoutMs })
const XML = 'Content-Type: application/soap+xml'

/** How devices were seen to send an answer that is sound inside. */
const WAYS: Record<string, (body: string) => string | Buffer> = {
  'ends its lines with LF alone': body =>
    `HTTP/1.1 200 OK\n${XML}\nContent-Length: ${Buffer.byteLength(body)}\n\n${body}`,
  'gives a length that is too long': body =>
    http('200 OK', [XML, `Content-Length: ${Buffer.byteLength(body) + 50}`], body),
  'gives a length that is too short': body =>
    http('200 OK', [XML, `Content-Length: ${Buffer.byteLength(body) - 20}`], body),
  'gives no length': body => http('200 OK', [XML], body),
  'gives two lengths': body => http('200 OK',
  [XML, `Content-Length: ${Buffer.byteLength(body)}`, 'Content-Length: 5'], body),
  'gives no reason': body => http('200', [XML], body),
  'speaks HTTP/1.0': body => http('200 OK', [XML], body).toString().replace('HTTP/1.1', 'HTTP/1.0'),
  'writes headers that are none': body => http('200 OK', ['no colon here', ': nothing', XML], body),
  'sends chunks': body => http('200 OK', [XML, 'Transfer-Encoding: chunked'],
  [body.slice(0, 100), body.slice(100)].map(part =>
    `${Buffer.byteLength(part).toString(16)};x=y\r\n${part}\r\n`).join('') + '0\r\n\r\n'),
  'sends chunks without an end': body => http('200 OK', [XML, 'Transfer-Encoding: chunked'],
  `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`),
  'sends an attachment (MTOM)': body => http('200 OK', ['Content-Type: multipart/related; boundary="x"'],
  `--x\r\nContent-Type: application/xop+xml\r\nContent-ID: <SOAP-ENV:Envelope>\r\n\r\n${body}\r\n--x--`),
  'sends blanks before the declaration': body => http('200 OK', [XML], `\r\n\r\n  ${body}\r\n\0\0`),
}
for (const [what, bytes] of Object.entries(WAYS)) {
  t.test(`a device that ${what} is understood`, async t => {
    await using device = await RawDevice.start({ profiles: PROFILES },
      (request, self) => bytes(self.envelopeFor(request)))
    const startedAt = performance.now()
    t.match(await findStream(target(device), MAIN), FOUND)
    t.ok(performance.now() - startedAt < 4000, 'at once')
  })
}

t.test('an answer that comes byte by byte, with a length that is too short, is read to its end', async t => {
  await using device = await RawDevice.start({ profiles: PROFILES }, (request, self) =>
    [...http('200 OK', [XML, 'Content-Length: 200'], self.envelopeFor(request))].map(byte => Buffer.of(byte)))
  t.match(await findStream(target(device), MAIN), FOUND)
})

t.test('what is no answer to the question stays none, however leniently it is read', async t => {
  for (const bytes of [
    'SSH-2.0-OpenSSH_9.2\r\n', 'HTTP/1.1 200 OK\r\n', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`,
      http('200 OK', [XML, 'Transfer-Encoding: chunked'], 'zz\r\n'),
    http('200 OK', ['Content-Type: multipart/related'], '--x\r\nno envelope'),
    http('200 OK', [XML], '<Envelope><Body><GetSystemDateAndTimeResponse>'),
  ]) {
    await using device = await RawDevice.start({ profiles: PROFILES }, () => bytes)
    t.match(await failureOf(findStream(target(device), MAIN)), { failure: 'not-onvif' },
      String(bytes).slice(0, 40))
  }
})

const header = (request: RawRequest, name: string): string | undefined =>
  new RegExp(`^${name}: *(.*)$`, 'im').exec(request.head)?.[1]
const hasToken = (request: RawRequest): boolean => request.body.includes('UsernameToken')

t.test('a device that fails at WS-Security is asked by HTTP digest alone', async t => {
  for (const failing of [http('500 Internal Server Error', [], ''),
    http('400 Bad Request', [], '<html>no</html>')]) {
    await using device = await RawDevice.start({ profiles: PROFILES }, (request, self) => {
      if (hasToken(request)) return failing
      const needsProof = request.operation === 'GetProfiles' || request.operation === 'GetStreamUri'
      if (needsProof && header(request, 'Authorization') === undefined) return http('401 Unauthorized',
        ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'], '')
      return http('200 OK', [XML], self.envelopeFor(request))
    })
    t.match(await findStream(target(device, CREDENTIAL), MAIN), FOUND)
    t.ok(device.requests.filter(hasToken).length <= 2, 'and not asked in vain again and again')
  }
})

t.test('a challenge with 400 is answered', async t => {
  await using device = await RawDevice.start({ profiles: PROFILES },
    (request, self) => header(request, 'Authorization') === undefined
    ? http('400 Bad Request', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'], '')
      : http('200 OK', [XML], self.envelopeFor(request)))
  t.match(await findStream(target(device, CREDENTIAL), MAIN), FOUND)
})

const created = (request: RawRequest): number =>
  Date.parse(/<(?:\w+:)?Created[^>]*>([^<]*)</.exec(request.body)?.[1] ?? '')

t.test('a device whose clock says local time is asked with a token of our own date', async t => {
  const aheadMs = 8 * 3_600_000
  for (const tag of ['UTCDateTime', 'LocalDateTime']) {
    await using device = await RawDevice.start({ profiles: PROFILES }, (request, self) => {
      if (request.operation === 'GetSystemDateAndTime') return http('200 OK', [XML],
        dateAnswer(tag, new Date(Date.now() + aheadMs)))
      const isInTime = Math.abs(created(request) - Date.now()) <= 300_000
      return isInTime ? http('200 OK', [XML], self.envelopeFor(request)) : http('401 Unauthorized', [], '')
    })
    const { clockOffset, uri } = await findStream(target(device, CREDENTIAL), MAIN)
    t.equal(uri, FOUND.uri)
    if (tag === 'UTCDateTime') t.ok(clockOffset !== null && Math.abs(clockOffset.offsetMs - aheadMs) < 5_000,
      'and the odd clock is told')
    t.equal(device.requests.filter(({ operation }) => operation === 'GetServices').length, 2, 'refused once')
  }
})

function dateAnswer(tag: string, at: Date): string {
  const time = `<Time><Hour>${at.getUTCHours()}</Hour><Minute>${at.getUTCMinutes()}</Minute><Second>${at.getUTCSeconds()}</Second></Time>`
  const date = `<Date><Year>${at.getUTCFullYear()}</Year><Month>${at.getUTCMonth() + 1}</Month><Day>${at.getUTCDate()}</Day></Date>`
  return `<Envelope><Body><GetSystemDateAndTimeResponse><SystemDateAndTime><${tag}>${time}${date}</${tag}></SystemDateAndTime></GetSystemDateAndTimeResponse></Body></Envelope>`
}

t.test('services beyond the bound and of names that objects have are none', async t => {
  const service = (namespace: string, address: string): string =>
    `<Service><Namespace>${namespace}</Namespace><XAddr>${address}</XAddr></Service>`
  const media = 'http://www.onvif.org/ver10/media/wsdl'
  for (const [services, ending] of [
    [service('constructor', 'http://d/a') + service('__proto__', 'http://d/b'), 'asked'],
    [service('urn:other', 'http://d/a').repeat(100) + service(media, 'http://d/late'), 'asked'],
    [service('urn:other', 'http://d/a').repeat(99) + service(media, 'http://d/onvif/media_service'), 'known'],
  ] as const) {
    await using device = await RawDevice.start({ profiles: PROFILES, media2: false }, (request, self) =>
      http('200 OK', [XML], request.operation !== 'GetServices' ? self.envelopeFor(request)
        : `<Envelope><Body><GetServicesResponse>${services}</GetServicesResponse></Body></Envelope>`))
    t.match((await findStream(target(device), MAIN)).uri, /^rtsp:/)
    const isAsked = device.requests.some(({ operation }) => operation === 'GetCapabilities')
    t.equal(isAsked ? 'asked' : 'known', ending)
  }
})

/** The most work of one turn of the loop while `act` goes on: a busy machine does not count. */
async function longestTurnMs(act: () => Promise<unknown>): Promise<number> {
  const worked = (): number => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  let last = worked(), longest = 0, isOver = false
  const look = (): void => {
    const now = worked()
    longest = Math.max(longest, now - last)
    last = now
    if (!isOver) setImmediate(look)
  }
  look()
  try { await act() } finally { isOver = true }
  await turn()
  return Math.round(longest)
}

const SLOW = `${'a'.repeat(500)}://${':'.repeat(500)}`
const profileNamed = (name: string, i: number): string =>
  `<Profiles token="t${i}"><Name>${name}</Name>`
  + '<VideoEncoderConfiguration><Encoding>H264</Encoding></VideoEncoderConfiguration></Profiles>'
const answerOf = (operation: string, inside: string): string =>
  `<Envelope><Body><${operation}Response>${inside}</${operation}Response></Body></Envelope>`
const lists = Array.from({ length: 512 }, (_, i) => profileNamed(SLOW, i)).join('')
const fault = (text: string): Buffer =>
  http('500 x', [XML], `<Envelope><Body><Fault><faultstring>${text}</faultstring></Fault></Body></Envelope>`)
const service = '<S><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace>'
  + '<XAddr>http://\u00e9\u00e8.\u4e2d/</XAddr></S>'
/**
 * Each held the loop for a second to minutes before there were bounds: what it says to one question, null for
 * any.
 */
const HOSTILE: Record<string, readonly [operation: string | null, bytes: string | Buffer]> = {
  'names that were slow to redact': ['GetProfiles', http('200 OK', [XML], answerOf('GetProfiles', lists))],
  'an address that was slow to redact': ['GetStreamUri',
    http('200 OK', [XML], answerOf('GetStreamUri', `<Uri>rtsp://h/${SLOW.slice(-900)}</Uri>`))],
  'a fault that was slow to redact': [null, fault(SLOW)],
  'a fault of two megabytes': [null, fault('authorizatio '.repeat(155_000))],
  'headers of one name': [null, `HTTP/1.1 200 OK\r\n${'a:\n'.repeat(21_800)}\r\n`],
  'chunks of a byte': [null,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\na'.repeat(690_000)}`],
  'attributes': [null,
    http('200 OK', [XML], `<a ${Array.from({ length: 180_000 }, (_, i) => `a${i}=""`).join(' ')}/>`)],
  'elements': [null, http('200 OK', [XML], `<a>${'<b c=""/>'.repeat(99_000)}</a>`)],
  'services': ['GetServices', http('200 OK', [XML], answerOf('GetServices', service.repeat(15_000)))],
  'bytes that are no text': [null, http('200 OK', [XML], Buffer.alloc(2_000_000, 0xff))],
}
for (const [what, [operation, bytes]] of Object.entries(HOSTILE)) {
  t.test(`nothing waits for an answer with ${what}`, async t => {
    await using device = await RawDevice.start({ profiles: PROFILES }, (request, self) =>
      operation === null || request.operation === operation ? bytes
        : http('200 OK', [XML], self.envelopeFor(request)))
    const ms = await longestTurnMs(() => findStream(target(device), MAIN).catch(() => undefined))
    t.comment(`${ms} ms`)
    t.ok(ms < 200, `${ms} ms`)
  })
}

t.test('redirects are followed on the host alone, and never back from HTTPS', async t => {
  await using moved = await RawDevice.start({ profiles: PROFILES },
    (request, self) => http('200 OK', [XML], self.envelopeFor(request)))
  const leading = (location: string) => RawDevice.start({ profiles: PROFILES },
    () => http('302 Found', [`Location: ${location}`], ''))
  await using near = await leading(`http://127.0.0.1:${moved.port}/onvif/device_service`)
  t.match(await findStream(target(near), MAIN), FOUND)
  await using far = await leading(`http://127.0.0.2:${moved.port}/`)
  t.match(await failureOf(findStream(target(far), MAIN)), { failure: 'redirected', endReason: 'redirected' })
  await using nowhere = await leading('javascript:alert(1)')
  t.match(await failureOf(findStream(target(nowhere), MAIN)), { failure: 'not-onvif' })
  await using circle: RawDevice = await RawDevice.start({ profiles: PROFILES },
    (_, self) => http('302 Found', [`Location: http://127.0.0.1:${self.port}/`], ''))
  t.match(await failureOf(findStream(target(circle), MAIN)), { failure: 'not-onvif' })
  t.ok(circle.requests.length <= 4)
  await using tls = await leading('https://127.0.0.1:1/onvif/device_service')
  t.match(await failureOf(findStream(target(tls), MAIN)),
    { failure: 'https-failed', endReason: 'onvif-https' })
})

t.test('a media service on another port of the host is asked there, where none answers at the configured one', async t => {
  await using media = await RawDevice.start({ profiles: PROFILES },
    (request, self) => http('200 OK', [XML], self.envelopeFor(request)))
  await using device = await RawDevice.start(
    { profiles: PROFILES, origin: `http://192.168.1.64:${media.port}` }, (request, self) =>
    request.path.includes('media') ? http('404 Not Found', [], '<html>')
      : http('200 OK', [XML], self.envelopeFor(request)))
  t.match(await findStream(target(device), MAIN), FOUND)
  t.same(media.requests.map(({ operation }) => operation), ['GetProfiles', 'GetStreamUri'])
  t.equal(device.requests.filter(({ path }) => path.includes('media')).length, 1,
    'the other port is kept for the session')
})
