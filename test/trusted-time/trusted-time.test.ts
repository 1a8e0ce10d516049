import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { timeTables } from '../../src/trusted-time/tables.ts'
import { FaultyStatements } from '../support/faulty-statements.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, TimeBench, UNSYNCED } from './support.ts'

t.test('on an empty recorder it begins as the wall clock, and goes with it', async t => {
  const bench = await TimeBench.open(t)
  t.equal(bench.time.now(), bench.clock.wallNow())
  bench.run(HOUR_MS, 60) // 17 ppm
  t.ok(Math.abs(bench.time.now()! - bench.clock.wallNow()) <= 5)
  t.equal(bench.time.status().state, 'agreed')
  t.same(bench.actions(), ['clock.began'])
})

t.test('a clock that was set while we ran ages nothing, synchronised or not', async t => {
  for (const stepMs of [HOUR_MS, -HOUR_MS, 40 * DAY_MS, 3650 * DAY_MS, -20_000 * DAY_MS]) {
    const bench = await TimeBench.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } })
    const before = bench.time.now()!
    bench.clock.stepWall(stepMs)
    bench.run(10 * MINUTE_MS)
    t.ok(Math.abs(bench.time.now()! - before - 10 * MINUTE_MS) <= 10 * MINUTE_MS * 500e-6 + 1, `${stepMs} ms`)
    t.equal(bench.time.status().state, 'disagrees')
    t.equal(bench.time.nowForArchive(), null)
    t.same(bench.actions(), ['clock.began', 'clock.stepped'])
    t.equal(bench.entries[1]!.detail['offsetMs'], stepMs)
    bench.clock.stepWall(-stepMs)
    bench.run(MINUTE_MS)
    t.equal(bench.time.status().state, 'agreed')
    t.not(bench.time.nowForArchive(), null)
    t.same(bench.actions().slice(2), ['clock.agreed'])
  }
})

t.test('an offset of a second or two is slewed away', async t => {
  const bench = await TimeBench.open(t)
  bench.clock.stepWall(1_500)
  bench.run(1000)
  t.equal(bench.time.status().state, 'disagrees')
  bench.run(HOUR_MS)
  t.equal(bench.time.status().state, 'agreed')
  t.ok(bench.time.status().offsetMs < 10)
  t.same(bench.actions(), ['clock.began'], 'nothing for the record')
})

t.test('a restart within a boot takes running time, whatever the wall clock says', async t => {
  const bench = await TimeBench.open(t)
  bench.run(MINUTE_MS)
  const before = bench.time.now()!
  bench.clock.stepWall(10 * DAY_MS)
  await bench.restart(2 * HOUR_MS)
  t.ok(Math.abs(bench.time.now()! - before - 2 * HOUR_MS) < 5)
})

t.test('a kill loses nothing of it within a boot, and at most the last minute at a power cut', async t => {
  const bench = await TimeBench.open(t)
  bench.run(10 * MINUTE_MS + 40_000)
  const before = bench.time.now()!
  await bench.start() // nothing was disposed of
  t.ok(Math.abs(bench.time.now()! - before) < 5)
  bench.sync = UNSYNCED
  bench.bootId = 'boot-2'
  bench.clock.stepWall(HOUR_MS)
  await bench.start()
  t.ok(bench.time.now()! <= before && bench.time.now()! >= before - MINUTE_MS, `${before - bench.time.now()!} ms`)
})

t.test('a power-off is believed up to seven days when the clock is synchronised', async t => {
  const bench = await TimeBench.open(t)
  bench.run(MINUTE_MS)
  await bench.powerOff(7 * DAY_MS - HOUR_MS)
  t.equal(bench.time.now(), bench.clock.wallNow())
  t.same(bench.actions(), ['clock.began', 'clock.believed'])
  t.equal(bench.time.status().state, 'agreed')
})

t.test('a longer one waits for people, as a whole', async t => {
  const bench = await TimeBench.open(t)
  const before = bench.time.now()!
  await bench.powerOff(7 * DAY_MS + HOUR_MS)
  bench.run(MINUTE_MS)
  t.ok(bench.time.now()! - before < MINUTE_MS + 100)
  const { state, waitingFor, waitingMs } = bench.time.status()
  t.same([state, waitingFor], ['waiting', 'people'])
  t.ok(Math.abs(waitingMs - 7 * DAY_MS - HOUR_MS) < 100)
  t.same(bench.actions(), ['clock.began', 'clock.waiting'])
})

