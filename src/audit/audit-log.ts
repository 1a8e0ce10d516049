import type { AuditEvent, AuditSink } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'

/** The log under every act. */
export class AuditLog implements AuditSink {
  readonly #insert
  constructor(db: Db) { this.#insert = db.prepare<[string, string]>('INSERT INTO audit_entry (action, detail) VALUES (?, ?)') }
  append(event: AuditEvent): void { this.#insert.run(event.action, JSON.stringify(event)) }
}
