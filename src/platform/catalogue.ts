import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { FatalError, RetryableError } from '../domain/index.ts'

export type Db = Database.Database

const MIGRATIONS = path.join(import.meta.dirname, '../../migrations')

/**
 * Opens `catalogue.db` in the state folder, brings its schema up to this version and takes the folder for this process alone.
 * Throws FatalError when another recorder has it, when the file is damaged, or when its schema is newer than this program.
 */
export function openCatalogue(stateDir: string, nowMs: number): Catalogue {
  mkdirSync(stateDir, { recursive: true, mode: 0o750 })
  const lock = lockState(stateDir)
  const file = path.join(stateDir, 'catalogue.db')
  try {
    const db = new Database(file)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')      // the WAL default, NORMAL, may lose acknowledged rows at a power cut
    db.pragma('foreign_keys = ON')
    db.pragma('busy_timeout = 2000')     // an auditor's reader may hold a checkpoint up for a moment
    db.pragma('wal_autocheckpoint = 500')
    db.pragma('cache_size = -4096')      // KiB; the kernel has the file in memory anyway, and 16 MiB would fill over the years
    migrate(db, nowMs)
    return { db, [Symbol.dispose]: () => { db.close(); lock.close() } }
  } catch (error) {
    lock.close()
    if (error instanceof FatalError) throw error
    throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `the catalogue ${file} cannot be used: ${(error as Error).message}`, {
      remedy: 'Keep the file for examination, restore the last backup or move it away and run `custos rebuild`.', cause: error,
    })
  }
}

/**
 * Opens an existing catalogue beside whoever has it: for commands that look, or that add an act of their own in one transaction.
 * Throws FatalError when there is none, or when its schema is not the one of this program.
 */
export function openCatalogueBeside(stateDir: string, mode: 'read' | 'write'): Catalogue {
  const file = path.join(stateDir, 'catalogue.db')
  const fail = (message: string, remedy: string, cause?: unknown): never => { throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', message, { remedy, cause }) }
  if (!existsSync(file)) fail(`there is no catalogue ${file}`, 'Is state.dir right, and has the recorder been started once? A lost catalogue comes back by `custos rebuild`.')
  try {
    const db = new Database(file, { readonly: mode === 'read', fileMustExist: true })
    try {
      db.pragma('busy_timeout = 5000')
      if (mode === 'write') {
        db.pragma('synchronous = FULL')
        db.pragma('foreign_keys = ON')
      }
      const { version } = db.prepare<[], { version: number | null }>('SELECT max(version) AS version FROM schema_migration').get()!
      if (version !== migrationFiles().length) fail(`the catalogue ${file} has schema ${version}, this program knows ${migrationFiles().length}`, 'Start the recorder of this version once, or use the program that wrote it; nothing was changed.')
      return { db, [Symbol.dispose]: () => { db.close() } }
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    if (error instanceof FatalError) throw error
    return fail(`the catalogue ${file} cannot be used: ${(error as Error).message}`, 'Keep the file for examination, restore the last backup or move it away and run `custos rebuild`.', error)
  }
}

/** A fault of the catalogue's file or disk: full, unreadable, locked by somebody. May pass; a broken constraint never does. */
export const isCatalogueFault = (error: unknown): boolean => error instanceof Database.SqliteError && !/^SQLITE_(CONSTRAINT|ERROR|MISUSE|RANGE|SCHEMA|TOOBIG|MISMATCH)/.test(error.code)

/** The catalogue does not take a row now. */
export class CatalogueFaultError extends RetryableError {
  constructor(cause: unknown) {
    super('CUSTOS_CATALOGUE_FAULT', `the catalogue cannot be written (${(cause as { code?: string }).code ?? String(cause)})`, {
      remedy: 'Make room on the disk of state.dir, or look at that disk; the recorder tries again by itself.', cause,
    })
  }
}
/** Runs what needs the catalogue; a fault of it becomes a CatalogueFaultError. */
export function withCatalogue<Result>(use: () => Result): Result {
  try { return use() } catch (error) { throw isCatalogueFault(error) ? new CatalogueFaultError(error) : error }
}

const migrationFiles = (): string[] => readdirSync(MIGRATIONS).filter(name => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).sort()

/** Owned by who opened it; all parts share its one connection, so that an act of several parts can be one transaction. */
export interface Catalogue extends Disposable { readonly db: Db }

/** SQLite's own file lock, held as long as the process lives: the kernel lets go of it at any kind of death. */
function lockState(stateDir: string): { close(): void } {
  const lock = new Database(path.join(stateDir, 'recorder.lock'))
  try {
    lock.pragma('journal_mode = DELETE')
    lock.pragma('busy_timeout = 3000') // a predecessor that was just killed may still be dying
    lock.exec('BEGIN EXCLUSIVE')
    return { close: () => { lock.close() } }
  } catch (error) {
    lock.close()
    throw new FatalError('CUSTOS_ALREADY_RUNNING', `另一個錄影程式正在使用狀態資料夾 ${stateDir}。/ another recorder uses the state folder ${stateDir}`, {
      remedy: '請先停止該程式（systemctl stop custos），或另設狀態資料夾。/ Stop the other one first (systemctl stop custos), or give this one a state folder of its own.', cause: error,
    })
  }
}

/** Numbered SQL files, forward only, each in one transaction. A file that was applied must not have changed since. */
export function migrate(db: Db, nowMs: number): void {
  db.exec(`CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT`)
  const files = migrationFiles()
  const applied = new Map(db.prepare<[], { version: number, name: string, sha256: string }>('SELECT version, name, sha256 FROM schema_migration').all().map(row => [row.version, row]))
  const newest = Math.max(0, ...applied.keys())
  if (newest > files.length) {
    throw new FatalError('CUSTOS_SCHEMA_NEWER', `the catalogue has schema ${newest}, this program knows ${files.length}`, {
      remedy: 'Install the version of Custos that wrote it, or a newer one; nothing was changed.',
    })
  }
  for (const [position, name] of files.entries()) {
    const version = position + 1
    const sql = readFileSync(path.join(MIGRATIONS, name), 'utf8')
    const sha256 = createHash('sha256').update(sql).digest('hex')
    const before = applied.get(version)
    if (before !== undefined) {
      if (before.sha256 !== sha256) throw new FatalError('CUSTOS_SCHEMA_CHANGED', `migration ${name} is not the one that was applied`, { remedy: 'Restore the released migrations folder.' })
      continue
    }
    db.transaction(() => {
      db.exec(sql)
      db.prepare('INSERT INTO schema_migration VALUES (?, ?, ?, ?)').run(version, name, sha256, nowMs)
    })()
  }
}
