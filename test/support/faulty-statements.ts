import Database from 'better-sqlite3'
import type { Db } from '../../src/platform/catalogue.ts'
import type { TestOwner } from './virtual-clock.ts'

const METHODS = ['get', 'all', 'run', 'iterate'] as const
type Faulty = Record<(typeof METHODS)[number], (...args: unknown[]) => unknown>
interface Statement { readonly source: string, readonly database: Db }

/**
 * Makes statements fail as those of a sick disk do, prepared ones too: of one connection, or of all of this
 * process.
 */
export class FaultyStatements {
  #code: string | null = null
  #matches: (sql: string) => boolean = () => true
  /** How many failed. */
  failed = 0

  constructor(owner: TestOwner, db: Db | null = null) {
    const own = new Database(':memory:')
    const prototype = Object.getPrototypeOf(own.prepare('SELECT 1')) as Faulty
    own.close()
    const originals = Object.fromEntries(METHODS.map(name => [name, prototype[name]])) as Faulty
    const fault = (statement: Statement) => {
      if (this.#code === null || (db !== null && statement.database !== db)
        || !this.#matches(statement.source)) {
        return
      }
      this.failed++
      throw new Database.SqliteError('planted', this.#code)
    }
    for (const name of METHODS) {
      prototype[name] = function (this: Statement, ...args: unknown[]) {
        fault(this)
        return originals[name].apply(this, args)
      }
    }
    owner.teardown(() => { Object.assign(prototype, originals) })
  }

  /** Every statement whose text `matches`, all unless told, fails with `code` from now on. */
  fail(code: string, matches: RegExp = /^/): void {
    this.#code = code
    this.#matches = sql => matches.test(sql)
  }
  heal(): void { this.#code = null }
}
