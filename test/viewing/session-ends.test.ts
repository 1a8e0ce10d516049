import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { VIEWER_GONE_MS } from '../../src/viewing/screen.ts'
import { Screens } from '../../src/viewing/index.ts'
import { realFootage } from '../support/fragments.ts'
import { at, DIRECTOR, done } from '../requests/support/front-desk.ts'
import { DAY_MS, MINUTE_MS } from '../access/support/office.ts'
import { recordRun } from './support/footage.ts'
import { TestPlayer } from './support/player.ts'
import { LOBBY, ScreeningRoom } from './support/screening-room.ts'

const NINE = at('2026-11-20T09:00:00')
const H264 = { codec: 'h264', width: 320, height: 240, seconds: 4 } as const
const minute = [{ camera: LOBBY, from: epochMs(NINE), to: epochMs(NINE + 60_000) }]

async function playing(t: Parameters<typeof ScreeningRoom.open>[0]) {
  const room = await ScreeningRoom.open(t)
  await recordRun(room.rig, { camera: LOBBY, id: 'hall', footage: await realFootage(H264), fromMs: NINE, seconds: 50 })
  const application = await room.granted(minute)
  const viewing = await room.watch(application)
  await viewing.player.until('pictures', () => viewing.player.media(0).length > 10)
  return { room, application, ...viewing }
}

t.test('a grant that is revoked stops the pictures within a second', async t => {
  const { room, application, player } = await playing(t)
  await using _ = room
  done(await room.front.act(DIRECTOR, application, { kind: 'revoke', reason: '誤核' }))
  const revokedAt = performance.now()
  const before = player.media(0).length
  player.say({ type: 'at', at: NINE + 10_000 })
  await player.until('the end', () => player.isClosed)
  t.ok(performance.now() - revokedAt < 1000, `closed ${Math.round(performance.now() - revokedAt)} ms after`)
  t.equal(player.media(0).length, before, 'not one picture more')
  t.match(player.told('closed'), [{ reason: 'revoked', zh: /撤銷/ }])
  t.same(room.actions().filter(action => action.startsWith('viewing.closed')), ['viewing.closed'])
})

t.test('a grant that runs out closes the screen, and no seek gets past it', async t => {
  const { room, player } = await playing(t)
  await using _ = room
  const { office } = room.front
  const sought = player.told('sought').length
  office.pass(6 * DAY_MS)
  player.say({ type: 'seek', at: NINE + 30_000 })
  await player.until('the end', () => player.isClosed)
  t.match(player.told('closed'), [{ reason: /expired|signed-out/ }])
  t.equal(player.told('sought').length, sought)
})

t.test('after five minutes without an act the screen locks, playing or not; after ten the login and the screen are over', async t => {
  const { room, player, token } = await playing(t)
  await using _ = room
  const { office } = room.front
  office.pass(4 * MINUTE_MS)
  player.say({ type: 'act' })
  office.pass(4 * MINUTE_MS)
  player.say({ type: 'at', at: NINE + 12_000 })
  await player.until('more', () => player.media(0).some(piece => piece.at > NINE + 30_000))
  office.pass(MINUTE_MS)
  await player.until('the lock', () => player.told('locked').length === 1)
  const before = player.media(0).length
  player.say({ type: 'at', at: NINE + 25_000 })
  player.say({ type: 'seek', at: NINE + 1_000 })
  player.say({ type: 'still', camera: 0, at: NINE + 1_000, ref: 1 })
  await office.access.signIn.unlockViewing(token, room.kuan.password)
  t.equal(player.media(0).length, before, 'a playhead is no act of a person, and a locked screen takes none')
  player.say({ type: 'act' })
  await player.until('unlocked', () => player.told('unlocked').length === 1)
  await player.until('more', () => player.media(0).length > before)
  office.pass(10 * MINUTE_MS)
  await player.until('the end', () => player.isClosed)
  t.match(player.told('closed'), [{ reason: 'signed-out' }])
})

t.test('when the log cannot be written nothing more is shown, and the end is written once it can [G10]', async t => {
  const { room, player } = await playing(t)
  await using _ = room
  const { db } = room.front.office
  db.exec("CREATE TRIGGER planted BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(FAIL, 'planted'); END")
  const before = player.media(0).length
  player.say({ type: 'seek', at: NINE + 30_000 })
  await player.until('the end', () => player.isClosed)
  t.equal(player.media(0).length, before)
  t.equal(room.actions().includes('viewing.closed'), false)
  db.exec('DROP TRIGGER planted')
  await player.until('the entry', () => room.actions().includes('viewing.closed'), 3_000)
})

t.test('a player that went may come back, and only one is shown at a time', async t => {
  const { room, player, screen } = await playing(t)
  await using _ = room
  const second = new TestPlayer()
  screen.attach(second)
  t.equal(player.isClosed, true)
  const before = player.media(0).length
  second.say({ type: 'hello', plays: ['h264'] })
  await second.until('pictures', () => second.media(0).length > 5)
  t.equal(player.media(0).length, before)
  second.drop()
  t.equal(screen.closed, null)
  t.ok(VIEWER_GONE_MS <= 60_000)
  screen.close('closed')
  const late = new TestPlayer()
  screen.attach(late)
  t.equal(late.isClosed, true)
})

t.test('a recorder that was killed closes in the books what it left open, once; one that stops closes all', async t => {
  const { room, player, screen } = await playing(t)
  const { office } = room.front
  const after = new Screens(room.core, office.db)
  t.equal(after.recover(), 1)
  t.equal(after.recover(), 0)
  t.match(office.db.prepare('SELECT id, close_reason FROM viewing_session').all(), [{ id: screen.id, close_reason: 'recorder-killed' }])
  t.match(office.entries('viewing.closed').map(({ object, name, detail }) => [object, name, detail]), [[screen.id, 'custos', '{"reason":"recorder-killed"}']])
  await room[Symbol.asyncDispose]()
  t.match(player.told('closed'), [{ reason: 'recorder-stopped' }])
})

t.test('a record that is altered under an open screen shows nothing more', async t => {
  const { room, player } = await playing(t)
  await using _ = room
  const { db } = room.front.office
  const names = db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'application%'").pluck().all()
  for (const name of names) db.exec(`DROP TRIGGER ${name}`)
  const before = player.media(0).length
  const { changes } = db.prepare("UPDATE application_event SET record = replace(record, '\"signatures\":[', '\"signatures\":[],\"was\":[')").run()
  t.ok(changes > 0, 'the signatures are gone')
  db.prepare('UPDATE application SET version = version + 1').run()
  player.say({ type: 'at', at: NINE + 10_000 })
  await player.until('the end', () => player.isClosed, 2_000)
  t.match(player.told('closed'), [{ reason: 'revoked' }])
  t.equal(player.media(0).length, before)
})
