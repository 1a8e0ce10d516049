import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { cameraId, streamName, type CameraConfig } from '../../src/domain/index.ts'
import { LaneTurn } from '../../src/ingest/lane-turn.ts'
import { StreamSupervisor } from '../../src/ingest/stream-supervisor.ts'
import { RelayFault } from '../../src/ingest/rtsp/relay-fault.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { RingFullError } from '../../src/storage/index.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { cannedCamera, NotedLane, noTraits, straightWay } from './support.ts'
import { until } from '../support/until.ts'

interface Line { readonly level: string, readonly msg: string, readonly reason?: string, readonly failures?: number, readonly said?: string, readonly err?: { readonly message: string } }

function supervised(t: Test, lane: NotedLane,
  { url = 'rtsp://viewer:secret@camera.example/main', turnOf = new LaneTurn(), relay = straightWay } = {}) {
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z', t), stop = new AbortController()
  const lines: Line[] = []
  const camera: CameraConfig = {
    id: cameraId('lobby'), name: 'lobby', place: null, credential: { username: 'viewer', password: 'secret' }, audio: false, priority: 5,
    streams: [{ name: streamName('main'), source: { kind: 'url', url }, declaredBps: null, lower: null }],
  }
  const supervisor = new StreamSupervisor({
    camera, stream: camera.streams[0]!, relay, traits: noTraits, lane: lane.lane, turn: turnOf, mode: 'full',
      onRecording: () => undefined, clock, random: () => 0.5,
    log: createLogger({ destination: { write: line => { lines.push(JSON.parse(line) as Line) } } }),
  })
  const done = supervisor.run(stop.signal, 0)
  /** Lets time pass in small steps until it is so, and children do what they do. */
  const passing = (what: string, isSo: () => boolean) => {
    let isMoving = false
    return until(what, () => {
      if (!isMoving && clock.pendingWaits > 0 && !isSo()) {
        isMoving = true
        void clock.advance(250).then(() => { isMoving = false })
      }
      return isSo()
    })
  }
  const end = async () => { stop.abort(); await passing('the end', () => supervisor.facts().state === 'stopped'); await done }
  return { clock, supervisor, lines, passing, end, done }
}

t.test('a run that cannot be told what to record is a failure like any other', async t => {
  await cannedCamera(t)
  const lane = new NotedLane()
  const { lines, supervisor, passing, end } = supervised(t, lane, { url: 'no url at all\nbut two lines' })
  await passing('three failures', () => supervisor.facts().restarts >= 3)
  t.equal(supervisor.facts().lastEndReason, 'ffmpeg-failed')
  await end()
  t.match(lines.filter(({ msg }) => msg === 'run crashed'), [{ level: 'error', failures: 1, err: { message: /control character/ } }])
  t.equal(lines.filter(({ msg }) => msg === 'run ended').length, 1, 'and not at each try')
  t.ok(lane.told.includes('none ffmpeg-failed'), 'the gap knows the cause')
  t.notMatch(JSON.stringify(lines), 'secret')
})

t.test('a run that throws is told, tried again, and the end of nothing', async t => {
  await cannedCamera(t)
  const lane = new NotedLane(), { lane: broken } = lane
  const { append } = broken
  let throws = 3
  Object.defineProperty(broken, 'append', { get: () => { if (throws-- > 0) throw new TypeError('no lane at all'); return append } })
  Object.defineProperty(lane, 'lane', { value: broken })
  const { lines, supervisor, passing, end } = supervised(t, lane)
  await passing('three failures', () => supervisor.facts().restarts === 3)
  t.match(supervisor.facts(), { lastEndReason: 'ffmpeg-failed' })
  t.strictSame(lane.told.slice(0, 4), ['none starting', ...Array(3).fill('none ffmpeg-failed')])
  await passing('footage', () => lane.appended > 0)
  await end()
  t.match(lines.filter(({ msg }) => msg.startsWith('run crash')), [{ level: 'error', failures: 1, err: { message: 'no lane at all' } }])
  t.equal(lines.filter(({ msg }) => msg === 'runs crash no more').length, 1)
})

