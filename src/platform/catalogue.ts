import { createHash } from 'node:crypto'
import {
  closeSync, constants, existsSync, fchownSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeSync,
} from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { FatalError, RetryableError } from '../domain/index.ts'
import { lockState, type StateLock } from './state-lock.ts'

export type Db = Database.Database

const MIGRATIONS = path.join(import.meta.dirname, '../../migrations')

/** The event loop must not stand still for another process's lock; who gets SQLITE_BUSY tries again later. */
const LOCK_WAIT_MS = 40
/**
 * At a start nothing is recorded yet: migrations and the recovery of the log wait for a command that is about
 * to end.
 */
const OPENING_LOCK_WAIT_MS = 5_000

export interface OpenCatalogueOptions {
  /** Called when there is no room even to open; false when nothing was freed. */
  readonly makeRoom?: () => boolean
  readonly lock?: (stateDir: string) => StateLock
}

/** The recorder's own catalogue, with the lock on its folder. */
export interface OwnCatalogue extends Catalogue {
  /** Why nobody can tell whether another recorder uses the folder; null when none does. */
  readonly lockFault: string | null
  /**
   * False: there was no room for the index that processes share, so that no command can look beside the
   * recorder.
   */
  readonly isShared: boolean
  /**
   * Lets others look again, once there is room. Throws the error of the file system or of SQLite when that
   * cannot be done now.
   */
  share(): void
}

/**
 * Opens `catalogue.db` in the state folder, brings its schema up to this version and takes the folder for
 * this process alone. A full disk does not keep it from opening. Throws FatalError when another recorder has
 * the folder, when the file is damaged, or when its schema is newer than this program.
 */
export function openCatalogue(
  stateDir: string, nowMs: number, { makeRoom = () => false, lock = lockState }: OpenCatalogueOptions = {},
): OwnCatalogue {
  const file = path.join(stateDir, 'catalogue.db')
  let held: StateLock | null = null
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o750 })
    const own = held = lock(stateDir)
    const opened = openWithLittleRoom(file, nowMs, makeRoom)
    const { db } = opened
    let { isShared } = opened
    return {
      db, lockFault: own.fault,
      get isShared() { return isShared },
      share() {
        if (isShared) return
        shareAgain(db)
        isShared = true
      },
      [Symbol.dispose]: () => {
        db.close()
        leaveLog(file)
        own.close()
      },
    }
  } catch (error) {
    held?.close()
    if (error instanceof FatalError) throw error
    if (isCatalogueFault(error) && !DAMAGED.test((error as { code: string }).code)) {
      throw new CatalogueFaultError(error)
    }
    throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `the catalogue ${file} cannot be used: ${(error as Error).message}`, {
      remedy: 'Keep the file for examination, restore the last backup or move it away and run `custos rebuild`.', cause: error,
    })
  }
}

const DAMAGED = /^SQLITE_(CORRUPT|NOTADB)(_|$)/
/** How a disk without room answers, or one without inodes; EDQUOT comes as an error of writing. */
const NO_ROOM = /^SQLITE_(FULL|CANTOPEN|IOERR)(_|$)/
const lacksRoom = (error: unknown): boolean =>
  error instanceof Database.SqliteError && NO_ROOM.test(error.code)

/**
 * First as usual; then with what `makeRoom` freed; then without the index in shared memory, which takes 32
 * KiB of disk: SQLite keeps it in its own memory while one process has the file to itself.
 */
function openWithLittleRoom(file: string, nowMs: number, makeRoom: () => boolean): { db: Db, isShared: boolean } {
  try { return { db: openDb(file, nowMs, true), isShared: true } } catch (error) {
    if (!lacksRoom(error)) throw error
  }
  if (makeRoom()) {
    try { return { db: openDb(file, nowMs, true), isShared: true } } catch (error) {
      if (!lacksRoom(error)) throw error
    }
  }
  return { db: openDb(file, nowMs, false), isShared: false }
}

