import t from 'tap'
import pino from 'pino'
import { type CameraUuid, epochMs } from '../../src/domain/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { openViewing } from '../../src/viewing/index.ts'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { framesOf } from './support/frames.ts'
import { liveRecorder, MAIN, stampsIn } from './support/live-recorder.ts'
import { TestPlayer } from './support/player.ts'
import { RULES, ScreeningRoom } from './support/screening-room.ts'

const VIEWERS = 8

t.test('eight viewings read the slots that are being written, from real files: each gets exactly its frames, and no recorded frame is lost', async t => {
  await using cameras = await CameraServer.start({ mounts: [{ path: '/lobby', clip: CLIPS.h264Small }] })
  await using room = await ScreeningRoom.open(t)
  await using recorder = await liveRecorder(t.testdir({ state: {} }), [{ id: 'lobby', url: cameras.url('/lobby') }])
  const { office, desk } = room.front
  await using viewing = openViewing({
    db: office.db, audit: office.audit, access: office.access, time: { wallNow: () => office.clock.wallNow(), steadyNow: () => 0 }, clock: systemClock, log: pino({ level: 'silent' }), stateDir: t.testdirName,
    book: room.book.log, requests: desk, rules: RULES, footage: recorder.storage.footage, lane: (camera, stream) => recorder.storage.lane(camera, stream), cameras: () => [], cameraName: () => '大廳',
  })
  const firstAt = async (uuid: CameraUuid) =>
    (await recorder.storage.footage.segments(uuid, MAIN, { startAt: epochMs(0), endAt: epochMs(4e12) }))[0]!.startAt
  const recordedMs = async () => {
    const uuid = recorder.uuidOf('lobby')
    return uuid === undefined ? 0 : (recorder.ingest.report()[0]?.lastFrameAt ?? 0) - await firstAt(uuid)
  }
  const deadline = performance.now() + 15_000
  while (await recordedMs() < 6_000) {
    if (performance.now() > deadline) throw new Error('nothing is recorded')
    await systemClock.wait(100)
  }
  const lobby = recorder.uuidOf('lobby')!
  const begin = await firstAt(lobby)
  office.db.prepare("INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, 'hall', 1)").run(lobby)
  office.pass(systemClock.wallNow() - office.clock.wallNow()) // the office's day is today
  const from = epochMs(begin + 1_234), to = epochMs(begin + 4_567)
  const application = await room.granted([{ camera: lobby, from, to }])
  const players: TestPlayer[] = []
  for (let i = 0; i < VIEWERS; i++) {
    office.directorActing = await room.front.as('boss', 'director')
    const token = await office.session(await office.person(`viewer${i}`, ['custodian'], { factor: false }))
    office.access.sessions.actIn(token, 'custodian')
    const player = new TestPlayer()
    viewing.desk.open(token, { application: application.number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true }).attach(player)
    player.say({ type: 'hello', plays: ['h264'] })
    players.push(player)
  }
  for (const player of players) await player.until('the end', () => player.told('end').length === 1)
  const [first] = players
  const { frames, warnings } = await framesOf(first!.file(0))
  t.equal(warnings, '')
  const walls = frames.map(({ ptsMs }) => first!.told('opened')[0]!.originAt + ptsMs)
  t.ok(frames[0]?.isKey === true && walls[0]! >= from && walls.at(-1)! < to, `frames from ${Math.round(walls[0]! - begin)} to ${Math.round(walls.at(-1)! - begin)} ms`)
  const counters = first!.media(0).flatMap(({ bytes }) => stampsIn(bytes).map(({ counter }) => counter))
  t.same(counters, counters.map((_, i) => counters[0]! + i), 'each once, in order')
  t.equal(counters.length, frames.length)
  t.ok(frames.length >= 30)
  t.ok(players.every(player => player.file(0).equals(first!.file(0))), 'all eight saw the same')
  await systemClock.wait(1_000)
  await recorder.ingest[Symbol.asyncDispose]()
  const recorded = await recorder.recorded('lobby')
  t.same(recorded.filter((counter, i) => i > 0 && counter !== recorded[i - 1]! + 1), [], 'no recorded frame is missing')
  t.equal(room.book.log.last(), VIEWERS, 'a line each')
})
