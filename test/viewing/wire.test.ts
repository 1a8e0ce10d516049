import fc from 'fast-check'
import t from 'tap'
import { decodeFrame, encodeFrame, parseClientMessage, WIRE_HEADER_BYTES, type WireFrame } from '../../src/viewing/index.ts'

const frames: fc.Arbitrary<WireFrame> = fc.record({
  kind: fc.constantFrom('init', 'media', 'still'), camera: fc.integer({ min: 0, max: 0xffff }), epoch: fc.integer({ min: 0, max: 0xffff_ffff }), at: fc.integer({ min: 0, max: 4e12 }), mediaMs: fc.double({ min: 0, max: 1e10, noNaN: true }),
  durationMs: fc.integer({ min: 0, max: 60_000 }), frames: fc.integer({ min: 0, max: 0xffff }), isPreRoll: fc.boolean(), beginsChain: fc.boolean(), isTranscoded: fc.boolean(), bytes: fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
})

t.test('a frame comes back as it was; what is none is refused', async t => {
  fc.assert(fc.property(frames, frame => {
    const back = decodeFrame(encodeFrame(frame))
    return JSON.stringify(back) === JSON.stringify(frame)
  }))
  t.throws(() => decodeFrame(Buffer.alloc(WIRE_HEADER_BYTES - 1)), RangeError)
  t.throws(() => decodeFrame(Buffer.alloc(WIRE_HEADER_BYTES)), RangeError)
})

t.test('a player\'s message is taken by its own fields alone; anything else is none, whatever it is', async t => {
  t.same(parseClientMessage('{"type":"hello","plays":["h265","vp9","h264"],"more":1}'), { type: 'hello', plays: ['h264', 'h265'] })
  t.same(parseClientMessage('{"type":"seek","at":1795136400000,"camera":3}'), { type: 'seek', at: 1_795_136_400_000 })
  t.same(parseClientMessage('{"type":"still","camera":1,"at":5,"ref":7}'), { type: 'still', camera: 1, at: 5, ref: 7 })
  for (const text of ['', '{', 'null', '7', '[]', '{"type":"open"}', '{"type":"seek"}', '{"type":"seek","at":"1"}', '{"type":"seek","at":1e300}', '{"type":"still","camera":-1,"at":1,"ref":1}', '{"type":"play","rate":0}', '{"type":"play","rate":99}', `{"type":"act","x":"${'x'.repeat(600)}"}`]) {
    t.equal(parseClientMessage(text), null, text.slice(0, 40))
  }
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), text => {
    const message = parseClientMessage(text)
    return message === null || ['hello', 'at', 'seek', 'play', 'pause', 'act', 'still', 'close'].includes(message.type)
  }))
})
