import { createHash } from 'node:crypto'
import { canonicalJson } from '../audit/index.ts'
import type { CameraUuid, EpochMs } from '../domain/index.ts'
import { BookRefusedError } from './errors.ts'

/** What it was: each is an audit action of its own, see USE_ACTIONS. */
export type BookAct = 'view' | 'copy'
export const USE_ACTIONS = { 'viewing.opened': 'view', 'copy.released': 'copy' } as const satisfies Record<string, BookAct>
export const actOf = (action: string): BookAct | null => (action === 'viewing.opened' || action === 'copy.released' ? USE_ACTIONS[action] : null)

/** 應用情形 (R41): any of them together. `other` is the text of 其他; null leaves the box empty. */
export interface Uses { readonly accompanied: boolean, readonly copied: boolean, readonly forInquiry: boolean, readonly other: string | null }
export type UseKind = keyof Uses
export const USE_NAMES: Readonly<Record<UseKind, { readonly zh: string, readonly en: string }>> = {
  accompanied: { zh: '陪同閱覽', en: 'accompanied viewing' }, copied: { zh: '複製', en: 'copy' }, forInquiry: { zh: '提供檢調', en: 'given to prosecutors or police' }, other: { zh: '其他', en: 'other' },
}
export const USE_KINDS = ['accompanied', 'copied', 'forInquiry', 'other'] as const satisfies readonly UseKind[]
export const hasUse = (uses: Uses, kind: UseKind): boolean => (kind === 'other' ? uses.other !== null : uses[kind])

/** One camera from an instant to another, half-open, with the name the camera had then. */
export interface BookRange { readonly camera: CameraUuid, readonly cameraName: string, readonly from: EpochMs, readonly to: EpochMs }
/** Who saw it (`present` is staff attending), or took it away (`receiver`). */
export interface BookPerson { readonly name: string, readonly part: 'applicant' | 'agent' | 'receiver' | 'present' }

/** What people say of a use, and may put right later. */
export interface Wording {
  /** 申請人. */
  readonly applicant: string
  /** Empty when there is none. */
  readonly unit: string
  /** 案由. */
  readonly matter: string
  /** Legal ground, for the list of disclosures (R57). */
  readonly basis: string
  readonly uses: Uses
  /** The applicant among them. */
  readonly persons: readonly BookPerson[]
}

/** A use to be entered: time, act, session or copy, and account come from its own audit entry. */
export interface BookUse extends Wording {
  /** Of `viewing.opened` or `copy.released`, written before in the same transaction. */
  readonly auditSeq: number
  readonly application: string
  readonly ranges: readonly BookRange[]
}

export interface BookLine extends Wording {
  readonly line: number
  /** 日期時間 of the use. */
  readonly usedAt: EpochMs
  readonly enteredAt: EpochMs
  readonly act: BookAct
  readonly useSeq: number
  readonly object: string
  readonly account: string
  readonly application: string
  readonly ranges: readonly BookRange[]
  readonly corrects: number | null
  readonly reason: string | null
  readonly correctedBy: string | null
  /** The audit entry of the line itself. */
  readonly auditSeq: number
  /** Hex, as stored; `lineHash` tells what it should be. */
  readonly sha256: string
}

/** RFC 8785 text of a line, all but its hash and the audit entry that holds it. `format` rises with any change. */
export function lineText(line: Omit<BookLine, 'sha256' | 'auditSeq'>): string {
  const { accompanied, copied, forInquiry, other } = line.uses
  return canonicalJson({
    format: 1, line: line.line, usedAt: line.usedAt, enteredAt: line.enteredAt, act: line.act, useSeq: line.useSeq, object: line.object, account: line.account, application: line.application,
    applicant: line.applicant, unit: line.unit, matter: line.matter, basis: line.basis, uses: { accompanied, copied, forInquiry, other },
    persons: line.persons.map(({ name, part }) => ({ name, part })), ranges: line.ranges.map(({ camera, cameraName, from, to }) => ({ camera, cameraName, from, to })),
    corrects: line.corrects, reason: line.reason, correctedBy: line.correctedBy,
  })
}
export const lineHash = (line: Omit<BookLine, 'sha256' | 'auditSeq'>): string => createHash('sha256').update(lineText(line)).digest('hex')

export const MOST_RANGES = 200
export const MOST_PERSONS = 50

/** Words for a printed record, every code point of a name kept. Throws BookRefusedError. */
export function plainWords(text: string, what: { readonly zh: string, readonly en: string }, { maxChars = 200, mayBeEmpty = false }: { readonly maxChars?: number, readonly mayBeEmpty?: boolean } = {}): string {
  const trimmed = text.trim()
  if ((trimmed === '' && !mayBeEmpty) || Array.from(trimmed).length > maxChars || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u.test(trimmed)) {
    throw new BookRefusedError(`${what.zh}是空的、超過 ${maxChars} 字，或含有無法列印的字元。`, `${what.en} is empty, longer than ${maxChars} characters or holds characters that cannot be printed`)
  }
  return trimmed
}

/** The wording as it is written down. Throws BookRefusedError on what R41 forbids or a person must not be left to guess. */
export function wordingOf(said: Wording, act: BookAct): Wording {
  const { uses } = said
  const other = uses.other === null ? null : plainWords(uses.other, { zh: '「其他」之說明', en: 'the text of 其他' })
  const applicant = plainWords(said.applicant, { zh: '申請人', en: 'the applicant' })
  if (act === 'copy' ? !uses.copied : uses.copied) throw new BookRefusedError('複製須勾選「複製」，閱覽不得勾選「複製」。', '複製 is ticked for a copy, and for a copy alone')
  if (!uses.accompanied && !uses.copied && !uses.forInquiry && other === null) throw new BookRefusedError('應用情形至少勾選一項。', 'no use is ticked')
  const persons = said.persons.map(({ name, part }) => ({ name: plainWords(name, { zh: '在場人或收受人', en: 'a person' }), part }))
  if (persons.length > MOST_PERSONS) throw new BookRefusedError(`在場人及收受人超過 ${MOST_PERSONS} 人。`, `there are more than ${MOST_PERSONS} persons`)
  return {
    applicant, unit: plainWords(said.unit, { zh: '單位', en: 'the unit' }, { mayBeEmpty: true }), matter: plainWords(said.matter, { zh: '案由', en: 'the matter' }, { maxChars: 500 }),
    basis: plainWords(said.basis, { zh: '依據', en: 'the basis' }, { maxChars: 500 }), uses: { accompanied: uses.accompanied, copied: uses.copied, forInquiry: uses.forInquiry, other },
    persons: persons.some(({ part }) => part === 'applicant') ? persons : [{ name: applicant, part: 'applicant' }, ...persons],
  }
}

/** Throws BookRefusedError. */
export function rangesOf(ranges: readonly BookRange[]): readonly BookRange[] {
  if (ranges.length === 0 || ranges.length > MOST_RANGES) throw new BookRefusedError(`鏡頭與時段須為 1 至 ${MOST_RANGES} 行。`, `there are ${ranges.length} ranges; 1 to ${MOST_RANGES} belong to a line`)
  return ranges.map(({ camera, cameraName, from, to }) => {
    if (!(from < to)) throw new BookRefusedError('時段的結束必須晚於開始。', 'a range ends before it begins')
    return { camera, cameraName: plainWords(cameraName, { zh: '鏡頭名稱', en: 'the name of a camera' }), from, to }
  })
}

/** Names compare without blanks, widths and cases; two people of one name are one key, and their lines tell them apart. */
export const nameKey = (name: string): string => name.normalize('NFKC').replace(/\s+/gu, '').toLowerCase()
