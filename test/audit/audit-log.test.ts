import { createHash } from 'node:crypto'
import path from 'node:path'
import Database from 'better-sqlite3'
import pino from 'pino'
import t from 'tap'
import { AuditLog, entryText, noteEvent } from '../../src/audit/index.ts'
import { consistencyPath, inclusionPath, rootOf, subtreesOf } from '../../src/platform/merkle.ts'
import { openCatalogueBeside } from '../../src/platform/catalogue.ts'
import { event, fill, openLog, START } from './support/log.ts'

interface Row { seq: number, prev_hash: Buffer, hash: Buffer, trusted_at: number | null, clock: string, at: number, detail: string }

t.test('entries count from one without a hole, and each hashes the one before', async t => {
  const rig = openLog(t)
  t.equal(rig.log.size(), 0)
  t.same([1, 2, 3].map(() => rig.log.append(event())), [{ seq: 1 }, { seq: 2 }, { seq: 3 }])
  const rows = rig.db.prepare<[], Row>('SELECT * FROM audit_entry ORDER BY seq').all()
  t.same(rows.map(row => row.prev_hash), [Buffer.alloc(32), rows[0]!.hash, rows[1]!.hash])
  for (const { seq, hash } of rows) {
    const { hash: _, ...entry } = rig.log.get(seq)!
    t.same(hash, createHash('sha256').update('\0').update(entryText(entry)).digest())
  }
})

t.test('an entry tells who, what, when by both clocks, and what came of it', async t => {
  const { db, clock } = openLog(t)
  const log = new AuditLog({ db, clock })
  log.append(event())
  log.setClockState(() => ({ at: clock.wallNow(), state: 'agreed' }))
  clock.drift(90_000, 0)
  log.append(event({ actor: { kind: 'account', name: '王小明', role: '承辦人', source: '10.0.0.7' }, action: 'view.opened', application: '115-0042', result: 'refused', detail: { why: '未核准' } }))
  t.match(log.get(1), { trustedAt: null, clock: 'starting', at: Date.parse(START) })
  t.match(log.get(2), {
    seq: 2, at: Date.parse(START) + 90_000, trustedAt: Date.parse(START) + 90_000, clock: 'agreed', actor: { kind: 'account', name: '王小明', role: '承辦人', source: '10.0.0.7' },
    action: 'view.opened', object: 'disk1/17/4', application: '115-0042', result: 'refused', detail: '{"why":"未核准"}',
  })
  t.equal(log.get(3), null)
})

t.test('the entry stands or falls with the act', async t => {
  const { db, log } = openLog(t)
  db.exec('CREATE TABLE act (n INTEGER) STRICT')
  const act = db.transaction((fails: boolean) => {
    db.exec('INSERT INTO act VALUES (1)')
    log.append(event())
    if (fails) throw new Error('changed my mind')
    log.append(event())
  })
  for (const fails of [true, false, true, false]) try { act(fails) } catch (error) { t.match(error, { message: 'changed my mind' }) }
  t.equal(log.size(), 4, 'what was rolled back left no trace in the numbering')
  const rows = db.prepare<[], Row>('SELECT * FROM audit_entry ORDER BY seq').all()
  t.same(rows.slice(1).map(row => row.prev_hash), rows.slice(0, -1).map(row => row.hash))
  t.equal(db.prepare('SELECT count(*) FROM act').pluck().get(), 2)
})

t.test('two programs write one log', async t => {
  const { folder, log, clock } = openLog(t)
  using beside = openCatalogueBeside(folder, 'write')
  const other = new AuditLog({ db: beside.db, clock })
  t.same([log, other, other, log].map(writer => writer.append(event()).seq), [1, 2, 3, 4])
})

t.test('no program changes, deletes or slips in an entry', async t => {
  const { db, log } = openLog(t)
  log.append(event())
  log.append(event())
  const refused = { code: 'SQLITE_CONSTRAINT_TRIGGER' }
  t.throws(() => db.exec("UPDATE audit_entry SET actor_name = 'somebody else' WHERE seq = 1"), refused)
  t.throws(() => db.exec('DELETE FROM audit_entry WHERE seq = 2'), refused)
  const copy = (seq: number, verb: string) => `${verb} INTO audit_entry SELECT ${seq}, at, trusted_at, clock, actor_kind, actor_name, actor_role, actor_source, action, object, application, result, detail, prev_hash, hash FROM audit_entry WHERE seq = 1`
  t.throws(() => db.exec(copy(1, 'INSERT OR REPLACE')), refused, 'replacing is deleting')
  t.throws(() => db.exec(copy(9, 'INSERT')), refused, 'no hole')
  t.equal(log.size(), 2)
})

