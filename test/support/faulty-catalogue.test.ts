import Database from 'better-sqlite3'
import t from 'tap'
import { isCatalogueFault, type Db } from '../../src/platform/catalogue.ts'
import { FaultyCatalogue, labelOf, type CatalogueFaultKind } from './faulty-catalogue.ts'
import type { TestOwner } from './virtual-clock.ts'

const WRITE = 'INSERT INTO row (text) VALUES (?)'

function opened(owner: TestOwner) {
  const native = new Database(':memory:')
  owner.teardown(() => native.close())
  native.exec('CREATE TABLE row (text TEXT UNIQUE); CREATE TABLE other (text TEXT)')
  const faults = new FaultyCatalogue()
  const db = faults.wrap(native)
  const insert = db.prepare<[string]>(WRITE), select = db.prepare<[], string>('SELECT text FROM row').pluck()
  return { native, faults, db, put: (text: string) => { insert.run(text) }, rows: () => select.all() }
}

/** The code of what is thrown, `none` when nothing is. */
function codeOf(work: () => unknown): string {
  try { work() } catch (error) {
    if (!isCatalogueFault(error)) throw error
    return (error as { code: string }).code
  }
  return 'none'
}

t.test('a statement is labelled by verb and table', async t => {
  const labels: [string, string][] = [
    ["UPDATE segment SET a = 1 WHERE b = (SELECT c FROM d)", 'UPDATE segment'],
    ['INSERT INTO run (run_id) VALUES ((SELECT max(run_id) FROM run))', 'INSERT run'],
    ['INSERT OR IGNORE INTO "run" VALUES (1)', 'INSERT run'],
    ['INSERT OR REPLACE INTO survey_slot VALUES (1)', 'REPLACE survey_slot'],
    ['REPLACE INTO trusted_time VALUES (1)', 'REPLACE trusted_time'],
    ['DELETE FROM gap WHERE 1', 'DELETE gap'],
    ['SELECT a,\n b FROM slot INDEXED BY slot_by_state', 'SELECT slot'],
    ['SELECT count(*) AS n FROM (SELECT DISTINCT x FROM segment)', 'SELECT segment'],
    ['-- why\n  WITH one AS (SELECT a FROM inner_table) SELECT * FROM one', 'SELECT inner_table'],
    ['SELECT 1', 'SELECT'],
    ['BEGIN', 'BEGIN'], ['BEGIN DEFERRED', 'BEGIN'], ['begin immediate', 'BEGIN IMMEDIATE'],
    ['BEGIN EXCLUSIVE TRANSACTION', 'BEGIN EXCLUSIVE'], ['END', 'COMMIT'], ['COMMIT', 'COMMIT'],
    ['ROLLBACK', 'ROLLBACK'], ['ROLLBACK TO x', 'ROLLBACK TO'],
    ['PRAGMA wal_checkpoint(TRUNCATE)', 'PRAGMA wal_checkpoint'],
    ['CREATE TEMP TABLE IF NOT EXISTS a (b)', 'CREATE TABLE a'],
    ['CREATE UNIQUE INDEX i ON a (b)', 'CREATE INDEX i'],
    ['DROP TABLE IF EXISTS temp.survey', 'DROP TABLE temp.survey'],
  ]
  t.same(labels.map(([sql]) => [sql, labelOf(sql)]), labels)
})

t.test('without a fault it is as better-sqlite3 itself, in all that is used', async t => {
  const { db, native, faults, put, rows } = opened(t)
  put('a')
  t.same(rows(), ['a'])
  t.same([...db.prepare('SELECT text FROM row').iterate()], [{ text: 'a' }])
  t.same(db.prepare('SELECT text FROM row').get(), { text: 'a' })
  t.same(db.prepare('SELECT text FROM row').raw().all(), [['a']])
  t.equal(db.prepare<[], bigint>('SELECT 1').pluck().safeIntegers().get(), 1n)
  t.match(db.prepare(WRITE).run('b'), { changes: 1, lastInsertRowid: 2 })
  t.equal(db.pragma('user_version', { simple: true }), 0)
  db.function('twice', (n: number) => n * 2)
  t.equal(db.prepare('SELECT twice(2)').pluck().get(), 4)
  t.equal(db.exec('DELETE FROM row'), db)
  t.equal(db.prepare('SELECT 1').database, db)
  t.same([db.open, db.memory, db.readonly, db.inTransaction], [true, true, false, false])
  t.throws(() => db.prepare('nonsense'), { code: 'SQLITE_ERROR' })
  put('a')
  t.throws(() => { put('a') }, { code: 'SQLITE_CONSTRAINT_UNIQUE' })
  t.equal(faults.hasBroken, false)
  db.close()
  t.equal(native.open, false)
})

