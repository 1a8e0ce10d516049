import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { FatalError, RetryableError } from '../../src/domain/index.ts'
import { LinkClosedError } from '../../src/link/index.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { HoldKeeper } from '../../src/requests/index.ts'
import { ANSWER_WITHIN_MS, DOUBT_MS, REFUSED_AGAIN_MS } from '../../src/requests/hold-carrier.ts'
import { HELD_WITHIN_MS, WAITS_MS } from '../../src/requests/hold-keeper.ts'
import { CLERK, done, FrontDesk, hour, LOBBY, OUTSIDE, party, police } from './support/front-desk.ts'

const log = createLogger({ level: 'silent' })
const away = () => Promise.reject(new LinkClosedError('it is gone'))
/** Enough for what waits for nothing but the event loop. */
async function turns(): Promise<void> { for (let n = 0; n < 100; n++) await turn() }
type Call = 'cost' | 'place' | 'end'

/** The office in another process, over the same catalogue. */
const restarted = ({ office: { db, audit, clock }, port }: FrontDesk): HoldKeeper =>
  new HoldKeeper({ db, audit, port, time: clock, clock, log })

const statesOf = (front: FrontDesk): string[] =>
  front.office.db.prepare<[], string>('SELECT state FROM case_hold ORDER BY rowid').pluck().all()
const entriesOf = (front: FrontDesk): string[] =>
  front.office.db.prepare<[], string>("SELECT action FROM audit_entry WHERE action IN ('hold.placed', 'hold.ended') ORDER BY seq").pluck().all()
const inForce = (front: FrontDesk): number =>
  front.office.db.prepare<[], number>('SELECT count(*) FROM hold WHERE ended_at IS NULL').pluck().get()!

/** `call` goes wrong once in this way. `late` waits for `release`; where the office is killed, it hears of none. */
function fault(front: FrontDesk, call: Call, how: 'fails' | 'hangs' | 'late' | 'lost' | 'twice', isKilled = false) {
  const own = front.port[call] as (body: unknown) => Promise<unknown>, gate = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>(), never = new Promise(() => undefined)
  const work = async (body: unknown): Promise<unknown> => {
    switch (how) {
      case 'fails': throw new RetryableError('CUSTOS_CATALOGUE_FAULT', 'locked', { remedy: 'wait' })
      case 'hangs': return await never
      case 'late': await gate.promise; return await own(body)
      case 'lost': await own(body); throw new LinkClosedError('it ended')
      case 'twice': await own(body); return await own(body)
    }
  }
  front.port[call] = (async (body: unknown) => {
    front.port[call] = own as never
    asked.resolve()
    const working = work(body)
    return isKilled ? await working.catch(() => undefined).then(() => never) : await working
  }) as never
  return { asked: asked.promise, release: () => { gate.resolve() } }
}

/** A step whose answer is not waited for longer than the desk itself does. */
async function stepped<Result>(front: FrontDesk, asked: Promise<void>, step: Promise<Result>): Promise<Result> {
  await asked
  const { clock } = front.office
  let isOver = false
  void step.finally(() => { isOver = true })
  for (let waited = 0; !isOver && waited < ANSWER_WITHIN_MS; waited += HELD_WITHIN_MS) {
    await turns()
    if (!isOver) await clock.advance(HELD_WITHIN_MS)
    await turns()
  }
  return await step
}

/** As after an hour with a recorder that answers. */
async function settled(front: FrontDesk, keeper = front.keeper): Promise<void> {
  for (let i = 0; i < 4; i++) {
    const settling = keeper.settle()
    await turns()
    await front.office.clock.advance(ANSWER_WITHIN_MS)
    await settling
    front.office.clock.drift(DOUBT_MS, 0)
  }
}

