import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import { cameraId, epochMs } from '../../src/domain/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { caseFactsOf, LiveDesk, Screens, StillMaker, transcodeTurns, ViewingDesk, type SocketLike } from '../../src/viewing/index.ts'
import { MOST_BUFFERED_BYTES, SLOW_VIEWER_MS } from '../../src/viewing/viewer-line.ts'
import { realFootage } from '../support/fragments.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { at } from '../requests/support/front-desk.ts'
import { recordRun } from './support/footage.ts'
import { MAIN } from './support/live-recorder.ts'
import { until } from '../support/until.ts'
import { TestPlayer } from './support/player.ts'
import { LOBBY, RULES, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const H264 = { codec: 'h264', width: 320, height: 240, seconds: 4 } as const
/** Long after a send that the other side takes has told so. */
const STUCK_MS = 500

/** A real connection whose far side reads nothing, filled until nothing more goes into it: what is sent from now on waits here. The far side may still speak. */
async function stuckLine(t: Test): Promise<{ readonly near: WebSocket, readonly far: WebSocket }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[WebSocket]>
  const far = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const [near] = await accepted
  await once(far, 'open')
  far.pause()
  for (let isStuck = false; !isStuck;) {
    const taken = new Promise<boolean>(resolve => { near.send(Buffer.alloc(MOST_BUFFERED_BYTES + 1), () => { resolve(false) }) })
    isStuck = await Promise.race([taken, systemClock.wait(STUCK_MS).then(() => true)])
  }
  t.teardown(() => { far.terminate(); near.terminate(); server.close() })
  return { near, far }
}

/** Screens that wait by a clock of the test. */
async function slowly(t: Test) {
  const room = await ScreeningRoom.open(t), clock = new VirtualClock('2026-11-22T08:00:00Z'), { office } = room.front
  const core = { ...room.core, clock }, screens = new Screens(core, office.db)
  t.teardown(async () => { await screens[Symbol.asyncDispose](); await room[Symbol.asyncDispose]() })
  return { room, clock, core, screens, reasons: () => office.db.prepare<[], string>('SELECT close_reason FROM viewing_session WHERE closed_at IS NOT NULL').pluck().all() }
}

t.test('a granted screen whose line has stayed full is let go after fifteen seconds, not before', async t => {
  const { room, clock, core, screens, reasons } = await slowly(t)
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(H264), fromMs: NINE, seconds: 10 })
  const application = await room.granted([{ camera: LOBBY, from: epochMs(NINE), to: epochMs(NINE + 60_000) }])
  const desk = new ViewingDesk({
    ...core, screens, book: room.book.log, grants: room.front.desk.grants, shelf: room.rig.storage.footage, stills: new StillMaker(clock), takeTranscode: transcodeTurns(), caseFacts: caseFactsOf(room.front.desk.reader, RULES), cameraName: () => '大廳',
  })
  const screen = desk.open(await room.login(), { application: application.number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true })
  const { near, far } = await stuckLine(t)
  screen.attach(near as unknown as SocketLike)
  const before = clock.pendingWaits
  far.send(JSON.stringify({ type: 'hello', plays: ['h264'] }))
  await until('the reader waits for room', () => clock.pendingWaits > before)
  const buffered = near.bufferedAmount
  await clock.advance(SLOW_VIEWER_MS - 500)
  t.equal(screen.closed, null)
  t.equal(near.bufferedAmount, buffered, 'nothing is read for it meanwhile')
  await clock.advance(1_000)
  t.equal(screen.closed, 'slow-viewer')
  t.same(reasons(), ['slow-viewer'])
  t.match(room.front.office.entries('viewing.closed').map(({ detail }) => detail), ['{"reason":"slow-viewer"}'])
})

t.test('a live screen without room is let go after five seconds; one beside it misses nothing, and a line that clears in time stays', async t => {
  const { room, clock, core, screens, reasons } = await slowly(t)
  const { front, rig } = room, footage = await realFootage(H264), HALL = cameraId('hall')
  let recordedTo = NINE
  const record = async () => { await recordRun(rig, { camera: LOBBY, id: 'hall', footage, fromMs: recordedTo, seconds: 1 }); recordedTo = epochMs(recordedTo + 1_000) }
  await record() // the camera is known from here on
  const live = new LiveDesk({
    ...core, screens, time: { wallNow: () => front.office.clock.wallNow(), steadyNow: () => 0 }, cameras: () => [{ id: HALL, uuid: LOBBY, name: '大廳', streams: [MAIN] }], lane: (camera, stream) => rig.storage.lane(camera, stream),
  })
  const open = async (name: string) => {
    front.office.directorActing = await front.as('boss', 'director')
    const token = await front.office.session(await front.office.person(name, ['custodian'], { factor: false }))
    front.office.access.sessions.actIn(token, 'custodian')
    return live.open(token, [HALL])
  }
  const beside = new TestPlayer(), clearing = new TestPlayer(), witness = await open('witness'), cleared = await open('cleared'), stuck = await open('stuck')
  witness.attach(beside)
  beside.say({ type: 'hello', plays: ['h264'] })
  cleared.attach(clearing)
  clearing.say({ type: 'hello', plays: ['h264'] })
  const { near, far } = await stuckLine(t)
  stuck.attach(near as unknown as SocketLike)
  const before = near.bufferedAmount
  far.send(JSON.stringify({ type: 'hello', plays: ['h264'] }))
  await once(near, 'message')
  /** One second of footage, shown to all. */
  const shown = () => beside.media(0).reduce((sum, { frames }) => sum + frames, 0)
  const show = async () => { const had = shown(); await record(); await beside.until('every frame of it', () => shown() === had + 15) }
  const hold = (isFull: boolean) => { Object.defineProperty(clearing, 'bufferedAmount', { value: isFull ? MOST_BUFFERED_BYTES : 0, configurable: true }) }
  hold(true)
  await show()
  t.equal(clearing.media(0).length, 0)
  await clock.advance(4_900)
  await show()
  t.same([stuck.closed, cleared.closed], [null, null])
  hold(false)
  await show()
  t.ok(clearing.media(0).length > 0, 'pictures again, from a key frame')
  await clock.advance(200)
  await show()
  t.same([stuck.closed, cleared.closed, witness.closed], ['slow-viewer', null, null])
  t.equal(near.bufferedAmount < before + 10_000, true, 'it was sent words, no picture')
  t.equal(shown(), 4 * 15, 'every frame of four seconds')
  t.same(reasons(), ['slow-viewer'])
})
