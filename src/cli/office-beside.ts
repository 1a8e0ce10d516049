import { existsSync } from 'node:fs'
import path from 'node:path'
import type { AccessTime } from '../access/index.ts'
import type { AuditLog } from '../audit/index.ts'
import type { Config } from '../config/index.ts'
import { CATALOGUE_FILE, OFFICE_FILE, openCatalogueBeside, type Db } from '../platform/catalogue.ts'
import { systemClock } from '../platform/clock.ts'
import { openOfficeBeside } from '../platform/office-database.ts'
import { openHostClock, steadyTime } from '../trusted-time/index.ts'
import { logBeside } from './log-beside.ts'

/** The office's database, beside the office that runs. The caller disposes of it. */
export interface OfficeBeside extends Disposable {
  readonly db: Db
  /** Of the office. */
  readonly audit: AuditLog
  /** As the recorder wrote it down last, running on. */
  readonly time: AccessTime
}

/** The office opens some seconds after its recorder was started for the first time. */
const OPENS_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 200

/** Throws FatalError when the office never ran, or when another version wrote what is there. */
export function officeBeside({ state }: Pick<Config, 'state'>, mode: 'read' | 'write'): OfficeBeside {
  using parts = new DisposableStack()
  if (existsSync(path.join(state.dir, CATALOGUE_FILE))) waitForOffice(path.join(state.dir, OFFICE_FILE))
  const { db } = parts.use(openOfficeBeside(state.dir, mode))
  const recorder = parts.use(openCatalogueBeside(state.dir, 'read'))
  const audit = logBeside(db)
  const time = steadyTime(recorder.db, systemClock, openHostClock().bootId)
  const open = parts.move()
  return { db, audit, time, [Symbol.dispose]: () => { open.dispose() } }
}

/** A command has nothing else to do meanwhile. */
function waitForOffice(file: string): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (let waitedMs = 0; waitedMs < OPENS_WITHIN_MS && !existsSync(file); waitedMs += LOOK_EVERY_MS) {
    Atomics.wait(never, 0, 0, LOOK_EVERY_MS)
  }
}
