import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { migrate, type Db } from '../../src/platform/catalogue.ts'
import { caseHoldTable } from '../../src/requests/tables/case-holds.ts'
import { holdingOf } from '../../src/requests/holding.ts'

const MIGRATIONS = path.join(import.meta.dirname, '../../migrations')
const CASE_HOLDS = '0022-case-holds.sql'
const CAMERA = 'c'.repeat(32), id = (digit: number): string => String(digit).repeat(32)

/** A catalogue as the program before made it, which knew no wishes. */
function before(): Db {
  const db = new Database(':memory:')
  db.pragma('foreign_keys = ON')
  db.exec('CREATE TABLE schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT')
  const files = readdirSync(MIGRATIONS).filter(name => /^\d{4}-.*\.sql$/.test(name) && name < CASE_HOLDS).sort()
  for (const [index, name] of files.entries()) {
    const sql = readFileSync(path.join(MIGRATIONS, name), 'utf8')
    db.exec(sql)
    db.prepare('INSERT INTO schema_migration VALUES (?, ?, ?, 1)').run(index + 1, name, createHash('sha256').update(sql).digest('hex'))
  }
  return db
}

t.test('what was held for a case before there were wishes is held, and is the case\'s; all else stays the recorder\'s', async t => {
  const db = before()
  db.prepare("INSERT INTO camera (uuid, id, first_recorded_at) VALUES (?, 'lobby', 1)").run(CAMERA)
  const application = db.prepare("INSERT INTO application VALUES (?, 115, ?, 'form-2', 'agency', NULL, 'approved', 3, 1, NULL)")
  for (const serial of [1, 2]) application.run(`115-調-000${serial}`, serial)
  const hold = db.prepare(`INSERT INTO hold (hold_id, camera_uuid, stream, from_at, to_at, authority, application, placed_by, placed_at, ended_by, ended_at, end_reason)
    VALUES (?, ?, ?, 1000, 2000, '函', ?, '林𠮷祥', 500, ?, ?, ?)`)
  const inForce = [null, null, null], ended = ['陳', 900, '結案']
  hold.run(id(1), CAMERA, null, '115-調-0001', ...inForce)
  hold.run(id(2), CAMERA, 'sub', '115-調-0001', ...inForce)
  hold.run(id(3), CAMERA, null, '115-調-0002', ...ended)
  hold.run(id(4), CAMERA, null, null, ...inForce)
  hold.run(id(5), CAMERA, null, '114-調-0007', ...inForce)
  migrate(db, 1)

  const holds = caseHoldTable(db)
  t.same(db.prepare('SELECT hold_id FROM case_hold ORDER BY hold_id').pluck().all(), [id(1), id(2)])
  const mine = holds.ofApplication('115-調-0001' as never)
  t.match(mine.map(({ state, stream, camera, from, to, authority, wishedBy, heldAt, letGo }) =>
    ({ state, stream, camera, from, to, authority, wishedBy, heldAt, letGo })), [null, 'sub'].map(stream => ({
    state: 'held', stream, camera: CAMERA, from: 1000, to: 2000, authority: '函', heldAt: 500, letGo: null,
    wishedBy: { kind: 'account', name: '林𠮷祥', role: null, source: null },
  })))
  t.equal(holdingOf(mine).state, 'held')
  t.same([holds.toDo('wanted', 0, 10), holds.toDo('ending', 0, 10)], [[], []], 'nobody is asked for anything')
  holds.letGo(id(1), { by: mine[0]!.wishedBy, at: 3000 as never, reason: '結案' })
  t.match(holds.toDo('ending', 0, 10), [{ holdId: id(1) }], 'and it can be let go')
  t.equal(db.prepare('SELECT count(*) FROM hold').pluck().get(), 5)
  t.same(db.pragma('foreign_key_check'), [])
})
