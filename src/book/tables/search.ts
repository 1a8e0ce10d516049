import type { Db } from '../../platform/catalogue.ts'
import { USE_KINDS, type UseKind } from '../line.ts'
import { partQuery } from '../words.ts'
import type { LineRow } from './lines.ts'

/** All that is given must hold. Times are of the use, half-open. */
export interface BookSearch {
  readonly fromAt?: number
  readonly toAt?: number
  /** Any part of the applicant's, unit's or a person's name, from one character on. */
  readonly who?: string
  /** Any part of the matter or of the text of 其他. */
  readonly matter?: string
  /** Exact. */
  readonly application?: string
  readonly use?: UseKind
  /** Waiting for a signature. */
  readonly isUnsigned?: boolean
  /** Where the last page ended: its `next`. */
  readonly after?: Cursor
  /** 1 to 200; 14 unless told, a page of the book. */
  readonly limit?: number
}
export interface Cursor { readonly usedAt: number, readonly line: number }

export const MOST_ROWS = 200
const USE_SQL: Readonly<Record<UseKind, string>> = { accompanied: 'b.is_accompanied = 1', copied: 'b.is_copied = 1', forInquiry: 'b.is_for_inquiry = 1', other: 'b.other_use IS NOT NULL' }

export interface Question { readonly sql: string, readonly values: readonly (string | number)[] }

/** The statement for a search; exported so that a test can ask for its plan. Newest use first, words newest line first. */
export function questionOf(search: BookSearch, linesOf: (fromAt: number, toAt: number) => readonly [number, number]): Question {
  const limit = Math.min(Math.max(1, Math.trunc(search.limit ?? 14)), MOST_ROWS) + 1
  const fromAt = search.fromAt ?? -Number.MAX_SAFE_INTEGER, toAt = search.toAt ?? Number.MAX_SAFE_INTEGER
  const parts = [partQuery('who', search.who ?? ''), partQuery('matter', search.matter ?? '')].filter(part => part !== null)
  const where: string[] = [], values: (string | number)[] = []
  const and = (sql: string, ...more: (string | number)[]): void => { where.push(sql); values.push(...more) }
  if (parts.length > 0) {
    if (search.application !== undefined) { const part = partQuery('application', search.application); if (part !== null) parts.push(part) }
    if (search.use !== undefined) parts.push(`uses : "${search.use.toLowerCase()}"`)
    const [first, last] = search.fromAt === undefined && search.toAt === undefined ? [1, Number.MAX_SAFE_INTEGER] : linesOf(fromAt, toAt)
    and('book_words MATCH ?', parts.join(' AND '))
    and('book_words.rowid BETWEEN ? AND ?', first, Math.min(last, search.after === undefined ? last : search.after.line - 1))
    and('b.used_at >= ? AND b.used_at < ?', fromAt, toAt)
    if (search.application !== undefined) and('b.application = ?', search.application)
    if (search.isUnsigned === true) and('EXISTS (SELECT 1 FROM book_waiting AS w WHERE w.line = b.line)')
    return { sql: `SELECT b.* FROM book_words CROSS JOIN book_line AS b ON b.line = book_words.rowid WHERE ${where.join(' AND ')} ORDER BY book_words.rowid DESC LIMIT ?`, values: [...values, limit] }
  }
  const [from, order] = search.isUnsigned === true ? ['book_waiting AS w CROSS JOIN book_line AS b ON b.line = w.line', 'w'] : ['book_line AS b', 'b']
  // The bound on the time stands beside the place in the book: SQLite starts an index at a plain bound, not at a pair of two.
  and(`${order}.used_at >= ? AND ${order}.used_at < ?`, fromAt, search.after === undefined ? toAt : Math.min(toAt, search.after.usedAt + 1))
  if (search.after !== undefined) and(`(${order}.used_at, ${order}.line) < (?, ?)`, search.after.usedAt, search.after.line)
  if (search.application !== undefined) and('b.application = ?', search.application)
  if (search.use !== undefined) and(USE_SQL[search.use])
  return { sql: `SELECT b.* FROM ${from} WHERE ${where.join(' AND ')} ORDER BY ${order}.used_at DESC, ${order}.line DESC LIMIT ?`, values: [...values, limit] }
}

export function searchTable(db: Db) {
  const bounds = db.prepare<[number, number], { first: number | null, last: number | null }>('SELECT min(line) AS first, max(line) AS last FROM book_line WHERE used_at >= ? AND used_at < ?')
  const linesOf = (fromAt: number, toAt: number): readonly [number, number] => { const { first, last } = bounds.get(fromAt, toAt) ?? { first: null, last: null }; return [first ?? 1, last ?? 0] }
  const waiting = db.prepare<[], { line: number, used_at: number, box: 'custodian' | 'head' }>('SELECT line, used_at, box FROM book_waiting ORDER BY used_at, line LIMIT 1')
  const waitingCount = db.prepare<[], number>('SELECT count(*) FROM book_waiting').pluck()
  const byName = db.prepare<[string, number, number], LineRow>('SELECT DISTINCT b.* FROM book_person AS p CROSS JOIN book_line AS b ON b.line = p.line WHERE p.name_key = ? AND p.line < ? ORDER BY p.line DESC LIMIT ?')
  const byCamera = db.prepare<[string, number, number, number, number], LineRow>(
    'SELECT b.* FROM book_line AS b WHERE b.line IN (SELECT r.line FROM book_range AS r WHERE r.camera_uuid = ? AND r.to_at > ? AND r.from_at < ? AND r.line < ?) ORDER BY b.line DESC LIMIT ?')
  return {
    question: (search: BookSearch): Question => questionOf(search, linesOf),
    find(search: BookSearch): LineRow[] { const { sql, values } = questionOf(search, linesOf); return db.prepare<(string | number)[], LineRow>(sql).all(...values) },
    /** The one that waits longest, and how many do. */
    oldestWaiting: (): { readonly line: number, readonly usedAtMs: number, readonly count: number } | null => { const row = waiting.get(); return row === undefined ? null : { line: row.line, usedAtMs: row.used_at, count: waitingCount.get() ?? 0 } },
    byName: (key: string, before: number, limit: number): LineRow[] => byName.all(key, before, limit),
    byCamera: (camera: string, fromAt: number, toAt: number, before: number, limit: number): LineRow[] => byCamera.all(camera, fromAt, toAt, before, limit),
  }
}
export const isUseKind = (text: string): text is UseKind => (USE_KINDS as readonly string[]).includes(text)
