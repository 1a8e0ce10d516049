import Database from 'better-sqlite3'
import type { Db } from '../../src/platform/catalogue.ts'

/**
 * What SQLite says of a catalogue that is sick, and what it does then.
 * `busy`: another program has the write lock when this one wants it; a transaction lasts.
 * `full`: no room for a statement; it alone is undone. `full-rolled-back`: SQLite ends the transaction too.
 * `full-at-commit`: no room at COMMIT, or for a write outside a transaction; all of it is undone.
 * `io-read`, `io-write`: the disk of the catalogue fails; SQLite ends the transaction, if there is one.
 */
export const CATALOGUE_FAULT_KINDS = [
  'busy', 'full', 'full-rolled-back', 'full-at-commit', 'io-read', 'io-write',
] as const
export type CatalogueFaultKind = typeof CATALOGUE_FAULT_KINDS[number]

const ERRORS: Readonly<Record<CatalogueFaultKind, readonly [message: string, code: string]>> = {
  'busy': ['database is locked', 'SQLITE_BUSY'],
  'full': ['database or disk is full', 'SQLITE_FULL'],
  'full-rolled-back': ['database or disk is full', 'SQLITE_FULL'],
  'full-at-commit': ['database or disk is full', 'SQLITE_FULL'],
  'io-read': ['disk I/O error', 'SQLITE_IOERR_READ'],
  'io-write': ['disk I/O error', 'SQLITE_IOERR_WRITE'],
}

export interface CatalogueFault {
  readonly kind: CatalogueFaultKind
  /**
   * A label (`UPDATE slot`, `COMMIT`) or the whole text of a statement; left out, whatever the kind can meet.
   * With `full-at-commit` the label of what a transaction wrote stands for its COMMIT.
   */
  readonly at?: string
  /** Which occasion fails, from 1. */
  readonly occurrence?: number
  /** All occasions from that one on, until `heal`. */
  readonly lasts?: boolean
}

type Verb = 'begin' | 'begin-locked' | 'commit' | 'rollback' | 'read' | 'write' | 'other'

/** A statement, by its text; however often it is prepared. */
export interface StatementFacts {
  readonly label: string
  readonly source: string
  /** How often it was run since `forget`. */
  readonly uses: number
  /** How often it could have failed so. */
  readonly occasions: ReadonlyMap<CatalogueFaultKind, number>
}
interface Known extends StatementFacts {
  readonly verb: Verb
  uses: number
  readonly occasions: Map<CatalogueFaultKind, number>
}

/** Its first words, and the name behind them. */
const statement = (words: string): RegExp => new RegExp(`^${words}\\s+["\`[]?([\\w.]+)`, 'is')
const LABELS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/^BEGIN\s+(IMMEDIATE|EXCLUSIVE)/i, ([, how]) => `BEGIN ${how!.toUpperCase()}`],
  [/^(?:COMMIT|END)\b/i, () => 'COMMIT'],
  [/^ROLLBACK\s+(?:TRANSACTION\s+)?TO\b/i, () => 'ROLLBACK TO'],
  [/^(BEGIN|ROLLBACK|SAVEPOINT|RELEASE)\b/i, ([, verb]) => verb!.toUpperCase()],
  [statement('(?:REPLACE|INSERT\\s+OR\\s+REPLACE)\\s+INTO'), ([, table]) => `REPLACE ${table}`],
  [statement('INSERT(?:\\s+OR\\s+\\w+)?\\s+INTO'), ([, table]) => `INSERT ${table}`],
  [statement('UPDATE(?:\\s+OR\\s+\\w+)?'), ([, table]) => `UPDATE ${table}`],
  [statement('DELETE\\s+FROM'), ([, table]) => `DELETE ${table}`],
  [statement('(?:SELECT|WITH)\\b.*?\\bFROM'), ([, table]) => `SELECT ${table}`],
  [/^PRAGMA\s+(\w+)/i, ([, name]) => `PRAGMA ${name}`],
  [statement('(CREATE|DROP|ALTER)\\s+(?:(?:TEMP|TEMPORARY|UNIQUE)\\s+)*(\\w+)(?:\\s+IF\\b.*?\\bEXISTS)?'),
    ([, verb, what, name]) => `${verb!.toUpperCase()} ${what!.toUpperCase()} ${name}`],
]

/** Verb and table: `UPDATE slot`, `SELECT gap`, `BEGIN IMMEDIATE`. Of several statements the first one's. */
export function labelOf(source: string): string {
  const sql = source.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ').trim()
  for (const [pattern, label] of LABELS) {
    const match = pattern.exec(sql)
    if (match !== null) return label(match)
  }
  return (/^\w+/.exec(sql)?.[0] ?? '').toUpperCase()
}

function verbOf(label: string, isReadonly: boolean): Verb {
  if (label === 'BEGIN') return 'begin'
  if (label.startsWith('BEGIN ')) return 'begin-locked'
  if (label === 'COMMIT') return 'commit'
  if (label === 'ROLLBACK') return 'rollback'
  if (label === 'SAVEPOINT' || label === 'RELEASE' || label === 'ROLLBACK TO') return 'other'
  return isReadonly ? 'read' : 'write'
}

