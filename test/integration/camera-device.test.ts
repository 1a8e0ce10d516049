import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { OnvifSimulator, type SimulatedInformation } from '../support/onvif/device-simulator.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

const CREDENTIAL = { username: 'viewer', password: 'a secret of the lobby' }

t.test('what stands behind a camera is asked by ONVIF, kept with its time, and an audit entry when it is another', { timeout: 120_000 }, async t => {
  const clip = CLIPS.h264Small
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip, ...CREDENTIAL }, { path: '/plain', clip }] })
  const uri = server.url('/lobby').replace(/\/\/[^@/]*@/, '//')
  const device = (information: SimulatedInformation, port = 0) => OnvifSimulator.start({
    port, credential: CREDENTIAL, information, profiles: [{ token: 'p', name: 'P', codec: 'h264', width: 320, height: 180, fps: clip.fps, bitrateKbps: 500, uri }],
  })
  const first = await device({ manufacturer: 'Example', model: 'Dome 4', firmwareVersion: '5.10', serialNumber: '0001' })
  await using recorder = await RealRecorder.recording({
    folder: t.testdir({}), cameras: [{ id: 'lobby', place: '一樓服務臺', onvif: { host: '127.0.0.1', port: first.port }, credential: CREDENTIAL }, { id: 'plain', url: server.url('/plain') }],
  })
  await recorder.untilRecording()
  await recorder.until('the device was asked', () => recorder.devices().length > 0)
  const [run] = recorder.runs('lobby')
  t.match(recorder.devices(), [{ camera: 'lobby', firstSeenAt: run!.startAt, maker: 'Example', model: 'Dome 4', firmware: '5.10', serial: '0001' }], 'since the connection began; a camera by its address alone tells nothing')
  t.equal(await recorder.stop(), 0)
  await first[Symbol.asyncDispose]()

  await using _hostile = await device({ manufacturer: `=Evil‮\u0007\n<script>${CREDENTIAL.password}`, model: 'M'.repeat(5000), firmwareVersion: '', serialNumber: '𡍼'.repeat(300) }, first.port)
  await recorder.start()
  await recorder.untilRecording()
  await recorder.until('the other device was asked', () => recorder.devices().length > 1)
  const [, other] = recorder.devices()
  t.equal(other!.maker, '=Evil <script>[redacted]', 'no control, no turn of direction, and not the password that it echoed')
  t.match(other!.model, /^\(5000 characters\)$/)
  t.equal(other!.firmware, null)
  t.ok(other!.serial!.length <= 200)
  const entries = recorder.audit().filter(({ action }) => action === 'camera.device-changed')
  t.match(entries, [{ object: 'lobby', detail: { before: null } }, { object: 'lobby', detail: { before: { model: 'Dome 4' }, now: { firmware: null } } }])
  t.same((await Promise.all((await recorder.files()).filter(file => !/secrets|last-good-config\.json$/.test(file)).map(async file => (await readFile(file)).includes(CREDENTIAL.password) ? path.basename(file) : null))).filter(name => name !== null), [], 'nowhere on the disk')
  const csv = (await recorder.command(['cameras', '--config', recorder.configFile, '--csv'])).output.toString().split('\r\n')
  t.equal(csv.length, 4)
  t.match(csv[1], /^"lobby","Camera lobby","一樓服務臺","'=Evil <script>\[redacted\]","\(5000 characters\)","",/, 'no cell is a formula')
  t.match(csv[2], /^"plain","Camera plain","","","","","","",""$/, 'what is known by its address alone')
  const list = (await recorder.command(['cameras', '--config', recorder.configFile])).output.toString()
  t.match(list, /設置區位 place.*\n.*一樓服務臺/)
  t.notMatch(list + csv.join(''), /127\.0\.0\.1|rtsp/, 'no address on it')
  t.equal(recorder.gaps('lobby').every(({ cause }) => ['starting', 'recorder-stopped'].includes(cause)), true, 'it kept no picture from being recorded')
})
