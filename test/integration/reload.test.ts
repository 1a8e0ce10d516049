import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

t.test('a changed configuration is taken over while the other cameras lose nothing', { timeout: 120_000 }, async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }, { path: '/door', clip: CLIPS.h265Small }] })
  const lobby = { id: 'lobby', url: server.url('/lobby') }, door = { id: 'door', url: server.url('/door') }
  await using recorder = await RealRecorder.recording({ folder: t.testdir({}), cameras: [lobby] })
  await recorder.untilRecording(['lobby'])

  await recorder.configure([lobby, door])
  await recorder.untilRecordedFor('door', 2000)

  await writeFile(recorder.configFile, 'site: { name: x }\ncameras: [ { id: lobby, colour: red } ]\n')
  const refused = await recorder.until('the bad configuration shows', health => health.reasons.some(({ code }) => code === 'config-rejected'))
  t.strictSame(refused.streams.map(({ camera, state }) => [camera, state]), [['lobby', 'recording'], ['door', 'recording']], 'the old one goes on')

  await recorder.configure([lobby])
  await recorder.until('the door has left', ({ streams, reasons }) => streams.length === 1 && !reasons.some(({ code }) => code === 'config-rejected'))
  t.ok((await recorder.rescueList()).filter(({ camera }) => camera === 'door').every(({ sealed }) => sealed), 'what it recorded is sealed')
  await recorder.configure([lobby, door])
  await recorder.untilRecordedFor('door', 1000)
  t.equal(await recorder.stop(), 0)

  t.equal(recorder.runs('lobby').length, 1, 'one run from beginning to end')
  t.match(await frameCheck(await recorder.rescue('lobby', 'lobby.mp4'), [CLIPS.h264Small]), { ok: true, missing: [] })
  t.equal(new Set(recorder.runs('door').map(({ endReason }) => endReason)).size, 1)
  t.match(recorder.audit().filter(({ action }) => /^(config|recorder)\./.test(action)).map(({ action, result, detail }) => [action, result, detail['added'] ?? detail['problems'] ?? null]), [
    ['recorder.started', 'done', null], ['config.changed', 'done', ['door']], ['config.changed', 'refused', Number], ['config.changed', 'done', []], ['config.changed', 'done', ['door']],
  ], 'each change is on record, the refused one too')
  const uuids = new Set((await recorder.rescueList()).filter(({ camera }) => camera === 'door').map(({ cameraUuid }) => cameraUuid))
  t.equal(uuids.size, 2, 'an id that comes back is another camera')
})
