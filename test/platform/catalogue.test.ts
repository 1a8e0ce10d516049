import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { partLog } from '../../src/audit/index.ts'
import { migrate, openCatalogue, openCatalogueBeside, type Db } from '../../src/platform/catalogue.ts'
import { openOfficeDatabase } from '../../src/platform/office-database.ts'

const NOW_MS = Date.parse('2026-11-22T08:00:00Z')
const goldenOf = (name: string): string => path.join(import.meta.dirname, `../golden/${name}.sql`)
const schemaOf = (db: Db): string => db.prepare<[], { sql: string }>("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name").all().map(({ sql }) => `${sql};\n`).join('\n')

t.test('the schemas are the ones that were reviewed', async t => {
  const folder = t.testdir()
  using catalogue = openCatalogue(folder, NOW_MS)
  using office = await openOfficeDatabase(folder, { nowMs: NOW_MS, partLog })
  for (const [name, { db }] of [['schema', catalogue], ['office-schema', office]] as const) {
    const schema = schemaOf(db), golden = goldenOf(name)
    if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(golden, schema)
    t.equal(schema, readFileSync(golden, 'utf8'),
      'a change is meant? Run this file with TAP_SNAPSHOT=1 and commit the result')
  }
})

t.test('opening again applies nothing twice and keeps what is in it', t => {
  const folder = t.testdir()
  const first = openCatalogue(folder, NOW_MS)
  first.db.prepare("INSERT INTO camera VALUES (?, 'lobby', 1, NULL)").run('a'.repeat(32))
  const applied = first.db.prepare('SELECT * FROM schema_migration').all()
  first[Symbol.dispose]()
  const again = openCatalogue(folder, NOW_MS + 1)
  t.same(again.db.prepare('SELECT * FROM schema_migration').all(), applied)
  t.equal(again.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM camera').get()?.n, 1)
  again[Symbol.dispose]()
  t.end()
})

t.test('every acknowledged row is durable: WAL with full syncs, and references are enforced', t => {
  using catalogue = openCatalogue(t.testdir(), NOW_MS)
  const { db } = catalogue
  t.equal(db.pragma('journal_mode', { simple: true }), 'wal')
  t.equal(db.pragma('synchronous', { simple: true }), 2)
  t.equal(db.pragma('foreign_keys', { simple: true }), 1)
  t.throws(() => db.prepare("INSERT INTO slot VALUES (?, 0, 0, 'free', NULL)").run('b'.repeat(32)), { code: /^SQLITE_CONSTRAINT_FOREIGNKEY/ })
  t.end()
})

const changed = (folder: string, sql: string) => { using catalogue = openCatalogue(folder, NOW_MS); catalogue.db.exec(sql) }

t.test('a schema newer than this program is refused and left as it is', t => {
  const folder = t.testdir()
  changed(folder, "INSERT INTO schema_migration VALUES (9000, '9000-future.sql', 'x', 1)")
  t.throws(() => openCatalogue(folder, NOW_MS), { code: 'CUSTOS_SCHEMA_NEWER' })
  t.throws(() => openCatalogue(folder, NOW_MS), { code: 'CUSTOS_SCHEMA_NEWER' }, 'the refusal held no lock')
  t.end()
})

t.test('a migration that changed after it was applied is refused', t => {
  const folder = t.testdir()
  changed(folder, "UPDATE schema_migration SET sha256 = 'other' WHERE version = 1")
  t.throws(() => openCatalogue(folder, NOW_MS), { code: 'CUSTOS_SCHEMA_CHANGED' })
  t.end()
})

t.test('a migration that fails leaves no half of it', t => {
  const db = new Database(':memory:')
  db.exec('CREATE TABLE slot (it_is INTEGER)') // stands in the way of the first migration
  const before = schemaOf(db)
  t.throws(() => { migrate(db, NOW_MS) }, { message: /slot/ })
  t.equal(schemaOf(db).replace(/CREATE TABLE schema_migration[^;]*;\n\n?/, ''), before)
  t.equal(db.prepare<[], { n: number }>('SELECT count(*) AS n FROM schema_migration').get()?.n, 0)
  db.close()
  t.end()
})

t.test('a file that is no catalogue is refused and kept', t => {
  const folder = t.testdir({ 'catalogue.db': 'this is a letter to the office '.repeat(40) })
  t.throws(() => openCatalogue(folder, NOW_MS), { code: 'CUSTOS_CATALOGUE_UNUSABLE' })
  t.match(readFileSync(path.join(folder, 'catalogue.db'), 'utf8'), /^this is a letter/)
  t.end()
})

t.test('a second process is refused as long as the first one lives, and let in when that was killed', async t => {
  const folder = t.testdir()
  const module = new URL('../../src/platform/catalogue.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    const { openCatalogue } = await import(${JSON.stringify(module)})
    openCatalogue(${JSON.stringify(folder)}, 1)
    process.stdout.write('open')
    setInterval(() => {}, 1000)`], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  t.throws(() => openCatalogue(folder, NOW_MS), { code: 'CUSTOS_ALREADY_RUNNING' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const catalogue = openCatalogue(folder, NOW_MS)
  t.ok(catalogue.db.open)
  catalogue[Symbol.dispose]()
})

/** A link in the way of the index that processes share: SQLite cannot open it, as on a disk without room. */
const withoutIndex = (t: Test): string => {
  const folder = t.testdir()
  openCatalogue(folder, NOW_MS)[Symbol.dispose]()
  symlinkSync('nowhere', path.join(folder, 'catalogue.db-shm'))
  return folder
}

t.test('where there is no room even to open, what can be freed is freed', t => {
  const folder = withoutIndex(t)
  let asked = 0
  using catalogue =
    openCatalogue(folder, NOW_MS,
    { makeRoom: () => { asked++; rmSync(path.join(folder, 'catalogue.db-shm')); return true } })
  t.equal(asked, 1)
  t.ok(catalogue.isShared)
  t.end()
})

t.test('with nothing left to free it opens for itself alone, and for others again once there is room', t => {
  const folder = withoutIndex(t)
  using catalogue = openCatalogue(folder, NOW_MS, { makeRoom: () => false })
  const insert = catalogue.db.prepare('INSERT INTO camera VALUES (?, ?, 1, NULL)')
  insert.run('a'.repeat(32), 'lobby')
  t.notOk(catalogue.isShared)
  const other = new Database(path.join(folder, 'catalogue.db'), { timeout: 100 })
  t.throws(() => other.prepare('SELECT count(*) FROM camera').get(), { code: 'SQLITE_BUSY' })
  other.close()
  t.throws(() => { catalogue.share() }, 'still no room')
  insert.run('b'.repeat(32), 'door')
  t.notOk(catalogue.isShared)

  rmSync(path.join(folder, 'catalogue.db-shm'))
  catalogue.share()
  t.ok(catalogue.isShared)
  insert.run('c'.repeat(32), 'gate')
  t.equal(catalogue.db.pragma('journal_mode', { simple: true }), 'wal')
  t.ok(existsSync(path.join(folder, 'catalogue.db-shm')))
  using beside = openCatalogueBeside(folder, 'read')
  t.equal(beside.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM camera').get()?.n, 3)
  t.end()
})

t.test('a start needs no new file but those of others: its log is left for it', t => {
  const folder = t.testdir(), log = path.join(folder, 'catalogue.db-wal')
  openCatalogue(folder, NOW_MS)[Symbol.dispose]()
  const { ino, size } = statSync(log)
  t.equal(size, 0)
  symlinkSync('nowhere', path.join(folder, 'catalogue.db-shm'))
  const again = openCatalogue(folder, NOW_MS)
  t.notOk(again.isShared)
  again.db.prepare("INSERT INTO camera VALUES (?, 'lobby', 1, NULL)").run('a'.repeat(32))
  t.equal(statSync(log).ino, ino)
  again[Symbol.dispose]()
  t.end()
})

t.test('a catalogue that a full disk kept from being shared again is opened as it is, and shared later', t => {
  const folder = withoutIndex(t), file = path.join(folder, 'catalogue.db')
  const cutOff = new Database(file)
  cutOff.pragma('locking_mode = EXCLUSIVE')
  cutOff.pragma('journal_mode = DELETE') // and no further
  cutOff.close()
  symlinkSync('nowhere/journal', `${file}-journal`) // nothing can be written
  using catalogue = openCatalogue(folder, NOW_MS)
  t.notOk(catalogue.isShared)
  t.equal(catalogue.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM camera').get()?.n, 0)
  const insert = catalogue.db.prepare('INSERT INTO camera VALUES (?, ?, 1, NULL)')
  t.throws(() => insert.run('a'.repeat(32), 'lobby'), { code: /^SQLITE_CANTOPEN/ })
  rmSync(`${file}-shm`)
  t.throws(() => { catalogue.share() }, { code: /^SQLITE_CANTOPEN/ })
  t.notOk(catalogue.isShared)

  rmSync(`${file}-journal`)
  insert.run('a'.repeat(32), 'lobby')
  catalogue.share()
  t.equal(catalogue.db.pragma('journal_mode', { simple: true }), 'wal')
  using beside = openCatalogueBeside(folder, 'read')
  t.equal(beside.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM camera').get()?.n, 1)
  t.end()
})

t.test('the event loop never waits long for a lock, and a start does', async t => {
  const folder = t.testdir()
  using catalogue = openCatalogue(folder, NOW_MS)
  const other = new Database(path.join(folder, 'catalogue.db'))
  other.exec('BEGIN IMMEDIATE')
  const startedAt = performance.now()
  t.throws(() => catalogue.db.prepare("INSERT INTO camera VALUES (?, 'lobby', 1, NULL)").run('a'.repeat(32)),
    { code: 'SQLITE_BUSY' })
  const waitedMs = performance.now() - startedAt
  t.ok(waitedMs < 50 + 30, `${waitedMs.toFixed(1)} ms, of which a busy machine may have taken some`)
  other.close()

  const young = t.testdir({ young: {} })
  const command = spawn(process.execPath, ['--input-type=module', '-e', `
    const { default: Database } = await import('better-sqlite3')
    const db = new Database(${JSON.stringify(path.join(young, 'catalogue.db'))})
    db.pragma('journal_mode = WAL')
    db.exec('BEGIN IMMEDIATE')
    process.stdout.write('locked')
    setTimeout(() => db.close(), 700)`], { stdio: ['ignore', 'pipe', 'inherit'], cwd: import.meta.dirname })
  await once(command.stdout, 'data')
  openCatalogue(young, NOW_MS)[Symbol.dispose]()
  t.pass('its migrations waited')
})
