import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { FatalError } from '../domain/index.ts'
import { CATALOGUE_FILE, OFFICE_FILE, openBeside, openOwn, type Catalogue, type Db } from './catalogue.ts'
import { migrate } from './migrations.ts'
import { lockState } from './state-lock.ts'

/** While it is being made. */
const PART_FILE = `${OFFICE_FILE}.part`
/** Of one table at a time, so that who else uses this thread has its turn. */
const ROWS_AT_ONCE = 5_000

export interface OfficeDatabaseOptions {
  readonly nowMs: number
  /** Makes a log of its own out of the copy of the recorder's, before anything is entered. */
  readonly partLog: (db: Db) => unknown
  /** Tests give their own. */
  readonly create?: (file: string) => Db
}

/**
 * Opens the office's database in the state folder and takes it for this process alone. One that is not there is
 * made: with what the office has in a catalogue of a release before there were two, or empty. What is in the
 * catalogue stays there; the recorder's next start drops it. Killed anywhere, the next call begins again. Throws
 * FatalError as `openCatalogue` does.
 */
export async function openOfficeDatabase(
  stateDir: string, { nowMs, partLog, create = file => new Database(file) }: OfficeDatabaseOptions,
): Promise<Catalogue> {
  const file = path.join(stateDir, OFFICE_FILE)
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const lock = lockState(path.dirname(file))
  try {
    if (!existsSync(file)) await make(stateDir, file, { nowMs, partLog, create })
    const office = openOwn(file, nowMs, 'office')
    return { db: office.db, [Symbol.dispose]: () => { office[Symbol.dispose](); lock.close() } }
  } catch (error) {
    lock.close()
    throw error
  }
}

/** Beside whoever has it. Throws FatalError when there is none, or when its schema is not this program's. */
export function openOfficeBeside(stateDir: string, mode: 'read' | 'write'): Catalogue {
  const file = path.join(stateDir, OFFICE_FILE)
  if (existsSync(file)) return openBeside(file, mode, ['office'])
  throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `there is no database of the office ${file}`, {
    remedy: 'It is made some seconds after the recorder was started for the first time: is state.dir right, and what does `custos status` say?',
  })
}

type Making = Required<OfficeDatabaseOptions>

async function make(stateDir: string, file: string, making: Making): Promise<void> {
  const part = path.join(stateDir, PART_FILE)
  for (const ending of ['', '-journal', '-wal', '-shm']) rmSync(`${part}${ending}`, { force: true })
  const db = making.create(part)
  try {
    db.pragma('journal_mode = DELETE')
    db.pragma('synchronous = FULL')
    const catalogue = path.join(stateDir, CATALOGUE_FILE)
    if (existsSync(catalogue) && hasOffice(catalogue)) await copyOffice(db, catalogue, making)
    else migrate(db, making.nowMs, 'office')
  } finally { db.close() }
  renameSync(part, file)
  const folder = openSync(path.dirname(file), 'r')
  try { fsyncSync(folder) } finally { closeSync(folder) }
}

function hasOffice(catalogue: string): boolean {
  const db = new Database(catalogue, { readonly: true, fileMustExist: true })
  try {
    return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'account'").get() !== undefined
  } finally { db.close() }
}

/** `kind`: `shadow` tables hold what a virtual one has, and are made with it. */
interface Table { readonly name: string, readonly kind: 'table' | 'virtual' | 'shadow', readonly hasRowId: boolean, readonly sql: string }

/** What an office database is made of: tables, then what stands on them. */
function officeSchema(nowMs: number) {
  const db = new Database(':memory:')
  try {
    migrate(db, nowMs, 'office')
    return {
      tables: db.prepare<[], Table>(`SELECT list.name, list.type AS kind, NOT list.wr AS hasRowId, sql
        FROM pragma_table_list AS list JOIN sqlite_schema AS made ON made.name = list.name
        WHERE schema = 'main' AND list.type <> 'view' AND list.name NOT LIKE 'sqlite_%' ORDER BY made.rowid`).all(),
      others: db.prepare<[], string>(`SELECT sql FROM sqlite_schema
        WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL ORDER BY rowid`).pluck().all(),
      migrations: db.prepare('SELECT * FROM schema_migration').raw().all() as unknown[][],
    }
  } finally { db.close() }
}

/**
 * Tables first, then their rows as they stand at one moment, then indexes and triggers: a trigger would judge
 * rows that were judged before.
 */
async function copyOffice(db: Db, catalogue: string, { nowMs, partLog }: Making): Promise<void> {
  const { tables, others, migrations } = officeSchema(nowMs)
  db.pragma('foreign_keys = OFF')
  db.unsafeMode(true) // shadow tables are written
  db.prepare('ATTACH ? AS old').run(catalogue)
  db.exec('BEGIN')
  for (const { sql, kind } of tables) if (kind !== 'shadow') db.exec(sql)
  for (const table of tables) if (table.name !== 'schema_migration') await copyTable(db, table)
  const migrated = db.prepare('INSERT INTO schema_migration VALUES (?, ?, ?, ?)')
  for (const row of migrations) migrated.run(...row)
  partLog(db)
  for (const sql of others) db.exec(sql)
  const broken = db.pragma('foreign_key_check') as unknown[]
  if (broken.length > 0) throw new Error(`${broken.length} rows of the office refer to what is not there`)
  db.exec('COMMIT')
  db.exec('DETACH old')
}

async function copyTable(db: Db, { name, kind, hasRowId }: Table): Promise<void> {
  if (kind === 'virtual') return
  if (kind === 'shadow') db.exec(`DELETE FROM main.${name}`)
  const columns = db.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck().all(name).join(', ')
  const into = `INSERT INTO main.${name} (${columns}) SELECT ${columns} FROM old.${name}`
  if (hasRowId) await inPieces(db, name, into)
  else db.exec(into)
  const count = (of: string): number => db.prepare<[], number>(`SELECT count(*) FROM ${of}.${name}`).pluck().get()!
  if (count('main') !== count('old')) throw new Error(`table ${name} was not copied whole`)
}

async function inPieces(db: Db, name: string, into: string): Promise<void> {
  const nextEnd = db.prepare<[number, number], number | null>(`SELECT max(at) FROM
    (SELECT rowid AS at FROM old.${name} WHERE rowid > ? ORDER BY rowid LIMIT ?)`).pluck()
  const copy = db.prepare<[number, number]>(`${into} WHERE rowid > ? AND rowid <= ?`)
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const to = nextEnd.get(after, ROWS_AT_ONCE) ?? null
    if (to === null) return
    copy.run(after, to)
    after = to
    await new Promise(resolve => { setImmediate(resolve) })
  }
}
