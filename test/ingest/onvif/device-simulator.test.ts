import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { findStream } from '../../../src/ingest/onvif/index.ts'
import { RequestComposer } from '../../../src/ingest/onvif/request-composer.ts'
import { epochMs } from '../../../src/domain/index.ts'
import { OnvifSimulator } from '../../support/onvif/device-simulator.ts'
import { CREDENTIAL, PROFILES, targetOf, MAIN } from '../../support/onvif/example-device.ts'

const SIMULATE = new URL('../../support/onvif/simulate.ts', import.meta.url).pathname

async function post(simulator: OnvifSimulator, body: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${simulator.port}/onvif/device_service`, { method: 'POST', body })
  await answer.arrayBuffer()
  return answer.status
}

t.test('the simulated device refuses a spent, an outdated and a missing token', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES, credential: CREDENTIAL })
  const composer = new RequestComposer(CREDENTIAL)
  composer.setDeviceTime(epochMs(Date.now()))
  const { body } = composer.deviceInformation()
  t.equal(await post(simulator, body), 200)
  t.equal(await post(simulator, body), 400, 'replayed')
  composer.setDeviceTime(epochMs(Date.now() - 6 * 60_000))
  t.equal(await post(simulator, composer.deviceInformation().body), 400, 'older than five minutes')
  t.equal(await post(simulator, new RequestComposer(null).deviceInformation().body), 400, 'without')
  t.equal(await post(simulator, new RequestComposer(null).systemDateAndTime().body), 200, 'the clock is open to all')
})

t.test('the simulated device answers what the package may ask besides', async t => {
  await using simulator = await OnvifSimulator.start({ profiles: PROFILES })
  for (const operation of ['GetVideoSources', 'GetVideoEncoderConfigurations']) t.equal(await post(simulator, `<s:Body><${operation} xmlns="http://www.onvif.org/ver10/media/wsdl"/></s:Body>`), 200)
  t.equal(await post(simulator, '<s:Body><SystemReboot/></s:Body>'), 500)
  t.equal(await post(simulator, 'garbage'), 500)
})

t.test('simulate.ts runs a device of a file until its stdin closes', async t => {
  const directory = t.testdir({ 'device.json': JSON.stringify({ profiles: PROFILES, credential: CREDENTIAL, clockOffsetMs: 5000 }) })
  const child = spawn(process.execPath, [SIMULATE, `${directory}/device.json`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string]
  const { ready, port } = JSON.parse(line) as { ready: boolean, port: number }
  t.equal(ready, true)
  await using idle = await OnvifSimulator.start({ profiles: [] })
  t.match(await findStream({ ...targetOf(idle), port }, MAIN), { uri: 'rtsp://127.0.0.1:8554/main' })
  child.stdin.end()
  t.same(await ended, [0, null])
})

t.test('simulate.ts says how it is used', async t => {
  const child = spawn(process.execPath, [SIMULATE], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.same(await once(child, 'exit'), [2, null])
})
