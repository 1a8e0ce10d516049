import { once } from 'node:events'
import t from 'tap'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { checkWitnesses, gapWith, site, untilDown, untilEnded } from '../support/recorder/faulty-site.ts'
import { decodeErrors, frameCheck, probe, stampErrorsMs } from '../support/recorder/frame-check.ts'

const MAX_STAMP_ERROR_MS = 1000

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
