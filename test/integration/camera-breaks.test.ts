import { once } from 'node:events'
import t from 'tap'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { checkWitnesses, gapWith, site, untilDown, untilEnded } from '../support/recorder/faulty-site.ts'
import { frameCheck, probe } from '../support/recorder/frame-check.ts'

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
  await untilEnded(at, 'reset', 'closed-by-camera')
  await proxy('silent').set({ kind: 'pass' })
  await proxy('reset').set({ kind: 'pass' })
  await server.control({ do: 'resume', mount: '/frozen' })
  await recorder.untilRecording(undefined, 90_000)
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
      // Where the next run began with the very next frame, a key frame, nothing is missing behind it.
      const isLastOfGop = (frame: number) => id === 'cut' && (frame + 1) % CLIPS.h264Small.gopFrames === 0
      const holes = new Set([verdict.last, ...verdict.missing.map(([from]) => from - 1)])
      const isWhole = verdict.faults.every(fault => fault === 'wrongSize'
        || (fault === 'withoutCounter' && id === 'cut'))
        && verdict.wrongSize.every(frame => holes.has(frame) || isLastOfGop(frame))
      const found = `${verdict.faults.join(', ')} ${verdict.wrongSize.join(', ')}`
      t.ok(isWhole, `${id}: what is stored is whole, in order and on time (${found})`)
      if (id === 'silent' || id === 'frozen') t.equal(verdict.ok, true, `${id}: and no frame is torn`)
      // Of the frame that was cut there may be less than a slice: ffprobe then misses its picture, and is right.
      const warnings = (await probe(file)).warnings.split('\n').filter(line => !(id === 'cut' && /missing picture in access unit/.test(line)))
      t.equal(warnings.join('\n').trim(), '', `${id}: ffprobe reads it without a warning`)
    }
    // A camera that begins with the key frame before our request may send what we have already: then nothing is lost, and it is a part of its own.
    const { missingFrames } = await frameCheck(files, clips, '--any-gap', '--per-file-time')
    if (missingFrames > 1) gapWith(t, at, id, [reason])
    else t.ok(recorder.runs(id).length >= 2, `${id}: one frame is missing at most though its first run ended`)
  }
})

t.test('pictures that a camera leaves out inside a run are a gap each, to the picture, and the run goes on [G7]', { timeout: 90_000 }, async t => {
  await using at = await site(t, { skipping: CLIPS.h264Small })
  const { server, recorder } = at, mount = '/skipping', { gopFrames, fps } = CLIPS.h264Small
  await recorder.start()
  await recorder.untilRecording()
  await recorder.untilRecordedFor('skipping', 3000)
  for (let times = 0; times < 3; times++) {
    const now = (await server.status())[mount]!.frame
    const late = (Math.floor(now / gopFrames) + 2) * gopFrames + 7 // it goes on at the next key frame: eight pictures at most are left out
    await server.reached(mount, late)
    await server.control({ do: 'stall', mount })
    await server.reached(mount, late + 3)
    await server.control({ do: 'resume', mount })
    await server.reached(mount, late + 2 * gopFrames)
  }
  await recorder.untilRecordedFor('skipping', 1500)
  await checkWitnesses(t, at)
  t.equal(recorder.runs('skipping').length, 1)
  const { missing, faults } = await frameCheck(await recorder.rescue('skipping', 'skipping.mp4'), [CLIPS.h264Small], '--any-gap')
  t.same(faults, [])
  t.equal(missing.length, 3)
  const stands = missing.map(([from, to]) => Math.round((to - from + 2) * 1000 / fps))
  const told = recorder.gaps('skipping').filter(({ cause }) => cause === 'no-frames').map(({ startAt, endAt }) => endAt! - startAt)
  t.equal(told.length, stands.length, `${told.join(', ')} of ${stands.join(', ')}`)
  told.forEach((ms, i) => t.ok(Math.abs(ms - stands[i]!) <= 2, `${ms} ms told, the picture before stood ${stands[i]!} ms`))
})
