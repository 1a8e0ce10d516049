import t from 'tap'
import { cameraId, epochMs, runId, streamName } from '../../src/domain/index.ts'
import type { FragmentWatcher, TimedFragment } from '../../src/footage/index.ts'
import { LINK_VERSION, MOST_WATCHES, type Asker } from '../../src/link/index.ts'
import { liveRequests, MOST_LIVE_BYTES, MOST_LIVE_FRAGMENTS } from '../../src/storage/live-requests.ts'
import { LiveTap } from '../../src/storage/live-tap.ts'
import { LiveFeed } from '../../src/viewing/live-feed.ts'
import { Stranger } from '../link/support.ts'
import { builtFragment, builtInit, timedFragment } from '../support/fragments.ts'
import { until } from '../support/until.ts'
import { Office, serveOffice } from './support.ts'

const CAMERA = cameraId('lobby'), STREAM = streamName('main'), T0 = 1_796_000_000_000
const init = builtInit()
const fragment = (n: number, { isKey = true, dataBytes = 3000 } = {}): TimedFragment => timedFragment(
  init, builtFragment({ init, name: `f${n}`, isKey, dataBytes, decodeTimeMs: n * 500 }),
  { runId: 3, startAt: T0 + n * 500, cameraClockOffsetMs: 40 })

/** Streams of `lobby`, each with a tap; counts who watches. */
class Taps {
  readonly tap = new LiveTap()
  watching = 0
  readonly handlers = (asker: Asker) => liveRequests({ watch: (camera, _stream, watcher) => {
    if (camera !== CAMERA) return null
    const stop = this.tap.watch(watcher)
    this.watching++
    return () => { this.watching--; stop() }
  } }, asker)
}

t.test('what is recorded comes over the link as it was, and goes on after the recorder was away', async t => {
  const folder = t.testdir({}), taps = new Taps()
  let server = serveOffice(folder, taps.handlers)
  t.teardown(() => server[Symbol.asyncDispose]())
  await using office = await new Office(folder).connected()
  const seen: Parameters<FragmentWatcher>[] = []
  const stop = office.live.watch(CAMERA, STREAM, (...each) => { seen.push(each) })
  const stopOther = office.live.watch(CAMERA, STREAM, () => { throw new Error('planted') })
  await until('watched once', () => taps.watching === 1)
  const given = [fragment(0), fragment(1, { isKey: false })]
  for (const each of given) taps.tap.offer(each, init)
  await until('both came', () => seen.length === 2)
  for (const [i, [timed, with_]] of seen.entries()) {
    const { fragment: was, ...facts } = given[i]!, { fragment: is, ...told } = timed
    t.same(told, facts)
    t.same(is.tracks, was.tracks)
    t.ok(is.buffer.subarray(is.moofAt, is.endAt).equals(was.buffer.subarray(was.moofAt, was.endAt)))
    t.equal(is.moofBytes, was.moofBytes)
    t.same(with_, init)
  }
  await server[Symbol.asyncDispose]()
  await until('away', () => office.connection.away !== null)
  t.equal(taps.watching, 0, 'a watch ends with its connection')
  server = serveOffice(folder, taps.handlers)
  await until('watched again', () => taps.watching === 1)
  taps.tap.offer(fragment(2), init)
  await until('it came', () => seen.length === 3)
  stopOther()
  stop()
  stop()
  await until('stopped', () => taps.watching === 0)
  t.same([office.live.watched, office.live.dropped], [0, 0])
})

t.test('a live feed of viewing works on it as on a lane', async t => {
  const folder = t.testdir({}), taps = new Taps()
  await using _server = serveOffice(folder, taps.handlers)
  await using office = await new Office(folder).connected()
  const pieces: string[] = []
  const feed = new LiveFeed({ watch: watcher => office.live.watch(CAMERA, STREAM, watcher) })
  const local = new LiveFeed(taps.tap), locals: string[] = []
  const stops = [
    feed.watch(({ bytes, ...piece }) => { pieces.push(JSON.stringify({ ...piece, bytes: bytes.toString('base64') })) }),
    local.watch(({ bytes, ...piece }) => { locals.push(JSON.stringify({ ...piece, bytes: bytes.toString('base64') })) }),
  ]
  await until('watched', () => taps.watching === 1)
  for (let n = 0; n < 4; n++) taps.tap.offer(fragment(n, { isKey: n % 2 === 0 }), init)
  await until('all came', () => pieces.length === 4 && locals.length === 4)
  t.same(pieces, locals)
  for (const stop of stops) stop()
})

