import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { GapCause, RunEndReason } from '../../src/domain/index.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { FaultProxy } from '../support/cameras/fault-proxy.ts'
import { CLIPS, type ClipOptions } from '../support/cameras/make-clips.ts'
import { decodeErrors, frameCheck, probe, stampErrorsMs } from '../support/recorder/frame-check.ts'
import { startOddCamera } from '../support/recorder/odd-camera.ts'
import { RealRecorder, type CameraSpec } from '../support/recorder/real-recorder.ts'

const MAX_STAMP_ERROR_MS = 1000
const WITNESSES = ['witness', 'witness265'] as const

/** A server with two cameras that nothing happens to, the given ones each behind a proxy of its own, and a recorder of them all that records. */
async function site(t: Test, cameras: Record<string, ClipOptions>, more: readonly CameraSpec[] = [], password: Record<string, string> = {}) {
  const stack = new AsyncDisposableStack()
  const credential = (id: string) => ({ username: `user-${id}`, password: `secret of ${id}` })
  const all = { [WITNESSES[0]]: CLIPS.h264Small, [WITNESSES[1]]: CLIPS.h265Small, ...cameras }
  const server = stack.use(await CameraServer.start({ mounts: Object.entries(all).map(([id, clip]) => ({ path: `/${id}`, clip, ...credential(id) })) }))
  const proxies: Record<string, FaultProxy> = {}
  for (const id of Object.keys(cameras)) proxies[id] = stack.use(await FaultProxy.start({ targetPort: server.port }))
  const specs = Object.keys(all).map((id): CameraSpec => {
    const url = server.url(`/${id}`)
    return { id, url: proxies[id]?.through(url) ?? url, credential: { ...credential(id), ...(password[id] === undefined ? {} : { password: password[id] }) } }
  })
  const recorder = stack.use(await RealRecorder.create({ folder: t.testdir({}), cameras: [...specs, ...more] }))
  const proxy = (id: string) => proxies[id]!
  return { server, recorder, specs: [...specs, ...more], proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

type Site = Awaited<ReturnType<typeof site>>

/** Whether the stream is down now, for this reason. */
async function untilDown({ recorder }: Site, camera: string, causes: readonly GapCause[], boundMs = 25_000): Promise<void> {
  await recorder.until(`${camera} down: ${causes.join(' or ')}`, ({ streams }) => streams.some(stream =>
    stream.camera === camera && stream.openGapCause !== null && causes.includes(stream.openGapCause)), boundMs)
}

/** Whether a run of the camera ended for this reason after the first `known` runs; it may be recorded again by now. */
async function untilEnded({ recorder }: Site, camera: string, reason: RunEndReason, boundMs = 25_000): Promise<void> {
  await recorder.until(`a run of ${camera} ended: ${reason}`, () => recorder.runs(camera).some(run => run.endReason === reason), boundMs)
}

/** Stops the recorder and asks what must be true whatever happened to the others. */
async function checkWitnesses(t: Test, { recorder }: Site): Promise<void> {
  t.equal(await recorder.stop(), 0, 'it stops in good order')
  t.equal((await recorder.children()).length, 0, 'no orphan')
  for (const id of WITNESSES) {
    const files = await recorder.rescue(id, `${id}.mp4`)
    const verdict = await frameCheck(files, [id === 'witness' ? CLIPS.h264Small : CLIPS.h265Small])
    t.match(verdict, { ok: true, missing: [], doubled: [], reordered: [] }, `${id} lost no frame meanwhile`)
    t.equal(recorder.runs(id).length, 1, `${id} was one run`)
  }
}

function gapWith(t: Test, { recorder }: Site, camera: string, causes: readonly GapCause[]): void {
  const gaps = recorder.gaps(camera)
  const found = gaps.find(gap => causes.includes(gap.cause) || causes.includes(gap.lastCause))
  t.ok(found?.endAt != null && found.endAt > found.startAt, `${camera}: a gap of ${causes.join(' or ')} that ended (${gaps.map(gap => `${gap.cause}..${gap.lastCause}`).join(', ')})`)
}

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
  await untilDown(at, 'vp8', ['codec-unsupported'], 40_000)

  await proxy('refused').set({ kind: 'pass' })
  await proxy('hangs').set({ kind: 'pass' })
  await server.control({ do: 'resume', mount: '/gone' })
  await recorder.untilRecording(['refused', 'hangs', 'gone'], 40_000)
  const logins = proxy('denied').requestTimes.length
  const wrongForMs = performance.now() - deniedSince
  t.comment(`${logins} tries with a wrong password in ${Math.round(wrongForMs / 1000)} s`)
  t.ok(logins <= 1 + Math.ceil(wrongForMs / 15_000), 'a wrong password is tried once in 15 s at most: cameras lock accounts')

  await recorder.configure(specs.map(spec => spec.id === 'denied' ? { ...spec, credential: { username: 'user-denied', password: 'secret of denied' } } : spec))
  await recorder.untilRecording(['denied'], 20_000)
  await checkWitnesses(t, at)
  gapWith(t, at, 'refused', ['refused'])
  gapWith(t, at, 'gone', ['no-such-stream'])
  gapWith(t, at, 'hangs', ['stalled'])
  gapWith(t, at, 'denied', ['auth-refused'])
  t.equal(recorder.runs('vp8').length, 0, 'nothing of an unsupported codec was stored')
})

