import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { keepUntil } from '../../src/retention/index.ts'
import { checkInvariants, FLOOR_31_DAYS, RecorderRig } from '../support/recorder-rig.ts'
import { seededRandom } from '../support/seeded-random.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const QUERIES = [...readFileSync(path.join(import.meta.dirname, '../../docs/operating/auditor-queries.md'), 'utf8').matchAll(/^## \d\.(.*)\n[\s\S]*?```sql\n([\s\S]*?)```/gm)]
  .map(match => ({ title: match[1]!, sql: match[2]! })).slice(0, 3)
const BY = { kind: 'machine-user', name: '稽核測試', role: null, source: null } as const

t.test('a ring that wraps twenty times under a floor of seconds never drops below it', async t => {
  const floorMs = 12_000
  const rig = await RecorderRig.open(t, { slots: 10, floor: { floor: { kind: 'plain', durationMs: floorMs }, timezone: 'Asia/Taipei' } })
  await rig.fillSlots(220)
  const freed = rig.rows<{ freed_trusted_at: number, newest_at: number }>('SELECT freed_trusted_at, newest_at FROM segment WHERE freed_trusted_at IS NOT NULL')
  t.ok(freed.length >= 200, `${freed.length} slots were used again`)
  const youngestMs = Math.min(...freed.map(row => row.freed_trusted_at - row.newest_at))
  t.ok(youngestMs >= floorMs, `the youngest that went was ${youngestMs} ms old`)
  t.same(await checkInvariants(rig), [])
})

t.test('under a floor that the ring cannot meet it stops and overwrites nothing inside; it goes on when the floor has passed', async t => {
  const rig = await RecorderRig.open(t, { slots: 4, floor: { floor: { kind: 'plain', durationMs: 60_000 }, timezone: 'Asia/Taipei' } })
  await t.rejects(rig.fillSlots(6), { code: 'CUSTOS_RING_FULL', message: /inside-floor/ })
  t.equal(rig.rows('SELECT * FROM segment WHERE freed_trusted_at IS NOT NULL').length, 0)
  rig.endRun('storage-full')
  rig.clock.drift(70_000, 0)
  await rig.fillSlots(2)
  t.ok(rig.rows('SELECT * FROM segment WHERE freed_trusted_at IS NOT NULL').length >= 1)
})

t.test('several volumes: free slots are taken alike, and when all are full the oldest goes wherever it lies', async t => {
  const rig = await RecorderRig.open(t, { slots: 6, volumes: ['disk1', 'disk2', 'disk3'], floor: { floor: { kind: 'plain', durationMs: 5_000 }, timezone: 'Asia/Taipei' } })
  await rig.fillSlots(15)
  const used = rig.rows<{ n: number }>("SELECT count(*) AS n FROM slot WHERE state <> 'free' GROUP BY volume_uuid").map(row => row.n)
  t.ok(Math.max(...used) - Math.min(...used) <= 1, `${used.join(', ')} slots used a volume`)
  await rig.fillSlots(60)
  const order = rig.rows<{ newest_at: number }>('SELECT newest_at FROM segment WHERE freed_trusted_at IS NOT NULL ORDER BY freed_trusted_at, segment_id').map(row => row.newest_at)
  t.same(order, [...order].sort((a, b) => a - b), 'oldest first over all volumes')
})

t.test('trusted time that is moved forward late ages nothing that was recorded before it was believed', async t => {
  const rig = await RecorderRig.open(t, { slots: 4 })
  await rig.fillSlots(2)
  rig.endRun()
  const since = rig.clock.wallNow()
  rig.clock.drift(HOUR_MS, 0)
  await rig.fillSlots(1)
  rig.endRun()
  await rig.lane.close()
  const before = rig.rows<{ slot: number, keep_until: number, newest_at: number }>('SELECT slot, keep_until, newest_at FROM segment WHERE sealed_at IS NOT NULL ORDER BY start_at')
  rig.storage.advanceAge({ since, byMs: 40 * DAY_MS })
  const after = rig.rows<{ slot: number, keep_until: number, newest_at: number }>('SELECT slot, keep_until, newest_at FROM segment WHERE sealed_at IS NOT NULL ORDER BY start_at')
  for (const [i, row] of after.entries()) {
    const movedMs = before[i]!.newest_at >= since ? 40 * DAY_MS : 0
    t.equal(row.newest_at - before[i]!.newest_at, movedMs)
    t.equal(row.keep_until - before[i]!.keep_until, movedMs)
  }
  t.ok(after.some((row, i) => row.newest_at > before[i]!.newest_at))
})

