/** Whole numbers and text only: floating point has no canonical form worth arguing about in front of a judge. */
export type AuditValue = string | number | boolean | null | readonly AuditValue[] | { readonly [key: string]: AuditValue }

/** Who acted. `system` is the recorder by itself, `machine-user` somebody at its command line, `account` a person who logged in. */
export interface AuditActor {
  readonly kind: 'system' | 'machine-user' | 'account'
  readonly name: string
  /** In which of their roles. */
  readonly role: string | null
  /** Terminal or address it came from. */
  readonly source: string | null
}
export const SYSTEM: AuditActor = { kind: 'system', name: 'custos', role: null, source: null }

/** One act, as R72 wants it told; position, times, clock state and hashes are added by the log. */
export interface AuditEvent {
  /** `object.verb`, e.g. `slot.overwritten`. Kept for good: never give a word another meaning. */
  readonly action: string
  readonly actor: AuditActor
  /** What it was done to, e.g. `disk1/17/4`. */
  readonly object: string | null
  /** Number of the application it belongs to. */
  readonly application: string | null
  readonly result: 'done' | 'refused' | 'failed'
  readonly detail: { readonly [key: string]: AuditValue }
}

/** Where acts are written down. */
export interface AuditSink {
  /** Inside the caller's transaction, so that act and entry stand or fall together. Throws when the log cannot be written: then the act must not happen [G10]. */
  append(event: AuditEvent): { readonly seq: number }
  /**
   * For what has happened already: written now, or kept and written once that can be. Throws TypeError for
   * what is no event.
   */
  note?(event: AuditEvent): 'written' | 'kept'
}