t.test('streams that break off come back by themselves, what came before is kept, and the gap says why', { timeout: 150_000 }, async t => {
  await using at = await site(t, { silent: CLIPS.h264Small, frozen: CLIPS.h265Small, cut: CLIPS.h264Small, reset: CLIPS.h265Small, dropped: CLIPS.h264Small })
  const { server, recorder, proxy } = at
  await recorder.start()
  await recorder.untilRecording()
  const cut = once(proxy('cut').events, 'cut')
  await proxy('cut').set({ kind: 'cut-after', bytes: 100_001 })
  await proxy('silent').set({ kind: 'stall' })
  await server.control({ do: 'stall', mount: '/frozen' })
  await server.control({ do: 'drop-clients', mount: '/dropped' })
  await proxy('reset').set({ kind: 'reset' })
  await cut
  await proxy('cut').set({ kind: 'pass' })
  await untilDown(at, 'silent', ['stalled'])
  await untilDown(at, 'frozen', ['stalled'])
  await untilDown(at, 'reset', ['closed-by-camera'])
  await proxy('silent').set({ kind: 'pass' })
  await proxy('reset').set({ kind: 'pass' })
  await server.control({ do: 'resume', mount: '/frozen' })
  await recorder.untilRecording(undefined, 40_000)
  for (const id of ['silent', 'frozen', 'cut', 'reset', 'dropped']) await recorder.untilRecordedFor(id, 2500)
  await checkWitnesses(t, at)
  for (const [id, reason] of [['silent', 'stalled'], ['frozen', 'stalled'], ['cut', 'closed-by-camera'], ['reset', 'closed-by-camera'], ['dropped', 'closed-by-camera']] as const) {
    const [first] = recorder.runs(id)
    t.equal(first?.endReason, reason, `${id}: its first run ended so`)
    const clips = [id === 'frozen' || id === 'reset' ? CLIPS.h265Small : CLIPS.h264Small]
    const files = await recorder.rescue(id, `${id}.mp4`)
    for (const file of files) {
      const verdict = await frameCheck([file], clips, '--any-gap')
      // Only the frame that a closing camera was in the midst of may be torn: nothing in the stream tells.
      const holes = new Set([verdict.last, ...verdict.missing.map(([from]) => from - 1)])
      t.ok(verdict.faults.every(fault => fault === 'wrongSize') && verdict.wrongSize.every(frame => holes.has(frame)), `${id}: what is stored is whole, in order and on time (${verdict.faults.join(', ')} ${verdict.wrongSize.join(', ')})`)
      if (id === 'silent' || id === 'frozen') t.equal(verdict.ok, true, `${id}: and no frame is torn`)
      t.equal((await probe(file)).warnings, '', `${id}: ffprobe reads it without a warning`)
    }
    // A camera that begins with the key frame before our request may send what we have already: then nothing is lost, and it is a part of its own.
    const { missingFrames } = await frameCheck(files, clips, '--any-gap', '--per-file-time')
    if (missingFrames > 1) gapWith(t, at, id, [reason])
    else t.ok(recorder.runs(id).length >= 2, `${id}: one frame is missing at most though its first run ended`)
  }
})

