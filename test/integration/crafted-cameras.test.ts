import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { CRAFTED_KINDS, hasSound, LOSING_KINDS, type CraftedKind } from '../support/cameras/crafted-kinds.ts'
import { startCraftedCameras } from '../support/cameras/crafted-server.ts'
import { CraftedLedger } from '../support/recorder/crafted-ledger.ts'
import { checkWitnesses, site } from '../support/recorder/faulty-site.ts'
import { decodeErrors } from '../support/recorder/frame-check.ts'
import { slowdownNow } from '../support/recorder/machine-pace.ts'
import type { RealRecorder } from '../support/recorder/real-recorder.ts'

/** Past the start; three sessions of the camera that closes, eleven stamps that go back, nine torn frames. */
const RECORD_MS = 45_000
const FPS = 15
/** A group of pictures, and what opening a session takes. */
const MOST_LOST_AT_ONCE_MS = 4_000

async function checkCamera(t: Test, recorder: RealRecorder, kind: CraftedKind, { startedAt, recordedToMs, slowdown }: { startedAt: number, recordedToMs: number, slowdown: number }): Promise<void> {
  const files = await recorder.rescue(kind, `${kind}.mp4`), ledger = new CraftedLedger(kind)
  await ledger.add(files)
  const gaps = recorder.gaps(kind)
  const { starting, steady } = ledger.offsMs([startedAt])
  const problems = ledger.problems({ gaps, startsMs: [startedAt], slowdown, isLossExpected: () => false })
  t.same(problems, [], `${kind}: ${ledger.frames} frames, ${starting.join(' to ')} ms off at the start, then ${steady.join(' to ')}`)
  t.ok(ledger.lastMs > recordedToMs - MOST_LOST_AT_ONCE_MS, `${kind}: recorded to the end`)
  t.ok(ledger.frames > FPS * RECORD_MS / 1000 * 0.6, `${kind}: ${ledger.frames} frames`)
  const sessions = kind === 'room-for-one' ? 2 : 1 // all that it loses is lost while the recorder starts
  for (const { from, to } of ledger.holes()) {
    t.ok(to.wallMs - from.wallMs < sessions * MOST_LOST_AT_ONCE_MS * slowdown, `${kind}: ${to.wallMs - from.wallMs} ms lost at once`)
  }
  if (kind === 'room-for-one') t.equal(ledger.holes().length, 1, `${kind}: its sound was tried once`)
  if (LOSING_KINDS.has(kind)) return
  t.strictSame(gaps.filter(({ cause }) => cause !== 'recorder-stopped' && cause !== 'starting'), [], `${kind}: no gap was told`)
  t.equal(files.length, 1, `${kind}: one file`)
  t.equal(await decodeErrors(files[0]!), '', `${kind}: it decodes`)
}

t.test('cameras as they are: every frame is in the clip, once, in order and at its time', { timeout: 200_000 }, async t => {
  await using cameras = await startCraftedCameras(CRAFTED_KINDS)
  const more = CRAFTED_KINDS.map(id => ({ id, url: cameras.urlOf(id), audio: hasSound(id) }))
  await using at = await site(t, {}, more, {}, 192)
  const startedAt = Date.now()
  await at.recorder.start()
  await at.recorder.untilRecording()
  await sleep(RECORD_MS)
  const recordedToMs = Date.now(), slowdown = await slowdownNow()
  await checkWitnesses(t, at)
  for (const kind of CRAFTED_KINDS) await checkCamera(t, at.recorder, kind, { startedAt, recordedToMs, slowdown })
})
