import t from 'tap'
import { setDeviceClock } from '../../../src/ingest/onvif/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { CREDENTIAL, failureOf } from '../../support/onvif/example-device.ts'
import { http, RawDevice } from '../../support/onvif/raw-device.ts'

const done = (operation: string): Buffer => http('200 OK', [],
  `<Envelope><Body><${operation}Response/></Body></Envelope>`)
const target = (device: RawDevice) =>
  ({ host: '127.0.0.1', port: device.port, credential: CREDENTIAL, clock: systemClock,
    signal: new AbortController().signal })

async function settable(refuses: string | null = null): Promise<RawDevice> {
  return await RawDevice.start({ profiles: [] }, (request, self) => {
    if (request.operation === refuses) return http('500 Internal Server Error', [],
      '<Envelope><Body><Fault><Code><Value>Receiver</Value></Code></Fault></Body></Envelope>')
    return request.operation.startsWith('Set') ? done(request.operation)
      : http('200 OK', [], self.envelopeFor(request))
  })
}

t.test('the time of this machine is given once, in UTC, and the clock is read again', async t => {
  await using device = await settable()
  const { before, after } = await setDeviceClock(target(device), { kind: 'once' })
  t.same(device.requests.map(({ operation }) => operation),
    ['GetSystemDateAndTime', 'SetSystemDateAndTime', 'GetSystemDateAndTime'])
  const { body } = device.requests[1]!
  t.match(body, /<DateTimeType>Manual<\/DateTimeType>/)
  t.match(body, `<Year>${new Date().getUTCFullYear()}</Year>`)
  t.match(body, 'UsernameToken', 'with the password proved')
  t.ok(before !== null && after !== null)
})

t.test('a time server is named by its kind of address, and followed', async t => {
  for (const [server, element] of [['10.0.0.5', '<IPv4Address [^>]*>10.0.0.5<'],
    ['fe80::5', '<IPv6Address [^>]*>fe80::5<'],
    ['time.office.tw', '<DNSname [^>]*>time.office.tw<']] as const) {
    await using device = await settable()
    await setDeviceClock(target(device), { kind: 'ntp', server })
    t.same(device.requests.map(({ operation }) => operation).slice(1, 3), ['SetNTP', 'SetSystemDateAndTime'])
    t.match(device.requests[1]!.body, new RegExp(element))
    t.match(device.requests[2]!.body, /<DateTimeType>NTP<\/DateTimeType>/)
  }
})

t.test('a device that does not let its clock be set is told', async t => {
  await using device = await settable('SetNTP')
  t.match(await failureOf(setDeviceClock(target(device), { kind: 'ntp', server: '10.0.0.5' })),
    { failure: 'soap-fault' })
})
