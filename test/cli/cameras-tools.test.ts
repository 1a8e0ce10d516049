import path from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { camerasProbe } from '../../src/cli/cameras-probe.ts'
import { camerasSetClock } from '../../src/cli/cameras-set-clock.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { OnvifSimulator } from '../support/onvif/device-simulator.ts'
import { http, RawDevice } from '../support/onvif/raw-device.ts'

const ACCOUNT = { username: 'viewer', password: 'a secret of the lobby' }

async function configured(t: Test, cameras = '[]'): Promise<string> {
  const folder = t.testdir({
    'secrets.yaml': `lobby: { username: ${ACCOUNT.username}, password: ${ACCOUNT.password} }\n`,
    'custos.yaml': '',
  })
  const { chmod, writeFile } = await import('node:fs/promises')
  await chmod(path.join(folder, 'secrets.yaml'), 0o600)
  await writeFile(path.join(folder, 'custos.yaml'),
    `site: { name: x }\nstate: { dir: ${folder}/state }\nvolumes: [ { id: v, path: ${folder}/v } ]\nsecrets: { file: secrets.yaml }\ncameras: ${cameras}\n`)
  return path.join(folder, 'custos.yaml')
}

function written() {
  const texts: string[] = []
  return { out: { write: (text: string) => { texts.push(text) } }, text: () => texts.join('') }
}

t.test('a device is looked at with what it says and sends, and the lines to paste name its lens', async t => {
  const config = await configured(t)
  await using server = await CameraServer.start(
    { mounts: [{ path: '/lobby', clip: CLIPS.h264Small, ...ACCOUNT }] })
  const profile = { token: 'P1', name: 'P1', codec: 'h264', width: 320, height: 240, fps: 15,
    bitrateKbps: 512, uri: `rtsp://10.0.0.9:${server.port}/lobby` } as const
  await using device = await OnvifSimulator.start({
    profiles: [profile, { ...profile, token: 'P2', width: 160 }, { ...profile, token: 'J', codec: 'mjpeg' }],
      credential: ACCOUNT,
  })
  const { out, text } = written()
  t.equal(await camerasProbe('127.0.0.1', { config, credential: 'lobby', port: String(device.port),
    seconds: '4' }, out), 0, text())
  t.match(text(), /Example \/ Simulated 4/)
  t.match(text(), /P1 {2}h264 320x240 .* main\n/)
  t.match(text(), /P2 {2}h264 160x240 .* sub\n/)
  t.match(text(), /J {2}other .* not taken: neither H\.264 nor H\.265\n/)
  t.match(text(), /brightness {4}\d+ \/ 255/)
  t.match(text(), `credential: lobby, onvif: { host: "127.0.0.1", port: ${device.port}, source: "source-1" }`)
  t.notMatch(text(), ACCOUNT.password)
})

t.test('why a camera gives nothing is told, and the exit code says so', async t => {
  await using server = await CameraServer.start(
    { mounts: [{ path: '/lobby', clip: CLIPS.h264Small, ...ACCOUNT }] })
  const { out, text } = written()
  t.equal(await camerasProbe(server.url('/lobby'), { seconds: '2' }, out), 1)
  t.match(text(), /auth-refused: the camera asks for a password, and none is configured/)
  t.equal(await camerasProbe('127.0.0.1', { port: '1' }, out), 1)
  t.match(text(), /CUSTOS_ONVIF_REFUSED|refuses the connection/)
  t.equal(await camerasProbe('127.0.0.1', { config: await configured(t), credential: 'other' }, out), 2)
  await t.rejects(camerasProbe('not a host', {}, out), { code: 'CUSTOS_PROBE_TARGET' })
  await t.rejects(camerasProbe('rtsp://u:p@h/', {}, out), { code: 'CUSTOS_PROBE_TARGET' })
})

t.test('a clock is set on record: the intention before, the result after', async t => {
  let refuses = false
  await using device = await RawDevice.start({ profiles: [] }, (request, self) => {
    if (!request.operation.startsWith('Set')) return http('200 OK', [], self.envelopeFor(request))
    return refuses ? http('401 Unauthorized', [], '')
      : http('200 OK', [], `<Envelope><Body><${request.operation}Response/></Body></Envelope>`)
  })
  const config = await configured(t,
    `[ { id: lobby, name: a, credential: lobby, onvif: { host: 127.0.0.1, port: ${device.port} } } ]`)
  const state = path.join(path.dirname(config), 'state')
  openCatalogue(state, systemClock.wallNow())[Symbol.dispose]()
  const { out, text } = written(), options = { config, by: '王小明', ntp: '10.0.0.5' }
  t.equal(await camerasSetClock('lobby', options, out), 0)
  t.match(text(), /Set: the clock was -?\d/)
  refuses = true
  await t.rejects(camerasSetClock('lobby', options, out), { code: 'CUSTOS_ONVIF_AUTH_REFUSED' })
  await t.rejects(camerasSetClock('nobody', options, out), { code: 'CUSTOS_CAMERA_CLOCK_REFUSED' })
  await t.rejects(camerasSetClock('lobby', { ...options, ntp: 'a b' }, out),
    { code: 'CUSTOS_CAMERA_CLOCK_REFUSED' })
  const db = new Database(path.join(state, 'catalogue.db'), { readonly: true })
  t.teardown(() => { db.close() })
  const entries = db.prepare<[], { action: string, result: string }>(
    "SELECT action, result FROM audit_entry WHERE action LIKE 'camera.clock%' ORDER BY seq").all()
  t.same(entries.map(({ action, result }) => `${action} ${result}`),
    ['camera.clock-setting done', 'camera.clock-set done', 'camera.clock-setting done',
    'camera.clock-set failed'])
})