for (const kind of ['default', 'deferred', 'immediate', 'exclusive'] as const) {
  t.test(`a transaction (${kind}) is better-sqlite3's, nested ones too`, async t => {
    const both = [new Database(':memory:'), opened(t).db]
    for (const db of both) {
      db.exec('CREATE TABLE IF NOT EXISTS row (text TEXT UNIQUE)')
      const insert = db.prepare(WRITE)
      const inner = db.transaction((text: string, fails: boolean) => {
        insert.run(text)
        if (fails) throw new Error('inner')
        return text
      })
      const outer = db.transaction((fails: boolean) => {
        t.equal(db.inTransaction, true)
        insert.run('1')
        t.throws(() => inner('2', true), { message: 'inner' })
        t.equal(inner('3', false), '3')
        if (fails) throw new Error('outer')
        return 'done'
      })
      t.throws(() => outer[kind](true), { message: 'outer' })
      t.equal(db.inTransaction, false)
      t.equal(outer[kind](false), 'done')
      t.equal((outer.immediate as typeof outer).deferred, outer.deferred)
      t.same(db.prepare('SELECT text FROM row ORDER BY text').pluck().all(), ['1', '3'])
      t.throws(() => db.transaction(() => Promise.resolve())(), { message: /cannot return a promise/ })
      t.equal(db.inTransaction, false)
    }
    both[0]!.close()
  })
}

t.test('a locked catalogue refuses who wants to write, and nobody else', async t => {
  const { db, faults, put, rows } = opened(t)
  const locked: CatalogueFaultKind = 'busy'
  faults.break({ kind: locked, lasts: true })
  t.equal(codeOf(() => { put('alone') }), 'SQLITE_BUSY')
  t.equal(codeOf(() => db.transaction(() => { t.fail('not entered') }).immediate()), 'SQLITE_BUSY')
  t.equal(codeOf(() => db.exec('BEGIN EXCLUSIVE')), 'SQLITE_BUSY')
  t.equal(db.inTransaction, false)
  t.same(db.transaction(() => rows()).deferred(), [])
  db.transaction(() => {
    t.equal(codeOf(() => { put('first') }), 'SQLITE_BUSY')
    t.equal(db.inTransaction, true, 'the transaction lasts')
  })()
  faults.heal()
  faults.break({ kind: locked, at: 'INSERT row' })
  db.transaction(() => { put('has the lock') }).immediate()
  t.equal(faults.hasBroken, false, 'who has the lock is not refused it')
  t.equal(codeOf(() => db.transaction(() => { put('wants it') })()), 'SQLITE_BUSY')
  db.transaction(() => { put('once') })()
  t.same(rows(), ['has the lock', 'once'])
})

t.test('no room at COMMIT undoes the transaction', async t => {
  const { db, faults, put, rows } = opened(t)
  const act = db.transaction((text: string) => { put(text); db.prepare('DELETE FROM other').run() })
  const look = db.transaction(() => rows())
  for (const at of [undefined, 'COMMIT', 'INSERT row', WRITE, 'DELETE other']) {
    faults.break({ kind: 'full-at-commit', ...(at === undefined ? {} : { at }) })
    look()
    t.equal(codeOf(() => { act('x') }), 'SQLITE_FULL', at ?? 'any')
    t.equal(db.inTransaction, false)
    t.same(rows(), [])
    faults.heal()
  }
  faults.break({ kind: 'full-at-commit', at: 'UPDATE other' })
  act('kept')
  t.equal(faults.hasBroken, false)
  faults.break({ kind: 'full-at-commit' })
  t.equal(codeOf(() => { put('alone') }), 'SQLITE_FULL')
  t.same(rows(), ['kept'])
})