for (const step of ['seal trailer', 'recover free', 'append head']) {
  t.test(`what is recorded, sealed or recovered while trusted time is moved forward moves with it (${step})`, async t => {
    const rig = await RecorderRig.open(t, { slots: 4 })
    const since = rig.clock.wallNow()
    await rig.append(2)
    await rig.sync()
    if (step === 'recover free') await rig.killAndReopen()
    let before = 0
    rig.fs.onStep = seen => {
      if (seen !== step || before !== 0) return
      before = rig.nextAt
      rig.storage.advanceAge({ since, byMs: 40 * DAY_MS })
    }
    await rig.lane.recover()
    if (step === 'append head') await rig.append(1)
    await rig.lane.close()
    t.not(before, 0)
    const [row] = rig.rows<{ newest_at: number, keep_until: number }>('SELECT newest_at, keep_until FROM segment')
    const newestAt = epochMs(row!.newest_at)
    t.ok(newestAt >= before + 40 * DAY_MS - (step === 'append head' ? 1_000 : 0), 'its age is that of the time it was believed')
    t.ok(row!.keep_until >= keepUntil(FLOOR_31_DAYS, newestAt))
  })
}

t.test('a simulated year with holds, a floor that changes and a clock that is set: the auditor\'s queries find nothing, and find what is planted', async t => {
  const random = seededRandom(20261122)
  const rig = await RecorderRig.open(t, { slots: 60 })
  const end = rig.clock.wallNow() + 366 * DAY_MS
  const holds: string[] = []
  let stops = 0
  while (rig.clock.wallNow() < end) {
    try { await rig.append(4, { dataBytes: 220_000 }) } catch { stops++ } // the floor comes first
    rig.endRun()
    rig.clock.drift((10 + random() * 10) * HOUR_MS, 0)
    if (random() < 0.04) {
      const { cameraUuid } = rig.segments()[0]!
      const fromAt = epochMs(rig.clock.wallNow() - random() * 30 * DAY_MS)
      holds.push((await rig.storage.holds.place({
        camera: { id: rig.camera, uuid: cameraUuid }, stream: null, fromAt, toAt: epochMs(fromAt + random() * 2 * DAY_MS + 1000), authority: '年度模擬', application: null, by: BY,
      })).holdId)
    }
    if (holds.length > 3) await rig.storage.holds.end(holds.shift()!, BY, '模擬結案')
    if (random() < 0.01) { rig.clock.stepWall((random() - 0.5) * 20 * DAY_MS); rig.time.tick() }
    if (random() < 0.01) {
      rig.floor = { ...FLOOR_31_DAYS, floor: { kind: 'calendar-days', days: random() < 0.5 ? 31 : 33 } }
      await rig.restart()
    }
  }
  const freed = rig.rows('SELECT 1 FROM segment WHERE freed_trusted_at IS NOT NULL').length
  t.ok(freed > 200, `${freed} slots were overwritten in the year, ${holds.length} holds at its end, ${stops} times the ring stood still`)
  t.equal(QUERIES.length, 3)
  for (const { title, sql } of QUERIES) t.same(rig.rows(sql), [], title)
  t.same(await checkInvariants(rig), [])

  const plant = (sql: string): number[] => {
    const found: number[] = []
    rig.catalogue(db => {
      db.exec('BEGIN')
      db.exec(sql)
      for (const query of QUERIES) found.push(db.prepare(query.sql).all().length)
      db.exec('ROLLBACK')
    })
    return found
  }
  const one = "(SELECT segment_id FROM segment WHERE freed_trusted_at IS NOT NULL AND floor_rule = '31d Asia/Taipei' ORDER BY segment_id LIMIT 1)"
  t.match(plant(`UPDATE segment SET freed_trusted_at = freed_kept_until - 1 WHERE segment_id = ${one}`), [1, 0, 0])
  t.match(plant(`UPDATE segment SET freed_trusted_at = newest_at + 30 * 86400000, freed_kept_until = newest_at, keep_until = newest_at WHERE segment_id = ${one}`), [1, 0, 0], 'dates that lie in agreement')
  const [underHold] = plant('UPDATE hold SET from_at = 0, to_at = 9e12')
  t.ok(underHold! > 10, `a hold over everything: ${underHold} slots were overwritten in spite of it`)
  t.match(plant(`UPDATE segment SET merkle_root = '${'0'.repeat(64)}' WHERE segment_id = ${one}`), [0, 1, 0])
  t.match(plant(`DELETE FROM segment WHERE segment_id = ${one}`), [0, 0, 1])
})