t.test('what is no event never reaches the table, and is no fault of the log', async t => {
  const { log } = openLog(t)
  t.throws(() => log.append(event({ detail: { ratio: 0.5 } })), TypeError)
  t.throws(() => log.append(event({ detail: { long: 'x'.repeat(70_000) } })), /65536/)
  t.throws(() => log.append(event({ object: 'x'.repeat(1001) })), /1000/)
  t.throws(() => log.append(event({ actor: { kind: 'account', name: '\ud800', role: null, source: null } })), TypeError)
  t.same(log.auditState(), { state: 'ok' })
  t.equal(log.size(), 0)
})

t.test('a full database: the act does not happen, the state says so, and the log tells of it afterwards', async t => {
  const { db, log, clock } = openLog(t)
  let cries = 0
  log.onFull = () => { cries += 1 }
  db.exec('CREATE TABLE act (n INTEGER) STRICT')
  db.exec('VACUUM') // pages that the migrations left free
  const pages = Number(db.pragma('page_count', { simple: true }))
  db.pragma(`max_page_count = ${pages}`)
  const big = event({ detail: { long: '滿'.repeat(9000) } })
  const act = () => log.transaction(() => { db.exec('INSERT INTO act VALUES (1)'); log.append(big) })
  t.throws(act, { code: 'CUSTOS_AUDIT_UNWRITABLE', cause: { code: 'SQLITE_FULL' } })
  t.equal(db.prepare('SELECT count(*) FROM act').pluck().get(), 0, 'rolled back')
  t.notOk(db.inTransaction)
  t.same(log.auditState(), { state: 'failed', since: Date.parse(START), cause: 'SQLITE_FULL' })
  t.ok(cries > 0)
  db.pragma(`max_page_count = 1`) // SQLite takes the present size then; what is free inside still serves
  db.transaction(() => { t.throws(() => log.append(big), { code: 'CUSTOS_AUDIT_UNWRITABLE' }); t.throws(() => log.requireWritable(), { code: 'CUSTOS_AUDIT_UNWRITABLE' }) })()
  t.equal(log.auditState().state, 'failed')
  db.pragma('max_page_count = 100000')
  clock.drift(60_000, 0)
  log.requireWritable()
  t.same(log.auditState(), { state: 'ok' })
  t.match(log.get(log.size()), { action: 'audit.restored', detail: `{"cause":"SQLITE_FULL","refused":2,"since":${Date.parse(START)}}` })
  act()
  t.equal(db.prepare('SELECT count(*) FROM act').pluck().get(), 1)
})