for (const call of ['cost', 'place', 'end'] as const) {
  for (const how of ['fails', 'hangs', 'late', 'lost', 'twice'] as const) {
    for (const isKilled of [false, true]) {
      t.test(`${call} ${how}${isKilled ? ', and the office is killed before it hears of it' : ''}`, async t => {
        const front = await FrontDesk.open(t)
        let held = null
        if (call === 'end') held = done(await front.receive(party())).application
        const { asked, release } = fault(front, call, how, isKilled)
        const acting = await front.as(...CLERK)
        const answer = done(await stepped(front, asked, held !== null
          ? front.desk.act(acting, held.number, { key: 'withdrawn-1', command: { kind: 'withdraw', version: held.version, reason: '撤回' } })
          : front.desk.receive(acting, { key: 'received-1', content: party() })))
        const isSure = how === 'twice' && !isKilled
        t.equal(answer.holding.state, held === null ? isSure ? 'held' : 'being-held' : isSure ? 'none' : 'being-let-go')
        release()
        await settled(front, isKilled ? restarted(front) : front.keeper)
        const wanted = held === null ? 1 : 0
        t.same([statesOf(front), inForce(front)], [[wanted === 1 ? 'held' : 'ended'], wanted])
        t.same(entriesOf(front), wanted === 1 ? ['hold.placed'] : ['hold.placed', 'hold.ended'], 'one hold, one entry')
      })
    }
  }
}

t.test('killed between the commit and the asking: the next start places it', async t => {
  const front = await FrontDesk.open(t), own = front.port.cost
  front.port.cost = away
  const { holding, cost, footage } = done(await front.receive(police()))
  t.match(holding, { state: 'being-held', zh: '保全中，待錄影程式確認。', reason: /連線中斷/ })
  t.same([cost, footage.map(line => line.state)], [null, ['whole', 'whole']])
  t.same([statesOf(front), inForce(front)], [['wanted', 'wanted'], 0])
  front.port.cost = own
  await restarted(front).settle()
  t.same([statesOf(front), inForce(front)], [['held', 'held'], 2])
})

t.test('killed between the placing and the noting: the next start finds it placed', async t => {
  const front = await FrontDesk.open(t)
  await front.receive(police())
  front.office.db.exec("UPDATE case_hold SET state = 'wanted', held_at = NULL")
  await restarted(front).settle()
  t.same([statesOf(front), inForce(front), entriesOf(front)], [['held', 'held'], 2, ['hold.placed', 'hold.placed']])
})

t.test('a wish that was let go before the recorder was asked is never placed', async t => {
  const front = await FrontDesk.open(t), own = { ...front.port }
  front.port.cost = away
  const { application } = done(await front.receive(party()))
  const { holding } = done(await front.act(CLERK, application, { kind: 'withdraw', reason: '撤回' }))
  t.equal(holding.state, 'none')
  Object.assign(front.port, own)
  await settled(front)
  t.same([statesOf(front), inForce(front), entriesOf(front)], [['ended'], 0, []])
})

t.test('let go while it is being placed: it is ended once the recorder can have it', async t => {
  const front = await FrontDesk.open(t), { asked, release } = fault(front, 'place', 'late')
  const { application } = done(await stepped(front, asked, front.receive(party())))
  const acting = await front.as(...CLERK)
  const withdrawing = front.desk.act(acting, application.number, { key: 'withdrawn-2', command: { kind: 'withdraw', version: 1, reason: '撤回' } })
  const { holding } = done(await stepped(front, Promise.resolve(), withdrawing))
  t.not(holding.state, 'none', 'the recorder may have it')
  release() // after everybody gave up
  await settled(front)
  t.same([statesOf(front), inForce(front), entriesOf(front)], [['ended'], 0, ['hold.placed', 'hold.ended']])
})

t.test('nothing is let go before what replaces it is held', async t => {
  const front = await FrontDesk.open(t), own = front.port.place
  const { application } = done(await front.receive(police()))
  front.port.place = async () => { throw new RetryableError('CUSTOS_STORAGE_IO', 'EIO', { remedy: 'wait' }) }
  const decided = done(await front.signAll(application, OUTSIDE, { scope: [hour(LOBBY)], reason: '大門無關', ground: 'too-broad' }))
  t.same([statesOf(front), inForce(front), decided.holding.state], [['ending', 'ending', 'wanted'], 2, 'being-held'])
  front.port.place = own
  await settled(front)
  t.same([statesOf(front), inForce(front)], [['ended', 'ended', 'held'], 1])
})

