import t from 'tap'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

t.test('a ring that is full of footage inside its floor stops recording, says so, and overwrites nothing', { timeout: 120_000 }, async t => {
  await using server = await CameraServer.start({ mounts: [{ path: '/hall', clip: CLIPS.h264FullHd }] })
  await using recorder = await RealRecorder.recording({ folder: t.testdir({}), cameras: [{ id: 'hall', url: server.url('/hall') }], sizeMiB: 6 })
  const full = await recorder.until('the ring is full', ({ floor, reasons }) => reasons.some(({ code }) => code === 'ring-stopped-by-floor') && floor.ringStoppedByFloor, 60_000)
  t.equal(full.level, 'critical')
  const stopped = full.reasons.find(({ code }) => code === 'ring-stopped-by-floor')
  t.match(stopped, { urgency: 'tonight' })
  t.match(full.volumes, [{ state: 'ok', slots: { free: 0 } }])
  t.equal(await recorder.stop(), 0)

  const listed = await recorder.rescueList()
  t.equal(listed.length, 6, 'every slot holds its first footage')
  t.match(await frameCheck(await recorder.rescue('hall', 'hall.mp4'), [CLIPS.h264FullHd]), { missing: [], doubled: [] }, 'all of it, up to where the ring was full')
  t.match(recorder.gaps('hall').at(-1), { lastCause: /storage-full|recorder-stopped/, endAt: null })
  t.ok(recorder.gaps('hall').some(({ cause }) => cause === 'storage-full'), 'the gap says why')
})
