import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { realFootage } from '../support/fragments.ts'
import { run } from '../support/recorder/real-media.ts'
import { at, DIRECTOR, done } from '../requests/support/front-desk.ts'
import { inside, recordRun, type RecordedFrame } from './support/footage.ts'
import { decoded, framesOf } from './support/frames.ts'
import { DOOR, LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const small = { codec: 'h264', width: 160, height: 120, seconds: 4 } as const
const hevc = { codec: 'h265', width: 320, height: 240, seconds: 4 } as const
const range = (fromMs: number, toMs: number, camera = LOBBY) => ({ camera, from: epochMs(NINE + fromMs), to: epochMs(NINE + toMs) })

t.test('H.265 goes as it is to a player that plays it; to another the recorded sub stream goes', async t => {
  await using room = await ScreeningRoom.open(t)
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(hevc), fromMs: NINE, seconds: 8 })
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', stream: 'sub', footage: await realFootage(small), fromMs: NINE, seconds: 8 })
  const application = await room.granted([range(1_000, 6_000)])
  const able = await room.watch(application, { plays: ['h264', 'h265'] })
  await able.player.until('the end', () => able.player.told('end').length === 1)
  t.match(able.player.told('track'), [{ stream: 'main', mime: /^video\/mp4; codecs="h[ev][cv]1\.1\.6\.L\d+/, isTranscoded: false, widthPx: 320 }])
  able.screen.close('closed')
  const unable = await room.watch(application)
  await unable.player.until('the end', () => unable.player.told('end').length === 1)
  t.match(unable.player.told('track'), [{ stream: 'sub', mime: /^video\/mp4; codecs="avc1\.[0-9a-f]{6}"$/, isTranscoded: false, widthPx: 160 }])
})

t.test('without a sub stream it is transcoded, labelled, frame for frame in its place; one at a time, and its child ends with the screen', async t => {
  await using room = await ScreeningRoom.open(t)
  const recorded: RecordedFrame[] = []
  for (const [camera, id] of [[LOBBY, 'hall'], [DOOR, 'gate']] as const) {
    recorded.length = 0
    for (const [fromMs, seconds] of [[0, 2.4], [4_500, 4]] as const) recorded.push(...await recordRun(room.rig, { camera, id, footage: await realFootage(hevc), fromMs: NINE + fromMs, seconds }))
  }
  const application = await room.granted([range(1_250, 6_100), range(1_250, 6_100, DOOR)])
  const { player, screen } = await room.watch(application)
  await player.until('both ends', () => player.told('end').length === 2, 15_000)
  const tracks = player.told('track')
  t.equal(tracks.length, 1, 'one of the two is transcoded')
  t.match(tracks[0], { stream: 'main', isTranscoded: true, mime: /avc1/ })
  t.match(player.told('gap').filter(({ why }) => why === 'transcode-busy').length, 1, 'the other is told that it must wait')
  const index = tracks[0]!.camera
  const { frames, warnings } = await framesOf(player.file(index))
  t.equal(warnings, '')
  const { originAt } = player.told('opened')[0]!
  const expected = inside(recorded, NINE + 1_250, NINE + 6_100)
  t.equal(frames.length, expected.length)
  t.ok(expected.every(({ atMs }, i) => Math.abs(originAt + (frames[i]?.ptsMs ?? 0) - atMs) < 2), 'each frame at its own instant')
  t.ok(player.media(index).every(piece => piece.isTranscoded && Math.abs(piece.mediaMs - (piece.at - originAt)) < 2))
  t.same(await decoded(player.file(index)), { pictures: expected.length, errors: '' })
  screen.close('closed')
  const again = await room.watch(application, { cameras: [DOOR] })
  await again.player.until('the end', () => again.player.told('end').length === 1, 15_000)
  t.match(again.player.told('track'), [{ isTranscoded: true }], 'the turn was given back')
  again.screen.close('closed')
  const children = async () => (await run('pgrep', ['-P', String(process.pid), 'ffmpeg'])).output.toString()
  for (const deadline = performance.now() + 5_000; await children() !== '';) if (performance.now() > deadline) throw new Error('a child is left')
  t.equal(await children(), '')
})

t.test('what is transcoded comes though the player stands still, before what was recorded after it, and the turn is given back at the end', async t => {
  await using room = await ScreeningRoom.open(t)
  const avc = await realFootage({ ...small, width: 320, height: 240 })
  const recorded: RecordedFrame[] = []
  for (const [footage, fromMs, seconds] of [[await realFootage(hevc), 0, 3], [avc, 3_000, 2], [await realFootage(hevc), 5_000, 40]] as const) recorded.push(...await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage, fromMs: NINE + fromMs, seconds }))
  const application = await room.granted([range(0, 45_000)])
  const { player, screen } = await room.watch(application)
  await player.until('pieces up to the bound', () => player.media(0).some(piece => piece.at > NINE + 18_000), 20_000)
  const times = player.media(0).map(({ mediaMs }) => mediaMs)
  t.same(times, times.toSorted((a, b) => a - b), 'in order')
  t.same([...new Set(player.media(0).map(({ isTranscoded, at }) => `${isTranscoded} ${at < NINE + 3_000 ? 'before' : at < NINE + 5_000 ? 'between' : 'after'}`))], ['true before', 'false between', 'true after'])
  player.say({ type: 'seek', at: NINE + 40_000 })
  const { epoch } = await player.until('the end', () => player.told('end').length === 1, 20_000).then(() => player.told('sought').at(-1)!)
  const left = await framesOf(player.file(0, epoch))
  const keyAt = recorded.findLast(({ atMs, isKey }) => isKey && atMs <= NINE + 40_000)!.atMs
  t.equal(left.frames.length, recorded.filter(({ atMs }) => atMs >= keyAt && atMs < NINE + 45_000).length, 'from its key frame to the last inside')
  const other = await room.watch(application)
  await other.player.until('pictures', () => other.player.media(0).length > 0)
  t.equal(other.player.told('gap').length, 0, 'nobody has the turn any more')
  for (const each of [screen, other.screen]) each.close('closed')
})

