import { cameraUuid, epochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'
import { nameKey, type BookAct, type BookLine, type BookPerson, type BookRange } from '../line.ts'
import { wordsOf } from '../words.ts'

export interface LineRow {
  line: number, used_at: number, entered_at: number, act: BookAct, use_seq: number, object: string, account: string, application: string, applicant: string, unit: string, matter: string, basis: string
  is_accompanied: number, is_copied: number, is_for_inquiry: number, other_use: string | null, corrects: number | null, reason: string | null, corrected_by: string | null, sha256: string, audit_seq: number
}
interface RangeRow { camera_uuid: string, camera: string, from_at: number, to_at: number }

export type Box = 'custodian' | 'head'
export interface BookSignature { readonly line: number, readonly box: Box, readonly account: string, readonly name: string, readonly role: string, readonly atMs: number, readonly sha256: string, readonly auditSeq: number }
interface SignatureRow { line: number, box: Box, account: string, name: string, role: string, at: number, sha256: string, audit_seq: number }

/** Tables `book_line`, `book_range`, `book_person`, `book_signature`, `book_words`. */
export function lineTables(db: Db) {
  const last = db.prepare<[], number | null>('SELECT max(line) FROM book_line').pluck()
  const addLine = db.prepare<(string | number | null)[]>('INSERT INTO book_line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const addRange = db.prepare<(string | number)[]>('INSERT INTO book_range VALUES (?, ?, ?, ?, ?, ?)')
  const addPerson = db.prepare<(string | number)[]>('INSERT INTO book_person VALUES (?, ?, ?, ?, ?)')
  const addWords = db.prepare<(string | number)[]>('INSERT INTO book_words (rowid, who, matter, application, uses) VALUES (?, ?, ?, ?, ?)')
  const one = db.prepare<[number], LineRow>('SELECT * FROM book_line WHERE line = ?')
  const after = db.prepare<[number, number], LineRow>('SELECT * FROM book_line WHERE line > ? ORDER BY line LIMIT ?')
  const ranges = db.prepare<[number], RangeRow>('SELECT camera_uuid, camera, from_at, to_at FROM book_range WHERE line = ? ORDER BY position')
  const persons = db.prepare<[number], BookPerson>('SELECT name, part FROM book_person WHERE line = ? ORDER BY position')
  const ofUse = db.prepare<[number], number>('SELECT line FROM book_line WHERE use_seq = ? AND corrects IS NULL').pluck()
  const correctedBy = db.prepare<[number], number>('SELECT line FROM book_line WHERE corrects = ?').pluck()
  const addSignature = db.prepare<(string | number)[]>('INSERT INTO book_signature VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const signatures = db.prepare<[number], SignatureRow>('SELECT * FROM book_signature WHERE line = ? ORDER BY box')
  const lineOf = (row: LineRow): BookLine => ({
    line: row.line, usedAt: epochMs(row.used_at), enteredAt: epochMs(row.entered_at), act: row.act, useSeq: row.use_seq, object: row.object, account: row.account, application: row.application,
    applicant: row.applicant, unit: row.unit, matter: row.matter, basis: row.basis,
    uses: { accompanied: row.is_accompanied === 1, copied: row.is_copied === 1, forInquiry: row.is_for_inquiry === 1, other: row.other_use },
    ranges: ranges.all(row.line).map(({ camera_uuid, camera, from_at, to_at }): BookRange => ({ camera: cameraUuid(camera_uuid), cameraName: camera, from: epochMs(from_at), to: epochMs(to_at) })),
    persons: persons.all(row.line), corrects: row.corrects, reason: row.reason, correctedBy: row.corrected_by, sha256: row.sha256, auditSeq: row.audit_seq,
  })
  return {
    last: (): number => last.get() ?? 0,
    /** With all that hangs on it. */
    add(line: BookLine): void {
      const { uses } = line
      addLine.run(line.line, line.usedAt, line.enteredAt, line.act, line.useSeq, line.object, line.account, line.application, line.applicant, line.unit, line.matter, line.basis,
        Number(uses.accompanied), Number(uses.copied), Number(uses.forInquiry), uses.other, line.corrects, line.reason, line.correctedBy, line.sha256, line.auditSeq)
      for (const [position, { camera, cameraName, from, to }] of line.ranges.entries()) addRange.run(line.line, position, camera, cameraName, from, to)
      for (const [position, { name, part }] of line.persons.entries()) addPerson.run(line.line, position, name, nameKey(name), part)
      const ticked = [uses.accompanied && 'accompanied', uses.copied && 'copied', uses.forInquiry && 'forinquiry', uses.other !== null && 'other'].filter(word => word !== false)
      addWords.run(line.line, wordsOf(line.applicant, line.unit, ...line.persons.map(({ name }) => name)), wordsOf(line.matter, uses.other ?? ''), wordsOf(line.application), ticked.join(' '))
    },
    get(line: number): BookLine | null { const row = one.get(line); return row === undefined ? null : lineOf(row) },
    /** The next lines after one, in order. */
    after: (line: number, limit: number): BookLine[] => after.all(line, limit).map(lineOf),
    lineOf,
    /** The first line of a use; null when it has none. */
    ofUse: (seq: number): number | null => ofUse.get(seq) ?? null,
    /** The line that strikes this one through. */
    correctedBy: (line: number): number | null => correctedBy.get(line) ?? null,
    sign(row: BookSignature): void { addSignature.run(row.line, row.box, row.account, row.name, row.role, row.atMs, row.sha256, row.auditSeq) },
    /** Custodian first. */
    signatures: (line: number): BookSignature[] => signatures.all(line).map(({ at, audit_seq, ...row }) => ({ ...row, atMs: at, auditSeq: audit_seq })),
  }
}
