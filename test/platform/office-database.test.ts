import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { partLog, verifyAuditLog } from '../../src/audit/index.ts'
import { migrate, openCatalogue, openCatalogueBeside, type Db } from '../../src/platform/catalogue.ts'
import { openOfficeBeside, openOfficeDatabase } from '../../src/platform/office-database.ts'
import { newFolder } from '../storage/support/rebuilding.ts'
import { FrontDesk, police } from '../requests/support/front-desk.ts'

const NOW_MS = Date.parse('2026-11-30T08:00:00Z')
const tablesOf = (db: Db): string[] => db.prepare<[], string>(
  `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`).pluck().all()
const countOf = (db: Db, table: string): number => db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get()!

t.test('a new installation has two databases, none of which has the other one\'s tables', async t => {
  const folder = t.testdir()
  using catalogue = openCatalogue(folder, NOW_MS)
  using office = await openOfficeDatabase(folder, { nowMs: NOW_MS, partLog })
  const own = tablesOf(catalogue.db), others = tablesOf(office.db)
  t.same(own.filter(name => others.includes(name)),
    ['audit_checkpoint', 'audit_entry', 'audit_head', 'audit_head_refused', 'audit_key', 'audit_log', 'audit_tile', 'audit_witness', 'schema_migration'])
  t.ok(own.includes('segment') && own.includes('hold') && others.includes('account') && others.includes('book_line'))
  t.same(office.db.prepare('SELECT parted_from, parted_size FROM audit_log').get(), { parted_from: null, parted_size: null })
  t.not(idOf(office.db), idOf(catalogue.db))
})

const idOf = (db: Db): string => db.prepare<[], string>('SELECT id FROM audit_log').pluck().get()!

/** Does so many statements, and none of those behind them. */
function diesAfter(db: Db, statements: number): Db {
  let left = statements
  const counted = <Args extends unknown[], Result>(work: (...args: Args) => Result) => (...args: Args): Result => {
    if (--left < 0) throw new Error('killed')
    return work(...args)
  }
  const prepare = db.prepare.bind(db)
  db.exec = counted(db.exec.bind(db))
  db.prepare = ((sql: string) => {
    const statement = prepare(sql)
    for (const name of ['run', 'get', 'all'] as const) statement[name] = counted(statement[name].bind(statement)) as never
    return statement
  }) as typeof db.prepare
  return db
}

/** A catalogue of a release before there were two, with an office that worked. */
async function oldCatalogue(t: Test): Promise<{ readonly folder: string, readonly rows: Map<string, number> }> {
  const folder = newFolder(t), db = new Database(path.join(folder, 'catalogue.db'))
  migrate(db, NOW_MS)
  const front = await FrontDesk.open({ testdir: () => newFolder(t), teardown: work => { t.teardown(work) } }, db)
  for (let each = 0; each < 3; each++) await front.receive(police())
  const rows = new Map(tablesOf(db).map(name => [name, countOf(db, name)]))
  return { folder, rows }
}

t.test('what the office has in an older catalogue is in its own afterwards, its log unbroken and going on', async t => {
  const { folder, rows } = await oldCatalogue(t)
  {
    using before = openCatalogueBeside(folder, 'read')
    using office = await openOfficeDatabase(folder, { nowMs: NOW_MS, partLog })
    for (const name of tablesOf(office.db)) {
      if (name !== 'schema_migration') t.equal(countOf(office.db, name), rows.get(name), name)
    }
    t.ok(rows.get('application')! > 0 && rows.get('account')! > 0, 'there was something to copy')
    t.equal(idOf(before.db), office.db.prepare('SELECT parted_from FROM audit_log').pluck().get())
    t.not(idOf(before.db), idOf(office.db))
    t.equal(office.db.prepare('SELECT parted_size FROM audit_log').pluck().get(), rows.get('audit_entry'))
    t.throws(() => office.db.prepare('DELETE FROM account').run(), /never deleted/, 'the guards stand')
  }
  using recorder = openCatalogue(folder, NOW_MS)
  t.notOk(tablesOf(recorder.db).includes('account'), 'the next start of the recorder lets go of it')
  t.equal(countOf(recorder.db, 'audit_entry'), rows.get('audit_entry'), 'and keeps its log')
  t.equal(verifyAuditLog(recorder.db).fault, null)
})

t.test('killed at any statement, the next call makes it whole', async t => {
  const { folder, rows } = await oldCatalogue(t)
  const attempt = (statements: number): Promise<boolean> =>
    openOfficeDatabase(folder, { nowMs: NOW_MS, partLog, create: file => diesAfter(new Database(file), statements) })
      .then(office => { office[Symbol.dispose](); return true }, () => false)
  let statements = 1
  for (; !await attempt(statements); statements += statements < 10 ? 1 : 9) {
    if (existsSync(path.join(folder, 'office/office.db'))) throw new Error(`killed at ${statements}, and there is an office`)
    using before = openCatalogueBeside(folder, 'read')
    t.equal(countOf(before.db, 'account'), rows.get('account'), `killed at ${statements}: the older one is as it was`)
  }
  t.ok(statements > 100)
  using office = openOfficeBeside(folder, 'read')
  t.equal(countOf(office.db, 'application_event'), rows.get('application_event'))
  t.same(readdirSync(path.join(folder, 'office')).filter(name => name.includes('part')), [])
})
