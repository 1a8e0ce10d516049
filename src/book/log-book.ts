import { actorOf, isApprover, personKey, ROLE_NAMES, type Acting } from '../access/index.ts'
import { SYSTEM, type CameraUuid, type TimeRange } from '../domain/index.ts'
import { perform, type BookCore } from './core.ts'
import { BookRefusedError } from './errors.ts'
import { actOf, lineHash, nameKey, plainWords, rangesOf, wordingOf, type BookLine, type BookUse, type Wording } from './line.ts'
import { LINES_A_PAGE, pageHash, type BookPage, type PrintedLine } from './page.ts'
import { lineTables, type Box } from './tables/lines.ts'
import { MOST_ROWS, searchTable, type BookSearch, type Cursor } from './tables/search.ts'

export interface Found { readonly lines: readonly PrintedLine[], readonly next: Cursor | null }
export interface Waiting { readonly count: number, readonly oldestLine: number, readonly oldestUsedAtMs: number, readonly oldestAgeMs: number }

/** 附件5, the log book of every use of footage (R40-R44). Lines are added, never changed. */
export class LogBook {
  readonly #core: BookCore
  readonly #lines: ReturnType<typeof lineTables>
  readonly #search: ReturnType<typeof searchTable>
  constructor(core: BookCore) {
    this.#core = core
    this.#lines = lineTables(core.db)
    this.#search = searchTable(core.db)
  }

  /**
   * The line of a viewing that opens or a copy that is released, inside the transaction of that act and after its audit entry. Returns the line's number.
   * Throws BookRefusedError on wording R41 forbids, or when the entry is no use, or has a line: then the act must not happen. TypeError outside a transaction.
   */
  enter(use: BookUse): number {
    const { db, audit } = this.#core
    if (!db.inTransaction) throw new TypeError('a book line is written in the transaction of its use')
    const entry = audit.get(use.auditSeq)
    const act = entry === null ? null : actOf(entry.action)
    if (entry === null || act === null || entry.result !== 'done' || entry.object === null) throw new BookRefusedError('稽核紀錄中沒有這次應用。', `audit entry ${use.auditSeq} is no viewing and no copy`)
    if (entry.application !== use.application) throw new BookRefusedError('申請編號與稽核紀錄不符。', `audit entry ${use.auditSeq} belongs to another application`)
    if (this.#lines.ofUse(use.auditSeq) !== null) throw new BookRefusedError('這次應用已經登錄。', `audit entry ${use.auditSeq} has its line already`)
    return this.#add({ ...wordingOf(use, act), usedAt: entry.at, act, useSeq: entry.seq, object: entry.object, account: entry.actor.name, application: use.application, ranges: rangesOf(use.ranges), corrects: null, reason: null, correctedBy: null },
      (line, sha256) => audit.append({ action: 'book.entered', actor: SYSTEM, object: String(line), application: use.application, result: 'done', detail: { useSeq: entry.seq, sha256 } }).seq)
  }

