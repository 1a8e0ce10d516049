import { AsyncLocalStorage } from 'node:async_hooks'
import { constants } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import Database from 'better-sqlite3'

/** One call that changes disk or catalogue: `rename /…/package`, `commit`. */
export interface Step { readonly what: string, readonly file: string }
const CALLS = ['mkdir', 'mkdtemp', 'rename', 'rm', 'rmdir', 'unlink', 'writeFile'] as const
const HANDLE_CALLS = ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate'] as const

/**
 * Everything that one piece of work does to disk and catalogue, call by call, whichever part of the program makes it. `onStep` is told before each, and of files that are opened to be read (step -1), and may kill: then nothing more of that work is done, as by a process that is gone,
 * while the same program goes on beside it. What the catalogue had not committed is rolled back; files are closed, as the kernel would.
 */
export class Steps {
  readonly seen: Step[] = []
  readonly killed: Promise<null>
  readonly #onStep: (step: Step, index: number) => 'kill' | void
  readonly #handles = new Set<() => Promise<void>>()
  #isKilled = false
  #tellKilled: () => void

  constructor(onStep: (step: Step, index: number) => 'kill' | void = () => undefined) {
    const { promise, resolve } = Promise.withResolvers<null>()
    this.killed = promise
    this.#tellKilled = () => { resolve(null) }
    this.#onStep = onStep
  }

  /** What the work gives; null when it was killed. */
  async of<Result>(work: () => Promise<Result>): Promise<Result | null> {
    install()
    const result = await Promise.race([current.run(this, work).catch((error: unknown) => { if (!this.#isKilled) throw error; return null }), this.killed])
    if (this.#isKilled) await Promise.all([...this.#handles].map(close => close().catch(() => undefined)))
    return result
  }

  /** Whether it may be done. */
  enter(what: string, file: string): boolean {
    if (this.#isKilled) return false
    const index = what === 'read' ? -1 : this.seen.push({ what, file }) - 1
    if (this.#onStep({ what, file }, index) !== 'kill') return true
    this.#isKilled = true
    this.#tellKilled()
    return false
  }
  get isKilled(): boolean { return this.#isKilled }

  async pass<Result>(what: string, file: string, apply: () => Promise<Result>): Promise<Result> {
    return this.enter(what, file) ? apply() : never()
  }

  opened(handle: FileHandle, file: string): FileHandle {
    const methods = handle as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    for (const name of HANDLE_CALLS) {
      const real = methods[name]!.bind(handle)
      methods[name] = (...args) => this.pass(name, file, () => real(...args))
    }
    const close = handle.close.bind(handle)
    this.#handles.add(close)
    handle.close = () => { this.#handles.delete(close); return this.#isKilled ? never() : close() }
    return handle
  }
}

const current = new AsyncLocalStorage<Steps>()
const never = (): Promise<never> => Promise.withResolvers<never>().promise
class KilledError extends Error {}

let isInstalled = false
function install(): void {
  if (isInstalled) return
  isInstalled = true
  const doors = fs as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  for (const name of CALLS) {
    const real = doors[name]!
    doors[name] = (...args) => current.getStore()?.pass(name, String(args[0]), () => real(...args)) ?? real(...args)
  }
  const open = fs.open
  fs.open = async (file, flags, mode) => {
    const steps = current.getStore()
    if (steps === undefined) return open(file, flags, mode)
    const isReading = flags === undefined || flags === 'r' || (typeof flags === 'number' && (flags & (constants.O_WRONLY | constants.O_RDWR)) === 0)
    return steps.opened(await steps.pass(isReading ? 'read' : 'create', String(file), () => open(file, flags, mode)), String(file))
  }
  syncBuiltinESMExports()
  const statement = Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')) as { run(this: Database.Statement, ...args: unknown[]): unknown }
  const run = statement.run
  statement.run = function (...args) {
    const steps = current.getStore(), isRollback = this.source.startsWith('ROLLBACK')
    if (steps === undefined || isRollback) return run.apply(this, args)
    const isDurable = this.source === 'COMMIT' || (!this.database.inTransaction && !this.readonly && !this.source.startsWith('BEGIN'))
    if (isDurable ? !steps.enter('commit', this.source.slice(0, 40)) : steps.isKilled) throw new KilledError('killed')
    return run.apply(this, args)
  }
}
