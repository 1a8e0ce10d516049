import fc from 'fast-check'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { concatScript, FRAGMENT_DURATION_MS, inputOptions, pictureOptions, soundOptions } from '../../src/ingest/ffmpeg-arguments.ts'
import { FragmentParser } from '../../src/media/index.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { oneRun } from '../support/recorder/one-run.ts'
import { seeded } from '../support/recorder/seeded.ts'

const STARTED_AT = epochMs(1_790_000_000_000)
const runs = seeded(t, 500)

t.test('no option of a child holds anything of the camera', async t => {
  const all = [
    ...inputOptions('video'), ...inputOptions('audio'), ...pictureOptions('all', STARTED_AT), ...pictureOptions('key-frames', STARTED_AT),
    ...soundOptions('copy'), ...soundOptions('transcode'),
  ]
  t.notMatch(all.flat().join(' '), /rtsp:\/\/|@/)
})

t.test('a session brings pictures or sound, and decodes nothing of the other', async t => {
  t.match(concatScript('rtsp://h/a', 'video'), /allowed_media_types video$/m)
  t.match(concatScript('rtsp://h/a', 'audio'), /allowed_media_types audio$/m)
  const decoders = (media: 'video' | 'audio') =>
    inputOptions(media).find(([name]) => name === '-codec_whitelist')![1]
  t.equal(decoders('video'), 'h264,hevc')
  t.notMatch(decoders('audio'), /h264|hevc/)
  t.ok(soundOptions('transcode').some(option => option.join(' ') === '-c:a aac'))
})

t.test('pictures are copied, and fragments last half a second at most', async t => {
  const options = pictureOptions('all', STARTED_AT).map(option => option.join(' '))
  t.ok(options.includes('-c:v copy') && options.includes('-an'))
  t.ok(options.includes(`-frag_duration ${FRAGMENT_DURATION_MS * 1000}`))
  t.ok(FRAGMENT_DURATION_MS <= 500)
})

t.test('key frames only: everything else is dropped before it is written, sound too', async t => {
  const options = pictureOptions('key-frames', STARTED_AT).map(option => option.join(' '))
  t.ok(
    options.some(
      option => option.startsWith('-bsf:v setts=') && option.endsWith(',noise=drop=not(key)')
    ) && options.includes('-c:v copy') && options.includes('-an')
  )
  await using server = await CameraServer.start({ mounts: [{ path: '/a', clip: CLIPS.h264Small, audio: 'aac' }] })
  const { media } = await oneRun(server.url('/a'), { pictures: 'key-frames', enoughBytes: 100_000 })
  const parser = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: 1 << 20 })
  const parsed = [...parser.push(media)]
  const fragments = parsed.flatMap(part => part.kind === 'fragment' ? [part.fragment] : [])
  t.ok(fragments.length >= 3)
  for (const { tracks: [track, ...others] } of fragments) {
    t.same(others, [])
    t.same(track!.samples.map(({ isKey }) => isKey), [true])
  }
})

t.test('the script has one file line, whatever visible text the URL holds', async () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), text => {
    const lines = concatScript(`rtsp://h/${text}`, 'video').split('\n')
    return lines.filter(line => line.startsWith('file ')).length === 1 && lines[0] === 'ffconcat version 1.0' && lines.slice(2, -1).every(line => /^option \w+ [\w+]+$/.test(line))
  }), runs)
})

t.test('a URL that could end its line is refused', async t => {
  for (const char of ['\n', '\r', '\0', '\t', '\u007f']) t.throws(
    () => concatScript(`rtsp://h/a${char}file '/etc/passwd'`, 'video'), RangeError
  )
})
