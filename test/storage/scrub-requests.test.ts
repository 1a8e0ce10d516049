import t, { type Test } from 'tap'
import { AuditLog } from '../../src/audit/index.ts'
import type { Answer, Ask } from '../../src/link/index.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import { scrubRequests } from '../../src/storage/index.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const [VOLUME, LOBBY, GATE] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)], ROOT = 'd'.repeat(64)
const SLOTS = 1_200
const SEGMENT = `INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule,
  end_at, newest_at, keep_until, records, used_bytes, merkle_root, sealed_at, ended_at)
  VALUES (?, ?, ?, ?, 'main', ?, '31d', ?, ?, 0, 2, 9, ?, 0, ?)`
const ALL = { volume: VOLUME, startId: null, from: 0, camera: null, range: null }

/** Each slot in its third use, sealed, of two cameras in turn, slot n from instant 1000 n on. */
function used(t: Test) {
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  const catalogue = openCatalogue(t.testdir({}), clock.wallNow())
  t.teardown(() => { catalogue[Symbol.dispose]() })
  const { db } = catalogue
  type Value = string | number | null
  const run = (sql: string, ...values: Value[]): void => { db.prepare<Value[]>(sql).run(...values) }
  db.transaction(() => {
    run("INSERT INTO camera VALUES (?, 'lobby', 0, NULL), (?, 'gate', 0, NULL)", LOBBY, GATE)
    run("INSERT INTO volume VALUES (?, 'disk1', 1048576, ?, 0)", VOLUME, SLOTS)
    for (let slot = 0; slot < SLOTS; slot++) {
      run("INSERT INTO slot VALUES (?, ?, 3, 'sealed', NULL)", VOLUME, slot)
      for (let generation = 1; generation <= 3; generation++) {
        const at = slot * 1000, camera = slot % 2 === 0 ? LOBBY : GATE, endedAt = generation === 3 ? null : 1
        run(SEGMENT, VOLUME, slot, generation, camera, at, at + 900, at, ROOT, endedAt)
      }
    }
  })()
  return { db, run, requests: scrubRequests({ catalogue, audit: new AuditLog({ db, clock }), clock }) }
}
type Asked = Ask<'scrub.segments'>

async function pagesOf({ requests }: ReturnType<typeof used>, more: Partial<Asked> = {}) {
  const slots: number[] = [], sizes: number[] = []
  for (let from: number | null = 0; from !== null;) {
    const page: Answer<'scrub.segments'> = await requests['scrub.segments']({ ...ALL, ...more, from })
    slots.push(...page.segments.map(each => each.slot))
    sizes.push(page.segments.length)
    from = page.next
  }
  return { slots, sizes }
}

t.test('what stands is listed slot by slot, 200 a page; what does not fit costs few pages', async t => {
  const rig = used(t)
  const { slots, sizes } = await pagesOf(rig)
  t.same(slots, Array.from({ length: SLOTS }, (_, slot) => slot))
  t.same(sizes, [200, 200, 200, 200, 200, 200])
  const of = (more: Partial<Asked>) => pagesOf(rig, more)
  t.same((await of({ camera: 'gate' })).slots.length, SLOTS / 2)
  t.same(await of({ camera: 'nobody' }), { slots: [], sizes: [0, 0, 0] })
  t.same((await of({ range: { startAt: 5_900, endAt: 8_001 } })).slots, [6, 7, 8], 'half-open at both ends')
  const behind = await rig.requests['scrub.segments']({ ...ALL, from: 10 ** 12 })
  t.same(behind, { isKnown: true, segments: [], next: null })
})

t.test('a failed slot shows an older generation where that stands; open and free ones show none', async t => {
  const rig = used(t), { run, requests } = rig
  run("UPDATE slot SET generation = 5, state = 'quarantined', reason = 'x' WHERE slot = 0")
  run("UPDATE slot SET generation = 4, state = 'preparing' WHERE slot = 1")
  run("UPDATE segment SET ended_at = 1 WHERE slot IN (1, 2)")
  run("UPDATE slot SET state = 'free' WHERE slot = 2")
  run('UPDATE segment SET is_quarantined = 1 WHERE slot = 0 AND generation = 3')
  const { segments } = await requests['scrub.segments'](ALL)
  const failed = { slot: 0, generation: 3, isQuarantined: true, isDoubted: false }
  t.match(segments.slice(0, 2), [failed, { slot: 3 }])
})

t.test('what faults are on record of is marked, until they are gone', async t => {
  const { requests } = used(t), told = { volume: VOLUME, slot: 0, generation: 3 }
  const fault = { kind: 'record' as const, fromAt: 1, toAt: 2, firstRecord: 0, records: 1 }
  const isDoubted = async () => (await requests['scrub.segments'](ALL)).segments[0]!.isDoubted
  t.same(await requests['scrub.finding']({ ...told, faults: [fault] }), { isStanding: true })
  t.equal(await isDoubted(), true)
  await requests['scrub.finding']({ ...told, faults: [] })
  t.equal(await isDoubted(), false)
})

t.test('a volume that is unknown, or was used by another catalogue, is not listed', async t => {
  const { run, requests } = used(t), ask = requests['scrub.segments']
  const none = { isKnown: false, segments: [], next: null }
  t.same(await ask({ ...ALL, volume: 'e'.repeat(32) }), none)
  t.same(await ask({ ...ALL, startId: 'f'.repeat(32) }), none)
  const start = 'INSERT INTO catalogue_start (start_id, started_at) VALUES (?, 0)'
  for (const no of [1, 2]) run(start, String(no).repeat(32))
  run('INSERT INTO volume_mark VALUES (?, 2)', VOLUME)
  t.match(await ask({ ...ALL, startId: '2'.repeat(32) }), { isKnown: true, next: 200 })
  t.same(await ask({ ...ALL, startId: '1'.repeat(32) }), none, 'an older image of the volume')
  t.match(await ask({ ...ALL, from: 200 }), { isKnown: true, next: 400 })
})
