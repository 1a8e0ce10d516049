import { streamKeyText } from '../domain/index.ts'
import { extraAgeMs } from './stream-watch.ts'
import { isWanted, type RecorderFacts } from './views.ts'

/** A supervisor waits on nothing longer than this while it connects or records. */
export const SUPERVISOR_TICK_MS = 60_000
/** Well past the bound after which a run ends as stalled: until then a silent camera is the run's business. */
export const PROGRESS_WITHIN_MS = 60_000
/** Beyond this the loop serves nobody; a busy second is not worth a restart. */
export const EVENT_LOOP_STUCK_MS = 5_000

export type WatchdogDecision =
  | { readonly pet: true }
  | { readonly pet: false, readonly why: 'event-loop-stuck' | 'supervisor-stuck' | 'no-progress', readonly subject: string | null }

/**
 * Whether the recorder still does its work, for systemd's watchdog. Pure.
 * A restart must help: a dead camera or a refused disk is retried by its supervisor and never a reason, a hung write or a wedged supervisor is one.
 */
export function decideWatchdog(facts: RecorderFacts): WatchdogDecision {
  if (facts.process.eventLoopDelayMs > EVENT_LOOP_STUCK_MS) return { pet: false, why: 'event-loop-stuck', subject: null }
  const busy = facts.streams.filter(stream => stream.state === 'connecting' || stream.state === 'recording')
  const stuck = busy.find(stream => stream.supervisorTickAgeMs > SUPERVISOR_TICK_MS)
  if (stuck) return { pet: false, why: 'supervisor-stuck', subject: streamKeyText(stuck) }

  // A stream that never wrote has been silent for as long as the process runs, at most.
  const silentMs = (stream: (typeof busy)[number]) => (stream.lastFrameAgeMs ?? facts.process.uptimeMs) - extraAgeMs(stream)
  const wrote = facts.streams.some(stream => isWanted(stream) && silentMs(stream) <= PROGRESS_WITHIN_MS)
  const waits = (stream: (typeof busy)[number]) => stream.state === 'recording' || stream.lastEndReason === 'storage-too-slow'
  const silent = facts.streams.find(stream => isWanted(stream) && waits(stream) && silentMs(stream) > PROGRESS_WITHIN_MS)
  if (silent && !wrote) return { pet: false, why: 'no-progress', subject: streamKeyText(silent) }
  return { pet: true }
}
