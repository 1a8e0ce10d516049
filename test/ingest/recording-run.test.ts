import Database from 'better-sqlite3'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { recordOnce, type RunEnd, type RunOptions } from '../../src/ingest/recording-run.ts'
import { StorageError } from '../../src/platform/file-system.ts'
import { RingFullError } from '../../src/storage/index.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { cannedCamera, longClip, NotedLane } from './support.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal

interface Running { readonly clock: VirtualClock, readonly lane: NotedLane, readonly refused: unknown[], readonly broken: unknown[], readonly end: Promise<RunEnd>, readonly isOver: () => boolean, /** Ticks of the run's own watch; without time passing the one when the child has ended. */ readonly ticks: () => number, readonly arrivals: () => number }

function running(t: Test, lane: NotedLane, { signal = never, ...more }: Partial<RunOptions> & { signal?: AbortSignal } = {}): Running {
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z', t)
  const wallNow = clock.wallNow.bind(clock)
  // a run reads it at its start, for each fragment that comes, and for nothing else
  clock.wallNow = () => { arrivals++; return wallNow() }
  const refused: unknown[] = [], broken: unknown[] = []
  let isOver = false, ticks = 0, arrivals = -1
  const end = recordOnce({
    secretUrl: 'rtsp://camera.example/main', secrets: [], pictures: 'all', sound: null, cameraClockOffsetMs: () => null, lane: lane.lane, clock, stampRate: 1, onStampRate: () => undefined,
    onRefused: error => { refused.push(error) }, onBroken: error => { broken.push(error) }, onFragment: () => undefined, onTick: () => { ticks++ }, ...more,
  }, signal).finally(() => { isOver = true })
  return { clock, lane, refused, broken, end, isOver: () => isOver, ticks: () => ticks, arrivals: () => arrivals }
}

t.test('an error of any kind from storage is the reason of the run\'s end, and is told once', async t => {
  const errors: [unknown, string][] = [
    [new StorageError('io', 'append body', '/slot', undefined), 'storage-failed'],
    [new RingFullError(null, 'inside-floor'), 'storage-full'],
    [new Database.SqliteError('database is locked', 'SQLITE_BUSY'), 'storage-failed'],
    [new TypeError('x is not a function'), 'storage-failed'],
  ]
  for (const [error, reason] of errors) {
    for (const where of ['onBegin', 'onAppend'] as const) {
      await t.test(`${String(error)}, ${where}`, async t => {
        await cannedCamera(t)
        const lane = new NotedLane()
        lane[where] = () => { throw error }
        const { end, refused, broken } = running(t, lane)
        t.match(await end, { reason, recordedMs: 0, leftBehind: null })
        t.strictSame(refused, [error])
        t.strictSame(broken, [])
        t.strictSame(lane.told, where === 'onBegin' ? ['begin', `none ${reason}`] : ['begin', `end ${reason}`])
      })
    }
  }
})

t.test('a run whose child cannot be started, or cannot be told what to do, ends with the cause and leaves nothing behind', async t => {
  await cannedCamera(t)
  const { PATH } = process.env
  t.teardown(() => { process.env['PATH'] = PATH })
  process.env['PATH'] = '/nowhere' // no program to make a pipe with
  const without = running(t, new NotedLane())
  t.match(await without.end, { reason: 'ffmpeg-failed', leftBehind: null, said: /ffmpeg could not be started/ })
  t.strictSame(without.lane.told, ['none ffmpeg-failed'])
  t.equal(without.clock.pendingWaits, 0)
  process.env['PATH'] = PATH
  const hostile = running(t, new NotedLane(), { secretUrl: 'rtsp://camera.example/\noption x' })
  t.match(await hostile.end, { reason: 'ffmpeg-failed' })
  t.equal(hostile.broken.length, 1)
  t.equal(hostile.clock.pendingWaits, 0)
})

