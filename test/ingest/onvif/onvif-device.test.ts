import t from 'tap'
import { findStream, inspectDevice, measureClockOffset } from '../../../src/ingest/onvif/index.ts'
import { epochMs } from '../../../src/domain/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { OnvifSimulator, type SimulatedDevice } from '../../support/onvif/device-simulator.ts'
import { CREDENTIAL, failureOf, PROFILES, targetOf, MAIN, SUB } from '../../support/onvif/example-device.ts'

const YEAR_MS = 365 * 86_400_000

t.test('tells device information, profiles and clock of a device with Media2', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  const report = await inspectDevice(targetOf(simulator))
  t.same(report.information, { manufacturer: 'Example', model: 'Simulated 4', firmwareVersion: '5.10', serialNumber: '00012345678901234567' },
    'digits stay as the device wrote them')
  t.same(report.profiles[2], { token: 'a&b <1.0>', name: 'Haupt & Co', sourceToken: 'source-1', codec: 'h265', width: 2560, height: 1440, fps: 20, bitrateKbps: 4096, govLength: 40 })
  t.same(report.profiles.map(profile => profile.codec), ['other', 'h264', 'h265', 'h264'])
  t.ok(report.clockOffset && Math.abs(report.clockOffset.offsetMs) <= report.clockOffset.uncertaintyMs)
})

t.test('finds the largest stream as main and the smallest other as sub', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  const main = await findStream(targetOf(simulator), MAIN)
  t.match(main, { uri: 'rtsp://127.0.0.1:8554/main', shownUri: 'rtsp://127.0.0.1:8554/main', replacedHost: null, profile: { token: 'a&b <1.0>' } })
  const sub = await findStream(targetOf(simulator), SUB)
  t.match(sub, { uri: 'rtsp://127.0.0.1:554/low?a=1&b=2', profile: { token: 'low', fps: 10, bitrateKbps: 512, govLength: 50 } })
  t.same(simulator.requests.map(request => request.operation).slice(0, 4), ['GetSystemDateAndTime', 'GetServices', 'GetProfiles', 'GetStreamUri'], 'four questions')
})

const devices: Record<string, Partial<SimulatedDevice>> = {
  'WS-Security': { credential: CREDENTIAL },
  'HTTP digest with MD5': { credential: CREDENTIAL, authentication: 'http-digest-md5' },
  'HTTP digest with SHA-256': { credential: CREDENTIAL, authentication: 'http-digest-sha256' },
  'WS-Security for its clock too': { credential: CREDENTIAL, clockNeedsCredential: true },
  'HTTP digest for its clock too': { credential: CREDENTIAL, clockNeedsCredential: true, authentication: 'http-digest-sha256' },
  'no credential': {},
}
for (const [kind, device] of Object.entries(devices)) {
  t.test(`is let in by a device with ${kind}, and only with the right password`, async t => {
    await using simulator = await OnvifSimulator.start({ profiles: PROFILES, ...device })
    t.match(await findStream(targetOf(simulator), MAIN), { uri: 'rtsp://127.0.0.1:8554/main' })
    const proof = kind.startsWith('WS') ? 'ws-security' : kind.startsWith('HTTP') ? 'http-digest' : 'none'
    t.equal(simulator.requests.at(-1)?.proof, proof)
    if (proof === 'none') return
    for (const credential of [{ ...CREDENTIAL, password: 'wrong' }, { ...CREDENTIAL, username: 'wrong' }, null]) {
      const before = simulator.requests.length
      t.match(await failureOf(findStream(targetOf(simulator, { credential }), MAIN)),
        { failure: 'auth-refused', code: 'CUSTOS_ONVIF_AUTH_REFUSED', endReason: 'auth-refused' })
      t.ok(simulator.requests.length - before <= 4, 'a wrong password is not tried again and again')
    }
  })
}

t.test('falls back to GetCapabilities and Media1 on an old device', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL, media2: false, services: false })
  t.match(await findStream(targetOf(simulator), MAIN),
    { uri: 'rtsp://127.0.0.1:554/mid', profile: { codec: 'h264', govLength: 50, sourceToken: 'source-1' } })
  t.ok(simulator.requests.some(request => request.operation === 'GetCapabilities'))
})

