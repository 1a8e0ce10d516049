import { createHash } from 'node:crypto'
import { canonicalJson } from '../../audit/index.ts'
import type { AuditValue, EpochMs } from '../../domain/index.ts'
import { playbackText, type ManifestPlayback } from '../package/play-video.ts'
import type { CustodyStep } from '../package/seal-package.ts'
import { PASSWORD_LEAST_CHARS } from '../package/zip-package.ts'
import { plain } from './core.ts'
import { CopyRefusedError } from './errors.ts'
import type { CopyJob } from './job.ts'

/** Who takes it away, and what the book line says of it (R41). */
export interface HandOver {
  readonly recipient: { readonly name: string, readonly unit: string, /** Kind of the document that was shown; no number. */ readonly idType: string }
  readonly forInquiry: boolean
  readonly other: string | null
  /** Of the medium, as it is labelled; null for none. */
  readonly medium: { readonly type: string, readonly serial: string, readonly label: string } | null
  /** Encrypts a ZIP for carriage. Goes nowhere else. */
  readonly password: string | null
}

/** Throws CopyRefusedError for words that cannot be printed, and for a password that protects nothing. */
export function checkedHandOver({ recipient, forInquiry, other, medium, password }: HandOver): HandOver {
  if (password !== null && (Array.from(password).length < PASSWORD_LEAST_CHARS || password.length > 200)) throw new CopyRefusedError(`密碼須為 ${PASSWORD_LEAST_CHARS} 至 200 字。`, `a password has ${PASSWORD_LEAST_CHARS} to 200 characters`)
  return {
    recipient: { name: plain(recipient.name, '收受人'), unit: plain(recipient.unit, '收受人單位', true), idType: plain(recipient.idType, '證件種類') }, forInquiry, other: other === null ? null : plain(other, '其他'),
    medium: medium === null ? null : { type: plain(medium.type, '媒體種類'), serial: plain(medium.serial, '媒體序號', true), label: plain(medium.label, '媒體標籤', true) }, password,
  }
}

/** The same for the same witness and words; the password has no part in it. Null words: to nobody's hands. */
export const handOverDigest = (witness: string, words: HandOver | null): string =>
  createHash('sha256').update(canonicalJson({ witness, words: words === null ? null : { ...words, password: null } } as unknown as AuditValue)).digest('hex')

export function custodySteps(job: CopyJob, { now, witness, words, playback }: { readonly now: EpochMs, readonly witness: string, readonly words: HandOver | null, readonly playback: readonly ManifestPlayback[] }): CustodyStep[] {
  const acquired: CustodyStep[] = [
    { at: job.asked.at, step: 'acquired', by: job.asked.name, words: `製作 ${job.packageId}` },
    { at: now, step: 'closed', by: witness, words: `封存、簽章並全部讀回驗證；${playbackText(playback).zh}` },
  ]
  if (words === null) return [...acquired, { at: now, step: 'kept', by: witness, words: '複製存檔，留存本所' }]
  const { recipient, medium } = words
  return [
    ...acquired,
    ...(medium === null ? [] : [{ at: now, step: 'written' as const, by: witness, words: `寫入 ${[medium.type, medium.serial, medium.label].filter(text => text !== '').join(' ')}` }]),
    { at: now, step: 'handed-over', by: witness, words: `交付 ${[recipient.unit, recipient.name].filter(text => text !== '').join(' ')}（${recipient.idType}）` },
  ]
}
