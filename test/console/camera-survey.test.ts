import t from 'tap'
import { CameraSurvey } from '../../src/ingest/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { OnvifSimulator } from '../support/onvif/device-simulator.ts'
import { Console } from './support/caller.ts'

const account = { username: 'viewer', password: 'a secret of the lobby' }

interface Probed {
  readonly device: { readonly manufacturer: string, readonly profiles: readonly { readonly takenAs: string | null }[] } | null
  readonly sample: { readonly codec: string, readonly brightness: number | null } | null
  readonly streamFault: { readonly reason: string, readonly text: { readonly zh: string, readonly en: string } } | null
  readonly deviceFault: { readonly reason: string } | null
  readonly configuration: readonly string[]
}
const entriesOf = (console: Console) => console.front.office.db.prepare<[], { action: string, object: string | null }>(
  "SELECT action, object FROM audit_entry WHERE action LIKE 'camera.%' ORDER BY seq").all()

t.test('an administrator looks at a camera: what it is, what to configure, no picture and no password; on record before', async t => {
  const console = await Console.open(t)
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small, ...account }] })
  const profile = { token: 'P1', name: 'P1', codec: 'h264', width: 320, height: 240, fps: 15, bitrateKbps: 512,
    uri: `rtsp://10.0.0.9:${server.port}/lobby` } as const
  await using device = await OnvifSimulator.start({ profiles: [profile], credential: account })
  const admin = await console.as('admin', 'system-admin')
  const { status, body, raw } = await admin.post<Probed>('/api/cameras/probe', { host: '127.0.0.1', port: device.port, account })
  t.equal(status, 200, raw.toString('utf8'))
  t.equal(body.device?.manufacturer, 'Example')
  t.same(body.device?.profiles.map(({ takenAs }) => takenAs), ['main'])
  t.match(body.sample, { codec: /avc1|h264/i, brightness: Number })
  t.match(body.configuration[0], `onvif: { host: "127.0.0.1", port: ${device.port}, source: "source-1" }`)
  t.notMatch(raw.toString('utf8'), account.password)
  t.match(entriesOf(console), [{ action: 'camera.probed', object: `127.0.0.1:${device.port}` }])
  t.notMatch(console.log.join(''), account.password)
})

t.test('why a camera gives nothing is told in the words of health', async t => {
  const console = await Console.open(t), admin = await console.as('admin', 'system-admin')
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small, ...account }] })
  const refused = await admin.post<Probed>('/api/cameras/probe', { url: server.url('/lobby') })
  t.match(refused.body, { device: null, sample: null, configuration: [], streamFault: { reason: 'auth-refused', text: { zh: /不接受帳號或密碼/, en: /does not accept/ } } })
  const nobody = await admin.post<Probed>('/api/cameras/probe', { host: '127.0.0.1', port: 1 })
  t.match(nobody.body, { device: null, deviceFault: { reason: 'refused' } })
})

t.test('what is no target is refused field by field and connected to by nobody; others have no right', async t => {
  const console = await Console.open(t), admin = await console.as('admin', 'system-admin')
  for (const body of [{}, { host: 'a', url: 'rtsp://a/' }, { host: 'no host' }, { url: 'http://a/' },
    { url: 'rtsp://u:p@a/' }, { host: 'a', port: 0 },
    { host: 'a', account: { username: 'u\r\nX: y', password: '' } },
    { host: 'a', account: { username: 'u', password: '\u0000' } }]) {
    t.equal((await admin.post('/api/cameras/probe', body)).status, 400, JSON.stringify(body))
  }
  const clerk = await console.as('lin', 'clerk')
  t.equal((await clerk.post('/api/cameras/probe', { host: '127.0.0.1' })).status, 403)
  t.equal((await clerk.post('/api/cameras/discover')).status, 403)
  t.same(entriesOf(console), [])
})

t.test('an address with a zone and an account with half a character are looked at like others', async t => {
  const console = await Console.open(t), admin = await console.as('admin', 'system-admin')
  const addresses = ['rtsp://[fe80::1%25lo]:1/live',
    'rtsps://[FE80::1%lo]/a?b=c', 'rtsp://127.0.0.1:1?x=[fe80::2]']
  for (const url of addresses) {
    const { status, body, raw } = await admin.post<Probed>('/api/cameras/probe', { url })
    t.equal(status, 200, raw.toString('utf8'))
    t.match(body.streamFault, { reason: /^(?:unreachable|refused)$/ }, url)
  }
  t.same(entriesOf(console).map(({ object }) => object), ['[fe80::1%25lo]:1', '[FE80::1%lo]', '127.0.0.1:1'])
  const half = { username: 'u', password: 'a\ud800' }
  for (const target of [{ url: 'rtsp://127.0.0.1:1/{password}' }, { host: '127.0.0.1', port: 1 }]) {
    const { status, raw } = await admin.post('/api/cameras/probe', { ...target, account: half })
    t.equal(status, 200, raw.toString('utf8'))
  }
})

t.test('two at once: the second is told to wait', async t => {
  const survey = new CameraSurvey(systemClock)
  const first = survey.probe({ kind: 'onvif', host: '127.0.0.1', port: 1, source: null }, null)
  await t.rejects(survey.probe({ kind: 'onvif', host: '127.0.0.1', port: 1, source: null }, null), { code: 'CUSTOS_SURVEY_BUSY' })
  t.match(await first, { deviceFault: { endReason: 'refused' } })
  t.match(await survey.probe({ kind: 'onvif', host: '127.0.0.1', port: 1, source: null }, null), { deviceFault: { endReason: 'refused' } })
})
