import t from 'tap'
import { PollRound, type Polled } from '../../src/platform/poll-round.ts'

/** Real time with wide margins: what is told apart is 5, 10, 15 and 40-100 ms. */
const wait = (ms: number) => new Promise<void>(resolve => { setTimeout(resolve, ms) })

function counting(facts: Partial<Polled> = {}, answer: () => boolean = () => false) {
  const polled = {
    isFresh: false, isHeld: false, ...facts, looks: 0, poll: () => { polled.looks++; return answer() },
  }
  return polled
}

t.test('a fresh one is looked into often, the others in one round, a held one not at all', async t => {
  const round = new PollRound()
  const [fresh, calm, calmToo, held] = [counting({ isFresh: true }), counting(), counting(), counting({ isHeld: true })]
  for (const each of [fresh, calm, calmToo, held]) round.add(each)
  await wait(1000)
  for (const each of [fresh, calm, calmToo, held]) round.remove(each)
  t.ok(fresh.looks > 3 * calm.looks, `${fresh.looks} looks against ${calm.looks}`)
  t.ok(calm.looks >= 1 && calm.looks <= 1000 / 60 + 2, `${calm.looks} looks in a second`)
  t.ok(Math.abs(calm.looks - calmToo.looks) <= 1, 'all in the same rounds')
  t.equal(held.looks, 0)
})

t.test('one that follows the others is looked into a moment after them in each round', async t => {
  const round = new PollRound()
  const at: number[] = [], after: number[] = []
  const follower = counting({ follows: true }, () => { after.push(performance.now() - at.at(-1)!); return false })
  const leader = counting({}, () => { at.push(performance.now()); return false })
  at.push(performance.now()) // one that is added is looked into at once
  for (const each of [follower, leader]) round.add(each)
  while (leader.looks < 9) await wait(20)
  for (const each of [follower, leader]) round.remove(each)
  t.ok(Math.abs(follower.looks - leader.looks) <= 1, `${follower.looks} looks and ${leader.looks}`)
  const soonest = after.slice(1).sort((a, b) => a - b)
  t.ok(soonest[0]! >= 13, `${soonest[0]!} ms after the others at least`)
  t.ok(soonest[1]! < 38, `${soonest.map(Math.round).join(' ')} ms: not a round later`)
})

t.test('one that says there is more, is resumed or ends is looked into before the round', async t => {
  const round = new PollRound()
  let more = 5
  const busy = counting({}, () => more-- > 0)
  round.add(busy)
  while (busy.looks < 6) await wait(2)
  const held = counting({ isHeld: true })
  round.add(held)
  round.resume(held)
  round.resume(held)
  t.notOk(held.isHeld)
  while (held.looks === 0) await wait(1)
  const before = busy.looks
  round.soon(busy)
  while (busy.looks === before) await wait(1)
  round.remove(busy)
  round.remove(held)
  round.soon(busy) // gone: no effect
  const after = [busy.looks, held.looks]
  await wait(300)
  t.strictSame([busy.looks, held.looks], after, 'nothing is looked into once removed')
})

t.test('a round goes on for those that come after all had left', async t => {
  const round = new PollRound()
  const first = counting()
  round.add(first)
  await wait(20)
  round.remove(first)
  await wait(300)
  const second = counting()
  round.add(second)
  while (second.looks < 3) await wait(10)
  round.remove(second)
  t.pass('three rounds')
})
