import t from 'tap'
import { boxesIn, findBox, MalformedMediaError, UnsupportedMediaError } from '../../src/media/box.ts'
import { parseInitSegment, type InitSegment } from '../../src/media/init-segment.ts'
import { realMedia } from '../support/recorder/real-media.ts'

function initBytes(media: Buffer): { ftyp: Buffer, moov: Buffer } {
  const [ftyp, moov] = ['ftyp', 'moov'].map(type => {
    const box = findBox(media, { bodyAt: 0, endAt: media.length }, type)!
    return Buffer.from(media.subarray(box.at, box.endAt))
  })
  return { ftyp: ftyp!, moov: moov! }
}
const initOf = (media: Buffer): InitSegment => { const { ftyp, moov } = initBytes(media); return parseInitSegment(ftyp, moov) }

const h264 = await realMedia({ codec: 'libx264' })
const withSound = await realMedia({ codec: 'libx264', audio: true })

t.test('reads size, timescale and parameter sets of H.264', async t => {
  const { video, tracks } = initOf(h264)
  t.match(video, { kind: 'video', codec: 'h264', widthPx: 160, heightPx: 120, nalLengthBytes: 4 })
  t.equal(video.timescale, 10_240)
  t.strictSame([...video.parameterSets.keys()].sort(), ['pps0', 'sps0'])
  t.equal(tracks.length, 1)
})

t.test('reads H.265 with its three kinds of parameter sets', async t => {
  const { video } = initOf(await realMedia({ codec: 'libx265' }))
  t.match(video, { kind: 'video', codec: 'h265', widthPx: 160, heightPx: 120, nalLengthBytes: 4 })
  t.strictSame([...video.parameterSets.keys()].sort(), ['pps0', 'sps0', 'vps0'])
})

t.test('tells pictures and AAC sound apart', async t => {
  const { tracks, video } = initOf(withSound)
  t.strictSame(tracks.map(track => track.kind), ['video', 'audio'])
  t.match(tracks[1], { kind: 'audio', codec: 'mp4a', timescale: 44_100 })
  t.not(tracks[1]?.trackId, video.trackId)
})

t.test('pictures that are neither H.264 nor H.265 are unsupported, not broken', async t => {
  const media = await realMedia({ codec: 'mjpeg', seconds: 1 })
  t.throws(() => initOf(media), { name: /Error/, message: /neither H\.264 nor H\.265/ })
  try { initOf(media) } catch (error) { t.ok(error instanceof UnsupportedMediaError) }
})

t.test('shares no memory with what it was read from', async t => {
  const { ftyp, moov } = initBytes(h264)
  const init = parseInitSegment(ftyp, moov)
  const before = [...init.video.parameterSets.values()].map(set => set.toString('hex'))
  const bytes = init.moov.toString('hex')
  moov.fill(0)
  ftyp.fill(0)
  t.equal(init.moov.toString('hex'), bytes)
  t.strictSame([...init.video.parameterSets.values()].map(set => set.toString('hex')), before)
})

/** The bytes of a moov with the first box of that type renamed, so that a reader finds another or none. */
function renamed(media: Buffer, type: string, to: string): InitSegment {
  const { ftyp, moov } = initBytes(media)
  moov.write(to, moov.indexOf(type), 'latin1')
  return parseInitSegment(ftyp, moov)
}

t.test('refuses an init segment without pictures, without times, or with a track of another kind', async t => {
  t.throws(() => renamed(h264, 'trak', 'free'), { message: /0 video tracks/ })
  t.throws(() => renamed(h264, 'mdhd', 'free'), MalformedMediaError)
  t.throws(() => renamed(h264, 'stsd', 'free'), MalformedMediaError)
  t.throws(() => renamed(h264, 'avcC', 'free'), MalformedMediaError)
  t.throws(() => renamed(h264, 'vide', 'subt'), { message: /kind "subt"/ })
  t.throws(() => renamed(withSound, 'soun', 'vide'), MalformedMediaError)
})

t.test('refuses a timescale of zero and two tracks with one id', async t => {
  const { ftyp, moov } = initBytes(h264)
  moov.writeUInt32BE(0, moov.indexOf('mdhd') + 4 + 12)
  t.throws(() => parseInitSegment(ftyp, moov), { message: /timescale/ })
  const both = initBytes(withSound)
  const trackIds = [...boxesIn(both.moov, 8, both.moov.length)].filter(box => box.type === 'trak').map(box => both.moov.indexOf('tkhd', box.at) + 4 + 12)
  both.moov.writeUInt32BE(both.moov.readUInt32BE(trackIds[0]!), trackIds[1]!)
  t.throws(() => parseInitSegment(both.ftyp, both.moov), { message: /share an id/ })
})

t.test('refuses parameter sets that run out of their box', async t => {
  for (const [codec, type, at] of [['libx264', 'avcC', 6], ['libx265', 'hvcC', 26]] as const) {
    const { ftyp, moov } = initBytes(await realMedia({ codec }))
    moov.writeUInt16BE(0xffff, moov.indexOf(type) + 4 + at)
    t.throws(() => parseInitSegment(ftyp, moov), MalformedMediaError, codec)
  }
})
