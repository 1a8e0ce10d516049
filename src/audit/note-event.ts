import type { AuditEvent, AuditSink } from '../domain/index.ts'
import type { Logger } from '../platform/logger.ts'

/**
 * For what has happened already and cannot be undone: an entry that cannot be written now is kept, or logged
 * where nothing keeps it. Acts that may be refused use `append` itself.
 */
export function noteEvent(audit: AuditSink, log: Logger, event: AuditEvent): void {
  const { action, object } = event
  try {
    if (audit.note === undefined) audit.append(event)
    else if (audit.note(event) === 'kept') log.warn({ action, object }, 'an event waits to be audited')
  } catch (error) { log.error({ err: error, action, object }, 'an event could not be audited') }
}
