import {
  closeSync, constants, existsSync, fchownSync, mkdirSync, openSync, statSync, writeSync,
} from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { FatalError, RetryableError } from '../domain/index.ts'
import { migrate, newestVersionOf, versionOf, type Schema } from './migrations.ts'
import { lockState, type StateLock } from './state-lock.ts'

export type Db = Database.Database
export { migrate } from './migrations.ts'

/** Of the recorder: what it recorded, and its log. */
export const CATALOGUE_FILE = 'catalogue.db'
/**
 * Of the office: people, cases, book, archive, and its log. In a folder of its own, which belongs to the user
 * that the office runs as.
 */
export const OFFICE_FILE = 'office/office.db'

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
  const file = path.join(stateDir, CATALOGUE_FILE)
  let held: StateLock | null = null
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o750 })
    const own = held = lock(stateDir)
    const opened = openWithLittleRoom(file, { nowMs, schema: db => schemaOf(db, stateDir) }, makeRoom)
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
    throw openingFault(file, error)
  }
}

function openingFault(file: string, error: unknown): unknown {
  if (error instanceof FatalError) return error
  const isDamaged = isCatalogueFault(error) && DAMAGED.test((error as { code: string }).code)
  return isCatalogueFault(error) && !isDamaged ? new CatalogueFaultError(error) : unusable(file, error)
}

/** A database of whoever calls, made when it is not there. Throws FatalError, CatalogueFaultError. */
export function openOwn(file: string, nowMs: number, schema: Schema): Catalogue {
  try {
    const db = openDb(file, { nowMs, schema: () => schema }, true)
    return { db, [Symbol.dispose]: () => { db.close() } }
  } catch (error) { throw openingFault(file, error) }
}

/**
 * A catalogue that was made before there was an office database keeps the office's tables until they stand in
 * that: its file is there then.
 */
function schemaOf(db: Db, stateDir: string): Schema {
  const version = versionOf(db), isPartedOrNew = version === 0 || version > newestVersionOf('whole')
  return isPartedOrNew || existsSync(path.join(stateDir, OFFICE_FILE)) ? 'recorder' : 'whole'
}

const unusable = (file: string, cause: unknown): FatalError =>
  new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `the catalogue ${file} cannot be used: ${(cause as Error).message}`, {
    remedy: 'Keep the file for examination, restore the last backup or move it away and run `custos rebuild`.', cause,
  })

const DAMAGED = /^SQLITE_(CORRUPT|NOTADB)(_|$)/
/** How a disk without room answers, or one without inodes; EDQUOT comes as an error of writing. */
const NO_ROOM = /^SQLITE_(FULL|CANTOPEN|IOERR)(_|$)/
const lacksRoom = (error: unknown): boolean =>
  error instanceof Database.SqliteError && NO_ROOM.test(error.code)

/**
 * First as usual; then with what `makeRoom` freed; then without the index in shared memory, which takes 32
 * KiB of disk: SQLite keeps it in its own memory while one process has the file to itself.
 */
function openWithLittleRoom(
  file: string, made: MadeFor, makeRoom: () => boolean,
): { db: Db, isShared: boolean } {
  try { return { db: openDb(file, made, true), isShared: true } } catch (error) {
    if (!lacksRoom(error)) throw error
  }
  if (makeRoom()) {
    try { return { db: openDb(file, made, true), isShared: true } } catch (error) {
      if (!lacksRoom(error)) throw error
    }
  }
  return { db: openDb(file, made, false), isShared: false }
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

interface MadeFor { readonly nowMs: number, readonly schema: (db: Db) => Schema }

function openDb(file: string, { nowMs, schema }: MadeFor, isShared: boolean): Db {
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
    migrate(db, nowMs, schema(db))
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
 * Opens an existing catalogue beside whoever has it: for commands that look, or that add an act of their own
 * in one transaction. Throws FatalError when there is none, or when its schema is not the one of this program.
 */
export const openCatalogueBeside = (stateDir: string, mode: 'read' | 'write'): Catalogue =>
  openBeside(path.join(stateDir, CATALOGUE_FILE), mode, ['whole', 'recorder'])

/** The same for a database of one of these schemas. */
export function openBeside(file: string, mode: 'read' | 'write', schemas: readonly Schema[]): Catalogue {
  if (!existsSync(file)) {
    throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `there is no catalogue ${file}`, {
      remedy: 'Is state.dir right, and has the recorder been started once? A lost catalogue comes back by `custos rebuild`.',
    })
  }
  try {
    const db = new Database(file, { readonly: mode === 'read', fileMustExist: true })
    try {
      db.pragma('busy_timeout = 5000')
      if (mode === 'write') {
        db.pragma('synchronous = FULL')
        db.pragma('foreign_keys = ON')
      }
      requireSchema(db, file, schemas)
      return { db, [Symbol.dispose]: () => { db.close() } }
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    if (error instanceof FatalError) throw error
    throw isCatalogueBusy(error) ? new CatalogueFaultError(error) : unusable(file, error)
  }
}

function requireSchema(db: Db, file: string, schemas: readonly Schema[]): void {
  const version = versionOf(db), known = schemas.map(newestVersionOf)
  if (known.includes(version)) return
  throw new FatalError('CUSTOS_CATALOGUE_UNUSABLE', `the catalogue ${file} has schema ${version}, this program knows ${known.join(' and ')}`, {
    remedy: 'Start the recorder of this version once, or use the program that wrote it; nothing was changed.',
  })
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

/** Owned by who opened it; all parts share its one connection, so that an act of several parts can be one transaction. */
export interface Catalogue extends Disposable { readonly db: Db }
