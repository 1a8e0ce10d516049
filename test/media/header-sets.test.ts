import t from 'tap'
import { needsNewHeader, sequenceParameters, withParameterSets } from '../../src/media/index.ts'
import { realFootage } from '../support/fragments.ts'

const CAMERAS = [
  { codec: 'h264', width: 64, height: 48, seconds: 1 }, { codec: 'h264', width: 322, height: 182, seconds: 1 },
  { codec: 'h265', width: 64, height: 48, seconds: 1 }, { codec: 'h265', width: 322, height: 182, seconds: 1 },
] as const

t.test('an SPS tells the picture size, as the encoder meant it', async t => {
  for (const camera of CAMERAS) {
    const { init } = await realFootage(camera)
    const sps = [...init.video.parameterSets].find(([id]) => id.startsWith('sps'))![1]
    t.match(sequenceParameters(camera.codec, sps), { widthPx: camera.width, heightPx: camera.height, chromaFormat: 1, lumaBits: 8 })
  }
})

t.test('a header takes other parameter sets, with their size; the same ones leave it as it is', async t => {
  for (const [small, large] of [[CAMERAS[0], CAMERAS[1]], [CAMERAS[2], CAMERAS[3]]] as const) {
    const [a, b] = [(await realFootage(small)).init, (await realFootage(large)).init]
    t.equal(withParameterSets(a, a.video.parameterSets), a)
    const changed = withParameterSets(a, b.video.parameterSets)
    t.match(changed.video, { widthPx: large.width, heightPx: large.height, nalLengthBytes: a.video.nalLengthBytes })
    t.strictSame([...changed.video.parameterSets], [...b.video.parameterSets])
    t.strictSame(withParameterSets(changed, a.video.parameterSets).video, a.video, 'and back')
    t.ok(needsNewHeader(a, b.video.parameterSets), 'another size needs a header of its own')
    const pps = new Map([...a.video.parameterSets].map(([id, nal]) => [id, id.startsWith('pps') ? Buffer.concat([nal, nal.subarray(1)]) : nal]))
    t.notOk(needsNewHeader(a, pps), 'another PPS does not')
    t.throws(() => withParameterSets(a, new Map()), { name: 'MalformedMediaError' })
  }
})
