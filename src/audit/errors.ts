import { FatalError, RetryableError } from '../domain/index.ts'
import type { LogHead } from './checkpoint.ts'

/** The log cannot be written, so the act that asked for it must not happen [G10]. */
export class AuditUnavailableError extends RetryableError {
  constructor(cause: unknown) {
    super('CUSTOS_AUDIT_UNWRITABLE', `the audit log cannot be written (${sqliteCode(cause) ?? String(cause)}): what was about to be done has not been done`, {
      remedy: 'Recording goes on; viewing, export and erasure wait. Make room on the disk of state.dir, or look at that disk; the log tries again by itself every few seconds.', cause,
    })
  }
}

/** Why a head of the office's log is not signed; `not-accepted`: one before did not fit and waits for a person. */
export type HeadMisfit = 'shorter' | 'rewritten' | 'other-log' | 'not-accepted'

const MISFITS: Readonly<Record<HeadMisfit, { readonly zh: string, readonly en: string }>> = {
  shorter: { zh: '比先前簽署過的短', en: 'is shorter than one that was signed before' },
  rewritten: { zh: '筆數與先前相同，內容卻不同', en: 'has as many entries as before, and others' },
  'other-log': { zh: '是另一份紀錄', en: 'is another log' },
  'not-accepted': { zh: '先前與所記不符，尚無人確認', en: 'did not fit before, and nobody has accepted it since' },
}

/** The office's log does not go on from what the recorder knows of it, so nothing of it is signed. */
export class OfficeLogRefusedError extends FatalError {
  readonly why: HeadMisfit
  constructor({ origin, size }: LogHead, why: HeadMisfit) {
    const { zh, en } = MISFITS[why]
    super('CUSTOS_OFFICE_LOG_REFUSED', `辦公端的稽核紀錄（${origin}，${size} 筆）${zh}，錄影機不予簽署。/ the office's audit log (${origin}, ${size} entries) ${en}; the recorder does not sign it`, {
      remedy: '請管理者依操作手冊 CUSTOS_OFFICE_LOG_REFUSED 查明。/ Find out who restored or exchanged office.db: see CUSTOS_OFFICE_LOG_REFUSED in the runbook.',
    })
    this.why = why
  }
}

/** What came back is no signed checkpoint of the head that was asked for. */
export class BadSignatureAnswerError extends RetryableError {
  constructor() {
    super('CUSTOS_BAD_SIGNATURE_ANSWER', '錄影機的簽署回覆與所請求的內容不符，未採用。/ the recorder\'s answer is no signature over what was asked for, and was not used', {
      remedy: '請再試一次；若重複發生，確認兩個服務的版本相同。/ Try again; if it stays, see that both services are of one version.',
    })
  }
}

/** `SQLITE_FULL` and the like; null for what is no fault of the database. */
export function sqliteCode(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : null
}

/** Faults of the medium or of the file, apart from those of the act that was tried on it. */
const UNWRITABLE = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|BUSY|LOCKED|NOMEM|PROTOCOL|PERM|AUTH)(_|$)/
export const isUnwritable = (error: unknown): boolean => UNWRITABLE.test(sqliteCode(error) ?? '')
/** Another process has the lock; mostly a command that writes an act of its own. */
export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)(_|$)/.test(sqliteCode(error) ?? '')
