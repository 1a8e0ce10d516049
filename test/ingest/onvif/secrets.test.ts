import t from 'tap'
import { inspect } from 'node:util'
import { findStream, inspectDevice, OnvifError } from '../../../src/ingest/onvif/index.ts'
import { DeviceText } from '../../../src/ingest/onvif/device-text.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { FACT_FAULTS, OnvifSimulator, WIRE_FAULTS, type SimulatedDevice, type SimulatedFault } from '../../support/onvif/device-simulator.ts'
import { PROFILES, targetOf, MAIN } from '../../support/onvif/example-device.ts'
import { processorMsSince, processorNow } from '../../support/processor-time.ts'

/** The user is a part of the password: taken out first, it would leave the rest of the password standing. */
const CREDENTIAL = { username: 'opsuser', password: 'opsuser-S3cret&<Kamera>' }
/** The only faults that need a deadline; the others get one that a busy machine does not reach. */
const WAITING_FAULTS: readonly SimulatedFault[] = ['never-answers', 'drips', 'drips-header']

/** Every way an error can come to somebody's eyes. */
function shownForms(error: unknown): string {
  const lines: string[] = []
  createLogger({ destination: { write: (line: string) => { lines.push(line) } } }).warn({ err: error }, 'look-up failed')
  const { message, stack, cause } = error as Error
  return [message, stack, inspect(error, { depth: 20, showHidden: true }), inspect(cause, { depth: 20 }), JSON.stringify(error), String(error), ...lines].join('\n')
}

/** What went over the wire in these requests and proves the password: digests, nonces, and the password in any spelling. */
function secretsOf(simulator: OnvifSimulator): string[] {
  const oneTime = simulator.requests.flatMap(({ body }) => [...body.matchAll(/<(?:Password|Nonce) [^>]*>([^<]+)</g)].map(found => found[1] ?? ''))
  const digests = simulator.requests.flatMap(({ authorization = '' }) => [...authorization.matchAll(/(?:response|nonce)="([^"]+)"/g)].map(found => found[1] ?? ''))
  const { password, username } = CREDENTIAL
  return [...oneTime, ...digests, password, username, 'S3cret', encodeURIComponent(password), JSON.stringify(password).slice(1, -1), Buffer.from(password).toString('base64')]
}

for (const authentication of ['ws-security', 'http-digest-md5', 'http-digest-sha256'] as const) {
  t.test(`no text of any failure holds a secret, with ${authentication}`, async t => {
    const device: SimulatedDevice = { profiles: PROFILES, credential: CREDENTIAL, authentication }
    let failures = 0
    for (const fault of ['refuses-connection', ...WIRE_FAULTS, ...FACT_FAULTS] as const) {
      for (const on of [null, 'GetProfiles', 'GetStreamUri']) {
        if (fault === 'refuses-connection' && on !== null) continue
        await using simulator = await OnvifSimulator.start(device)
        await simulator.set(fault, on)
        const timeoutMs = WAITING_FAULTS.includes(fault) ? 60 : 8000
        const end: unknown = await findStream(targetOf(simulator, { credential: CREDENTIAL, timeoutMs }),
          MAIN).catch((error: unknown) => error)
        if (end instanceof OnvifError) failures += 1
        const shown = shownForms(end)
        const found = secretsOf(simulator).filter(secret => shown.includes(secret))
        if (found.length > 0) t.fail(`${fault} at ${on ?? 'everything'} shows ${found.join(' and ')}`, { shown })
      }
    }
    t.ok(failures > 80, `${failures} failures looked at`)
  })

  t.test(`a wrong password does not show either, with ${authentication}`, async t => {
    await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: { username: 'other', password: 'other' }, authentication })
    const error: unknown = await findStream(targetOf(simulator, { credential: CREDENTIAL }), MAIN).catch(
      (thrown: unknown) => thrown)
    t.match(error, { failure: 'auth-refused' })
    const shown = shownForms(error)
    t.same(secretsOf(simulator).filter(secret => shown.includes(secret)), [])
  })
}

t.test('this test sees what a device echoes: unredacted, the same fault would fail it', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  await simulator.set('echoes-request')
  const answer = await fetch(`http://127.0.0.1:${simulator.port}/`, { method: 'POST', body: '<Body><x/></Body>' })
  t.match(await answer.text(), 'S3cret')
})

t.test('facts of a device do not carry the password on', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES.map(profile => ({ ...profile, name: `name ${CREDENTIAL.password}` })), credential: CREDENTIAL,
    information: { manufacturer: `rtsp://u:${CREDENTIAL.password}@x/`, model: `m\u202E\n${'x'.repeat(300)}`, firmwareVersion: 'y'.repeat(5000), serialNumber: '' } })
  const report = await inspectDevice(targetOf(simulator, { credential: CREDENTIAL }))
  t.notMatch(JSON.stringify(report), 'S3cret')
  t.equal(report.information.model, `m ${'x'.repeat(126)}…`, 'printable, and bounded')
  t.equal(report.information.firmwareVersion, '(5000 characters)')
})

t.test('a password the device puts into the path is not in what is shown', async t => {
  const uri = `rtsp://127.0.0.1/user=opsuser_password=${encodeURIComponent(CREDENTIAL.password)}_channel=1&pwd=tlJwpbo6`
  await using simulator = await OnvifSimulator.start({ profiles: [{ ...PROFILES[1]!, uri }], credential: CREDENTIAL })
  const found = await findStream(targetOf(simulator, { credential: CREDENTIAL }), MAIN)
  t.equal(found.uri, uri)
  t.equal(found.shownUri, 'rtsp://127.0.0.1/user=[redacted]_password=[redacted]_channel=1&pwd=[redacted]')
})

t.test('a long hostile text costs no time', t => {
  const startedAt = processorNow()
  new DeviceText(CREDENTIAL).forError('a'.repeat(2_000_000))
  t.ok(processorMsSince(startedAt) < 500)
  t.end()
})
