import t from 'tap'
import { samePerson } from '../../src/trusted-time/confirmation.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, TimeBench } from './support.ts'

/** A recorder that was off for 30 days. */
const waiting = async (owner: Parameters<typeof TimeBench.open>[0]) => {
  const bench = await TimeBench.open(owner)
  bench.run(MINUTE_MS)
  await bench.powerOff(30 * DAY_MS)
  bench.run(MINUTE_MS)
  return bench
}

t.test('two people within five minutes count the time off, with both on record', async t => {
  const bench = await waiting(t)
  const moved: { since: number, byMs: number }[] = []
  bench.time.onAdvance(advance => { moved.push(advance) })
  bench.confirm('王小明', 'uid=0 loginuid=1000 sudo=wang')
  bench.run(4 * MINUTE_MS)
  t.equal(bench.time.status().state, 'waiting', 'one is not enough')
  const second = bench.confirm('李大同', 'uid=0 loginuid=1001 sudo=li')
  bench.run(1000)
  t.equal(bench.time.now(), bench.clock.wallNow())
  t.match(bench.whyOf(second), /^25919\d{5} ms$/)
  const entry = bench.entries.at(-2)!
  t.match(entry, { action: 'clock.confirmed', result: 'done', actor: { kind: 'machine-user', name: '李大同' }, detail: { sameLogin: false, first: { name: '王小明', login: 'uid=0 loginuid=1000 sudo=wang' }, synchronised: true } })
  t.ok(Math.abs(Number(entry.detail['byMs']) - 30 * DAY_MS) < 500)
  t.equal(moved.length, 1)
  t.equal(bench.entries.at(-1)!.action, 'clock.agreed')
})

t.test('one login for both counts, and is marked', async t => {
  const bench = await waiting(t)
  bench.confirm('王小明', 'uid=0 loginuid=0')
  bench.confirm('李大同', 'uid=0 loginuid=0')
  bench.run(1000)
  t.equal(bench.entries.at(-2)!.detail['sameLogin'], true)
})

t.test('the same name twice is one person, however it is written', async t => {
  const bench = await waiting(t)
  bench.confirm('Wang Xiaoming')
  const again = bench.confirm('ＷＡＮＧ  xiaoming ')
  bench.run(1000)
  t.equal(bench.time.status().state, 'waiting')
  t.match(bench.whyOf(again), /another person/)
  t.match(bench.entries.at(-1), { action: 'clock.confirmed', result: 'refused', actor: { name: 'ＷＡＮＧ  xiaoming ' } })
  bench.confirm('李大同')
  bench.run(1000)
  t.equal(bench.time.status().state, 'agreed', 'a real second one still counts with the first')
  t.notOk(samePerson('王小明', '王小朋'))
})

t.test('a lone word lapses after five minutes and is on record; the next one waits anew', async t => {
  const bench = await waiting(t)
  const first = bench.confirm('王小明')
  bench.run(5 * MINUTE_MS + 1000)
  t.match(bench.whyOf(first), /five minutes/)
  t.match(bench.entries.at(-1), { action: 'clock.confirmed', result: 'refused' })
  const second = bench.confirm('李大同')
  bench.run(1000)
  t.equal(bench.whyOf(second), null)
  t.equal(bench.time.status().state, 'waiting')
})

t.test('words six minutes apart do not count, though both arrive at one look', async t => {
  const bench = await waiting(t)
  const first = bench.confirm('王小明')
  bench.clock.drift(6 * MINUTE_MS, 0)
  const second = bench.confirm('李大同')
  bench.run(1000)
  t.match(bench.whyOf(first), /five minutes/)
  t.equal(bench.whyOf(second), null)
  t.equal(bench.time.status().state, 'waiting')
})

t.test('a clock that was set between the two words counts for neither', async t => {
  const bench = await waiting(t)
  const first = bench.confirm('王小明')
  bench.clock.stepWall(HOUR_MS)
  bench.confirm('李大同')
  bench.run(1000)
  t.match(bench.whyOf(first), /set since \(by 3600 s\)/)
  t.equal(bench.time.status().state, 'waiting')
})

t.test('a word of another boot does not count', async t => {
  const bench = await waiting(t)
  const word = bench.confirm('王小明', 'x', { bootId: 'boot-0' })
  bench.run(1000)
  t.match(bench.whyOf(word), /started anew/)
})

t.test('where both agree there is nothing to confirm, and nobody need wait to hear it', async t => {
  const bench = await TimeBench.open(t)
  const word = bench.confirm('王小明')
  bench.run(1000)
  t.match(bench.whyOf(word), /nothing to confirm/)
})

t.test('a wall clock behind trusted time: trusted time stays, and it is said', async t => {
  const bench = await TimeBench.open(t)
  bench.clock.stepWall(-HOUR_MS)
  bench.run(MINUTE_MS)
  const before = bench.time.now()!
  bench.confirm('王小明')
  bench.confirm('李大同')
  bench.run(1000)
  t.ok(bench.time.now()! >= before)
  t.equal(bench.time.status().state, 'disagrees')
  t.match(bench.entries.at(-1), { action: 'clock.confirmed', result: 'done', detail: { byMs: 0 } })
})

t.test('words said while no recorder ran count at its start, in the same boot', async t => {
  const bench = await waiting(t)
  await bench.time[Symbol.asyncDispose]()
  bench.confirm('王小明')
  bench.clock.drift(MINUTE_MS, 0)
  bench.confirm('李大同')
  bench.clock.drift(HOUR_MS, 0)
  await bench.start()
  bench.time.takeConfirmations()
  t.equal(bench.time.now(), bench.clock.wallNow())
})

t.test('without the audit log the act does not happen, and comes when the log is back [G10]', async t => {
  const bench = await waiting(t)
  bench.confirm('王小明')
  const second = bench.confirm('李大同')
  bench.auditFails = true
  bench.run(10_000)
  t.equal(bench.time.status().state, 'waiting')
  t.equal(bench.whyOf(second), null)
  bench.auditFails = false
  bench.run(1000)
  t.equal(bench.time.status().state, 'agreed')
})

t.test('a command in a loop does not fill the table', async t => {
  const bench = await waiting(t)
  t.throws(() => { for (let i = 0; i < 20; i++) bench.confirm('王小明') }, /too many/)
})