t.test('storage that does not come back is waited for ten seconds, then given up: its late return writes and tells nothing', async t => {
  await cannedCamera(t)
  const lane = new NotedLane(), hung = Promise.withResolvers<void>()
  lane.onAppend = () => lane.appended === 1 ? hung.promise : undefined
  const run = running(t, lane)
  await until('the second append', () => lane.appended === 1)
  await until('the end of the child', () => run.ticks() === 1)
  await run.clock.advance(9_999)
  t.notOk(run.isOver())
  await run.clock.advance(1)
  const end = await run.end
  t.equal(end.reason, 'storage-too-slow')
  t.ok(end.recordedMs > 0 && end.recordedMs < 1000, 'the first append, and no other')
  t.strictSame(lane.told, ['begin', 'end storage-too-slow'])
  hung.resolve()
  await end.leftBehind
  t.equal(lane.appended, 2, 'the call that was under way, and no other')
  t.strictSame(lane.told, ['begin', 'end storage-too-slow'])
  t.strictSame(run.refused, [])
})

t.test('what fails late is told, and changes no end', async t => {
  await cannedCamera(t)
  const lane = new NotedLane(), hung = Promise.withResolvers<void>()
  lane.onAppend = () => hung.promise
  const run = running(t, lane)
  await until('the first append', () => lane.told.includes('begin'))
  await until('the end of the child', () => run.ticks() === 1)
  await run.clock.advance(10_000)
  const end = await run.end
  hung.reject(new StorageError('io', 'append body', '/slot', undefined))
  await end.leftBehind
  t.equal(run.refused.length, 1)
  t.strictSame(lane.told, ['begin', 'end storage-too-slow'])
})

t.test('a run that storage begins too late is closed in the catalogue, without a frame', async t => {
  await cannedCamera(t)
  const lane = new NotedLane(), hung = Promise.withResolvers<void>()
  lane.onBegin = () => hung.promise
  const run = running(t, lane)
  await until('the begin', () => lane.told.includes('begin'))
  await until('the end of the child', () => run.ticks() === 1)
  await run.clock.advance(10_000)
  const end = await run.end
  t.equal(end.reason, 'storage-too-slow')
  t.strictSame(lane.told, ['begin', 'none storage-too-slow'])
  hung.resolve()
  await end.leftBehind
  t.strictSame(lane.told, ['begin', 'none storage-too-slow', 'end storage-too-slow'])
  t.equal(lane.appended, 0)
})

t.test('while storage hangs the pipe is held back, and a stop still ends within its grace and the bound', async t => {
  const camera = await cannedCamera(t, longClip())
  const lane = new NotedLane(), hung = Promise.withResolvers<void>(), stop = new AbortController()
  lane.onBegin = () => hung.promise
  const run = running(t, lane, { signal: stop.signal })
  await until('the first fragment', () => run.arrivals() === 1)
  await run.clock.advance(1_000) // arrivals have settled once a second lies between two of them
  camera.goOn()
  await until('a full queue', () => run.arrivals() === 5)
  stop.abort()
  await turn() // the grace begins
  await run.clock.advance(11_499)
  t.equal(run.arrivals(), 5, 'what does not fit waits in the pipe')
  t.notOk(run.isOver())
  await run.clock.advance(1)
  await until('what is given up to be read away', () => run.clock.pendingWaits > 0)
  await run.clock.advance(0)
  const end = await run.end
  t.equal(end.reason, 'storage-too-slow')
  hung.resolve()
  await end.leftBehind
  t.strictSame(lane.told, ['begin', 'none storage-too-slow', 'end storage-too-slow'])
})

t.test('a catalogue that refuses the end of a run does not take the end away', async t => {
  await cannedCamera(t)
  const lane = new NotedLane()
  lane.onEnd = () => { throw new TypeError('broken') }
  const run = running(t, lane)
  t.match(await run.end, { reason: 'closed-by-camera', leftBehind: null })
  t.equal(run.broken.length, 1)
})

t.test('a session is given up after a silence that is long for its pictures, which come seldom or are held for a key frame', async t => {
  const cases = [['all', 40, 6_160], ['all', 4_000, 22_000], ['key-frames', 40, 27_560], ['key-frames', 4_000, 281_000]] as const
  for (const [pictures, waitMs, boundMs] of cases) {
    await cannedCamera(t, longClip())
    const run = running(t, new NotedLane(), { pictures, pictureWaitMs: () => waitMs })
    await until('the first fragment', () => run.arrivals() === 1)
    const wholeMs = Math.floor(boundMs / 500) * 500
    for (let ms = 0; ms < wholeMs; ms += 500) await run.clock.advance(500)
    t.notOk(run.isOver(), `${pictures}, ${waitMs} ms`)
    await run.clock.advance(1_000)
    t.match(await run.end, { reason: 'stalled' })
  }
})