/**
 * SQLite removes its log with the last connection. An empty one in its place is there for the next start,
 * which may find a disk on which no file can be made.
 */
function leaveLog(file: string): void {
  try {
    const { uid, gid, mode } = statSync(file)
    const log = openSync(`${file}-wal`, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, mode & 0o666)
    try { if (process.getuid?.() === 0) fchownSync(log, uid, gid) } finally { closeSync(log) }
  } catch { /* the next start makes it, if it can */ }
}

function openDb(file: string, nowMs: number, isShared: boolean): Db {
  const db = new Database(file, { timeout: OPENING_LOCK_WAIT_MS })
  try {
    // before the first look, or the index is shared already
    if (!isShared) db.pragma('locking_mode = EXCLUSIVE')
    try { db.pragma('journal_mode = WAL') } catch (error) {
      // `shareAgain` was cut off by a full disk: it is used as it is, and gets its log when it is shared.
      if (isShared || !lacksRoom(error)) throw error
    }
    db.pragma('synchronous = FULL')      // the WAL default, NORMAL, may lose acknowledged rows at a power cut
    db.pragma('foreign_keys = ON')
    db.pragma('wal_autocheckpoint = 500')
    db.pragma('cache_size = -4096')      // KiB; the kernel has the file in memory anyway, and 16 MiB would fill over the years
    migrate(db, nowMs)
    db.pragma(`busy_timeout = ${LOCK_WAIT_MS}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Two pages of the shared index of a log. */
const INDEX_BYTES = 65_536

/**
 * The index can be shared only from the beginning of a log on: this one is written back and a new one begun.
 */
function shareAgain(db: Db): void {
  // Once the log has begun without its index there is no way back, so its file is made first; SQLite empties
  // it.
  const index = openSync(`${db.name}-shm`, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o640)
  try { writeSync(index, Buffer.alloc(INDEX_BYTES)) } finally { closeSync(index) }
  db.pragma('journal_mode = DELETE')
  db.pragma('locking_mode = NORMAL')
  try { db.pragma('journal_mode = WAL') } catch (error) {
    // The disk filled meanwhile. Alone again, it syncs the end of each commit without a log too.
    db.pragma('locking_mode = EXCLUSIVE')
    throw error
  }
  db.prepare('SELECT 1 FROM schema_migration LIMIT 1').get() // the lock is let go at the next look
}

/**
 * Opens an existing catalogue beside whoever has it: for commands that look, or that add an act of their own in one transaction.
 * Throws FatalError when there is none, or when its schema is not the one of this program.
 */
export function openCatalogueBeside(stateDir: string, mode: 'read' | 'write', name = 'catalogue.db'): Catalogue {
  const file = path.join(stateDir, name)
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
    if (isCatalogueBusy(error)) throw new CatalogueFaultError(error)
    return fail(`the catalogue ${file} cannot be used: ${(error as Error).message}`, 'Keep the file for examination, restore the last backup or move it away and run `custos rebuild`.', error)
  }
}

/** A fault of the catalogue's file or disk: full, unreadable, locked by somebody. May pass; a broken constraint never does. */
export const isCatalogueFault = (error: unknown): boolean => error instanceof Database.SqliteError && !/^SQLITE_(CONSTRAINT|ERROR|MISUSE|RANGE|SCHEMA|TOOBIG|MISMATCH)/.test(error.code)

/** Another process has the lock for now, as a cause too: nothing is wrong, and nothing was done. */
export function isCatalogueBusy(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof Database.SqliteError) return /^SQLITE_(BUSY|LOCKED)(_|$)/.test(at.code)
  }
  return false
}

/** The catalogue does not take a row now. */
export class CatalogueFaultError extends RetryableError {
  constructor(cause: unknown) {
    super('CUSTOS_CATALOGUE_FAULT', `the catalogue cannot be opened or written (${(cause as { code?: string }).code ?? String(cause)})`, {
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