t.test('a log that nobody writes to is tried now and then', async t => {
  const { db, log, clock } = openLog(t)
  log.probe()
  t.equal(db.prepare('SELECT written_at FROM audit_log').pluck().get(), clock.wallNow())
  t.same(log.auditState(), { state: 'ok' })
  db.pragma('query_only = ON')
  log.probe()
  t.match(log.auditState(), { state: 'failed', cause: 'SQLITE_READONLY' })
  t.throws(() => log.requireWritable(), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  log.probe()
  t.equal(log.auditState().state, 'failed')
  db.pragma('query_only = OFF')
  log.probe()
  t.same(log.auditState(), { state: 'ok' })
  t.match(log.get(1), { action: 'audit.restored' })
})

t.test('a lock that another process holds for a moment refuses the act and is no failure; one that lasts is',
  async t => {
  const { db, log, clock, folder } = openLog(t)
  const other = new Database(path.join(folder, 'catalogue.db'))
  t.teardown(() => { other.close() })
  const refused = () => {
    t.throws(() => log.append(event()), { code: 'CUSTOS_AUDIT_UNWRITABLE', cause: { code: 'SQLITE_BUSY' } })
  }
  other.exec('BEGIN IMMEDIATE')
  refused()
  clock.drift(4_000, 0)
  refused()
  t.same(log.auditState(), { state: 'ok' })
  other.exec('ROLLBACK')
  log.append(event())
  clock.drift(60_000, 0)
  other.exec('BEGIN IMMEDIATE')
  refused()
  t.same(log.auditState(), { state: 'ok' }, 'counted from the first refusal since the last success')
  clock.drift(5_001, 0)
  log.probe()
  t.match(log.auditState(), { state: 'failed', cause: 'SQLITE_BUSY' })
  other.exec('ROLLBACK')
  log.probe()
  t.same(log.auditState(), { state: 'ok' })
  t.match(log.get(log.size()), { action: 'audit.restored' })
  t.notOk(db.inTransaction)
})

t.test('what happened while nothing could be written down is written down afterwards, with its own time',
  async t => {
  const { db, log, clock, folder } = openLog(t)
  const other = new Database(path.join(folder, 'catalogue.db'))
  t.teardown(() => { other.close() })
  const logger = pino({ level: 'silent' })
  other.exec('BEGIN IMMEDIATE')
  noteEvent(log, logger, event({ action: 'volume.refused' }))
  clock.drift(600_000, 0)
  noteEvent(log, logger, event({ action: 'volume.in-use' }))
  log.settle()
  t.equal(log.size(), 0)
  other.exec('ROLLBACK')
  noteEvent(log, logger, event({ action: 'config.changed' }))
  t.match([1, 2, 3].map(seq => log.get(seq)).map(entry => [entry?.action, JSON.parse(entry?.detail ?? '{}')]),
    [
    ['volume.refused', { bytes: 4096, happenedAt: START }],
      ['volume.in-use', { happenedAt: '2026-11-22T08:10:00.000Z' }], ['config.changed', {}],
  ], 'in their order')
  t.equal(log.size(), 3)

  db.pragma('busy_timeout = 0') // or each waits for the lock
  other.exec('BEGIN IMMEDIATE')
  for (let i = 0; i < 1_005; i++) noteEvent(log, logger, event({ detail: { i } }))
  other.exec('ROLLBACK')
  log.settle()
  t.match(log.get(4), { action: 'audit.events-lost', detail: /"count":5/ })
  t.match(JSON.parse(log.get(5)?.detail ?? '{}'), { i: 5 }, 'the oldest go first')
  t.equal(log.size(), 1_004)
})

t.test('an act that fails for a reason of its own is no fault of the log', async t => {
  const { db, log } = openLog(t)
  db.exec('CREATE TABLE act (n INTEGER PRIMARY KEY) STRICT')
  t.throws(() => log.transaction(() => { log.append(event()); db.exec('INSERT INTO act VALUES (1), (1)') }), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  t.same([log.auditState(), log.size()], [{ state: 'ok' }, 0])
})

t.test('roots and proofs through stored tiles are those over all entries', async t => {
  const rig = openLog(t)
  fill(rig, 66_000)
  const hashes = rig.db.prepare<[], Buffer>('SELECT hash FROM audit_entry ORDER BY seq').pluck().all()
  const subtrees = subtreesOf(hashes), { tree } = rig.log
  t.same(rig.db.prepare('SELECT level, count(*) AS n FROM audit_tile GROUP BY level').all(), [{ level: 1, n: 257 }, { level: 2, n: 1 }])
  for (const size of [0, 1, 2, 3, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 65_999, 66_000]) t.same(tree.root(size), rootOf(subtrees, size), `root of ${size}`)
  for (const [seq, size] of [[1, 1], [1, 66_000], [256, 257], [257, 65_536], [65_537, 66_000], [66_000, 66_000], [40_000, 65_793]] as const) {
    t.same(tree.inclusion(seq, size), inclusionPath(subtrees, seq - 1, size), `entry ${seq} in ${size}`)
  }
  for (const [old, size] of [[1, 66_000], [255, 256], [256, 66_000], [65_536, 66_000], [65_537, 65_999], [66_000, 66_000], [300, 65_536]] as const) {
    t.same(tree.consistency(old, size), consistencyPath(subtrees, old, size), `${old} in ${size}`)
  }
  t.throws(() => tree.root(66_001), RangeError)
  t.throws(() => tree.inclusion(66_001, 66_000), RangeError)
})
