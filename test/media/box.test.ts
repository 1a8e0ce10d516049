import fc from 'fast-check'
import t from 'tap'
import { boxesIn, findBox, makeBox, MalformedMediaError, readBoxHeader, requireBox, requireBytes, UnsupportedMediaError, writeBoxHeader } from '../../src/media/box.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 300)

t.test('reads a header with a 32-bit size, and with a 64-bit one', async t => {
  t.strictSame(readBoxHeader(makeBox('free', Buffer.alloc(4)), 0), { type: 'free', headerBytes: 8, sizeBytes: 12 })
  const large = Buffer.alloc(16)
  writeBoxHeader(large, 0, 'mdat', 1)
  large.writeBigUInt64BE(5_000_000_000n, 8)
  t.strictSame(readBoxHeader(large, 0), { type: 'mdat', headerBytes: 16, sizeBytes: 5_000_000_000 })
})

t.test('a size beyond what numbers hold is the largest that they do', async t => {
  const giant = Buffer.alloc(16, 0xff)
  writeBoxHeader(giant, 0, 'mdat', 1)
  t.equal(readBoxHeader(giant, 0)?.sizeBytes, Number.MAX_SAFE_INTEGER)
})

t.test('has no answer while the header is not complete', async t => {
  const box = makeBox('free')
  for (let available = 0; available < 8; available++) t.equal(readBoxHeader(box, 0, available), null)
  const large = Buffer.alloc(16)
  writeBoxHeader(large, 0, 'mdat', 1)
  for (let available = 8; available < 16; available++) t.equal(readBoxHeader(large, 0, available), null)
})

t.test('finds a box among its siblings, or says which one is missing', async t => {
  const parent = makeBox('moov', makeBox('mvhd', Buffer.alloc(3)), makeBox('trak'), makeBox('trak', Buffer.alloc(1)))
  const inside = { bodyAt: 8, endAt: parent.length }
  t.strictSame(findBox(parent, inside, 'trak'), { type: 'trak', at: 19, bodyAt: 27, endAt: 27 }, 'the first of two')
  t.equal(findBox(parent, inside, 'udta'), null)
  t.throws(() => requireBox(parent, inside, 'udta'), { name: 'MalformedMediaError', message: /udta/ })
})

t.test('refuses to read past the end of a box or before its body', async t => {
  const box = { type: 'tfdt', at: 10, bodyAt: 18, endAt: 26 }
  t.doesNotThrow(() => requireBytes(box, 18, 8))
  t.throws(() => requireBytes(box, 18, 9), MalformedMediaError)
  t.throws(() => requireBytes(box, 17, 1), MalformedMediaError)
})

t.test('an unsupported picture is a malformed medium, so that one catch is enough', async t => {
  t.ok(new UnsupportedMediaError('x') instanceof MalformedMediaError)
})

t.test('walks any row of boxes and gives each body back', async () => {
  const box = fc.record({ type: fc.string({ minLength: 4, maxLength: 4, unit: 'grapheme-ascii' }), body: fc.uint8Array({ maxLength: 40 }) })
  fc.assert(fc.property(fc.array(box, { maxLength: 12 }), boxes => {
    const bytes = Buffer.concat(boxes.map(({ type, body }) => makeBox(type, Buffer.from(body))))
    const seen = [...boxesIn(bytes, 0, bytes.length)].map(({ type, bodyAt, endAt }) => ({ type, body: [...bytes.subarray(bodyAt, endAt)] }))
    return JSON.stringify(seen) === JSON.stringify(boxes.map(({ type, body }) => ({ type, body: [...body] })))
  }), runs)
})

t.test('random bytes are boxes that fit, or malformed, and the walk always moves forward', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), random => {
    const bytes = Buffer.from(random)
    let at = 0
    try {
      for (const box of boxesIn(bytes, 0, bytes.length)) {
        if (box.at !== at || box.bodyAt < box.at + 8 || box.endAt < box.bodyAt || box.endAt > bytes.length) return false
        at = box.endAt
      }
    } catch (error) { return error instanceof MalformedMediaError }
    return at === bytes.length
  }), runs)
})