t.test('a catalogue that cannot be read at the start keeps no stream from being recorded', async t => {
  const camera = await cannedCamera(t)
  const lane = new NotedLane()
  const broken = lane.lane
  broken.noteStarting = () => { throw new Error('disk I/O error') }
  Object.defineProperty(lane, 'lane', { value: broken })
  const { passing, end } = supervised(t, lane)
  await passing('the camera', () => camera.starts() >= 1 && lane.appended > 0)
  await end()
})

t.test('a full ring is told once and then each half minute, not at each try', async t => {
  const camera = await cannedCamera(t)
  const lane = new NotedLane()
  let isFull = true
  lane.onAppend = () => { if (isFull) throw new RingFullError(null, 'inside-floor') }
  const { clock, lines, supervisor, passing, end } = supervised(t, lane)
  const startedAt = clock.monoNow()
  await passing('many tries', () => supervisor.facts().restarts >= 8)
  const halfMinutes = Math.floor((clock.monoNow() - startedAt) / 30_000) + 1
  const refused = lines.filter(({ msg }) => msg === 'storage refused a fragment')
  t.ok(refused.length <= halfMinutes, `${refused.length} lines of ${camera.starts()} tries in ${clock.monoNow() - startedAt} ms`)
  t.match(refused[0], { level: 'warn', failures: 1, err: { message: /no slot is free/ } })
  isFull = false
  await passing('a fragment that is stored', () => lane.appended > 0)
  await end()
  t.match(lines.filter(({ msg }) => msg === 'storage takes fragments again'), [{ level: 'info', failures: Number }])
  t.match(lines.filter(({ msg }) => msg === 'recording again'), [{ level: 'info', failures: Number }])
})

t.test('storage that never comes back: runs go on ending, none writes beside the call that hangs, and when it returns the stream is recorded at once', async t => {
  const camera = await cannedCamera(t)
  const lane = new NotedLane(), hung = Promise.withResolvers<void>()
  lane.onAppend = () => lane.appended === 0 ? hung.promise : undefined
  const { supervisor, lines, passing, end } = supervised(t, lane)
  await passing('several runs that could not begin', () => supervisor.facts().restarts >= 4)
  t.equal(supervisor.facts().lastEndReason, 'storage-too-slow')
  t.equal(camera.starts(), 1, 'the camera is not asked for what nobody can keep')
  t.ok(lane.told.includes('none storage-too-slow'))
  hung.resolve()
  await until('the camera, asked again without any time passing', () => camera.starts() === 2)
  await passing('footage', () => lane.appended > 1)
  t.match(lines.map(({ msg }) => msg), /recording again|recording/)
  await end()
})

t.test('whoever records the stream next waits for what storage does for the one before', async t => {
  const camera = await cannedCamera(t)
  const lane = new NotedLane(), hung = Promise.withResolvers<void>(), turnOf = new LaneTurn()
  turnOf.leave(hung.promise)
  const { supervisor, passing, end } = supervised(t, lane, { turnOf })
  await passing('a run that could not begin', () => supervisor.facts().restarts >= 1)
  t.equal(camera.starts(), 0)
  hung.resolve()
  await turn()
  await passing('footage', () => lane.appended > 0)
  await end()
})

t.test('a password that the camera took before is told as lapsed', async t => {
  await cannedCamera(t)
  const program = process.env['CUSTOS_FFMPEG']!
  process.env['CUSTOS_FFMPEG'] = '/bin/false' // no picture comes
  const fault = () => new RelayFault('auth-refused', 'the camera refused the user name or password')
  const relay: typeof straightWay = { ticket: url => ({ url, fault, takeLossesAgoMs: () => [], [Symbol.dispose]: () => undefined }) }
  const lane = new NotedLane(), { supervisor, passing, end } = supervised(t, lane, { relay })
  await passing('the first refusal', () => supervisor.facts().lastEndReason !== null)
  t.equal(supervisor.facts().lastEndReason, 'auth-refused')
  process.env['CUSTOS_FFMPEG'] = program
  await passing('pictures, and a refusal', () => supervisor.facts().lastEndReason === 'auth-lapsed')
  t.ok(lane.told.includes('end auth-lapsed'), 'the gap knows it too')
  await end()
})
