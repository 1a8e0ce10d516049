import { createHash } from 'node:crypto'
import { epochMs, type AuditActor, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import type { ApplicantClass } from '../../rules/index.ts'
import type { Application, CaseState } from '../cases/application.ts'
import { parseApplicationNumber, type ApplicationNumber, type ApplicationNumberParts } from '../cases/application-number.ts'
import { ApplicationError } from '../cases/grant.ts'

/** One step of a case as it was written down. */
export interface StoredEvent { readonly version: number, readonly verb: string, readonly at: EpochMs, readonly actor: AuditActor, readonly record: Application, readonly recordSha256: string, readonly answer: string }
export interface NewEvent { readonly verb: string, readonly at: EpochMs, readonly actor: AuditActor, readonly record: Application, readonly answer: string, readonly person: string, readonly key: string, readonly mark: Buffer }
export interface StoredApplication { readonly number: ApplicationNumber, readonly form: string, readonly applicantClass: ApplicantClass, readonly applicantAccount: string | null, readonly state: CaseState['kind'], readonly version: number, readonly receivedAt: EpochMs, readonly nominalDay: string | null }

interface RawEvent { number: string, version: number, verb: string, at: number, actor: string, record: string, record_sha256: string, answer: string, request_mark: Buffer }
interface RawApplication { number: string, form: string, applicant_class: ApplicantClass, applicant_account: string | null, state: CaseState['kind'], version: number, received_at: number, nominal_day: string | null }

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Throws ApplicationError for a row that is not what was written. */
function eventOf(raw: RawEvent): StoredEvent {
  const found = sha256(raw.record)
  const record = found === raw.record_sha256 ? JSON.parse(raw.record) as Application : null
  if (record?.number !== raw.number || record.version !== raw.version) {
    throw new ApplicationError('CUSTOS_APPLICATION_ALTERED', `step ${raw.version} of ${raw.number} is not what was written; its row was altered, and nothing opens on it`,
      { remedy: 'compare the case with the audit log (`custos audit verify`), restore the catalogue from a backup, and report it as an incident' })
  }
  return { version: raw.version, verb: raw.verb, at: epochMs(raw.at), actor: JSON.parse(raw.actor) as AuditActor, record, recordSha256: raw.record_sha256, answer: raw.answer }
}
const rowOf = (raw: RawApplication): StoredApplication => ({
  number: raw.number as ApplicationNumber, form: raw.form, applicantClass: raw.applicant_class, applicantAccount: raw.applicant_account, state: raw.state, version: raw.version, receivedAt: epochMs(raw.received_at), nominalDay: raw.nominal_day,
})

/** Null or empty: no condition. `below`: only those before this number, newest first. */
export interface Wanted {
  readonly number?: string | null
  readonly name?: string | null
  readonly states?: readonly CaseState['kind'][]
  /** ISO; the day a deadline ends before it moves off rest days. */
  readonly nominalBy?: string | null
  readonly applicantAccount?: string | null
  readonly below?: ApplicationNumberParts | null
}

/** Tables `application`, `application_event`, `application_name`. */
export function applicationTables(db: Db) {
  const columns = 'number, form, applicant_class, applicant_account, state, version, received_at, nominal_day'
  const last = db.prepare<[], { number: string }>('SELECT number FROM application ORDER BY roc_year DESC, serial DESC LIMIT 1')
  const insert = db.prepare<[string, number, number, string, string, string | null, string, number, number]>(
    'INSERT INTO application (number, roc_year, serial, form, applicant_class, applicant_account, state, version, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const update = db.prepare<[string, number, string | null, string, number]>('UPDATE application SET state = ?, version = ?, nominal_day = ? WHERE number = ? AND version = ?')
  const addEvent = db.prepare<[string, number, string, number, string, string, string, string, string, string, Buffer]>(
    'INSERT INTO application_event (number, version, verb, at, actor, record, record_sha256, answer, person, request_key, request_mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const addName = db.prepare<[string, string]>('INSERT OR IGNORE INTO application_name (number, name) VALUES (?, ?)')
  const newest = db.prepare<[string], RawEvent>('SELECT * FROM application_event WHERE number = ? ORDER BY version DESC LIMIT 1')
  const since = db.prepare<[string, number], RawEvent>('SELECT * FROM application_event WHERE number = ? AND version > ? ORDER BY version')
  const byKey = db.prepare<[string, string], RawEvent>('SELECT * FROM application_event WHERE person = ? AND request_key = ?')
  const get = db.prepare<[string], RawApplication>(`SELECT ${columns} FROM application WHERE number = ?`)
  const approvedLast = db.prepare<[string], RawEvent>("SELECT * FROM application_event WHERE number = ? AND json_extract(record, '$.state.kind') IN ('approved', 'partly-approved') ORDER BY version DESC LIMIT 1")
  const names = db.prepare<[string], string>('SELECT name FROM application_name WHERE number = ?').pluck()
  // `instr` compares code points as they stand: a rare variant is another name.
  const search = db.prepare<[Record<'number' | 'name' | 'states' | 'nominalBy' | 'account' | 'year' | 'serial', string | number | null>], RawApplication>(`SELECT ${columns} FROM application AS a
    WHERE (@year IS NULL OR (roc_year, serial) < (@year, @serial))
      AND (@number IS NULL OR instr(number, @number) > 0)
      AND (@states IS NULL OR state IN (SELECT value FROM json_each(@states)))
      AND (@nominalBy IS NULL OR nominal_day <= @nominalBy)
      AND (@account IS NULL OR applicant_account = @account)
      AND (@name IS NULL OR EXISTS (SELECT 1 FROM application_name AS n WHERE n.number = a.number AND instr(n.name, @name) > 0))
    ORDER BY roc_year DESC, serial DESC`)
  return {
    last: (): ApplicationNumberParts | null => { const row = last.get(); return row === undefined ? null : parseApplicationNumber(row.number) },
    get(number: string): StoredApplication | null { const raw = get.get(number); return raw === undefined ? null : rowOf(raw) },
    /** Throws ApplicationError for a row that was altered. */
    newest(number: string): StoredEvent | null { const raw = newest.get(number); return raw === undefined ? null : eventOf(raw) },
    /** The newest version in which it stands approved, whatever became of it since; null when it never was. Throws like `newest`. */
    approved(number: string): StoredEvent | null { const raw = approvedLast.get(number); return raw === undefined ? null : eventOf(raw) },
    since: (number: string, version: number): StoredEvent[] => since.all(number, version).map(eventOf),
    byKey(person: string, key: string): { event: StoredEvent, mark: Buffer } | null { const raw = byKey.get(person, key); return raw === undefined ? null : { event: eventOf(raw), mark: raw.request_mark } },
    names: (number: string): string[] => names.all(number),
    /** The next version, inside the caller's transaction. SHA-256 of the record, hex. */
    write({ record, verb, at, actor, answer, person, key, mark }: NewEvent, { names: written, nominalDay }: { readonly names: readonly string[], readonly nominalDay: string | null }): string {
      const { number, version, content, state } = record
      if (version === 1) {
        const parts = parseApplicationNumber(number)
        if (parts === null) throw new TypeError(`${number} is no application number`)
        insert.run(number, parts.rocYear, parts.serial, content.form, content.applicantClass, content.applicantAccount, state.kind, 0, record.receivedAt)
      }
      if (update.run(state.kind, version, nominalDay, number, version - 1).changes !== 1) throw new TypeError(`${number} is not at version ${version - 1}`)
      const text = JSON.stringify(record), hash = sha256(text)
      addEvent.run(number, version, verb, at, JSON.stringify(actor), text, hash, answer, person, key, mark)
      for (const name of written) addName.run(number, name)
      return hash
    },
    /** Newest first, read as far as the caller goes. */
    *search({ number, name, states, nominalBy, applicantAccount, below }: Wanted): Generator<StoredApplication> {
      for (const raw of search.iterate({
        number: number ?? null, name: name ?? null, states: states === undefined ? null : JSON.stringify(states), nominalBy: nominalBy ?? null, account: applicantAccount ?? null, year: below?.rocYear ?? null, serial: below?.serial ?? null,
      })) yield rowOf(raw)
    },
  }
}
