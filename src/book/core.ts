import { FactorNeededError, RightMissingError, actorOf, type Acting, type Act, type AuditBook } from '../access/index.ts'
import type { AuditEntry } from '../audit/index.ts'
import type { AuditEvent, EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { BookRefusedError } from './errors.ts'

/** What the parts of the book share. */
export interface BookCore {
  readonly db: Db
  readonly audit: AuditBook & { get(seq: number): AuditEntry | null }
  /** `Access.sessions`: looks again, inside the transaction, whether who acts may. */
  readonly rights: { requireRight(acting: Acting, act: Act): void }
  readonly time: { wallNow(): EpochMs }
}

export type Told = AuditEvent['detail']
/** One act with its entry: allowed, done and written down in one transaction, or not at all; a refusal has an entry of its own. `work` gets the entry's writer, for rows that name it. */
export function perform<Result>({ audit, rights }: BookCore, acting: Acting, act: Act, event: { readonly action: string, readonly object: string, readonly application?: string | null }, work: (write: (detail: Told) => number) => Result): Result {
  const entry = { action: event.action, actor: actorOf(acting), object: event.object, application: event.application ?? null }
  try {
    return audit.transaction(() => {
      rights.requireRight(acting, act)
      return work(detail => audit.append({ ...entry, result: 'done', detail }).seq)
    })
  } catch (error) {
    if (error instanceof RightMissingError || error instanceof FactorNeededError || error instanceof BookRefusedError) audit.append({ ...entry, result: 'refused', detail: { code: error.code } })
    throw error
  }
}
