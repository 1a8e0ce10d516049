import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { cameraId, cameraUuid, epochMs, streamName } from '../../src/domain/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { AIMING_MS, FRESH_MS, LiveDesk, ReferenceImages, StillMaker } from '../../src/viewing/index.ts'
import { realFootage } from '../support/fragments.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import type { Role } from '../../src/access/index.ts'
import { recordRun } from './support/footage.ts'
import { TestPlayer } from './support/player.ts'
import { ScreeningRoom } from './support/screening-room.ts'

const HALL = cameraId('hall'), UUID = cameraUuid('c'.repeat(32)), MAIN = streamName('main')
const FOOTAGE = await realFootage({ codec: 'h264', width: 320, height: 240, seconds: 4 })

async function stage(t: Parameters<typeof ScreeningRoom.open>[0]) {
  const room = await ScreeningRoom.open(t)
  const { office } = room.front
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  const live = new LiveDesk({
    ...room.core, clock, screens: room.screens, time: { wallNow: () => office.clock.wallNow(), steadyNow: () => Date.parse('2026-11-22T08:00:00.000Z') + office.clock.monoNow() },
    cameras: () => [{ id: HALL, uuid: UUID, name: '大廳', streams: [MAIN] }], lane: (camera, stream) => room.rig.storage.lane(camera, stream),
  })
  let seconds = 0
  return {
    room, live, clock, office,
    /** Some more seconds are recorded, and shown to who watches. */
    async record() {
      await recordRun(room.rig, { camera: UUID, id: 'hall', footage: FOOTAGE, fromMs: Date.parse('2026-11-20T01:00:00.000Z') + 10_000 * seconds++, seconds: 4 })
      await systemClock.wait(20)
    },
    async as(name: string, role: Role): Promise<string> {
      office.directorActing = await room.front.as('boss', 'director')
      const member = await office.person(name, [role])
      const token = await office.session(member)
      office.access.sessions.actIn(token, role)
      return token
    },
  }
}
const why = { camera: HALL, reason: '支架鬆動' }

t.test('aiming takes the custodian and the checker, two persons, both with a fresh factor; then live view of that one camera, for a quarter of an hour', async t => {
  const { room, live, as, office, clock, record } = await stage(t)
  await using _ = room
  const custodian = await as('chou', 'custodian'), other = await as('tsai', 'custodian'), clerk = await as('hsu', 'clerk')
  t.throws(() => live.propose(clerk, why), { code: 'CUSTOS_RIGHT_MISSING' })
  const { id } = live.propose(custodian, why)
  t.match(live.proposals(), [{ id, camera: '大廳', by: /chou/ }])
  t.throws(() => live.join(custodian, id), { code: 'CUSTOS_VIEWING_REFUSED', message: /二人/ })
  t.throws(() => live.join(other, id), { code: 'CUSTOS_VIEWING_REFUSED', message: /查核/ })
  const checker = await as('peng', 'checker')
  office.pass(FRESH_MS)
  t.throws(() => live.join(checker, id), { code: 'CUSTOS_FACTOR_NEEDED' })
  const again = await as('lu', 'checker')
  t.throws(() => live.join(again, id), { code: 'CUSTOS_FACTOR_NEEDED' }, 'the first one\'s is stale by now')
  const first = await as('yeh', 'custodian')
  const screen = live.join(again, live.propose(first, why).id)
  const player = new TestPlayer()
  screen.attach(player)
  player.say({ type: 'hello', plays: ['h264'] })
  await record()
  await player.until('pictures', () => player.media(0).length >= 7)
  t.equal(player.media(0)[0]?.beginsChain, true)
  t.match(player.told('opened'), [{ kind: 'aiming', cameras: [{ name: '大廳' }] }])
  player.say({ type: 'seek', at: 1 })
  await player.until('no', () => player.told('refused').some(({ code }) => code === 'CUSTOS_VIEWING_REFUSED'))
  clock.drift(AIMING_MS, 0)
  await player.until('the end', () => player.isClosed)
  t.match(player.told('closed'), [{ reason: 'time-over' }])
  const [opened] = office.entries('aiming.opened').filter(({ result }) => result === 'done')
  t.match(opened, { name: /lu/, detail: /yeh.*支架鬆動|支架鬆動.*yeh/ })
  t.match(office.db.prepare('SELECT kind, account, second_account AS second, close_reason AS reason FROM viewing_session').all(), [{ kind: 'aiming', account: 'lu', second: 'yeh', reason: 'time-over' }])
})

