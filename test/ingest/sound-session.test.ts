import t, { type Test } from 'tap'
import { CameraSound } from '../../src/ingest/camera-sound.ts'
import { SoundSession } from '../../src/ingest/sound-session.ts'
import { epochMs } from '../../src/domain/index.ts'
import { parseInitSegment, soundTrackOf, withSound } from '../../src/media/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { builtInit } from '../support/fragments.ts'
import { until } from '../support/until.ts'

async function listening(t: Test, url: string) {
  const missing: string[] = [], stop = new AbortController()
  let sounds = 0
  const sound = new CameraSound({ onMissing: said => { missing.push(said) }, onSound: () => { sounds++ } })
  const session = new SoundSession(
    { sound, way: () => ({ url, [Symbol.dispose]: () => undefined }), startedAt: epochMs(Date.now()), clock: systemClock }
  )
  const done = session.run(stop.signal)
  t.teardown(async () => { stop.abort(); await done })
  return { sound, session, missing, sounds: () => sounds, stop, done }
}

t.test('AAC is taken as it is, and has a place beside any pictures', { timeout: 60_000 }, async t => {
  await using server = await CameraServer.start(
    { mounts: [{ path: '/aac', clip: CLIPS.h264Small, audio: 'aac' }] }
  )
  const { sound, session, sounds } = await listening(t, server.url('/aac'))
  await until('sound', () => sounds() === 1 && session.line !== null)
  t.equal(sound.treatment, 'copy')
  await until('a part', () => (session.line!.takeUntil(1e12)?.samples.length ?? 0) > 0)
  const init = withSound(builtInit(), sound.segment!)
  t.match(soundTrackOf(init), { trackId: init.video.trackId + 1, codec: 'mp4a' })
  t.ok(parseInitSegment(init.ftyp, init.moov).video, 'it reads back')
  t.equal(withSound(init, sound.segment!), init, 'once')
})

t.test('sound that MP4 cannot hold is turned into AAC by the next session, and one that a camera lacks is told', { timeout: 60_000 }, async t => {
  await using server = await CameraServer.start(
    {
      mounts: [
        { path: '/g711', clip: CLIPS.h264Small, audio: 'g711' }, { path: '/silent', clip: CLIPS.h264Small },
      ]
    }
  )
  const g711 = await listening(t, server.url('/g711')), silent = await listening(t, server.url('/silent'))
  await until('sound', () => g711.sounds() === 1)
  t.equal(g711.sound.treatment, 'transcode')
  t.equal(g711.missing.length, 0, 'nothing was missing')
  await until('a word', () => silent.missing.length > 0)
  t.equal(silent.sounds(), 0)
  silent.stop.abort()
  await silent.done
})
