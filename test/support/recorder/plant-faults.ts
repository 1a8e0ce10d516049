import Database from 'better-sqlite3'

/**
 * Loaded before the recorder (`NODE_OPTIONS=--import`): statements whose text matches fail as a sick disk
 * makes them, for so long after the start. CUSTOS_TEST_FAULT is JSON: { match, code, forMs }.
 */
interface Planted { readonly match: string, readonly code: string, readonly forMs?: number }
interface Statement { readonly source: string }
const { match, code, forMs = Infinity } = JSON.parse(process.env['CUSTOS_TEST_FAULT'] ?? 'null') as Planted
const METHODS = ['get', 'all', 'run', 'iterate'] as const
type Methods = Record<(typeof METHODS)[number], (...args: unknown[]) => unknown>

const pattern = new RegExp(match)
const own = new Database(':memory:')
const prototype = Object.getPrototypeOf(own.prepare('SELECT 1')) as Methods
own.close()
for (const name of METHODS) {
  const original = prototype[name]
  prototype[name] = function (this: Statement, ...args: unknown[]) {
    if (performance.now() < forMs && pattern.test(this.source)) {
      throw new Database.SqliteError('planted', code)
    }
    return original.apply(this, args)
  }
}
