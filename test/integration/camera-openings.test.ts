import t from 'tap'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { checkWitnesses, gapWith, site, untilDown, WITNESSES } from '../support/recorder/faulty-site.ts'
import { frameCheck } from '../support/recorder/frame-check.ts'
import { startOddCamera } from '../support/recorder/odd-camera.ts'

t.test('cameras that cannot be opened are asked again until they can, each gap with its reason', { timeout: 150_000 }, async t => {
  await using odd = await startOddCamera()
  await using at = await site(t, { refused: CLIPS.h264Small, hangs: CLIPS.h264Small, gone: CLIPS.h264Small, denied: CLIPS.h264Small },
    [{ id: 'vp8', url: odd.url('/vp8') }], { denied: 'not the password' })
  const { server, recorder, proxy, specs } = at
  await proxy('refused').set({ kind: 'refuse' })
  await proxy('hangs').set({ kind: 'hang-after-describe' })
  await server.control({ do: 'gone', mount: '/gone' })
  await recorder.start()
  await recorder.untilRecording(WITNESSES)
  const deniedSince = performance.now()
  await untilDown(at, 'refused', ['refused'])
  await untilDown(at, 'gone', ['no-such-stream'])
  await untilDown(at, 'denied', ['auth-refused'])
  await untilDown(at, 'hangs', ['stalled'])
  await untilDown(at, 'vp8', ['codec-unsupported'], 90_000)

  await proxy('refused').set({ kind: 'pass' })
  await proxy('hangs').set({ kind: 'pass' })
  await server.control({ do: 'resume', mount: '/gone' })
  await recorder.untilRecording(['refused', 'hangs', 'gone'], 90_000)
  const logins = proxy('denied').requestTimes.length
  const wrongForMs = performance.now() - deniedSince
  t.comment(`${logins} tries with a wrong password in ${Math.round(wrongForMs / 1000)} s`)
  t.ok(logins <= 1 + Math.ceil(wrongForMs / 15_000), 'a wrong password is tried once in 15 s at most: cameras lock accounts')

  await recorder.configure(specs.map(spec => spec.id === 'denied' ? { ...spec, credential: { username: 'user-denied', password: 'secret of denied' } } : spec))
  await recorder.untilRecording(['denied'], 90_000)
  await checkWitnesses(t, at)
  gapWith(t, at, 'refused', ['refused'])
  gapWith(t, at, 'gone', ['no-such-stream'])
  gapWith(t, at, 'hangs', ['stalled'])
  gapWith(t, at, 'denied', ['auth-refused'])
  t.equal(recorder.runs('vp8').length, 0, 'nothing of an unsupported codec was stored')
})

t.test('garbage ends a run or is recorded as it comes, but harms no other camera and not the recorder', { timeout: 150_000 }, async t => {
  await using at = await site(t, { units: CLIPS.h264Small, bytes: CLIPS.h264Small, units265: CLIPS.h265Small })
  const { server, recorder, proxy } = at
  await recorder.start()
  await recorder.untilRecording()
  for (const id of ['units', 'bytes', 'units265']) await recorder.untilRecordedFor(id, 2000)
  await proxy('bytes').set({ kind: 'garbage' })
  const garbageAt = await server.control({ do: 'garbage', mount: '/units' })
  await server.control({ do: 'garbage', mount: '/units265' })
  await server.reached('/units', garbageAt + 4 * CLIPS.h264Small.fps)
  await recorder.until('the run of random bytes ended', () => recorder.runs('bytes').some(run => run.endReason !== null))
  await proxy('bytes').set({ kind: 'pass' })
  await server.control({ do: 'resume', mount: '/units' })
  await server.control({ do: 'resume', mount: '/units265' })
  await recorder.untilRecording(undefined, 90_000)
  for (const id of ['units', 'bytes', 'units265']) await recorder.untilRecordedFor(id, 2000)
  await checkWitnesses(t, at)
  const [first] = recorder.runs('bytes')
  t.ok(['stalled', 'closed-by-camera', 'bad-stream', 'timestamps-jumped'].includes(first!.endReason!), `random bytes ended the run: ${first!.endReason}`)
  gapWith(t, at, 'bytes', ['stalled', 'closed-by-camera', 'bad-stream', 'timestamps-jumped'])
  for (const id of ['units', 'units265', 'bytes']) {
    t.comment(`${id}: ${recorder.runs(id).map(run => run.endReason).join(', ')}`)
    const files = await recorder.rescue(id, `${id}.mp4`)
    t.ok(files.length >= 1, `${id}: its footage can be cut`)
    const verdict = await frameCheck(files, [id === 'units265' ? CLIPS.h265Small : CLIPS.h264Small], '--any-gap', '--times', 'step', '--per-file-time')
    t.match(verdict, { doubled: [] }, `${id}: no frame twice`)
    t.ok(verdict.last > garbageAt + 4 * CLIPS.h264Small.fps, `${id}: frames from after the garbage are there`)
  }
})
