import { mkdirSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import {
  AuditLog, CheckpointBook, headNow, notePartedLog, OfficeCheckpoints, originOf, OtherLogs, partedEvent, partLog,
  type HeadSigner, type WholeHead,
} from '../../../src/audit/index.ts'
import { checkpointTable } from '../../../src/audit/tables/checkpoints.ts'
import { migrate, type Db } from '../../../src/platform/catalogue.ts'
import type { TestOwner } from '../../support/virtual-clock.ts'
import { dropGuards, openLog, type LogRig } from './log.ts'

/** The recorder's log with its key, and what it knows of the office's. */
export interface RecorderRig extends LogRig { readonly others: OtherLogs, readonly book: CheckpointBook }

export function openRecorder(owner: TestOwner, rig = openLog(owner)): RecorderRig {
  const book: CheckpointBook = new CheckpointBook({ ...rig, others: () => others.newest() })
  const others = new OtherLogs({ ...rig, key: () => book.key })
  book.openKey(rig.folder)
  return { ...rig, others, book }
}

export interface OfficeRig extends LogRig { readonly checkpoints: OfficeCheckpoints }

/** A log of the office's in a database of its own, signed by `signer`. */
export function officeOf(rig: LogRig, signer: HeadSigner): OfficeRig {
  return { ...rig, checkpoints: new OfficeCheckpoints({ ...rig, signer }) }
}
export const openOffice = (owner: TestOwner, recorder: RecorderRig, file?: string): OfficeRig =>
  officeOf(file === undefined ? openLog(owner, undefined, recorder.clock) : logIn(owner, recorder, file), recorder.others)

function logIn(owner: TestOwner, { folder, clock }: RecorderRig, file: string): LogRig {
  mkdirSync(path.dirname(file), { recursive: true })
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  migrate(db, clock.wallNow(), 'office')
  owner.teardown(() => { db.close() })
  return { folder, clock, db, log: new AuditLog({ db, clock }) }
}

/** As a start parts an installation: the office gets a copy of the log so far, and each goes on by itself. */
export function partedOffice(owner: TestOwner, recorder: RecorderRig, file?: string): OfficeRig {
  const office = openOffice(owner, recorder, file)
  copyLog(recorder.db, office.db)
  const parting = partLog(office.db)
  notePartedLog(recorder, headOfLog(office))
  office.log.append(partedEvent(originOf(parting.from), parting.size))
  return office
}

export const headOfLog = ({ db, log }: { readonly db: Db, readonly log: AuditLog }): WholeHead =>
  headNow(log, checkpointTable(db).logId())

/** The tables of the log as a backup has them, and back from there. */
export interface LogCopy { readonly rows: ReadonlyMap<string, readonly Record<string, unknown>[]> }
const TABLES = ['audit_log', 'audit_entry', 'audit_tile', 'audit_key', 'audit_checkpoint', 'audit_witness', 'audit_head', 'audit_head_refused']

export const backupOf = (db: Db): LogCopy =>
  ({ rows: new Map(TABLES.map(table => [table, db.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all()])) })

export function restore(db: Db, { rows }: LogCopy): void {
  const guards = db.prepare<[], string>("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'audit_%'").pluck().all()
  dropGuards(db)
  db.transaction(() => {
    for (const table of TABLES.toReversed()) db.exec(`DELETE FROM ${table}`)
    for (const [table, all] of rows) {
      for (const row of all) {
        const names = Object.keys(row)
        db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`).run(...Object.values(row))
      }
    }
  })()
  for (const sql of guards) db.exec(sql)
}

const copyLog = (from: Db, to: Db): void => { restore(to, backupOf(from)) }

