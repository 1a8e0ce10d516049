import { hasUse, USE_KINDS, type BookPage, type BookSignature } from '../book/index.ts'
import { epochMs } from '../domain/index.ts'
import { officeDay, rocDateText, rocDateTimeText } from '../rules/index.ts'
import { PaperRefusedError } from './errors.ts'
import type { BookPaper } from './line-forms.ts'

const signedText = (signature: BookSignature | undefined): string => (signature === undefined ? '' : `${signature.name}\n${rocDateText(officeDay(epochMs(signature.atMs)))}`)

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
        detail: [line.application, ...line.ranges.map(({ cameraName, from, to }) => `${cameraName} ${rocDateTimeText(from)}至${rocDateTimeText(to)}`)].join('　'),
        uses: USE_KINDS.map(kind => hasUse(line.uses, kind)), other: line.uses.other ?? '', struckBy, corrects: line.corrects === null ? null : { line: line.corrects, reason: line.reason ?? '' },
        custodian: signedText(signatures.find(each => each.box === 'custodian')), superior: signedText(signatures.find(each => each.box === 'head')),
      }
    }),
  }
}
