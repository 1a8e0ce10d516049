import fc from 'fast-check'
import t from 'tap'
import { concatScript, FRAGMENT_DURATION_MS, INPUT_OPTIONS,
  outputOptions } from '../../src/ingest/ffmpeg-arguments.ts'
import { FragmentParser } from '../../src/media/index.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { oneRun } from '../support/recorder/one-run.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 500)

t.test('no option of a child holds anything of the camera', async t => {
  for (const audio of ['off', 'copy', 'transcode', 'key-frames'] as const) {
    const all = [...INPUT_OPTIONS, ...outputOptions(audio)].flat().join(' ')
    t.notMatch(all, /rtsp:\/\/|@/)
    t.equal(all, [...INPUT_OPTIONS, ...outputOptions(audio)].flat().join(' '), 'they are the same for every camera')
  }
})

t.test('pictures are copied, and fragments last half a second at most', async t => {
  const options = outputOptions('off').map(option => option.join(' '))
  t.ok(options.includes('-c:v copy') && options.includes('-an'))
  t.ok(options.includes(`-frag_duration ${FRAGMENT_DURATION_MS * 1000}`))
  t.ok(FRAGMENT_DURATION_MS <= 500)
})

t.test('key frames only: everything else is dropped before it is written, sound too', async t => {
  const options = outputOptions('key-frames').map(option => option.join(' '))
  t.ok(options.includes('-bsf:v noise=drop=not(key)') && options.includes('-c:v copy') && options.includes('-an'))
  t.notOk(outputOptions('copy').flat().some(option => option.includes('drop')))
  t.match(concatScript('rtsp://h/a', 'key-frames'), /allowed_media_types video$/m)
  await using server = await CameraServer.start({ mounts: [{ path: '/a', clip: CLIPS.h264Small, audio: 'aac' }] })
  const { media } = await oneRun(server.url('/a'), { audio: 'key-frames', enoughBytes: 100_000 })
  const parser = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: 1 << 20 })
  const parsed = [...parser.push(media)]
  const fragments = parsed.flatMap(part => part.kind === 'fragment' ? [part.fragment] : [])
  t.ok(fragments.length >= 3)
  for (const { tracks: [track, ...others] } of fragments) {
    t.same(others, [])
    t.same(track!.samples.map(({ isKey }) => isKey), [true])
    t.equal(track!.durationTicks, 90_000, 'it stands until the next one, so that the times of a run stay right')
  }
})

t.test('the script has one file line, whatever visible text the URL holds', async () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), text => {
    const lines = concatScript(`rtsp://h/${text}`, 'off').split('\n')
    return lines.filter(line => line.startsWith('file ')).length === 1 && lines[0] === 'ffconcat version 1.0' && lines.slice(2, -1).every(line => /^option \w+ [\w+]+$/.test(line))
  }), runs)
})

t.test('a URL that could end its line is refused', async t => {
  for (const char of ['\n', '\r', '\0', '\t', '\u007f']) t.throws(() => concatScript(`rtsp://h/a${char}file '/etc/passwd'`, 'off'), RangeError)
})