t.test('what the recorder refuses is told, shown with the case, and not asked for all the time', async t => {
  const front = await FrontDesk.open(t), own = front.port.place
  let tries = 0
  front.port.place = async () => { tries += 1; throw new FatalError('CUSTOS_HOLD_REFUSED', 'no footage of that camera', { remedy: 'x' }) }
  const { application, holding } = done(await front.receive(party()))
  t.match(holding, { state: 'being-held', reason: 'no footage of that camera' })
  for (let i = 0; i < 5; i++) await front.keeper.settle()
  t.equal(tries, 1)
  t.match((await front.desk.reader.read(await front.as(...CLERK), application.number)).holds, [{ state: 'wanted', cameraId: 'lobby', heldAt: null, trouble: 'no footage of that camera' }])
  front.office.clock.drift(REFUSED_AGAIN_MS, 0)
  front.port.place = own
  await front.keeper.settle()
  t.same([statesOf(front), inForce(front)], [['held'], 1])
})

t.test('health is told of what waits for a minute, and no longer once it is held', async t => {
  const front = await FrontDesk.open(t), own = front.port.place
  front.port.place = away
  await front.receive(police())
  t.match(front.keeper.view(), { waiting: 0 })
  front.office.clock.drift(WAITS_MS, 0)
  t.match(front.keeper.view(), { waiting: 2, waitingSince: Number })
  front.port.place = own
  await front.keeper.settle()
  t.match(front.keeper.view(), { waiting: 0, waitingSince: null })
})

t.test('footage that cannot be asked for is unknown; the application is received (R32)', async t => {
  const front = await FrontDesk.open(t)
  front.footage.found = away
  front.port.cost = away
  const answer = done(await front.receive(police()))
  t.match(answer.footage, [{ state: 'unknown', foundMs: 0, zh: /尚不得知/ }, { state: 'unknown' }])
  t.equal(answer.application.number, '115-調-0001')
})

t.test('a thousand wishes at once: a few are asked at a time, each once', async t => {
  const front = await FrontDesk.open(t), { db } = front.office, own = front.port.place
  done(await front.receive(party()))
  const copy = db.prepare(`INSERT INTO case_hold (hold_id, application, version, camera_uuid, from_at, to_at, authority, wished_by, wished_at, state, changed_at)
    SELECT ?, application, version, camera_uuid, from_at, to_at, authority, wished_by, wished_at, 'wanted', changed_at FROM case_hold LIMIT 1`)
  for (let n = 0; n < 1000; n++) copy.run(n.toString(16).padStart(32, '0'))
  let now = 0, most = 0
  const seen = new Set<string>()
  front.port.place = async body => {
    most = Math.max(most, ++now)
    t.notOk(seen.has(body.holdId) || !seen.add(body.holdId))
    await turn()
    now -= 1
    return await own(body)
  }
  front.holds.publish = async () => undefined
  await Promise.all([front.keeper.settle(), front.keeper.settle(), front.keeper.settle()])
  t.same([inForce(front), seen.size], [1001, 1000])
  t.ok(most <= 8, `${most} at once`)
})

// ---- the two sides compared

async function reconciled(front: FrontDesk, keeper = restarted(front)): Promise<void> {
  const stop = new AbortController(), { clock } = front.office
  const waits = clock.pendingWaits, running = keeper.run(stop.signal)
  await clock.settle(waits + 1)
  stop.abort()
  await running
}

t.test('what the office wants and the recorder lost is placed again; what it ended and the recorder has is ended', async t => {
  const front = await FrontDesk.open(t), { db } = front.office
  const kept = done(await front.receive(party())).application
  const over = done(await front.receive(party({ asked: [hour(LOBBY, '2026-11-19')] }))).application
  done(await front.act(CLERK, over, { kind: 'withdraw', reason: '撤回' }))
  db.exec('DROP TRIGGER hold_stays')
  db.prepare('DELETE FROM hold WHERE application = ?').run(kept.number)
  db.prepare('UPDATE hold SET ended_at = NULL, ended_by = NULL, end_reason = NULL WHERE application = ?').run(over.number)
  await reconciled(front)
  t.same([front.holdsOf(kept.number).length, front.holdsOf(over.number).length, statesOf(front)], [1, 0, ['held', 'ended']])
})