t.test('uses Media1 when Media2 is announced but broken', async t => {
  for (const fault of ['soap-fault', 'html-page'] as const) {
    await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
    await simulator.set(fault, '/onvif/media2_service')
    t.match(await findStream(targetOf(simulator), MAIN), { uri: 'rtsp://127.0.0.1:554/mid' }, fault)
    t.same(simulator.requests.map(request => request.path).slice(-3), ['/onvif/media2_service', '/onvif/media_service', '/onvif/media_service'])
  }
})

t.test('takes the sub stream of the same lens only', async t => {
  const [, low, main] = PROFILES
  await using simulator = await OnvifSimulator.start({ profiles: [{ ...low!, sourceToken: 'other lens' }, main!] })
  t.match(await failureOf(findStream(targetOf(simulator), SUB)),
    { failure: 'no-usable-profile', endReason: 'onvif-no-profile' })
})

for (const clockOffsetMs of [-40 * YEAR_MS, -3_600_000, 7_000, 12 * YEAR_MS]) {
  t.test(`is let in by a device whose clock is ${clockOffsetMs} ms off, and measures that`, async t => {
    await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL, clockOffsetMs })
    const { clockOffset } = await findStream(targetOf(simulator), MAIN)
    t.ok(clockOffset && Math.abs(clockOffset.offsetMs - clockOffsetMs) <= clockOffset.uncertaintyMs)
    t.ok(clockOffset && clockOffset.uncertaintyMs < 2000)
  })
}

t.test('is let in although the host clock is years off, and after either clock was set', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  const wrongHost = { ...systemClock, wallNow: () => epochMs(Date.now() - 5 * YEAR_MS) }
  const { clockOffset } = await findStream(targetOf(simulator, { clock: wrongHost }), MAIN)
  t.ok(clockOffset && Math.abs(clockOffset.offsetMs - 5 * YEAR_MS) <= clockOffset.uncertaintyMs)
  simulator.setClockOffset(-YEAR_MS)
  t.match(await findStream(targetOf(simulator), MAIN), { profile: { codec: 'h265' } })
  t.match(await findStream(targetOf(simulator, { clock: wrongHost }), MAIN), { profile: { codec: 'h265' } })
})

t.test('measures the clock with one request', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: [], credential: CREDENTIAL, clockOffsetMs: 90_000 })
  const offset = await measureClockOffset(targetOf(simulator))
  t.ok(offset && Math.abs(offset.offsetMs - 90_000) <= offset.uncertaintyMs)
  t.equal(simulator.requests.length, 1)
})

t.test('contacts no host or port but the configured one, whatever the device names', async t => {
  await using trap = await OnvifSimulator.start({ profiles: PROFILES })
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, origin: `http://127.0.0.1:${trap.port}` })
  t.match(await findStream(targetOf(simulator), MAIN), { uri: 'rtsp://127.0.0.1:8554/main' })
  t.equal(trap.requests.length, 0)
})

t.test('ends with the reason of the signal when it is asked to stop', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  await simulator.set('never-answers')
  const stopping = new AbortController()
  const reason = new Error('stopping')
  const finding = findStream(targetOf(simulator, { signal: stopping.signal }), MAIN)
  stopping.abort(reason)
  t.equal(await finding.then(() => null, (error: unknown) => error), reason)
  t.equal(await findStream(targetOf(simulator, { signal: stopping.signal }), MAIN).then(() => null,
    (error: unknown) => error), reason, 'and does not begin')
})

t.test('gives an error that names device, meaning and next step', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  await simulator.set('refuses-connection')
  t.match(await failureOf(findStream(targetOf(simulator), MAIN)),
    { code: 'CUSTOS_ONVIF_REFUSED', message: `127.0.0.1 port ${simulator.port} refuses the connection`, remedy: /ONVIF port/, cause: { message: /ECONNREFUSED/ } })
})
