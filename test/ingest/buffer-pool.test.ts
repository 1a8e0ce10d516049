import fc from 'fast-check'
import t from 'tap'
import { BufferPool } from '../../src/ingest/buffer-pool.ts'
import { seeded } from '../support/recorder/seeded.ts'

const MIB = 1 << 20
const runs = seeded(t, 200)

t.test('a buffer comes back to whoever needs one as long, or up to half as long', async t => {
  const pool = new BufferPool()
  const first = pool.take(300_000)
  t.equal(first.length, 5 * 65_536)
  pool.giveBack(first)
  t.not(pool.take(120_000), first, 'it would be more than twice too long')
  t.equal(pool.take(170_000), first)
  t.equal(pool.freeBytes, 0)
})

t.test('of a heap that waited for a slow disk little is kept, and what is used goes round', async t => {
  const pool = new BufferPool()
  for (const buffer of Array.from({ length: 40 }, () => pool.take(300_000))) pool.giveBack(buffer)
  t.ok(pool.freeBytes > 3 * MIB && pool.freeBytes <= 4 * MIB)
  const used = new Set<Buffer>()
  for (let i = 0; i < 1000; i++) {
    const pair = [pool.take(200_000 + i % 90_000), pool.take(250_000)]
    pair.forEach(buffer => { used.add(buffer); pool.giveBack(buffer) })
  }
  t.ok(used.size <= 12, `none is made anew again and again: ${used.size}`)
})

t.test('no buffer is with two at a time, none is too short, and what lies about is bounded and counted', async () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.record({ take: fc.integer({ min: 1, max: 3_000_000 }) }), fc.record({ back: fc.nat() })), { maxLength: 400 }), steps => {
    const pool = new BufferPool(), out: Buffer[] = []
    for (const step of steps) {
      if ('take' in step) {
        const buffer = pool.take(step.take)
        if (buffer.length < step.take || out.includes(buffer)) return false
        out.push(buffer)
      } else if (out.length > 0) pool.giveBack(out.splice(step.back % out.length, 1)[0]!)
      if (pool.freeBytes < 0 || pool.freeBytes > 4 * MIB) return false
    }
    return true
  }), runs)
})
