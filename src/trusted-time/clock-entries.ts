import { isoOf, SYSTEM, type AuditEvent } from '../domain/index.ts'
import type { Confirmation } from './confirmation.ts'
import { instantOf, type Reading, type TimeEvent, type Told } from './time-machine.ts'
import type { SyncAnswer } from './host-clock.ts'

const ACTION: Record<Told, string> = { agreed: 'clock.agreed', disagrees: 'clock.stepped', waiting: 'clock.waiting', unknown: 'clock.unknown' }

/** Pairs that counted; null for what the recorder does by itself. */
export type Pair = { readonly first: Confirmation, readonly second: Confirmation } | null

const iso = (ms: number): string => isoOf(instantOf(ms))
const person = ({ name, login, reason }: Confirmation) => ({ name, login, reason })

/** What the audit log is told of an event. `fromMs`: trusted time just before it. */
export function entryOf(event: TimeEvent, facts: { readonly fromMs: number, readonly toMs: number, readonly isKnown: boolean, readonly reading: Reading, readonly sync: SyncAnswer, readonly pair: Pair, readonly unsaid: number }): AuditEvent {
  const { fromMs, toMs, isKnown, reading, sync, pair, unsaid } = facts
  const common = {
    wall: iso(reading.wallMs), trusted: isKnown ? iso(toMs) : null, boot: reading.bootId, syncSource: sync.source, synchronised: sync.isSynchronised,
    ...(unsaid > 0 ? { entriesLeftOut: unsaid } : {}),
  }
  const entry = (action: string, detail: AuditEvent['detail'] = {}): AuditEvent => ({ action, actor: SYSTEM, object: 'clock', application: null, result: 'done', detail: { ...common, ...detail } })
  switch (event.kind) {
    case 'began': return entry('clock.began')
    case 'told': return entry(ACTION[event.what], { offsetMs: Math.round(event.offsetMs) })
    case 'believed': return entry('clock.believed', { byMs: Math.round(event.byMs), from: iso(fromMs) })
    case 'confirmed': return {
      ...entry('clock.confirmed', {
        byMs: Math.round(event.byMs), from: iso(fromMs), ...(pair === null ? {} : { first: person(pair.first), second: person(pair.second), sameLogin: pair.first.login === pair.second.login }),
      }),
      actor: pair === null ? SYSTEM : { kind: 'machine-user', name: pair.second.name, role: null, source: pair.second.login },
    }
  }
}

/** A word that did not count. */
export const refusedEntry = (word: Confirmation, why: string): AuditEvent => ({
  action: 'clock.confirmed', actor: { kind: 'machine-user', name: word.name, role: null, source: word.login }, object: 'clock', application: null, result: 'refused',
  detail: { why, reason: word.reason, wall: iso(word.wallMs) },
})
