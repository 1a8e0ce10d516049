import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { groupsToPlay, playbackText, playVideos, type ManifestRecord } from '../../../src/export/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { realFootage, spoiltPictures, type Footage } from '../../support/fragments.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { inARow, Shelf, span, take } from './support.ts'

const root = t.testdir()
let takes = 0
async function taken(footage: Footage, count: number, changes: Parameters<typeof take>[2] = {}) {
  const folder = path.join(root, `take-${++takes}`), shelf = new Shelf()
  mkdirSync(folder)
  await shelf.add(footage, inARow(footage, count), { slotBytes: 32 << 20 })
  return { folder, videos: (await take(shelf, folder, changes)).videos }
}
const play = ({ folder, videos }: Awaited<ReturnType<typeof taken>>, { clock = systemClock as Parameters<typeof playVideos>[1]['clock'], signal = new AbortController().signal } = {}) => playVideos(videos, { folder, clock, pace: () => Promise.resolve(), signal })
/** Records of half a second; `K` begins with a key frame. */
const records = (pattern: string): ManifestRecord[] => Array.from(pattern, (char, sequence) => ({ segment: 0, sequence, offset: 1000 + sequence * 10, bytes: 10, at: '', durationMs: 500, frames: 8, key: char === 'K', cut: false, sha256: '', proof: [] }))
const shown = (pattern: string): string => groupsToPlay(records(pattern)).map(group => `${group[0]!.sequence}+${group.length}`).join(' ')

t.test('of a short file all, of a longer one the first and the last group of pictures, and no more than twenty seconds of either', async t => {
  t.equal(shown('K-K-K-'), '0+6')
  t.equal(shown('K-'.repeat(30)), '0+2 58+2')
  t.equal(shown(`K${'-'.repeat(299)}`), '0+40', 'one group: its beginning')
  t.equal(shown(`K-${`K${'-'.repeat(99)}`.repeat(2)}`), '0+2 102+40')
})

for (const codec of ['h264', 'h265'] as const) t.test(`${codec}: sound pictures decode to the last one, also of a file that was cut; spoilt ones are told, wherever they are looked at`, async t => {
  const short = await realFootage({ codec, width: 320, height: 180, seconds: 4 }), long = await realFootage({ codec, width: 320, height: 180, seconds: 12 })
  t.match(await play(await taken(short, short.count)), [{ extent: 'whole', pictures: 60, decoded: 60, result: 'decoded' }])
  t.match(await play(await taken(short, short.count, { range: span(700, 3_300) })), [{ extent: 'whole', result: 'decoded' }], 'cut at both ends')
  t.match(await play(await taken(long, long.count)), [{ extent: 'first-and-last', pictures: 30, decoded: 30, result: 'decoded' }])
  for (const position of [0, long.count - 2]) {
    const [told] = await play(await taken(spoiltPictures(long, [position]), long.count))
    t.match(told, { extent: 'first-and-last', pictures: 30, result: 'undecodable' }, `fragment ${position}`)
  }
  t.match(await play(await taken(spoiltPictures(long, [10]), long.count)), [{ result: 'decoded' }], 'the middle of a long file is not played, and the result says which parts were')
})

t.test('what the shell or a library says of the machine is no fault of the pictures; what the decoder says is', async t => {
  const short = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), loud = path.join(root, 'loud-ffmpeg')
  writeFileSync(loud, '#!/bin/sh\necho "nice: cannot set niceness: Operation not permitted" >&2\necho "Warning: using insecure memory!" >&2\nexec ffmpeg "$@"\n', { mode: 0o755 })
  process.env['CUSTOS_FFMPEG'] = loud
  t.teardown(() => { delete process.env['CUSTOS_FFMPEG'] })
  t.match(await play(await taken(short, short.count)), [{ pictures: 60, decoded: 60, result: 'decoded' }])
  t.match(await play(await taken(spoiltPictures(short, [0]), short.count)), [{ result: 'undecodable' }])
})

t.test('no decoder, or no time left: told as not played, never as sound; stopped when the copy is', async t => {
  const short = await realFootage({ codec: 'h264', width: 320, height: 180, seconds: 4 }), one = await taken(short, short.count)
  process.env['CUSTOS_FFMPEG'] = '/nowhere/ffmpeg'
  try { t.match(await play(one), [{ decoded: 0, result: 'not-played' }]) } finally { delete process.env['CUSTOS_FFMPEG'] }
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  const late = await playVideos([...one.videos, ...one.videos], { folder: one.folder, clock, pace: async () => { await clock.advance(10 * 60_000) }, signal: new AbortController().signal })
  t.match(late.map(({ result }) => result), ['decoded', 'not-played'], 'fifteen minutes for all files together')
  const stop = new AbortController()
  stop.abort(new Error('cancelled'))
  await t.rejects(play(one, { signal: stop.signal }), /cancelled/)
  t.match(playbackText([]), { isAllWell: true })
  t.match(playbackText(late), { isAllWell: false, zh: /2 檔，1 檔未能播放檢查/, en: /1 not played/ })
})
