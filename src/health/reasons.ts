import { streamKeyText, type RetentionFloor } from '../domain/index.ts'
import type { ReasonCode } from './reason-catalogue.ts'
import type { Finding, HealthLevel, Urgency } from './reason.ts'
import { STREAM_DOWN_AFTER_MS, type StreamWatch } from './stream-watch.ts'
import { isWanted, type FloorView, type RecorderFacts, type StreamView, type VolumeView } from './views.ts'

export const STREAM_CRITICAL_AFTER_MS = 5 * 60_000
/** In UNSTABLE_WINDOW_MS: a camera that drops this often loses footage while looking alive at every glance. */
export const UNSTABLE_RESTARTS = 4
/** A viewer compares the time in the picture with ours (evidence), so this much is worth a word. */
const CAMERA_CLOCK_OFF_MS = 10_000
/** G4: up to here a power cut costs no more than 2 s. */
export const SLOW_SYNC_MS = 500
const FRAGMENT_MS = 500
const SYNC_INTERVAL_MS = 1_000
/** A floor of 31 days reaches back 32 x 24 h at most (R18, R47). */
const MONTH_DAYS = 31
const MONTH_MS = (MONTH_DAYS + 1) * 86_400_000
const FORECAST_SHORT_DAYS = 45
const FORECAST_CRITICAL_DAYS = 35
/** One fragment's length: later than this and fragments queue up. */
const EVENT_LOOP_DELAYED_MS = 500

/** What is remembered of each stream, by `streamKeyText`. */
export type StreamWatches = ReadonlyMap<string, StreamWatch>

interface Severity { readonly level: HealthLevel, readonly urgency: Urgency }
const CRITICAL: Severity = { level: 'critical', urgency: 'tonight' }
const DEGRADED: Severity = { level: 'degraded', urgency: 'week' }
const NOTE: Severity = { level: 'healthy', urgency: 'note' }

function finding(code: ReasonCode, severity: Severity, subject: string | null, values: Record<string, string> = {}): Finding {
  return { code, ...severity, subject, values: subject === null ? values : { ...values, subject }, beganAt: null, trouble: `${code} ${subject ?? ''}` }
}

function downCode(stream: StreamView): ReasonCode {
  if (stream.state === 'recording') return 'stream-no-frames'
  return stream.lastEndReason === null ? 'stream-connecting' : `stream-${stream.lastEndReason}`
}

function streamFindings(streams: readonly StreamView[], watches: StreamWatches): Finding[] {
  if (streams.length === 0) return [finding('nothing-to-record', DEGRADED, null)]
  const downMs = (stream: StreamView) => watches.get(streamKeyText(stream))?.outage?.lastedMs ?? 0
  const wanted = streams.filter(isWanted)
  const allDown = wanted.every(stream => downMs(stream) > STREAM_DOWN_AFTER_MS)
  return wanted.flatMap(stream => {
    const subject = streamKeyText(stream)
    const watch = watches.get(subject)
    const found: Finding[] = []
    if (watch?.outage && downMs(stream) > STREAM_DOWN_AFTER_MS) {
      const severity = allDown || downMs(stream) >= STREAM_CRITICAL_AFTER_MS ? CRITICAL : DEGRADED
      found.push({ ...finding(downCode(stream), severity, subject),
        beganAt: stream.openGapSince ?? watch.outage.seenAt, trouble: `stream-down ${subject}` })
    } else if (watch && watch.recentRestarts >= UNSTABLE_RESTARTS) {
      found.push(finding('stream-unstable', DEGRADED, subject, { count: String(watch.recentRestarts) }))
    }
    const offsetMs = Math.abs(stream.cameraClockOffsetMs ?? 0)
    if (offsetMs > CAMERA_CLOCK_OFF_MS) found.push(finding('camera-clock-off', NOTE, subject, { seconds: String(Math.round(offsetMs / 1_000)) }))
    return found
  })
}

function volumeFindings(volumes: readonly VolumeView[]): Finding[] {
  const found = volumes.flatMap(volume => {
    if (volume.state !== 'ok') return [finding(`volume-${volume.state}`, CRITICAL, volume.id)]
    const parts: Finding[] = []
    const syncMs = Math.round(Math.max(volume.syncMs.last, volume.syncMs.worst))
    if (syncMs > SLOW_SYNC_MS) {
      // Rounded up: the bound is a promise.
      const lossSeconds = Math.ceil((FRAGMENT_MS + SYNC_INTERVAL_MS + syncMs) / 100) / 10
      parts.push(finding('volume-slow-sync', DEGRADED, volume.id, { syncMs: String(syncMs), lossSeconds: lossSeconds.toFixed(1) }))
    }
    if (volume.errors > 0 || volume.slots.quarantined > 0) {
      parts.push(finding('volume-faults', DEGRADED, volume.id, { errors: String(volume.errors), quarantined: String(volume.slots.quarantined) }))
    }
    return parts
  })
  if (volumes.every(volume => volume.state !== 'ok')) found.push(finding('no-usable-volume', CRITICAL, null))
  if (volumes.length === 1) found.push(finding('no-redundancy', NOTE, null))
  return found
}

/** Whether a floor keeps less than the month the rule asks for. */
export const isBelowMonth = (floor: RetentionFloor): boolean =>
  floor.kind === 'calendar-days' ? floor.days < MONTH_DAYS : floor.durationMs < MONTH_MS

function floorFindings(floor: FloorView): Finding[] {
  const found: Finding[] = []
  if (isBelowMonth(floor.required)) found.push(finding('floor-below-month', CRITICAL, null))
  if (floor.ringStoppedByFloor) found.push(finding('ring-stopped-by-floor', CRITICAL, null))
  if (floor.forecastDays !== null && floor.forecastDays < FORECAST_SHORT_DAYS) {
    const days = floor.forecastDays < 1 ? '<1' : String(Math.floor(floor.forecastDays))
    const critical = floor.forecastDays < FORECAST_CRITICAL_DAYS
    const forecast = critical ? finding('forecast-critical', CRITICAL, null, { days }) : finding('forecast-short', DEGRADED, null, { days })
    found.push({ ...forecast, trouble: 'forecast' })
  }
  return found
}

/** Pure: all that is wrong by these facts, in no particular order. */
export function findingsOf(facts: RecorderFacts, watches: StreamWatches): Finding[] {
  const found = [...streamFindings(facts.streams, watches), ...volumeFindings(facts.volumes), ...floorFindings(facts.floor)]
  if (facts.catalogue.state !== 'ok') found.push(finding('catalogue-failed', CRITICAL, null))
  const delayMs = facts.process.eventLoopDelayMs
  if (delayMs > EVENT_LOOP_DELAYED_MS) found.push(finding('event-loop-delayed', DEGRADED, null, { delayMs: String(Math.round(delayMs)) }))
  const reload = facts.configReload
  if (reload) found.push({ ...finding('config-rejected', DEGRADED, null, { problems: String(reload.problems) }), beganAt: reload.rejectedAt })
  return found
}