t.test('without a time service it waits; when the service comes, it counts what the hardware clock showed and no more', async t => {
  const bench = await TimeBench.open(t, each => { each.sync = UNSYNCED })
  const advances: { since: number, byMs: number }[] = []
  const before = bench.time.now()!
  await bench.powerOff(HOUR_MS)
  bench.time.onAdvance(advance => { advances.push(advance) })
  bench.run(10_000)
  t.same([bench.time.status().state, bench.time.status().waitingFor], ['waiting', 'sync'])
  t.ok(bench.time.now()! - before < 10_100)
  bench.clock.stepWall(3 * HOUR_MS) // the service sets the clock: the hardware clock was behind, or the service lies
  bench.sync = { source: 'chrony', isSynchronised: true, referenceOffsetMs: 0 }
  const stop = new AbortController()
  const running = bench.time.run(stop.signal)
  for (let i = 0; i < 62; i++) await bench.clock.advance(1000)
  stop.abort()
  await running
  const aged = bench.time.now()! - before
  t.ok(Math.abs(aged - HOUR_MS - 72_000) < 100, `${aged} ms`)
  t.equal(advances.length, 1)
  t.ok(Math.abs(advances[0]!.byMs - HOUR_MS) < 50)
  t.ok(advances[0]!.since <= before, 'all that was recorded since the power-off moves along')
  t.equal(bench.time.status().state, 'disagrees')
})

t.test('many short power-offs are not believed for more than a week and what ran since', async t => {
  const bench = await TimeBench.open(t)
  const before = bench.time.now()!
  for (let boot = 0; boot < 10; boot++) {
    await bench.powerOff(0, 6 * DAY_MS) // a lying time service, and somebody at the switch
    bench.run(MINUTE_MS)
  }
  t.ok(bench.time.now()! - before <= 7 * DAY_MS + 11 * MINUTE_MS, `${(bench.time.now()! - before) / DAY_MS} days`)
  t.same(bench.time.status().waitingFor, 'people')
})

t.test('a dead battery: the clock wakes up in 1970, and nothing counts until people say so', async t => {
  const bench = await TimeBench.open(t)
  const before = bench.time.now()!
  const wall = bench.clock.wallNow()
  await bench.powerOff(2 * DAY_MS, 0 - wall)
  bench.run(MINUTE_MS)
  t.equal(bench.time.status().state, 'disagrees')
  bench.clock.stepWall(wall + 2 * DAY_MS) // the time service sets it
  bench.run(MINUTE_MS)
  t.ok(bench.time.now()! - before < 2 * MINUTE_MS + 200)
  bench.confirm('王小明')
  bench.confirm('李大同')
  bench.run(1000)
  t.equal(bench.time.now(), bench.clock.wallNow())
})

t.test('a first start with a clock from before this program waits for a time service', async t => {
  const bench = await TimeBench.open(t, each => { each.sync = UNSYNCED; each.clock.stepWall(0 - each.clock.wallNow()) })
  t.equal(bench.time.now(), null)
  t.same(bench.time.status().state, 'unknown')
  const advances: { since: number, byMs: number }[] = []
  bench.time.onAdvance(advance => { advances.push(advance) })
  const stamped = bench.time.trustedOf(bench.clock.wallNow())
  bench.run(MINUTE_MS)
  bench.clock.stepWall(Date.parse('2026-11-23T00:00:00Z'))
  bench.sync = { source: 'timesyncd', isSynchronised: true, referenceOffsetMs: null }
  await bench.restart()
  t.equal(bench.time.now(), bench.clock.wallNow())
  t.same(bench.actions(), ['clock.unknown', 'clock.believed', 'clock.agreed'])
  t.ok(stamped < DAY_MS)
})

t.test('footage but no trusted time: the wall clock counts when it is synchronised and within a week of the newest frame', async t => {
  const START_MS = Date.parse('2026-11-22T08:00:00.000Z')
  for (const [offMs, sync, expected] of [[DAY_MS, true, 'agreed'], [8 * DAY_MS, true, 'unknown'], [DAY_MS, false, 'unknown'], [-DAY_MS, true, 'unknown']] as const) {
    const bench = await TimeBench.open({ testdir: () => t.testdir(), teardown: work => { t.teardown(work) } }, each => {
      each.newest = epochMs(START_MS - offMs)
      if (!sync) each.sync = UNSYNCED
    })
    t.equal(bench.time.status().state, expected, `${offMs / DAY_MS} days, ${sync}`)
    t.equal(bench.time.now(), expected === 'unknown' ? null : bench.clock.wallNow())
    if (expected === 'unknown') {
      bench.confirm('王小明')
      bench.confirm('李大同')
      bench.run(1000)
      t.equal(bench.time.now(), bench.clock.wallNow(), 'two people know')
    }
  }
})

