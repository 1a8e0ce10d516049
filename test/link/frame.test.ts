import fc from 'fast-check'
import t from 'tap'
import { FRAME_HEAD_BYTES, FrameError, frameHead, FrameReader, MOST_JSON_BYTES, MOST_MEDIA_BYTES, type FrameKind } from '../../src/link/frame.ts'

/** By hand, not by `frameHead`: four bytes of length, one of kind. */
const written = (kind: 0 | 1, payload: Uint8Array): Buffer =>
  Buffer.from([payload.length >>> 24, payload.length >>> 16 & 255, payload.length >>> 8 & 255, payload.length & 255, kind, ...payload])

t.test('frames come out as they were put in, however the bytes are cut', async t => {
  const frame = fc.record({ kind: fc.constantFrom(0 as const, 1 as const), payload: fc.uint8Array({ maxLength: 300 }) })
  fc.assert(fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }), (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(({ kind, payload }) => written(kind, payload)))
    const reader = new FrameReader(['json', 'media']), found: { kind: FrameKind, payload: string }[] = []
    for (let at = 0, cut = 0; at < bytes.length; cut++) {
      const size = cuts[cut % cuts.length]!
      reader.push(bytes.subarray(at, at + size))
      at += size
      for (let next = reader.next(); next !== null; next = reader.next()) found.push({ kind: next.kind, payload: next.payload.toString('hex') })
    }
    const given = frames.map(({ kind, payload }) => ({ kind: kind === 0 ? 'json' : 'media', payload: Buffer.from(payload).toString('hex') }))
    return JSON.stringify(found) === JSON.stringify(given) && !reader.isMidway
  }), { numRuns: 500 })
  t.same(frameHead('media', 258), Buffer.from([0, 0, 1, 2, 1]))
  t.same(frameHead('json', 0), Buffer.from([0, 0, 0, 0, 0]))
})

t.test('a frame that is too long, or of no kind that is waited for, is refused by its head alone', async t => {
  const refused = (reader: FrameReader, head: number[]) => { reader.push(Buffer.from(head)); t.throws(() => reader.next(), FrameError, head.join(' ')) }
  const both = () => new FrameReader(['json', 'media'])
  refused(both(), [0xff, 0xff, 0xff, 0xff, 0])
  refused(both(), [...Buffer.from([0, 0x10, 0, 1]), 0]) // one byte over a MiB
  refused(both(), [1, 0, 0, 1, 1])
  refused(both(), [0, 0, 0, 1, 2])
  refused(new FrameReader(['json']), [0, 0, 0, 1, 1])
  const most = both()
  most.push(Buffer.from([0, 0x10, 0, 0, 0]))
  t.equal(most.next(), null, 'a whole MiB is waited for')
  t.ok(most.isMidway)
  t.throws(() => frameHead('json', MOST_JSON_BYTES + 1), FrameError)
  t.throws(() => frameHead('media', MOST_MEDIA_BYTES + 1), FrameError)
  t.equal(FRAME_HEAD_BYTES, 5)
})