  /** R43: a new line in the place of `line`, which prints struck through from now on. Time, act, ranges and application stay what they are. */
  correct(line: number, said: Wording, reason: string, acting: Acting): number {
    const old = this.#lines.get(line)
    return perform(this.#core, acting, 'correct-book', { action: 'book.corrected', object: String(line), application: old?.application ?? null }, write => {
      if (old === null) throw new BookRefusedError('沒有這一行。', `there is no line ${line}`)
      const by = this.#lines.correctedBy(line)
      if (by !== null) throw new BookRefusedError(`這一行已由第 ${by} 行更正。`, `line ${line} was corrected by line ${by}; correct that one`)
      const why = plainWords(reason, { zh: '更正理由', en: 'the reason' }, { maxChars: 500 })
      const { usedAt, act, useSeq, object, account, application, ranges } = old
      return this.#add({ ...wordingOf(said, act), usedAt, act, useSeq, object, account, application, ranges, corrects: line, reason: why, correctedBy: actorOf(acting).name }, (added, sha256) => write({ line: added, corrects: line, useSeq, sha256 }))
    })
  }

  /** R42: 管理人員, then 主管, two persons. A struck-through line is signed no more. */
  sign(line: number, box: Box, acting: Acting): void {
    perform(this.#core, acting, 'sign-book', { action: 'book.signed', object: String(line), application: this.#lines.get(line)?.application ?? null }, write => {
      const signed = this.#lines.get(line)
      if (signed === null) throw new BookRefusedError('沒有這一行。', `there is no line ${line}`)
      if (acting.kind !== 'account' || (box === 'custodian' ? acting.role !== 'custodian' : !isApprover(acting.role))) throw new BookRefusedError('此欄須由該職務簽章。', `the box ${box} is signed by another post`)
      if (this.#lines.correctedBy(line) !== null) throw new BookRefusedError('這一行已更正，請簽更正後的行。', `line ${line} was corrected; sign the line that corrects it`)
      if (lineHash(signed) !== signed.sha256) throw new BookRefusedError('這一行的內容與其雜湊不符，不得簽章。', `line ${line} does not fit its hash: it was altered`)
      const before = this.#lines.signatures(line)
      if (before.some(each => each.box === box)) throw new BookRefusedError('此欄已簽章。', `the box ${box} of line ${line} is signed already`)
      const account = personKey(acting)
      if (box === 'head') {
        const custodian = before.find(each => each.box === 'custodian')
        if (custodian === undefined) throw new BookRefusedError('管理人員尚未簽章。', `the custodian signs line ${line} first`)
        if (custodian.account === account) throw new BookRefusedError('同一人不得簽兩欄。', 'one person cannot sign both boxes')
      }
      const at = this.#core.time.wallNow()
      this.#lines.sign({ line, box, account, name: acting.displayName, role: acting.role, atMs: at, sha256: signed.sha256, auditSeq: write({ box, sha256: signed.sha256, as: ROLE_NAMES[acting.role].zh }) })
    })
  }

  last(): number { return this.#lines.last() }
  get(line: number): PrintedLine | null { const found = this.#lines.get(line); return found === null ? null : this.#printed(found) }

  /** A page of lines that fit. Newest use first; by words, newest line first. */
  search(search: BookSearch): Found {
    const limit = Math.min(Math.max(1, Math.trunc(search.limit ?? LINES_A_PAGE)), MOST_ROWS)
    const rows = this.#search.find({ ...search, limit })
    const last = rows[limit - 1]
    return { lines: rows.slice(0, limit).map(row => this.#printed(this.#lines.lineOf(row))), next: rows.length > limit && last !== undefined ? { usedAt: last.used_at, line: last.line } : null }
  }

  /** Lines without both signatures; null when there are none. Their age counts from the use, also after a correction. */
  waiting(): Waiting | null {
    const oldest = this.#search.oldestWaiting()
    return oldest === null ? null : { count: oldest.count, oldestLine: oldest.line, oldestUsedAtMs: oldest.usedAtMs, oldestAgeMs: Math.max(0, this.#core.time.wallNow() - oldest.usedAtMs) }
  }

  /** R49: page numbers run on, from 1. The last one may hold fewer than fourteen lines, and then its hash is not final. */
  page(number: number): BookPage {
    const lines = this.#lines.after((number - 1) * LINES_A_PAGE, LINES_A_PAGE).filter(({ line }) => line <= number * LINES_A_PAGE).map(line => this.#printed(line))
    return { number, lines, sha256: pageHash(number, lines.map(({ line }) => line)), isFull: lines.length === LINES_A_PAGE }
  }
  pages(): number { return Math.ceil(this.last() / LINES_A_PAGE) }

  /** R57, by person: lines that name them as who saw or received, newest first; struck-through ones too, marked. `before` is the last line seen. */
  disclosuresTo(name: string, { before = Number.MAX_SAFE_INTEGER, limit = 50 }: { readonly before?: number, readonly limit?: number } = {}): readonly PrintedLine[] {
    return this.#search.byName(nameKey(name), before, Math.min(limit, MOST_ROWS)).map(row => this.#printed(this.#lines.lineOf(row)))
  }
  /** R57, by picture: who saw or received any of this camera in this time; what somebody in the picture may ask. */
  disclosuresOf(camera: CameraUuid, { startAt, endAt }: TimeRange, { before = Number.MAX_SAFE_INTEGER, limit = 50 }: { readonly before?: number, readonly limit?: number } = {}): readonly PrintedLine[] {
    return this.#search.byCamera(camera, startAt, endAt, before, Math.min(limit, MOST_ROWS)).map(row => this.#printed(this.#lines.lineOf(row)))
  }

  #printed(line: BookLine): PrintedLine { return { line, struckBy: this.#lines.correctedBy(line.line), signatures: this.#lines.signatures(line.line) } }

  #add(facts: Omit<BookLine, 'line' | 'enteredAt' | 'sha256' | 'auditSeq'>, tell: (line: number, sha256: string) => number): number {
    const line = this.#lines.last() + 1
    const whole = { ...facts, line, enteredAt: this.#core.time.wallNow() }
    const sha256 = lineHash(whole)
    this.#lines.add({ ...whole, sha256, auditSeq: tell(line, sha256) })
    return line
  }
}