t.test('footage is stamped so that it cannot age early', async t => {
  const bench = await TimeBench.open(t)
  const stamp = () => bench.time.trustedOf(bench.clock.wallNow())
  t.equal(stamp(), bench.clock.wallNow())
  t.equal(bench.time.trustedOf(epochMs(bench.clock.wallNow() - 3000)), bench.clock.wallNow() - 3000, 'what was queued keeps its stamp')
  bench.clock.stepWall(-40 * DAY_MS)
  t.ok(Math.abs(stamp() - bench.time.now()!) <= 1, 'a clock set back')
  bench.clock.stepWall(3650 * DAY_MS)
  t.ok(Math.abs(stamp() - bench.time.now()!) <= 1, 'a clock set forward keeps no slot for ten years')
  t.ok(bench.time.trustedOf(epochMs(bench.time.now()! - 300_000)) >= bench.time.now()!, 'a stamp of the clock before')
  bench.clock.stepWall(-3610 * DAY_MS)
  t.ok(bench.time.trustedOf(epochMs(bench.clock.wallNow() + 3650 * DAY_MS)) <= bench.time.now()! + 1, 'a stamp of a clock that is right again')
})

t.test('where the floor counts days, footage of a doubtful hour is kept a day longer', async t => {
  const bench = await TimeBench.open(t, each => { each.countsDays = true })
  t.equal(bench.time.trustedOf(bench.clock.wallNow()), bench.clock.wallNow())
  bench.clock.stepWall(HOUR_MS)
  t.ok(Math.abs(bench.time.trustedOf(bench.clock.wallNow()) - bench.time.now()! - DAY_MS) <= 1)
})

t.test('a listener that fails undoes the belief; it comes again with the next look', async t => {
  const bench = await TimeBench.open(t, each => { each.sync = UNSYNCED })
  await bench.powerOff(HOUR_MS)
  let fails = true
  bench.time.onAdvance(() => { if (fails) throw new Error('no') })
  const before = bench.time.now()!
  bench.sync = { source: 'chrony', isSynchronised: true, referenceOffsetMs: 0 }
  const stop = new AbortController()
  const running = bench.time.run(stop.signal)
  for (let i = 0; i < 65; i++) await bench.clock.advance(1000)
  t.ok(bench.time.now()! - before < 66_000)
  t.notOk(bench.actions().includes('clock.believed'))
  fails = false
  await bench.clock.advance(1000)
  t.ok(bench.time.now()! - before > HOUR_MS)
  t.ok(bench.actions().includes('clock.believed'))
  stop.abort()
  await running
})

t.test('without the audit log nothing is believed, and running time goes on [G10]', async t => {
  const bench = await TimeBench.open(t)
  const before = bench.time.now()!
  bench.auditFails = true
  await bench.powerOff(HOUR_MS)
  bench.run(MINUTE_MS)
  t.ok(Math.abs(bench.time.now()! - before - MINUTE_MS) < 100)
  bench.auditFails = false
  bench.run(1000)
  t.ok(bench.time.now()! - before > HOUR_MS)
})

t.test('a clock that flaps fills no log, and what was left out is counted', async t => {
  const bench = await TimeBench.open(t)
  for (let i = 0; i < 100; i++) {
    bench.clock.stepWall(i % 2 === 0 ? HOUR_MS : -HOUR_MS)
    bench.run(10_000)
  }
  t.equal(bench.entries.length, 21)
  bench.run(HOUR_MS)
  bench.clock.stepWall(HOUR_MS)
  bench.run(1000)
  t.equal(bench.entries.at(-1)!.detail['entriesLeftOut'], 80)
})

t.test('offsets are kept every ten minutes', async t => {
  const bench = await TimeBench.open(t)
  const stop = new AbortController()
  const running = bench.time.run(stop.signal)
  for (let i = 0; i < 1805; i++) await bench.clock.advance(1000)
  stop.abort()
  await running
  const rows = bench.catalogue.db.prepare<[], { source: string, is_synchronised: number, reference_offset_us: number }>('SELECT source, is_synchronised, reference_offset_us FROM clock_sample').all()
  t.equal(rows.length, 4)
  t.same(rows[0], { source: 'chrony', is_synchronised: 1, reference_offset_us: 200 })
})