t.test('what it holds for an unknown application stays, is told once, and only a person ends it', async t => {
  const front = await FrontDesk.open(t), { clock } = front.office
  const by = { kind: 'machine-user', name: '王', role: null, source: null } as const
  const place = (holdId: string, application: string | null) => front.port.place({
    camera: { id: 'lobby' }, stream: null, fromAt: 1, toAt: 2, holdId, authority: 'x', application, by,
  })
  await place('1'.repeat(32), '115-調-0999')
  await place('2'.repeat(32), null)
  const keeper = restarted(front)
  await reconciled(front, keeper)
  await reconciled(front)
  t.match(keeper.view(), { unknown: 1, unknownSince: Number })
  t.same(front.office.entries('hold.unknown').map(({ object }) => object), ['1'.repeat(32)], 'one entry')
  t.equal(inForce(front), 2)
  await front.port.end({ holdId: '1'.repeat(32), by, reason: '已查明' })
  clock.drift(3_600_000, 0)
  await reconciled(front, keeper)
  t.match(keeper.view(), { unknown: 0 })
  t.equal(inForce(front), 1, 'what a command placed is the recorder\'s alone')
})

t.test('a hold that a person ended at the recorder is not placed again; the next step may', async t => {
  const front = await FrontDesk.open(t)
  const { application } = done(await front.receive(party()))
  const { holdId } = front.office.db.prepare<[], { holdId: string }>('SELECT hold_id AS holdId FROM hold').get()!
  await front.port.end({ holdId, by: { kind: 'machine-user', name: '王', role: null, source: null }, reason: '誤置' })
  await reconciled(front)
  t.same([statesOf(front), inForce(front), entriesOf(front)], [['ended'], 0, ['hold.placed', 'hold.ended']])
  done(await front.signAll(application, OUTSIDE))
  t.same([statesOf(front), inForce(front)], [['ended', 'held'], 1])
})

t.test('a recorder that was away is compared with as soon as it answers', async t => {
  const front = await FrontDesk.open(t), { clock } = front.office, stop = new AbortController()
  const keeper = front.keeper, pages: number[] = [], ownList = front.port.list, ownPlace = front.port.place
  front.port.list = async page => { pages.push(page.after); return await ownList(page) }
  const before = clock.pendingWaits, running = keeper.run(stop.signal)
  await clock.settle(before + 1)
  t.equal(pages.length, 1, 'at the start')
  front.port.place = away
  t.equal(done(await front.receive(party())).holding.state, 'being-held')
  for (let i = 0; i < 3; i++) { await turns(); await clock.advance(10_000); await turns() }
  t.equal(pages.length, 1)
  front.port.place = ownPlace
  for (let i = 0; i < 10 && inForce(front) === 0; i++) { await clock.advance(10_000); await turns() }
  for (let i = 0; i < 3; i++) await turns() // the list is written, and the two sides are compared
  t.same([inForce(front), pages.length], [1, 2])
  stop.abort()
  await running
})

t.test('the port asks by the names of the link', async t => {
  const front = await FrontDesk.open(t), { port } = front
  t.match(await port.list({ withEnded: true, after: 0 }), { holds: [], next: null })
  await t.rejects(port.cost({ camera: { uuid: '9'.repeat(32) }, stream: null, fromAt: 1, toAt: 2 }), { code: 'CUSTOS_HOLD_REFUSED' })
  front.office.db.prepare('UPDATE camera SET retired_at = 5 WHERE uuid = ?').run(LOBBY)
  front.office.db.prepare("INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, 'lobby', 6)").run('7'.repeat(32))
  const range = { stream: null, fromAt: hour(LOBBY).from, toAt: hour(LOBBY).to }
  t.match(await port.cost({ ...range, camera: { uuid: LOBBY } }), { slots: 1 }, 'the very one, whatever its id means now')
  t.match(await port.cost({ ...range, camera: { id: 'lobby' } }), { slots: 0 })
})