interface Armed { readonly fault: CatalogueFault, left: number }

/** Breaks the catalogue of one recorder, also over its restarts: a full disk outlives the process. */
export class FaultyCatalogue {
  #armed: Armed[] = []
  #current: Connection | null = null
  readonly #known = new Map<string, Known>()
  /** Faults that were thrown since `break`. */
  broken = 0

  /** The connection as its user gets it. Only the newest counts and fails: who had those before is gone. */
  wrap(db: Db): Db {
    this.retire()
    this.#current = new Connection(db, this)
    return this.#current as unknown as Db
  }

  /** What was wrapped so far never fails again: its process is gone. */
  retire(): void { if (this.#current !== null) this.#current.isRetired = true }

  /** Beside those that are armed already. */
  break(fault: CatalogueFault): void {
    this.broken = 0
    this.#armed.push({ fault, left: fault.occurrence ?? 1 })
  }

  /** All is well again. */
  heal(): void { this.#armed = [] }

  get hasBroken(): boolean { return this.broken > 0 }

  /** All statements that were run since `forget`. */
  statements(): StatementFacts[] { return [...this.#known.values()].filter(({ uses }) => uses > 0) }
  /** How often statements of a label were run since `forget`. */
  count(label: string): number {
    return this.statements().reduce((n, each) => n + (each.label === label ? each.uses : 0), 0)
  }
  forget(): void {
    for (const known of this.#known.values()) {
      known.uses = 0
      known.occasions.clear()
    }
  }

  // ---- for connections

  know(source: string, isReadonly: boolean): Known {
    const before = this.#known.get(source)
    if (before !== undefined) return before
    const label = labelOf(source)
    const known: Known = { label, source, verb: verbOf(label, isReadonly), uses: 0, occasions: new Map() }
    this.#known.set(source, known)
    return known
  }

  /** An occasion for `kind`, at any of these statements. The error, when it is to fail. */
  meet(kind: CatalogueFaultKind, at: Iterable<Known>): Error | null {
    let error: Error | null = null
    const met = [...at]
    for (const { occasions } of met) occasions.set(kind, (occasions.get(kind) ?? 0) + 1)
    for (const armed of this.#armed) {
      const { fault, fault: { at: wanted } } = armed
      const isMeant = ({ label, source }: Known) => label === wanted || source === wanted
      if (fault.kind !== kind || (wanted !== undefined && !met.some(isMeant))) continue
      armed.left--
      if (fault.lasts === true ? armed.left > 0 : armed.left !== 0) continue
      error ??= new Database.SqliteError(...ERRORS[kind])
    }
    if (error !== null) this.broken++
    return error
  }
}

/** What better-sqlite3 gives, with each statement passing by `run`: its own `transaction` works past that. */
class Connection {
  readonly #native: Db
  readonly #faults: FaultyCatalogue
  /** What the transaction under way wrote. */
  readonly #written = new Set<Known>()
  #hasLock = false
  isRetired = false

  constructor(native: Db, faults: FaultyCatalogue) {
    this.#native = native
    this.#faults = faults
  }

  get memory(): boolean { return this.#native.memory }
  get readonly(): boolean { return this.#native.readonly }
  get name(): string { return this.#native.name }
  get open(): boolean { return this.#native.open }
  get inTransaction(): boolean { return this.#native.inTransaction }

  prepare(source: string): FaultyStatement {
    const native = this.#native.prepare(source)
    return new FaultyStatement(native, this.#faults.know(source, native.readonly), this)
  }
  exec(source: string): this {
    this.run(this.#faults.know(source, /^SELECT\b/.test(labelOf(source))), () => this.#native.exec(source))
    return this
  }
  pragma(source: string, options?: Database.PragmaOptions): unknown {
    const isReadonly = !/=|^\s*(optimize|wal_checkpoint|incremental_vacuum)/i.test(source)
    const known = this.#faults.know(`PRAGMA ${source}`, isReadonly)
    return this.run(known, () => this.#native.pragma(source, options))
  }

  /** As better-sqlite3 does it, by statements that can fail. */
  transaction<Args extends unknown[], Result>(act: (...args: Args) => Result): Database.Transaction {
    const by = (begin: string) => (...args: Args): Result => {
      const isNested = this.inTransaction
      this.#control(isNested ? 'SAVEPOINT inner_one' : begin)
      try {
        const result = act(...args)
        if (result instanceof Promise) throw new TypeError('Transaction function cannot return a promise')
        this.#control(isNested ? 'RELEASE inner_one' : 'COMMIT')
        return result
      } catch (error) {
        if (this.inTransaction) {
          this.#control(isNested ? 'ROLLBACK TO inner_one' : 'ROLLBACK')
          if (isNested) this.#control('RELEASE inner_one')
        }
        throw error
      }
    }
    const kinds = {
      default: by('BEGIN'), deferred: by('BEGIN DEFERRED'),
      immediate: by('BEGIN IMMEDIATE'), exclusive: by('BEGIN EXCLUSIVE'),
    }
    for (const each of Object.values(kinds)) {
      for (const [name, kind] of Object.entries(kinds)) Object.defineProperty(each, name, { value: kind })
      Object.defineProperty(each, 'database', { value: this, enumerable: true })
    }
    return kinds.default as unknown as Database.Transaction
  }

  readonly #controls = new Map<string, FaultyStatement>()
  #control(source: string): void {
    let statement = this.#controls.get(source)
    if (statement === undefined) this.#controls.set(source, statement = this.prepare(source))
    statement.run()
  }

  /** Runs a statement, or throws what its occasion brings, having undone what SQLite would undo. */
  run<Result>(known: Known, work: () => Result): Result {
    if (this.isRetired) return work()
    known.uses++
    const own = [known]
    switch (known.verb) {
      case 'begin': case 'begin-locked':
        if (known.verb === 'begin-locked') {
          this.#meet('busy', own)
          this.#meet('io-read', own)
        }
        this.#written.clear()
        this.#hasLock = known.verb === 'begin-locked'
        break
      case 'commit':
        if (this.#written.size > 0 && this.inTransaction) {
          this.#meet('full-at-commit', [known, ...this.#written])
          this.#meet('io-write', own)
        }
        break
      case 'read':
        this.#meet('io-read', own)
        break
      case 'write': this.#write(known); break
      case 'rollback': case 'other': break
    }
    return work()
  }

  #write(known: Known): void {
    const own = [known], isAlone = !this.inTransaction
    if (isAlone || !this.#hasLock) this.#meet('busy', own)
    if (!isAlone) {
      this.#hasLock = true
      this.#written.add(known)
    }
    this.#meet('io-write', own)
    if (isAlone) this.#meet('full-at-commit', own)
    else {
      this.#meet('full', own)
      this.#meet('full-rolled-back', own)
    }
  }

  #meet(kind: CatalogueFaultKind, at: Iterable<Known>): void {
    const error = this.#faults.meet(kind, at)
    if (error === null) return
    if (kind !== 'busy' && kind !== 'full' && this.inTransaction) this.#native.exec('ROLLBACK')
    throw error
  }

  // ---- passed on

  close(): this { this.#native.close(); return this }
  function(...args: unknown[]): this { return this.#passOn('function', args) }
  aggregate(...args: unknown[]): this { return this.#passOn('aggregate', args) }
  table(...args: unknown[]): this { return this.#passOn('table', args) }
  loadExtension(...args: unknown[]): this { return this.#passOn('loadExtension', args) }
  defaultSafeIntegers(...args: unknown[]): this { return this.#passOn('defaultSafeIntegers', args) }
  unsafeMode(...args: unknown[]): this { return this.#passOn('unsafeMode', args) }
  backup(file: string, options?: Database.BackupOptions): Promise<Database.BackupMetadata> {
    return options === undefined ? this.#native.backup(file) : this.#native.backup(file, options)
  }
  serialize(options?: Database.SerializeOptions): Buffer { return this.#native.serialize(options) }

  #passOn(method: PassedOn, args: unknown[]): this {
    (this.#native[method] as (...all: unknown[]) => unknown).apply(this.#native, args)
    return this
  }
}

type PassedOn = 'function' | 'aggregate' | 'table' | 'loadExtension' | 'defaultSafeIntegers' | 'unsafeMode'

class FaultyStatement {
  readonly #native: Database.Statement
  readonly #known: Known
  readonly database: Connection

  constructor(native: Database.Statement, known: Known, database: Connection) {
    this.#native = native
    this.#known = known
    this.database = database
  }

  get source(): string { return this.#native.source }
  get reader(): boolean { return this.#native.reader }
  get readonly(): boolean { return this.#native.readonly }
  get busy(): boolean { return this.#native.busy }

  run(...params: unknown[]): Database.RunResult { return this.#pass(() => this.#native.run(...params)) }
  get(...params: unknown[]): unknown { return this.#pass(() => this.#native.get(...params)) }
  all(...params: unknown[]): unknown[] { return this.#pass(() => this.#native.all(...params)) }
  /** Fails at the first row, as SQLite does. */
  *iterate(...params: unknown[]): IterableIterator<unknown> {
    yield* this.#pass(() => this.#native.iterate(...params))
  }
  #pass<Result>(work: () => Result): Result { return this.database.run(this.#known, work) }

  pluck(toggle = true): this { this.#native.pluck(toggle); return this }
  expand(toggle = true): this { this.#native.expand(toggle); return this }
  raw(toggle = true): this { this.#native.raw(toggle); return this }
  safeIntegers(toggle = true): this { this.#native.safeIntegers(toggle); return this }
  bind(...params: unknown[]): this { this.#native.bind(...params); return this }
  columns(): Database.ColumnDefinition[] { return this.#native.columns() }
}