t.test('a step of an hour each hour for a month, told to be synchronised, ages nothing', async t => {
  const bench = await TimeBench.open(t)
  const before = bench.time.now()!
  for (let hour = 0; hour < 720; hour++) {
    bench.clock.stepWall(HOUR_MS)
    for (let third = 0; third < 3; third++) { // each look is written down
      bench.clock.drift(20 * MINUTE_MS, 0)
      bench.time.tick()
    }
  }
  const aheadMs = bench.time.now()! - before - 30 * DAY_MS
  t.ok(aheadMs >= 0 && aheadMs <= 30 * DAY_MS * 500e-6 + 1, `${aheadMs} ms in thirty days`)
  t.same(bench.actions(), ['clock.began', 'clock.stepped'])
})

t.test('a catalogue that is locked is asked once a look, for each time may be a wait', async t => {
  const bench = await TimeBench.open(t)
  const statements = new FaultyStatements(t, bench.catalogue.db)
  bench.run(MINUTE_MS)
  statements.fail('SQLITE_BUSY', /^REPLACE INTO trusted_time/)
  bench.clock.drift(2 * MINUTE_MS, 0)
  t.equal(bench.time.tick(), false)
  t.equal(statements.failed, 1)
  bench.clock.stepWall(HOUR_MS) // to be told, and to be written down
  t.equal(bench.time.tick(), false)
  t.equal(statements.failed, 2)
  statements.heal()
  t.equal(bench.time.tick(), true)
})

t.test('a row that cannot be read keeps nobody from recording: time is unknown, and goes on where it stood once it can be read', async t => {
  const bench = await TimeBench.open(t)
  const statements = new FaultyStatements(t, bench.catalogue.db)
  bench.run(HOUR_MS)
  await bench.time[Symbol.asyncDispose]()
  const before = bench.time.now()!
  bench.newest = epochMs(before - 30_000)
  statements.fail('SQLITE_IOERR_READ', /FROM trusted_time/)
  bench.clock.drift(2_000, 0)
  await bench.start()
  t.equal(bench.time.status().state, 'unknown')
  t.same([bench.time.now(), bench.time.nowForArchive()], [null, null], 'nothing is erased')
  const moved: { since: number, byMs: number }[] = []
  bench.time.onAdvance(advance => { moved.push(advance) })
  bench.run(10 * MINUTE_MS)
  t.same(bench.entries.length, 1, 'nothing is told of a time that is not read yet')
  const stamped = bench.time.trustedOf(bench.clock.wallNow())
  await bench.time[Symbol.asyncDispose]()
  statements.heal()
  t.equal(timeTables(bench.catalogue.db).load()?.trustedMs,
    Math.floor(before), 'and the row is not written over')

  statements.fail('SQLITE_IOERR_READ', /FROM trusted_time/)
  await bench.start()
  bench.time.onAdvance(advance => { moved.push(advance) })
  bench.run(MINUTE_MS)
  statements.heal()
  bench.run(2_000)
  const now = bench.time.now()!
  const trueNow = before + 2_000 + 10 * MINUTE_MS + MINUTE_MS + 2_000
  t.ok(Math.abs(now - trueNow) <= 1_000, `it counted on: ${now - trueNow} ms`)
  t.equal(bench.time.status().state, 'agreed')
  t.equal(moved.length, 1, 'what was recorded meanwhile moves with it')
  t.ok(moved[0]!.byMs >= 2_000 && moved[0]!.since <= bench.newest, JSON.stringify(moved))
  t.ok(stamped <= now + moved[0]!.byMs)
})

t.test('without a readable row two people are believed, and what they say is written down', async t => {
  const bench = await TimeBench.open(t)
  const statements = new FaultyStatements(t, bench.catalogue.db)
  await bench.time[Symbol.asyncDispose]()
  statements.fail('SQLITE_CORRUPT', /FROM trusted_time/)
  await bench.start()
  bench.confirm('lin')
  bench.confirm('wang')
  bench.run(2_000)
  t.equal(bench.time.status().state, 'agreed')
  statements.heal()
  await bench.restart()
  t.equal(bench.time.status().state, 'agreed')
})
