import t from 'tap'
import { CameraSound } from '../../src/ingest/camera-sound.ts'
import type { SoundSegment } from '../../src/media/index.ts'

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE
const kind = (name: string): SoundSegment => ({ moov: Buffer.from(name) }) as SoundSegment

function known() {
  const missing: string[] = []
  return { sound: new CameraSound({ onMissing: said => { missing.push(said) }, onSound: () => undefined }), missing }
}

t.test('sound whose session ends that of the pictures is tried again less and less often', t => {
  const { sound, missing } = known()
  let nowMs = 0
  const rests: number[] = []
  for (let i = 0; i < 6; i++) {
    sound.sessionBegins(nowMs)
    sound.picturesEnd(nowMs, nowMs += 2 * SECOND)
    rests.push(sound.restMs(nowMs))
    nowMs += sound.restMs(nowMs)
  }
  t.strictSame(rests, [MINUTE, 10 * MINUTE, HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR])
  t.equal(missing.length, 6)
  t.match(missing[1], 'tried again in 600 s')
  sound.sessionBegins(nowMs)
  sound.sessionBegins(nowMs += MINUTE)
  sound.picturesEnd(HOUR, nowMs += SECOND)
  t.equal(sound.restMs(nowMs), MINUTE, 'pictures stood the session before: this end is the first')
  t.end()
})

t.test('pictures that end by themselves do not keep sound away', t => {
  const { sound } = known()
  sound.sessionBegins(0)
  sound.picturesEnd(2 * SECOND, 2 * SECOND)
  t.equal(sound.restMs(2 * SECOND), MINUTE)
  sound.picturesEnd(5 * SECOND, 8 * SECOND)
  t.equal(sound.restMs(8 * SECOND), 0, 'they end without sound too')
  sound.sessionBegins(9 * SECOND)
  sound.picturesEnd(HOUR, HOUR)
  t.equal(sound.restMs(HOUR), 0)
  t.end()
})

t.test('a sound of another kind is taken once in ten minutes', t => {
  const { sound } = known()
  t.ok(sound.takeSegment(kind('a'), 0))
  t.notOk(sound.takeSegment(kind('b'), 5 * MINUTE))
  t.equal(sound.segment?.moov.toString(), 'a')
  t.ok(sound.takeSegment(kind('a'), 6 * MINUTE), 'the same is no change')
  t.ok(sound.takeSegment(kind('b'), 10 * MINUTE))
  t.notOk(sound.takeSegment(kind('a'), 11 * MINUTE))
  t.end()
})
