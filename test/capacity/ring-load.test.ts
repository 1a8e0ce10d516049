import Database from 'better-sqlite3'
import t from 'tap'
import { volumeId } from '../../src/domain/index.ts'
import { RingLoad } from '../../src/capacity/index.ts'
import { migrate } from '../../src/platform/catalogue.ts'

const HOUR_MS = 3_600_000
const START = Date.UTC(2026, 9, 1)
const status = (sealed: number, more: object = {}) => ({
  id: volumeId('disk1'), state: 'ok' as const, slots: { free: 7, preparing: 1, open: 2, sealed, quarantined: 3 }, ...more,
})

function catalogue() {
  const db = new Database(':memory:')
  migrate(db, START)
  db.prepare('INSERT INTO camera VALUES (?, ?, ?, NULL)').run('a'.repeat(32), 'lobby', START)
  db.prepare('INSERT INTO volume (uuid, id, slot_size_bytes, slot_count, first_seen_at) VALUES (?, ?, ?, ?, ?)').run('b'.repeat(32), 'disk1', 2 ** 20, 5000, START)
  const insert = db.prepare(`INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, end_at, newest_at, keep_until, records, used_bytes, merkle_root, sealed_at, hold_count, is_quarantined, ended_at)
    VALUES (?, ?, 1, ?, 'main', ?, ?, ?, ?, ?, 1, 1, ?, ?, ?, ?, ?)`)
  let slot = 0
  return {
    db,
    sealed(endAt: number, { rule = '31d Asia/Taipei', holds = 0, quarantined = 0, endedAt = null as number | null } = {}): void {
      insert.run('b'.repeat(32), slot++, 'a'.repeat(32), endAt - 1000, rule, endAt, endAt, endAt, 'c'.repeat(64), endAt, holds, quarantined, endedAt)
    },
  }
}

t.test('tells every slot that could be reused once, in groups, with when it comes free', async t => {
  const { db, sealed } = catalogue()
  for (let hour = 0; hour < 3000; hour++) sealed(START + hour * HOUR_MS)
  for (let i = 0; i < 40; i++) sealed(START + 5 * HOUR_MS, { rule: '90000ms Asia/Taipei' }) // of one instant
  for (let i = 0; i < 5; i++) sealed(START, { holds: 1 })
  sealed(START, { quarantined: 1 })
  sealed(START, { endedAt: START + HOUR_MS })
  const [load] = await new RingLoad(db).read([status(3045)])
  t.match(load, { id: 'disk1', slotSizeBytes: 2 ** 20, slots: { total: 3058, free: 7, open: 3, quarantined: 3 }, holds: [{ slots: 5, until: null }] })
  t.equal(load!.sealed.reduce((sum, { slots }) => sum + slots, 0), 3040)
  t.ok(load!.sealed.length <= 300, `${load!.sealed.length} groups`)
  const months = load!.sealed.filter(({ keepUntil, newestFrameAt }) => keepUntil - newestFrameAt > 31 * 24 * HOUR_MS)
  t.equal(months.reduce((sum, { slots }) => sum + slots, 0), 3000)
  t.same(months.map(({ newestFrameAt }) => newestFrameAt).toSorted((a, b) => a - b), months.map(({ newestFrameAt }) => newestFrameAt), 'oldest first')
  t.match(load!.sealed.filter(group => !months.includes(group)), [{ slots: 40, newestFrameAt: START + 5 * HOUR_MS, keepUntil: START + 5 * HOUR_MS + 90_000 }])
})

t.test('a volume that is not in use is no capacity, nor is one that the catalogue does not know', async t => {
  const { db } = catalogue()
  t.same(await new RingLoad(db).read([status(0, { state: 'missing' }), status(0, { id: volumeId('disk2') })]), [])
  t.match(await new RingLoad(db).read([status(0)]), [{ sealed: [] }])
})
