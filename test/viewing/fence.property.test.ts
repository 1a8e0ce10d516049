import fc from 'fast-check'
import t from 'tap'
import { cameraUuid, epochMs, streamName } from '../../src/domain/index.ts'
import { scopeOf, covers, rangesOf, type ScopeLine } from '../../src/requests/index.ts'
import { CameraReader, type Piece } from '../../src/viewing/camera-reader.ts'
import { builtFragment, builtInit, timedFragment } from '../support/fragments.ts'
import { RecorderRig } from '../support/recorder-rig.ts'

const A = cameraUuid('a'.repeat(32)), B = cameraUuid('b'.repeat(32))
const ZERO = Date.parse('2026-11-20T01:00:00.000Z')
const FRAGMENTS = 40, FRAGMENT_MS = 500, FRAMES = 5, GOP_FRAGMENTS = 4
const MAIN = streamName('main')

/** Pictures that say of themselves whose they are and when: each frame's bytes are its camera and its number. */
async function filled(t: Parameters<typeof RecorderRig.open>[0]) {
  const rig = await RecorderRig.open(t, { slots: 12, start: '2026-11-20T00:50:00.000Z' })
  const init = builtInit()
  for (const [camera, id] of [[A, 'cam-a'], [B, 'cam-b']] as const) {
    rig.catalogue(db => db.prepare('INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, ?, 1)').run(camera, id))
    const lane = rig.storage.lane(id as never, MAIN)
    let runId = await lane.beginRun(init, epochMs(ZERO))
    for (let i = 0; i < FRAGMENTS; i++) {
      if (i === 16) continue // a hole, and another run behind it
      if (i === 17) { lane.endRun('closed-by-camera', epochMs(ZERO + 16 * FRAGMENT_MS)); runId = await lane.beginRun(init, epochMs(ZERO + i * FRAGMENT_MS)) }
      const fragment = builtFragment({ init, name: 'x', dataBytes: FRAMES * 4000, frames: FRAMES, durationMs: FRAGMENT_MS, isKey: i % GOP_FRAGMENTS === 0 || i === 17, decodeTimeMs: i * FRAGMENT_MS })
      for (const [n, sample] of fragment.tracks[0]!.samples.entries()) {
        fragment.buffer.fill(`${id}:${String(i * FRAMES + n).padStart(5, '0')};`, fragment.moofAt + sample.dataAt, fragment.moofAt + sample.dataAt + sample.sizeBytes)
      }
      await lane.append(timedFragment(init, fragment, { startAt: ZERO + i * FRAGMENT_MS, runId }))
    }
  }
  return rig
}

/** Every frame that a byte string speaks of. */
const spoken = (bytes: Buffer): { readonly id: string, readonly at: number }[] =>
  [...new Set(bytes.toString('latin1').match(/cam-[ab]:\d{5};/g) ?? [])].map(word => ({ id: word.slice(0, 5), at: ZERO + Number(word.slice(6, 11)) * FRAGMENT_MS / FRAMES }))

const instants = fc.integer({ min: -3_000, max: FRAGMENTS * FRAGMENT_MS + 3_000 })
const lines = fc.array(fc.record({ camera: fc.constantFrom(A, B), from: instants, length: fc.integer({ min: 1, max: 9_000 }) }), { minLength: 1, maxLength: 5 })
  .map(all => scopeOf(all.map(({ camera, from, length }): ScopeLine => ({ camera, from: epochMs(ZERO + from), to: epochMs(ZERO + from + length) }))))

t.test('whatever is granted and wherever one seeks, no byte of a frame outside leaves, and every frame from a key frame on inside does', async t => {
  const rig = await filled(t)
  let pieces = 0, whole = 0
  await fc.assert(fc.asyncProperty(lines, fc.array(instants, { minLength: 1, maxLength: 3 }), fc.boolean(), async (scope, seeks, isPreRollAllowed) => {
    for (const [camera, id] of [[A, 'cam-a'], [B, 'cam-b']] as const) {
      const ranges = rangesOf(scope, camera)
      for (const seek of seeks) {
        await using reader = new CameraReader({
          shelf: rig.storage.footage, camera, stream: MAIN, ranges, isPreRollAllowed, originAt: epochMs(ZERO - 20_000),
          fence: at => covers(scope, camera, at) ? 'inside' : isPreRollAllowed && ranges.some(range => at < range.startAt && at >= range.startAt - 15_000) ? 'pre-roll' : 'outside',
        }, epochMs(ZERO + seek))
        const seen: number[] = []
        for (let told = await reader.next(); told !== null; told = await reader.next()) {
          if (told.kind === 'gap') continue
          pieces++
          const frames = spoken(told.bytes)
          if (frames.length !== told.frames || frames.some(frame => frame.id !== id)) throw new Error('bytes of other frames')
          check(told, frames.map(({ at }) => at))
          seen.push(...frames.map(({ at }) => at))
        }
        if (new Set(seen).size !== seen.length) throw new Error('a frame twice')
        whole += seen.length
        const missed = owed(ranges.filter(range => range.endAt > ZERO + seek), ZERO + seek).filter(at => !seen.includes(at))
        if (missed.length > 0) throw new Error(`frames inside that did not leave: ${missed.map(at => at - ZERO).join()}`)
      }

      function check(piece: Piece, at: readonly number[]): void {
        const isIn = (instant: number) => covers(scope, camera, epochMs(instant))
        if (piece.isPreRoll ? !isPreRollAllowed || at.some(isIn) : !at.every(isIn)) throw new Error(`frames at ${at.map(instant => instant - ZERO).join()} left`)
      }
    }
  }), { numRuns: 150 })
  t.ok(pieces > 500 && whole > 2000, `${pieces} pieces with ${whole} frames were looked at`)
})

/** Frames that a viewer who begins at `from` must get: in each range from the first key frame at or after its start, and at or after the seek, up to the hole. */
function owed(ranges: readonly { readonly startAt: number, readonly endAt: number }[], from: number): number[] {
  const isKey = (fragment: number) => fragment % GOP_FRAGMENTS === 0 || fragment === 17
  return ranges.flatMap(range => {
    const start = Math.max(range.startAt, from)
    const due: number[] = []
    let chain = false
    for (let i = 0; i < FRAGMENTS; i++) {
      if (i === 16) { chain = false; continue }
      for (let n = 0; n < FRAMES; n++) {
        const at = ZERO + i * FRAGMENT_MS + n * FRAGMENT_MS / FRAMES
        if (at < start || at >= range.endAt) { chain = false; continue }
        if (n === 0 && isKey(i)) chain = true
        if (chain) due.push(at)
      }
    }
    return due
  })
}
