import fc from 'fast-check'
import t from 'tap'
import { FragmentParser } from '../../src/media/fragment-parser.ts'
import type { InitSegment, VideoCodec } from '../../src/media/init-segment.ts'
import { mergeParameterSets, parameterSetsInSample, parameterSetsOfAvcC, parameterSetsOfHvcC, type ParameterSets } from '../../src/media/parameter-sets.ts'
import { realMedia } from '../support/recorder/real-media.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 500)

async function initOf(codec: 'libx264' | 'libx265', size = '160x120'): Promise<InitSegment> {
  const [first] = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: 1 << 24 }).push(await realMedia({ codec, size, seconds: 1 }))
  if (first?.kind !== 'init') throw new Error('no init segment')
  return first.init
}

const SLICE: Record<VideoCodec, Buffer> = { h264: Buffer.from([0x65, 0x88, 1, 2, 3]), h265: Buffer.from([0x26, 0x01, 0xa0, 1, 2]) }
const SEI: Record<VideoCodec, Buffer> = { h264: Buffer.from([0x06, 5, 1, 0, 0x80]), h265: Buffer.from([0x4e, 0x01, 5, 1, 0, 0x80]) }
const sample = (...nals: readonly Buffer[]): Buffer => Buffer.concat(nals.flatMap(nal => { const length = Buffer.alloc(4); length.writeUInt32BE(nal.length); return [length, nal] }))

for (const encoder of ['libx264', 'libx265'] as const) {
  t.test(`${encoder}: the same sets sent again are no change, whatever stands around them`, async t => {
    const { video } = await initOf(encoder)
    const seen = parameterSetsInSample(video.codec, 4, sample(SEI[video.codec], ...video.parameterSets.values(), SLICE[video.codec]))
    t.strictSame([...seen.keys()].sort(), [...video.parameterSets.keys()].sort())
    const { changed, merged } = mergeParameterSets(video.parameterSets, seen)
    t.equal(changed, false)
    t.equal(merged, video.parameterSets)
  })

  t.test(`${encoder}: another picture size is a change, and is none the next time`, async t => {
    const [before, after] = [await initOf(encoder), await initOf(encoder, '192x128')]
    const { codec } = before.video
    const seen = parameterSetsInSample(codec, 4, sample(...after.video.parameterSets.values(), SLICE[codec]))
    const first = mergeParameterSets(before.video.parameterSets, seen)
    t.equal(first.changed, true)
    t.equal(mergeParameterSets(first.merged, seen).changed, false)
    t.equal(mergeParameterSets(first.merged, before.video.parameterSets).changed, true, 'and back again')
  })

  t.test(`${encoder}: a frame without sets changes nothing`, async t => {
    const { video } = await initOf(encoder)
    t.equal(parameterSetsInSample(video.codec, 4, sample(SLICE[video.codec])).size, 0)
  })

  t.test(`${encoder}: sets behind the first slice belong to another picture and are not read`, async t => {
    const { video } = await initOf(encoder)
    t.equal(parameterSetsInSample(video.codec, 4, sample(SLICE[video.codec], ...video.parameterSets.values())).size, 0)
  })
}

t.test('a second picture parameter set beside the first is a change, and both are kept', async t => {
  const { video } = await initOf('libx264')
  const pps1 = Buffer.from([0x68, 0b01011000, 0x80]) // pic_parameter_set_id 1: 010
  const seen = parameterSetsInSample('h264', 4, sample(pps1, SLICE.h264))
  t.strictSame([...seen.keys()], ['pps1'])
  const { changed, merged } = mergeParameterSets(video.parameterSets, seen)
  t.equal(changed, true)
  t.strictSame([...merged.keys()].sort(), ['pps0', 'pps1', 'sps0'])
})

t.test('a sample that does not parse yields what was read up to there', async t => {
  const { video } = await initOf('libx264')
  const [sps, pps] = [video.parameterSets.get('sps0')!, video.parameterSets.get('pps0')!]
  const cut = sample(sps, pps, SLICE.h264).subarray(0, 4 + sps.length + 4 + pps.length - 1)
  t.strictSame([...parameterSetsInSample('h264', 4, cut).keys()], ['sps0'])
  t.equal(parameterSetsInSample('h264', 4, Buffer.alloc(4)).size, 0)
  t.equal(parameterSetsInSample('h264', 4, Buffer.alloc(0)).size, 0)
})

t.test('sets are copies: the fragment they were read from goes on to the disk', async t => {
  const { video } = await initOf('libx264')
  const bytes = sample(...video.parameterSets.values(), SLICE.h264)
  const seen = parameterSetsInSample('h264', 4, bytes)
  bytes.fill(0)
  t.equal(mergeParameterSets(video.parameterSets, seen).changed, false)
})

t.test('random bytes never throw anything but malformed, and never hang', async () => {
  const bytes = fc.uint8Array({ maxLength: 120 }).map(random => Buffer.from(random))
  fc.assert(fc.property(fc.constantFrom('h264' as const, 'h265' as const), fc.constantFrom(1, 2, 3, 4), bytes, (codec, nalLengthBytes, random) => {
    const sets: ParameterSets = parameterSetsInSample(codec, nalLengthBytes, random)
    for (const parse of [parameterSetsOfAvcC, parameterSetsOfHvcC]) {
      try { parse(random) } catch (error) { if (!(error instanceof Error) || error.name !== 'MalformedMediaError') throw error }
    }
    return [...sets.values()].reduce((sum, set) => sum + set.length, 0) <= random.length
  }), runs)
})
