import type { AuditEvent, AuditSink } from '../domain/index.ts'
import type { Logger } from '../platform/logger.ts'

/** For what has happened already and cannot be undone: an entry that cannot be written is logged instead. Acts that may be refused use `append` itself. */
export function noteEvent(audit: AuditSink, log: Logger, event: AuditEvent): void {
  try { audit.append(event) } catch (error) { log.error({ err: error, action: event.action, object: event.object }, 'an event could not be audited') }
}
