import { hasUse, USE_KINDS, type BookPage, type BookRange, type BookSignature, type BookUse } from '../book/index.ts'
import { epochMs, type EpochMs } from '../domain/index.ts'
import { officeDay, rocDateText, rocDateTimeText } from '../rules/index.ts'
import { PaperRefusedError } from './errors.ts'
import type { BookPaper } from './line-forms.ts'
import { paperHash } from './paper.ts'

const signedText = (signature: BookSignature | undefined): string => (signature === undefined ? '' : `${signature.name}\n${rocDateText(officeDay(epochMs(signature.atMs)))}`)

const detailOf = ({ application, ranges }: { readonly application: string, readonly ranges: readonly BookRange[] }): string => [application, ...ranges.map(({ cameraName, from, to }) => `${cameraName} ${rocDateTimeText(from)}至${rocDateTimeText(to)}`)].join('　')

/** A page of 附件5 as it stands now. Throws PaperRefusedError for a page without lines: that is the blank form. */
export function bookPaperOf(page: BookPage): BookPaper {
  const latest = page.lines.reduce((most, { line, signatures }) => Math.max(most, line.enteredAt, ...signatures.map(each => each.atMs)), 0)
  if (page.lines.length === 0) throw new PaperRefusedError(`紀錄簿沒有第 ${page.number} 頁。`, `the log book has no page ${page.number}`)
  return {
    systemNo: `附件5-${page.number}`, sha256: page.sha256, at: epochMs(latest), page: page.number, isFull: page.isFull,
    lines: page.lines.map(({ line, struckBy, signatures }) => {
      const whole = rocDateTimeText(line.usedAt), day = rocDateText(officeDay(line.usedAt))
      return {
        line: line.line, day, time: whole.slice(day.length, -3), applicant: line.applicant, unit: line.unit, matter: line.matter,
        detail: detailOf(line),
        uses: USE_KINDS.map(kind => hasUse(line.uses, kind)), other: line.uses.other ?? '', struckBy, corrects: line.corrects === null ? null : { line: line.corrects, reason: line.reason ?? '' },
        custodian: signedText(signatures.find(each => each.box === 'custodian')), superior: signedText(signatures.find(each => each.box === 'head')),
      }
    }),
  }
}

/** The line that a use will be, for a package that is sealed before (E10): as it will read, but for number, time and signatures, which it gets when it is entered. */
export function bookLineToComeOf(use: Omit<BookUse, 'auditSeq'>, { systemNo, at }: { readonly systemNo: string, readonly at: EpochMs }): BookPaper {
  const { applicant, unit, matter, uses } = use
  const line = { line: null, day: '於交付時登錄', time: '', applicant, unit, matter, detail: detailOf(use), uses: USE_KINDS.map(kind => hasUse(uses, kind)), other: uses.other ?? '', struckBy: null, corrects: null, custodian: '', superior: '' }
  return { systemNo, sha256: paperHash({ ...line, systemNo }), at, page: null, isFull: false, lines: [line] }
}
