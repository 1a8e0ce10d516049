import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type Database from 'better-sqlite3'
import { FatalError } from '../domain/index.ts'

const MIGRATIONS = path.join(import.meta.dirname, '../../migrations')

/**
 * What a database is for. `whole`: one of a release before recorder and office had one each, and still has
 * the tables of both.
 */
export type Schema = 'whole' | 'recorder' | 'office'

/** In the order they are applied: those of both, then those of one. Relative to the folder. */
function filesOf(schema: Schema): string[] {
  const numbered = (folder: string): string[] => readdirSync(path.join(MIGRATIONS, folder))
    .filter(name => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).sort().map(name => path.join(folder, name))
  return schema === 'whole' ? numbered('') : [...numbered(''), ...numbered(schema)]
}

/** The version that a database of the schema has with this program. */
export const newestVersionOf = (schema: Schema): number => filesOf(schema).length

/** Of an open database; 0 for an empty one. Throws what SQLite throws. */
export function versionOf(db: Database.Database): number {
  const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'").get() !== undefined
  if (!isThere) return 0
  return db.prepare<[], number | null>('SELECT max(version) FROM schema_migration').pluck().get() ?? 0
}

/**
 * Numbered SQL files, forward only, each in one transaction. A file that was applied must not have changed
 * since. Throws FatalError for a database of a newer program.
 */
export function migrate(db: Database.Database, nowMs: number, schema: Schema = 'whole'): void {
  db.exec(`CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT`)
  const files = filesOf(schema)
  interface Applied { readonly version: number, readonly sha256: string }
  const applied = new Map(db.prepare<[], Applied>('SELECT version, sha256 FROM schema_migration').all()
    .map(row => [row.version, row]))
  const newest = Math.max(0, ...applied.keys())
  if (newest > files.length) {
    throw new FatalError('CUSTOS_SCHEMA_NEWER', `the catalogue has schema ${newest}, this program knows ${files.length}`, {
      remedy: 'Install the version of Custos that wrote it, or a newer one; nothing was changed.',
    })
  }
  for (const [position, file] of files.entries()) {
    const sql = readFileSync(path.join(MIGRATIONS, file), 'utf8')
    const before = applied.get(position + 1)
    const row = { version: position + 1, name: path.basename(file), sha256: createHash('sha256').update(sql).digest('hex') }
    if (before === undefined) apply(db, sql, row, nowMs)
    else if (before.sha256 !== row.sha256) {
      throw new FatalError('CUSTOS_SCHEMA_CHANGED', `migration ${row.name} is not the one that was applied`, {
        remedy: 'Restore the released migrations folder.',
      })
    }
  }
}

function apply(
  db: Database.Database, sql: string,
  { version, name, sha256 }: { readonly version: number, readonly name: string, readonly sha256: string },
  nowMs: number,
): void {
  db.transaction(() => {
    db.exec(sql)
    db.prepare('INSERT INTO schema_migration VALUES (?, ?, ?, ?)').run(version, name, sha256, nowMs)
  })()
}
