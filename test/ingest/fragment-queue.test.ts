import fc from 'fast-check'
import t from 'tap'
import { FragmentQueue } from '../../src/ingest/fragment-queue.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 150)
const item = (id: number, sizeBytes = 10) => ({ id, sizeBytes })

t.test('gives everything once, in order, and then ends', async t => {
  const queue = new FragmentQueue<{ id: number, sizeBytes: number }>(1000)
  for (let id = 0; id < 5; id++) queue.push(item(id))
  queue.end()
  t.strictSame((await Array.fromAsync(queue)).map(({ id }) => id), [0, 1, 2, 3, 4])
})

t.test('wakes a consumer that waits, for an item as for the end', async t => {
  const queue = new FragmentQueue<{ id: number, sizeBytes: number }>(1000)
  const all = Array.fromAsync(queue)
  await Promise.resolve()
  queue.push(item(1))
  await Promise.resolve()
  queue.end()
  t.strictSame((await all).map(({ id }) => id), [1])
})

t.test('holds the producer back beyond its bound, until what was taken is written', async t => {
  const queue = new FragmentQueue<{ id: number, sizeBytes: number }>(15)
  const told: string[] = []
  queue.push(item(1))
  queue.whenRoom(() => told.push('at once'))
  queue.push(item(2))
  queue.whenRoom(() => told.push('later'))
  t.ok(queue.isFull)
  t.strictSame(told, ['at once'])
  const consumer = queue[Symbol.asyncIterator]()
  await consumer.next()
  t.strictSame(told, ['at once'], 'what is being written counts as queued')
  await consumer.next()
  t.strictSame(told, ['at once', 'later'])
  await consumer.return(undefined)
})

t.test('lets a producer go that waits when the end comes', async t => {
  const queue = new FragmentQueue<{ id: number, sizeBytes: number }>(5)
  queue.push(item(1))
  const released = new Promise<void>(resolve => { queue.whenRoom(resolve) })
  queue.end()
  await released
  let later = false
  queue.whenRoom(() => { later = true })
  t.ok(later)
})

t.test('loses nothing whatever the order of pushes, takes and yields to the event loop', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.record({ sizeBytes: fc.nat(40), yields: fc.nat(3) }), { maxLength: 60 }), fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), async (pushes, slow) => {
    const queue = new FragmentQueue<{ id: number, sizeBytes: number }>(60)
    const seen: number[] = []
    let mostBytes = 0
    let bytes = 0
    const consuming = (async () => {
      for await (const { id, sizeBytes } of queue) {
        for (let turns = slow[id % slow.length]!; turns > 0; turns--) await Promise.resolve()
        seen.push(id)
        bytes -= sizeBytes
      }
    })()
    for (const [id, { sizeBytes, yields }] of pushes.entries()) {
      await new Promise<void>(resolve => { queue.whenRoom(resolve) })
      queue.push(item(id, sizeBytes))
      bytes += sizeBytes
      mostBytes = Math.max(mostBytes, bytes)
      for (let turns = yields; turns > 0; turns--) await Promise.resolve()
    }
    queue.end()
    await consuming
    return seen.length === pushes.length && seen.every((id, i) => id === i) && mostBytes <= 100
  }), runs)
})

t.test('what is given up is not handed out; what the consumer has in hand counts until it comes back', async t => {
  const queue = new FragmentQueue<{ id: number, sizeBytes: number }>(25)
  for (let id = 0; id < 4; id++) queue.push(item(id))
  const consumer = queue[Symbol.asyncIterator]()
  t.match(await consumer.next(), { value: { id: 0 } })
  t.ok(queue.isFull)
  queue.abandon()
  t.notOk(queue.isFull)
  t.match(await consumer.next(), { done: true })
  queue.push(item(9, 20))
  t.notOk(queue.isFull, 'nothing is counted twice')
})
