import t from 'tap'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { checkWitnesses, site, untilEnded } from '../support/recorder/faulty-site.ts'
import { decodeErrors, frameCheck, stampErrorsMs } from '../support/recorder/frame-check.ts'

const MAX_STAMP_ERROR_MS = 1000

t.test('a stream that changes its pictures or its clock goes on without a break, with no frame misplaced', { timeout: 150_000 }, async t => {
  await using at = await site(t, { resized: CLIPS.h264Small, forward: CLIPS.h264Small, backward: CLIPS.h264Small, slightly: CLIPS.h265Small })
  const { server, recorder } = at
  // The server paces frames that are ahead of its clock: only one that was behind can jump forward at once.
  await server.reached('/forward', 10 * CLIPS.h264Small.fps)
  await server.control({ do: 'jump', mount: '/forward', seconds: -8 })
  await recorder.start()
  await recorder.untilRecording()
  for (const id of ['resized', 'forward', 'backward']) await recorder.untilRecordedFor(id, 3000)
  await server.control({ do: 'switch-clip', mount: '/resized', clip: CLIPS.h264Hd })
  const jumpedAt = await server.control({ do: 'jump', mount: '/forward', seconds: 8 })
  const backAt = await server.control({ do: 'jump', mount: '/backward', seconds: -2.5 })
  await server.control({ do: 'jump', mount: '/slightly', seconds: 0.4 })
  await untilEnded(at, 'resized', 'parameter-sets-changed')
  await server.reached('/forward', jumpedAt + 5 * CLIPS.h264Small.fps)
  await server.reached('/backward', backAt + 5 * CLIPS.h264Small.fps)
  await recorder.untilRecordedFor('resized', 3000)
  await checkWitnesses(t, at)

  const parts = await recorder.rescue('resized', 'resized.mp4')
  t.equal(parts.length, 2, 'each picture size has a part of its own')
  for (const part of parts) t.equal(await decodeErrors(part), '', `${part.slice(-12)} decodes from the first frame to the last`)
  t.strictSame(recorder.runs('resized').map(run => run.widthPx), [CLIPS.h264Small.width, CLIPS.h264Hd.width])
  const both = await frameCheck(parts, [CLIPS.h264Small, CLIPS.h264Hd], '--any-gap', '--per-file-time')
  t.match(both, { ok: true, doubled: [], reordered: [], missing: [] }, 'the change of size cost no frame')
  t.strictSame(recorder.gaps('resized').filter(gap => gap.cause === 'parameter-sets-changed'), [])

  for (const id of ['forward', 'backward']) {
    t.equal(recorder.runs(id).length, 1, `${id}: the run goes on`)
    const files = await recorder.rescue(id, `${id}.mp4`)
    t.equal(files.length, 1)
    const verdict = await frameCheck(files, [CLIPS.h264Small], '--any-gap', '--times', 'step')
    const errors = await stampErrorsMs(files[0]!, verdict)
    t.ok(
      errors.every(errorMs => Math.abs(errorMs) < MAX_STAMP_ERROR_MS),
      `${id}: its first and last frame are off by ${errors.map(Math.round).join(' and ')} ms`
    )
    t.match(verdict, { doubled: [], reordered: [] })
  }
})