t.test('a still is the key frame at or before the instant, inside the grant alone; a burst of them is two entries', async t => {
  await using room = await ScreeningRoom.open(t)
  const recorded = await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(small), fromMs: NINE, seconds: 20 })
  const application = await room.granted([range(5_250, 15_000)])
  const { player, screen } = await room.watch(application)
  const keyAt = (ms: number) => recorded.findLast(({ atMs, isKey }) => isKey && atMs <= NINE + ms)?.atMs
  player.say({ type: 'still', camera: 0, at: NINE + 9_500, ref: 7 })
  const stills = () => player.frames.filter(({ kind }) => kind === 'still')
  await player.until('a still', () => stills().length === 1)
  t.match(stills()[0], { epoch: 7, at: keyAt(9_500) })
  t.match((await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', '-f', 'mjpeg', '-i', 'pipe:0'], { input: stills()[0]!.bytes as unknown as string })).output.toString(), /mjpeg,160,120/)
  for (const [ref, ms] of [6_500, 7_500, 8_500, 6_500].entries()) player.say({ type: 'still', camera: 0, at: NINE + ms, ref })
  await player.until('all', () => stills().length === 5)
  t.ok(stills().every(({ at: when }) => when >= NINE + 5_250 && when < NINE + 15_000))
  t.ok((await screen.still(0, epochMs(NINE + 2_000))).at >= NINE + 5_250, 'before the grant there is nothing: the first inside')
  await t.rejects(screen.still(0, epochMs(NINE + 15_000)), { code: 'CUSTOS_PICTURE_FAILED' })
  await t.rejects(screen.still(1, epochMs(NINE + 9_000)), { code: 'CUSTOS_PICTURE_FAILED' }, 'no other camera')
  for (let ref = 0; ref < 100; ref++) player.say({ type: 'still', camera: 0, at: NINE + 6_000 + ref * 80, ref })
  await player.until('a bound', () => player.told('refused').some(({ code }) => code === 'CUSTOS_VIEWING_BUSY'))
  done(await room.front.act(DIRECTOR, application, { kind: 'revoke', reason: '誤核' }))
  await t.rejects(screen.still(0, epochMs(NINE + 9_000)), { code: 'CUSTOS_PICTURE_FAILED' }, 'nor after a revocation')
  await player.until('closed', () => player.isClosed)
  t.equal(room.actions().filter(action => action === 'viewing.scrubbing').length, 1)
  const [scrubbed] = room.front.office.entries('viewing.scrubbed')
  t.ok((JSON.parse(scrubbed?.detail ?? '{}') as { stills: number }).stills > 6)
})