t.test('when either of the two signs out the aiming is over', async t => {
  const { room, live, as, office } = await stage(t)
  await using _ = room
  const custodian = await as('chou', 'custodian'), checker = await as('peng', 'checker')
  const screen = live.join(checker, live.propose(custodian, why).id)
  office.access.sessions.end(custodian)
  screen.check()
  t.equal(screen.closed, 'signed-out')
})

t.test('live view is for posts that have the right, one screen a login, each opening an entry', async t => {
  const { room, live, as } = await stage(t)
  await using _ = room
  for (const role of ['clerk', 'checker', 'auditor', 'system-admin', 'secretary'] as const) {
    const token = await as(`p-${role}`, role)
    t.throws(() => live.open(token, [HALL]), { code: 'CUSTOS_RIGHT_MISSING' }, role)
  }
  const custodian = await as('chou', 'custodian')
  t.throws(() => live.open(custodian, [cameraId('nowhere')]), { code: 'CUSTOS_VIEWING_REFUSED' })
  const screen = live.open(custodian, [HALL])
  t.throws(() => live.open(custodian, [HALL]), { code: 'CUSTOS_VIEWING_BUSY' })
  screen.close('closed')
  t.same(room.actions(), [...Array.from({ length: 6 }, () => 'live.opened refused'), 'live.opened', 'live.opened refused', 'live.closed'])
})

t.test('a reference image is a still of the moment that the custodian approves; its file is what was approved, or it is not shown', async t => {
  const { room, live, as, office, clock, record } = await stage(t)
  await using _ = room
  const stateDir = t.testdir({})
  const images = new ReferenceImages({ db: office.db, audit: office.audit, sessions: office.access.sessions, live, stills: new StillMaker(systemClock), clock: systemClock, stateDir })
  const acting = room.acting(await as('chou', 'custodian')), checker = room.acting(await as('peng', 'checker')), clerk = room.acting(await as('hsu', 'clerk'))
  await t.rejects(images.take(checker, HALL), { code: 'CUSTOS_RIGHT_MISSING' })
  t.equal(await images.read(checker, HALL), null)
  const taking = images.take(acting, HALL)
  await record()
  const { candidate, jpeg, takenAt } = await taking
  t.equal(jpeg.readUInt16BE(0), 0xffd8)
  t.ok(images.candidate(acting, candidate).equals(jpeg))
  await t.rejects(images.approve(checker, candidate), { code: 'CUSTOS_RIGHT_MISSING' })
  const other = room.acting(await as('tsai', 'custodian'))
  await t.rejects(images.approve(other, candidate), { code: 'CUSTOS_VIEWING_REFUSED' }, 'whoever took it approves it')
  t.throws(() => images.candidate(other, candidate), { code: 'CUSTOS_VIEWING_REFUSED' }, 'and sees it')
  const approved = await images.approve(acting, candidate)
  t.equal(approved.takenAt, takenAt)
  await t.rejects(images.approve(acting, candidate), { code: 'CUSTOS_VIEWING_REFUSED' }, 'once')
  const read = await images.read(checker, HALL)
  t.ok(read?.jpeg.equals(jpeg))
  t.match(office.entries('reference-image.approved'), [{ object: 'hall', detail: new RegExp(approved.sha256) }])
  await t.rejects(images.read(clerk, HALL), { code: 'CUSTOS_RIGHT_MISSING' })
  const file = path.join(stateDir, 'reference-images', `${approved.id}.jpg`)
  const bytes = await readFile(file)
  bytes[bytes.length - 3]! ^= 1
  await writeFile(file, bytes)
  await t.rejects(images.read(checker, HALL), { code: 'CUSTOS_PICTURE_FAILED' })
  t.ok(clock.wallNow() > epochMs(0))
})