t.test('a stream that is not recorded yet is watched once it is', async t => {
  const folder = t.testdir({}), taps = new Taps()
  let isRecorded = false, asked = 0
  await using _server = serveOffice(folder, asker => ({
    ...taps.handlers(asker),
    'live.watch': async body => {
      asked++
      return isRecorded ? await taps.handlers(asker)['live.watch'](body) : { outcome: 'not-recorded' }
    },
  }))
  await using office = await new Office(folder).connected()
  const stop = office.live.watch(CAMERA, STREAM, () => undefined)
  await until('asked', () => asked > 0)
  isRecorded = true
  await until('watched', () => taps.watching === 1)
  stop()
})

t.test('a slow peer costs fragments up to a key frame, is told how many, and what waits is bounded', async t => {
  let waiting = { frames: 0, bytes: 0 }
  const sent: { head: { dropped: number, startAt: number, init: unknown }, bytes: number }[] = []
  const gone = new AbortController()
  const { 'live.watch': watch, 'live.stop': stop } = liveRequests(
    { watch: (_camera, _stream, watcher) => tap.watch(watcher) }, {
      role: 'office', gone: gone.signal, waiting: () => waiting,
      sendMedia: parts => {
        const head = JSON.parse(parts[0]!.toString('utf8', 4)) as (typeof sent)[0]['head']
        sent.push({ head, bytes: parts.at(-1)!.length })
      },
    })
  const tap = new LiveTap(), offered: TimedFragment[] = []
  const offer = async (n: number, more = {}) => {
    offered.push(fragment(n, more))
    tap.offer(offered.at(-1)!, init)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  t.same(await watch({ watch: 1, camera: CAMERA, stream: STREAM }), { outcome: 'watching' })
  await offer(0, { isKey: false })
  waiting = { frames: 3, bytes: MOST_LIVE_BYTES }
  await offer(1)
  await offer(2)
  waiting = { frames: 0, bytes: 0 }
  await offer(3, { isKey: false })
  await offer(4)
  waiting = { frames: MOST_LIVE_FRAGMENTS, bytes: 10 }
  await offer(5)
  waiting = { frames: 0, bytes: 0 }
  await offer(6, { dataBytes: MOST_LIVE_BYTES + 1 })
  t.same(sent.map(({ head }) => [(head.startAt - T0) / 500, head.dropped]), [[0, 0], [4, 3], [6, 1]])
  t.same(sent.map(({ head }) => head.init !== null), [true, false, false])
  for (let n = 2; n <= MOST_WATCHES; n++) await watch({ watch: n, camera: CAMERA, stream: STREAM })
  t.same(await watch({ watch: 99, camera: CAMERA, stream: STREAM }), { outcome: 'too-many' })
  await stop({ watch: 2 })
  t.same(await watch({ watch: 99, camera: CAMERA, stream: STREAM }), { outcome: 'watching' })
  gone.abort()
  t.equal(tap.offer(fragment(7), init), false, 'nobody watches any more')
})

t.test('a peer that watches and does not read costs 4 MiB and no copy', { timeout: 60_000 }, async t => {
  const folder = t.testdir({}), taps = new Taps()
  const askers: Asker[] = []
  await using _server = serveOffice(folder, asker => { askers.push(asker); return taps.handlers(asker) })
  await using deaf = await Stranger.connect(folder)
  deaf.send({ hello: { protocol: LINK_VERSION, role: 'office', version: '1' } })
  deaf.send({ ask: 'live.watch', id: 1, body: { watch: 1, camera: 'lobby', stream: 'main' } })
  await until('watched', () => taps.watching === 1)
  deaf.socket.pause()
  const big = fragment(0, { dataBytes: 200_000 })
  for (let n = 0; n < 200; n++) {
    taps.tap.offer({ ...big, startAt: epochMs(T0 + n * 500), runId: runId(1) }, init)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  const { bytes } = askers[0]!.waiting()
  t.ok(bytes > MOST_LIVE_BYTES / 2 && bytes <= MOST_LIVE_BYTES + 2 ** 16, `${bytes} bytes wait`)
})
