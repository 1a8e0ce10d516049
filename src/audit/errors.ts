import { RetryableError } from '../domain/index.ts'

/** The log cannot be written, so the act that asked for it must not happen [G10]. */
export class AuditUnavailableError extends RetryableError {
  constructor(cause: unknown) {
    super('CUSTOS_AUDIT_UNWRITABLE', `the audit log cannot be written (${sqliteCode(cause) ?? String(cause)}): what was about to be done has not been done`, {
      remedy: 'Recording goes on; viewing, export and erasure wait. Make room on the disk of state.dir, or look at that disk; the log tries again by itself every few seconds.', cause,
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
