import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { AuditLog } from '../../../src/audit/index.ts'
import { SYSTEM, type AuditEvent } from '../../../src/domain/index.ts'
import { openCatalogue, type Db } from '../../../src/platform/catalogue.ts'
import { VirtualClock, type TestOwner } from '../../support/virtual-clock.ts'

export const START = '2026-11-22T08:00:00.000Z'

/** A folder where syncs cost nothing. */
export function stateFolder(owner: TestOwner): string {
  const folder = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'custos-audit-'))
  owner.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}

export interface LogRig { readonly folder: string, readonly clock: VirtualClock, readonly db: Db, readonly log: AuditLog }

/** A real catalogue with an empty audit log. */
export function openLog(owner: TestOwner, folder = stateFolder(owner), clock = new VirtualClock(START)): LogRig {
  const catalogue = openCatalogue(folder, clock.wallNow())
  owner.teardown(() => { catalogue[Symbol.dispose]() })
  return { folder, clock, db: catalogue.db, log: new AuditLog({ db: catalogue.db, clock }) }
}

export const event = (change: Partial<AuditEvent> = {}): AuditEvent =>
  ({ action: 'slot.overwritten', actor: SYSTEM, object: 'disk1/17/4', application: null, result: 'done', detail: { bytes: 4096, camera: '大廳' }, ...change })

/** So many entries, each with its number in it, in one transaction. */
export function fill({ log, clock }: LogRig, count: number): void {
  log.transaction(() => {
    for (let i = 0; i < count; i++) {
      log.append(event({ object: `disk1/${i}/1`, detail: { number: i } }))
      clock.drift(1000, 0)
    }
  })
}

/** Takes the guards off, as somebody with root and sqlite3 does. */
export function dropGuards(db: Db): void {
  for (const name of db.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'").pluck().all()) db.exec(`DROP TRIGGER ${name}`)
}
