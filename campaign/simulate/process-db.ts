import Database from 'better-sqlite3'
import type { Db } from '../../src/platform/catalogue.ts'
import { DeathError, type Life } from './life.ts'

/** What ails the catalogue's disk, or who else has its lock. Instants are of true time. */
export class CatalogueTrouble {
  lockedUntil = 0
  fullUntil = 0
  ioErrorUntil = 0
  ioErrorShare = 0
  isOver(now: number): boolean { return Math.max(this.lockedUntil, this.fullUntil, this.ioErrorUntil) <= now }
  end(): void { this.lockedUntil = this.fullUntil = this.ioErrorUntil = 0 }
}

export interface ProcessDbOptions {
  readonly life: Life
  readonly trouble: CatalogueTrouble
  readonly now: () => number
  /** The event loop sleeps in SQLite's busy handler. */
  readonly block: (ms: number) => void
  readonly chance: (share: number) => boolean
  readonly note: (line: string) => void
}

type Kind = 'read' | 'write' | 'begin' | 'commit'
type Method = (...args: unknown[]) => unknown

/** What each text of a statement is, on whatever connection. */
const kinds = new Map<string, Kind>()
const kindOf = (sql: string, { readonly }: Database.Statement): Kind =>
  /^\s*(BEGIN|SAVEPOINT)/i.test(sql) ? 'begin' : /^\s*COMMIT/i.test(sql) ? 'commit' : readonly ? 'read' : 'write'

/**
 * Puts a process's connection under the simulation: each statement counts as a call, at which the process
 * may die, and meets what ails the catalogue as SQLite would tell it.
 * The connection stays a real one; only its methods are replaced.
 */
export function watchConnection(db: Db, options: ProcessDbOptions): void {
  const { life, trouble, now, note } = options
  const busyTimeoutMs = Number(db.pragma('busy_timeout', { simple: true }))
  const end = (): never => {
    try { db.close() } catch { /* inside a statement: closed when it is over */ }
    throw new DeathError()
  }
  /** A deferred transaction takes the lock with its first write. */
  let hasLock = false
  const sqliteError = (code: string, message: string): Error => {
    if (code !== 'SQLITE_BUSY' && db.inTransaction) rollback.run()
    note(`${life.name} catalogue: ${code}`)
    return new Database.SqliteError(message, code)
  }
  const meet = (kind: Kind): void => {
    if (life.isQuiet) return
    if (life.isGone || life.begins(`catalogue ${kind}`)) end()
    if (trouble.ioErrorUntil > now() && options.chance(trouble.ioErrorShare)) throw sqliteError('SQLITE_IOERR', 'disk I/O error')
    if (kind === 'read') return
    if (!db.inTransaction) hasLock = false
    if (trouble.lockedUntil > now() && !hasLock && (kind === 'begin' || kind === 'write')) {
      options.block(Math.min(busyTimeoutMs, trouble.lockedUntil - now()))
      if (trouble.lockedUntil > now()) throw sqliteError('SQLITE_BUSY', 'database is locked')
    }
    if (trouble.fullUntil > now() && (kind === 'commit' || (kind === 'write' && !db.inTransaction))) throw sqliteError('SQLITE_FULL', 'database or disk is full')
    if (kind !== 'commit') hasLock = true
  }
  const done = (kind: Kind): void => { if (!life.isQuiet && life.ended(`catalogue ${kind}`)) end() }

  const prepare = db.prepare.bind(db)
  const begin = prepare('BEGIN IMMEDIATE'), commit = prepare('COMMIT'), rollback = prepare('ROLLBACK')
  const watched = (sql: string): Database.Statement => {
    let kind = kinds.get(sql), first: Database.Statement | null = null
    if (kind === undefined) {
      first = prepare(sql)
      kinds.set(sql, kind = kindOf(sql, first))
    }
    return lateStatement(kind, () => first ?? prepare(sql), { meet, done })
  }
  /** As better-sqlite3 does it, its statements watched. */
  const transaction = (act: Method): Method => {
    const savepoint = 'SAVEPOINT sim', release = 'RELEASE sim', undo = 'ROLLBACK TO sim'
    const runAs = (opening: Kind) => (...args: unknown[]): unknown => {
      const isNested = db.inTransaction
      meet(isNested ? 'read' : opening)
      if (isNested) prepare(savepoint).run()
      else if (opening === 'begin') begin.run()
      else prepare('BEGIN').run()
      try {
        const result = act(...args)
        meet(isNested ? 'read' : 'commit')
        if (isNested) prepare(release).run()
        else commit.run()
        done('commit')
        return result
      } catch (error) {
        if (db.open && db.inTransaction) {
          if (isNested) { prepare(undo).run(); prepare(release).run() } else rollback.run()
        }
        throw error
      }
    }
    return Object.assign(runAs('read'), { deferred: runAs('read'), default: runAs('read'), immediate: runAs('begin'), exclusive: runAs('begin') })
  }
  const exec = db.exec.bind(db)
  Object.defineProperties(db, {
    prepare: { value: watched },
    transaction: { value: transaction },
    exec: { value: (sql: string) => { meet('write'); exec(sql); done('write'); return db } },
  })
}

/**
 * A statement that is prepared when it is first used: a process prepares some hundred and fifty at its start,
 * and dies before it has used most of them.
 */
function lateStatement(
  kind: Kind, prepare: () => Database.Statement,
  { meet, done }: { readonly meet: (kind: Kind) => void, readonly done: (kind: Kind) => void },
): Database.Statement {
  let isPlucked = false
  let made: Database.Statement | null = null
  const access = (name: 'run' | 'get' | 'all' | 'iterate'): Method => (...args) => {
    meet(kind)
    made ??= isPlucked ? prepare().pluck() : prepare()
    const result = (made[name] as Method)(...args)
    done(kind)
    return result
  }
  const late = {
    run: access('run'), get: access('get'), all: access('all'), iterate: access('iterate'),
    pluck() { isPlucked = true; return late },
  }
  return late as unknown as Database.Statement
}