t.test('a stream that changes its pictures or its clock goes on in another run, with no frame misplaced', { timeout: 150_000 }, async t => {
  await using at = await site(t, { resized: CLIPS.h264Small, forward: CLIPS.h264Small, backward: CLIPS.h264Small, slightly: CLIPS.h265Small })
  const { server, recorder } = at
  // The server paces frames that are ahead of its clock: only one that was behind can jump forward at once.
  await server.reached('/forward', 10 * CLIPS.h264Small.fps)
  await server.control({ do: 'jump', mount: '/forward', seconds: -8 })
  await recorder.start()
  await recorder.untilRecording()
  for (const id of ['resized', 'forward', 'backward']) await recorder.untilRecordedFor(id, 3000)
  await server.control({ do: 'switch-clip', mount: '/resized', clip: CLIPS.h264Hd })
  await server.control({ do: 'jump', mount: '/forward', seconds: 8 })
  await server.control({ do: 'jump', mount: '/backward', seconds: -2.5 })
  await server.control({ do: 'jump', mount: '/slightly', seconds: 0.4 })
  await untilEnded(at, 'resized', 'parameter-sets-changed')
  await untilEnded(at, 'forward', 'timestamps-jumped')
  await untilEnded(at, 'backward', 'timestamps-jumped')
  for (const id of ['resized', 'forward', 'backward']) await recorder.untilRecordedFor(id, 3000)
  await checkWitnesses(t, at)

  const parts = await recorder.rescue('resized', 'resized.mp4')
  t.equal(parts.length, 2, 'each picture size has a part of its own')
  for (const part of parts) t.equal(await decodeErrors(part), '', `${part.slice(-12)} decodes from the first frame to the last`)
  t.strictSame(recorder.runs('resized').map(run => run.widthPx), [CLIPS.h264Small.width, CLIPS.h264Hd.width])
  const both = await frameCheck(parts, [CLIPS.h264Small, CLIPS.h264Hd], '--any-gap', '--per-file-time')
  t.match(both, { ok: true, doubled: [], reordered: [] })
  t.comment(`the change of size cost ${both.missingFrames} frames`)
  t.equal(recorder.gaps('resized').filter(gap => gap.cause === 'parameter-sets-changed').length, both.missing.length, 'a hole in the frames is a gap in the catalogue')

  for (const id of ['forward', 'backward']) {
    const runs = recorder.runs(id)
    t.ok(runs.length >= 2, `${id}: another run began`)
    for (const run of runs) {
      const files = await recorder.rescue(id, `${id}-${run.runId}.mp4`, { from: run.startAt, to: run.endAt! })
      for (const file of files) {
        const verdict = await frameCheck([file], [CLIPS.h264Small], '--any-gap', '--times', 'step')
        const errors = await stampErrorsMs(file, verdict)
        t.ok(errors.every(errorMs => Math.abs(errorMs) < MAX_STAMP_ERROR_MS), `${id}: first and last frame of run ${run.runId} (${run.endReason}) are off by ${errors.map(Math.round).join(' and ')} ms`)
        t.match(verdict, { doubled: [], reordered: [] })
      }
    }
  }
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
  await recorder.untilRecording(undefined, 40_000)
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