t.test('no room for a statement undoes it alone, or the whole transaction', async t => {
  const { db, faults, put, rows } = opened(t)
  const act = db.transaction(() => {
    put('a')
    t.equal(codeOf(() => { put('b') }), 'SQLITE_FULL')
    const lasts = db.inTransaction
    put('c')
    return lasts
  })
  faults.break({ kind: 'full', at: WRITE, occurrence: 2 })
  t.equal(act(), true)
  t.same(rows(), ['a', 'c'])
  db.exec('DELETE FROM row')
  faults.break({ kind: 'full-rolled-back', at: WRITE, occurrence: 2 })
  t.throws(() => act(), { message: /no transaction is active/ }, 'as SQLite says')
  t.same(rows(), ['c'], 'what is written behind it stands alone')
})

t.test('a disk that fails ends the transaction, at a read, a write or the COMMIT', async t => {
  for (const [kind, at, code] of [
    ['io-read', 'SELECT row', 'SQLITE_IOERR_READ'], ['io-write', 'INSERT row', 'SQLITE_IOERR_WRITE'],
    ['io-write', 'COMMIT', 'SQLITE_IOERR_WRITE'],
  ] as const) {
    const { db, faults, put, rows } = opened(t)
    faults.break({ kind, at })
    t.equal(codeOf(() => { db.transaction(() => { put('a'); rows() })() }), code)
    t.equal(db.inTransaction, false)
    t.same(rows(), [], at)
    faults.break({ kind })
    t.equal(codeOf(() => { put('b'); rows() }), code, 'outside one too')
  }
  const { db, faults } = opened(t)
  const rows = db.prepare('SELECT text FROM row').iterate()
  faults.break({ kind: 'io-read', at: 'SELECT row' })
  t.equal(codeOf(() => rows.next()), 'SQLITE_IOERR_READ', 'at the first row')
})

t.test('a fault comes once, at the nth occasion, or lasts until it is healed', async t => {
  const { faults, put, rows } = opened(t)
  const tryOnce = () => codeOf(() => rows()) === 'none' ? '.' : 'x'
  const tries = (count: number) => Array.from({ length: count }, tryOnce).join('')
  faults.break({ kind: 'io-read' })
  t.equal(tries(3), 'x..')
  faults.break({ kind: 'io-read', occurrence: 3 })
  t.equal(tries(4), '..x.')
  faults.break({ kind: 'io-read', occurrence: 2, lasts: true })
  t.equal(tries(4), '.xxx')
  t.equal(faults.broken, 3)
  t.equal(codeOf(() => { put('a') }), 'none', 'only reads')
  faults.break({ kind: 'io-write', lasts: true })
  t.equal(codeOf(() => { put('b') }), 'SQLITE_IOERR_WRITE', 'beside the other')
  t.equal(tries(1), 'x')
  faults.heal()
  t.equal(tries(1), '.')
  t.same(rows(), ['a'])
})

t.test('it tells what was run and how each could have failed', async t => {
  const { db, faults, put, rows } = opened(t)
  faults.forget()
  put('a')
  db.transaction(() => { rows(); put('b'); put('c') })()
  t.equal(faults.count('INSERT row'), 3)
  t.equal(faults.count('COMMIT'), 1)
  const of = (label: string) => faults.statements().find(each => each.label === label)!
  const occasions = (label: string) => Object.fromEntries(of(label).occasions)
  const writes = { 'busy': 2, 'io-write': 3, 'full': 2, 'full-rolled-back': 2, 'full-at-commit': 2 }
  t.same(occasions('INSERT row'), writes)
  t.same(occasions('SELECT row'), { 'io-read': 1 })
  t.same(occasions('COMMIT'), { 'full-at-commit': 1, 'io-write': 1 })
  faults.forget()
  t.same(faults.statements(), [])
})

t.test('what a dead process still says neither fails nor counts', async t => {
  const { native, db, faults, put } = opened(t)
  const next: Db = faults.wrap(native)
  faults.break({ kind: 'io-write' })
  put('dead')
  t.equal(faults.hasBroken, false)
  t.equal(codeOf(() => next.prepare(WRITE).run('alive')), 'SQLITE_IOERR_WRITE')
  faults.retire()
  faults.break({ kind: 'io-write' })
  t.equal(codeOf(() => next.prepare(WRITE).run('gone')), 'none')
  t.equal(db.open, true)
})
