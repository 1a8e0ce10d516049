import t from 'tap'
import { ShowingOrder } from '../../src/ingest/showing-order.ts'

const FRAME = 9000

t.test('pictures of one group stay in the order of their stamps where their decoding times moved apart', t => {
  const order = new ShowingOrder()
  t.equal(order.place(0, 0, 0), 0)
  t.equal(order.place(3 * FRAME, 40_000, 9000), 40_000)
  t.equal(order.place(1 * FRAME, 18_000, 18_000), 18_000)
  const moved = order.place(2 * FRAME, 45_000, 27_000)
  t.ok(moved > 27_000 && moved < 40_000, 'before the one that is shown behind it')
  t.ok(order.place(4 * FRAME, 30_000, 30_000) > 40_000, 'and the next one behind all of them')
  t.end()
})

t.test('one that came too late for its place is shown when it is decoded; another count is another group', t => {
  const order = new ShowingOrder()
  order.place(3 * FRAME, 40_000, 9000)
  t.equal(order.place(1 * FRAME, 50_000, 50_000), 50_000)
  t.equal(order.place(900_000, 60_000, 60_000), 60_000)
  t.equal(order.place(0, 70_000, 70_000), 70_000, 'two seconds and more before the last')
  t.end()
})
