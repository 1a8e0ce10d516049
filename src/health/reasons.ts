import type { AuditView, WitnessView } from '../audit/index.ts'
import {
  epochMs, streamKeyText, type CameraChange, type EpochMs, type RetentionFloor, type OfficeView,
} from '../domain/index.ts'
import { DAY_MS, plannedSpanMs, spaceText, spanText } from '../retention/index.ts'
import type { ReasonCode } from './reason-catalogue.ts'
import type { Finding, HealthLevel, Urgency } from './reason.ts'
import { STREAM_DOWN_AFTER_MS, type StreamWatch } from './stream-watch.ts'
import { isWanted, type ClockView, type FloorView, type RecorderFacts, type StreamView, type VolumeView } from './views.ts'
import type { PartFaultCode } from '../platform/part-faults.ts'

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
const MONTH_MS = (MONTH_DAYS + 1) * DAY_MS
const FORECAST_SHORT_DAYS = 45
const FORECAST_CRITICAL_DAYS = 35
/** Both are R19's for the month; another floor scales them. Closer to a stop than this part of the floor (two days of the month), it is for tonight. */
const STOPS_SOON_SHARE = 1 / 16
/** One fragment's length: later than this and fragments queue up. */
const EVENT_LOOP_DELAYED_MS = 500

/** What is remembered of each stream, by `streamKeyText`. */
export type StreamWatches = ReadonlyMap<string, StreamWatch>

interface Severity { readonly level: HealthLevel, readonly urgency: Urgency }
const CRITICAL: Severity = { level: 'critical', urgency: 'tonight' }
const DEGRADED: Severity = { level: 'degraded', urgency: 'week' }
const TONIGHT: Severity = { level: 'degraded', urgency: 'tonight' }
const NOTE: Severity = { level: 'healthy', urgency: 'note' }

function finding(code: ReasonCode, severity: Severity, subject: string | null, values: Record<string, string> = {}): Finding {
  return { code, ...severity, subject, values: subject === null ? values : { ...values, subject }, beganAt: null, trouble: `${code} ${subject ?? ''}` }
}

function downCode(stream: StreamView): ReasonCode {
  if (stream.state === 'recording') return 'stream-no-frames'
  return stream.lastEndReason === null ? 'stream-connecting' : `stream-${stream.lastEndReason}`
}

function streamFindings(streams: readonly StreamView[], watches: StreamWatches, stoppedForFloor: ReadonlySet<string>): Finding[] {
  if (streams.length === 0) return [finding('nothing-to-record', DEGRADED, null)]
  const downMs = (stream: StreamView) => watches.get(streamKeyText(stream))?.outage?.lastedMs ?? 0
  const wanted = streams.filter(stream => isWanted(stream) && !stoppedForFloor.has(streamKeyText(stream)))
  const allDown = wanted.every(stream => downMs(stream) > STREAM_DOWN_AFTER_MS)
  return wanted.flatMap(stream => {
    const subject = streamKeyText(stream)
    const watch = watches.get(subject)
    const found: Finding[] = []
    if (watch?.outage && downMs(stream) > STREAM_DOWN_AFTER_MS) {
      const severity = allDown || downMs(stream) >= STREAM_CRITICAL_AFTER_MS ? CRITICAL : DEGRADED
      found.push({ ...finding(downCode(stream), severity, subject),
        beganAt: stream.openGapSince ?? watch.outage.seenAt, trouble: `stream-down ${subject}` })
    } else if (watch && watch.recentRestarts >= UNSTABLE_RESTARTS && stream.lastFrameAt === null) {
      // It has never sent a picture: why is worth more than how often.
      found.push({ ...finding(downCode(stream), DEGRADED, subject), trouble: `stream-down ${subject}` })
    } else if (watch && watch.recentRestarts >= UNSTABLE_RESTARTS) {
      found.push(finding('stream-unstable', DEGRADED, subject, { count: String(watch.recentRestarts) }))
    }
    const offsetMs = Math.abs(stream.cameraClockOffsetMs ?? 0)
    if (offsetMs > CAMERA_CLOCK_OFF_MS) found.push(finding('camera-clock-off', NOTE, subject, { seconds: String(Math.round(offsetMs / 1_000)) }))
    const stampsOffPercent = Math.round(Math.abs(1 / stream.stampRate - 1) * 100)
    if (stampsOffPercent > 0) {
      found.push(finding('camera-stamps-off', NOTE, subject, { percent: String(stampsOffPercent) }))
    }
    const isSilent = stream.isSoundMissing && stream.state === 'recording'
    if (isSilent) found.push(finding('camera-sound-missing', DEGRADED, subject))
    return found
  })
}

const CHANGES = { 'video-source': 'camera-channel-changed', 'certificate': 'camera-certificate-changed',
  'device': 'camera-device-changed' } as const

/** A change is told for some days, for people look at a board in working hours. */
function changeFindings(changes: readonly CameraChange[], timeZone: string): Finding[] {
  const minute = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return changes.map(({ cameraId, what, since }) =>
    ({ ...finding(CHANGES[what], DEGRADED, cameraId, { since: minute.format(since) }), beganAt: since }))
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

/** Each step of the order of sacrifice is an alarm of its own; a stopped camera at once, for nothing will bring it back but space. */
function sacrificeFindings({ steps, overBudget }: RecorderFacts['sacrifice']): Finding[] {
  const mbps = (bps: number) => (bps / 1e6).toFixed(1)
  return [
    ...steps.map(step => {
      const subject = streamKeyText(step)
      const [code, severity]: [ReasonCode, Severity] = step.mode === 'stopped' ? ['stream-stopped-for-floor', CRITICAL]
        : step.mode === 'key-frames' ? ['stepped-down-key-frames', { level: 'degraded', urgency: 'tonight' }] : ['stepped-down-lower', DEGRADED]
      return { ...finding(code, severity, subject), beganAt: step.since, trouble: `stepped-down ${step.mode} ${subject}` }
    }),
    ...overBudget.map(over => finding('over-budget', DEGRADED, streamKeyText(over), { measured: mbps(over.measuredBps), declared: mbps(over.declaredBps) })),
  ]
}

/** Whether a floor keeps less than the month the rule asks for. */
export const isBelowMonth = (floor: RetentionFloor): boolean =>
  floor.kind === 'calendar-days' ? floor.days < MONTH_DAYS : floor.durationMs < MONTH_MS

const plannedDays = (required: RetentionFloor): number => plannedSpanMs({ floor: required, timezone: 'UTC' }) / DAY_MS

/** `民國115年12月24日` and `2026-12-24`; under the short floors of trials with the time of day. */
function instantText(at: EpochMs, { required, timezone: timeZone }: FloorView): { zh: string, en: string } {
  const { zh, en, clock } = datesOf(timeZone)
  const time = plannedDays(required) < 2 ? ` ${clock.format(at)}` : ''
  return { zh: `${zh.format(at)}${time}`, en: `${en.format(at)}${time}` }
}

interface DateFormats { readonly timeZone: string, readonly zh: Intl.DateTimeFormat, readonly en: Intl.DateTimeFormat, readonly clock: Intl.DateTimeFormat }
let dates: DateFormats | null = null

/** Kept: making the three takes far longer than using them, and health asks at every look. A recorder has one time zone. */
function datesOf(timeZone: string): DateFormats {
  if (dates?.timeZone !== timeZone) {
    dates = {
      timeZone, zh: new Intl.DateTimeFormat('zh-TW-u-ca-roc', { timeZone, year: 'numeric', month: 'long', day: 'numeric' }),
      en: new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }), clock: new Intl.DateTimeFormat('sv-SE', { timeZone, timeStyle: 'medium' }),
    }
  }
  return dates
}

function wrapText(floor: FloorView, isWrapping: boolean): { wrapZh: string, wrapEn: string } {
  if (floor.wrapsAt === null || floor.ageAtWrapDays === null) return { wrapZh: '何時開始覆寫尚無法推估', wrapEn: 'when the ring wraps cannot be told yet' }
  const age = spanText(floor.ageAtWrapDays), { zh, en } = instantText(floor.wrapsAt, floor)
  return isWrapping ? { wrapZh: `已在循環覆寫，最舊影像 ${age.zh}`, wrapEn: `the ring is wrapping, with the oldest at ${age.en}` }
    : { wrapZh: `${zh} 起開始覆寫，屆時最舊影像 ${age.zh}`, wrapEn: `the ring wraps on ${en} with the oldest at ${age.en}` }
}

/** The worst of three: space that lacks says more than a forecast that is short. */
function forecastFinding(floor: FloorView, isWrapping: boolean): Finding | null {
  const days = floor.forecastDays
  const kept = days === null ? { zh: '未知天數', en: 'an unknown time' } : spanText(days)
  const values = { keptZh: kept.zh, keptEn: kept.en, ...wrapText(floor, isWrapping) }
  if (floor.fits === false) {
    const severity = floor.insisted ? { level: 'critical', urgency: 'week' } as const : CRITICAL // insisted on record: nobody needs to be woken for it
    return finding('does-not-fit', severity, null, { ...values, lacking: spaceText(floor.lackingBytes ?? 0, 'up') })
  }
  const scale = floor.required.kind === 'plain' ? floor.required.durationMs / DAY_MS / MONTH_DAYS : floor.required.days / MONTH_DAYS
  if (days === null || days >= FORECAST_SHORT_DAYS * scale) return null
  if (days < FORECAST_CRITICAL_DAYS * scale) return finding('forecast-critical', CRITICAL, null, values)
  const wanted = spanText(FORECAST_SHORT_DAYS * scale)
  return finding('forecast-short', DEGRADED, null, { ...values, wantedZh: wanted.zh, wantedEn: wanted.en })
}

function floorFindings(floor: FloorView, isWrapping: boolean): Finding[] {
  const found: Finding[] = []
  if (isBelowMonth(floor.required)) found.push(finding('floor-below-month', CRITICAL, null))
  if (floor.ringStoppedByFloor) found.push(finding('ring-stopped-by-floor', CRITICAL, null))
  const forecast = forecastFinding(floor, isWrapping)
  if (forecast !== null) found.push({ ...forecast, trouble: 'forecast' })
  if (floor.stopsAt !== null && !floor.ringStoppedByFloor) {
    const { zh, en } = instantText(floor.stopsAt, floor)
    const soon = (floor.stopsInDays ?? 0) < plannedDays(floor.required) * STOPS_SOON_SHARE
    found.push(finding('ring-stops-soon', soon ? CRITICAL : DEGRADED, null, { dateZh: zh, dateEn: en }))
  }
  return found
}

const isWrapping = (volumes: readonly VolumeView[]): boolean => volumes.every(({ state, slots }) => state !== 'ok' || slots.free === 0)

/** R76. */
const OFFSET_WARN_MS = 500
const OFFSET_ALARM_MS = 2_000

function clockFindings({ state, offsetMs, synchronised, referenceOffsetMs, waitingMs, waitingFor }: ClockView): Finding[] {
  const found: Finding[] = []
  const seconds = (ms: number): { seconds: string } => ({ seconds: `${ms > 0 ? '+' : ''}${(ms / 1000).toFixed(1)}` })
  if (state === 'unknown') found.push(finding('clock-unknown', CRITICAL, null))
  // What the time service will settle by itself in a minute or so is worth no night call.
  if (state === 'waiting') found.push(finding('clock-waiting', waitingFor === 'sync' ? DEGRADED : TONIGHT, null, { hours: (waitingMs / 3_600_000).toFixed(1) }))
  if (state === 'disagrees' && Math.abs(offsetMs) > OFFSET_ALARM_MS) found.push(finding('clock-disagrees', TONIGHT, null, seconds(offsetMs)))
  // Off by trusted time beyond the alarm is `clock-disagrees`; this is the smaller one, and what the time service itself reports.
  const offsets = [referenceOffsetMs ?? 0, ...(Math.abs(offsetMs) <= OFFSET_ALARM_MS ? [offsetMs] : [])]
  const worstMs = offsets.reduce((worst, each) => Math.abs(each) > Math.abs(worst) ? each : worst)
  if (Math.abs(worstMs) > OFFSET_WARN_MS) found.push(finding('clock-offset', Math.abs(worstMs) > OFFSET_ALARM_MS ? TONIGHT : DEGRADED, null, seconds(worstMs)))
  if (synchronised !== true) found.push(finding('clock-not-synchronised', DEGRADED, null))
  return found
}

function auditFindings(audit: AuditView): Finding[] {
  const { state, failedSince, reserve, key, isWhole, officeLogRefusedSince } = audit
  const found: Finding[] = []
  if (state === 'failed') found.push({ ...finding('audit-unwritable', CRITICAL, null), beganAt: failedSince })
  else if (reserve === 'used' || reserve === 'absent') found.push(finding('audit-reserve-used', TONIGHT, null))
  if (!isWhole) found.push(finding('audit-damaged', CRITICAL, null))
  if (officeLogRefusedSince !== null) {
    found.push({ ...finding('office-log-shrunk', TONIGHT, null), beganAt: officeLogRefusedSince })
  }
  if (key !== 'ok') found.push(finding(key === 'replaced' ? 'audit-key-replaced' : 'audit-key-unusable', DEGRADED, null))
  return found
}

function witnessFindings({ configured, overdueSince }: WitnessView): Finding[] {
  if (!configured) return [finding('no-witness-configured', DEGRADED, null)]
  return overdueSince === null ? [] : [{ ...finding('witness-overdue', DEGRADED, null), beganAt: overdueSince }]
}

/** One a stream, with the earliest minute; `custos scrub` lists them all. */
function rottenFindings({ rotten }: RecorderFacts['scrub'], timeZone: string): Finding[] {
  const minuteText = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return [...Map.groupBy(rotten, streamKeyText)].map(([subject, all]) => {
    const earliest = all.reduce((first, each) => each.fromAt < first.fromAt ? each : first)
    const beganAt = all.reduce((first, each) => each.foundAt < first ? each.foundAt : first, all[0]!.foundAt)
    return { ...finding('footage-rotted', DEGRADED, subject, { count: String(all.length), minute: minuteText.format(earliest.fromAt) }), beganAt }
  })
}

/** Somebody looks past the chain at this moment, or did and has not written why. */
function glassFindings({ open, openedAt, owed, owedSince }: RecorderFacts['glass']): Finding[] {
  return [
    ...open === 0 ? [] : [{ ...finding('break-glass-open', CRITICAL, null, { count: String(open) }), beganAt: openedAt }],
    ...owed === 0 ? [] : [{ ...finding('break-glass-form-owed', DEGRADED, null, { count: String(owed) }), beganAt: owedSince }],
  ]
}

/** A signature that waits this long is worth a word, and after a week somebody forgot. */
const UNSIGNED_NOTE_DAYS = 3
const UNSIGNED_LATE_DAYS = 7

/** What the office owes its own procedure; none of it stops recording. */
function officeFindings({ rules, ruleProblems, calendarMissing, calendarProblems, book, cases, inbox, holds }: OfficeView): Finding[] {
  const counted = (code: ReasonCode, severity: Severity, count: number, more: Record<string, string> = {}): Finding[] => count === 0 ? [] : [finding(code, severity, null, { count: String(count), ...more })]
  const unsigned = book.unsignedDays >= UNSIGNED_LATE_DAYS ? DEGRADED : NOTE
  return [
    ...rules === 'none' ? [finding('office-closed', DEGRADED, null)] : ruleProblems === 0 ? [] : [finding('rule-set-refused', DEGRADED, null, { problems: String(ruleProblems) })],
    ...calendarMissing.length === 0 ? [] : [finding('calendar-missing', DEGRADED, null, { years: calendarMissing.join(', ') })],
    ...calendarProblems === 0 ? [] : [finding('calendar-unreadable', DEGRADED, null, { problems: String(calendarProblems) })],
    ...counted('book-orphans', CRITICAL, book.orphans),
    ...book.isReconcilingLate ? [{ ...finding('book-not-reconciled', DEGRADED, null), beganAt: book.reconciledAt }] : [],
    ...book.unsignedDays < UNSIGNED_NOTE_DAYS ? [] : counted('book-unsigned', unsigned, book.unsigned, { days: String(book.unsignedDays) }).map(each => ({ ...each, beganAt: book.oldestUnsignedAt })),
    ...counted('review-pack-due', DEGRADED, book.packsDue),
    ...counted('applications-overdue', DEGRADED, cases.overdue), ...counted('applications-due-soon', NOTE, cases.soon),
    ...inbox.state === 'failed' ? [finding('inbox-failed', DEGRADED, null)] : [],
    ...counted('inbox-rejected', DEGRADED, inbox.rejected).map(each => ({ ...each, beganAt: inbox.rejectedAt })),
    ...counted('case-holds-waiting', TONIGHT, holds.waiting).map(each => ({ ...each, beganAt: holds.waitingSince })),
    ...counted('case-holds-unknown', DEGRADED, holds.unknown).map(each => ({ ...each, beganAt: holds.unknownSince })),
  ]
}

/** Full sooner than this is worth a word: buying a disk takes an office a month. */
const ARCHIVE_SHORT_DAYS = 45
const ITEMS_NAMED = 5

/** The archive keeps what courts and parties rely on: what is gone there does not come back [G3]. */
function archiveFindings(archive: RecorderFacts['archive'], timezone: string): Finding[] {
  if (archive === null) return []
  if (archive.state === 'key-file') return [finding('archive-key-file', CRITICAL, null)]
  if (archive.state === 'failed') return [finding('archive-failed', CRITICAL, null)]
  if (archive.state !== 'ok') return [finding('archive-missing', CRITICAL, null, { state: archive.state })]
  const { lost, strays, overdue, unsigned, holdsToApprove, expiring, fullInDays } = archive
  const found: Finding[] = []
  if (lost.length > 0) {
    const items = `${lost.slice(0, ITEMS_NAMED).map(({ itemNo }) => itemNo).join(', ')}${lost.length > ITEMS_NAMED ? ' …' : ''}`
    found.push({ ...finding('archive-item-lost', CRITICAL, null, { count: String(lost.length), items }), beganAt: epochMs(Math.min(...lost.map(({ since }) => since))) })
  }
  if (archive.isFull) found.push(finding('archive-full', { level: 'degraded', urgency: 'tonight' }, null))
  else if (fullInDays !== null && fullInDays < ARCHIVE_SHORT_DAYS) found.push(finding('archive-forecast', DEGRADED, null, { days: String(fullInDays) }))
  if (strays > 0) found.push(finding('archive-stray', DEGRADED, null, { count: String(strays) }))
  if (overdue > 0) found.push(finding('archive-overdue', DEGRADED, null, { count: String(overdue) }))
  if (holdsToApprove.count > 0) found.push({ ...finding('archive-hold-unapproved', DEGRADED, null, { count: String(holdsToApprove.count) }), beganAt: holdsToApprove.since })
  if (unsigned.count > 0) found.push({ ...finding('archive-destruction-unsigned', DEGRADED, null, { count: String(unsigned.count) }), beganAt: unsigned.since })
  if (expiring.soonestAt !== null) {
    const day = new Intl.DateTimeFormat('zh-TW-u-ca-roc', { timeZone: timezone, year: 'numeric', month: 'long', day: 'numeric' }).format(expiring.soonestAt - 1)
    const dayEn = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short' }).format(expiring.soonestAt - 1)
    found.push(finding('archive-expiring', NOTE, null, { count: String(expiring.count), day, dayEn }))
  }
  return found
}

/** Nobody sees a recorder whose health cannot be asked for. */
const PART_SEVERITY: Readonly<Record<PartFaultCode, Severity>> = {
  'health-not-listening': CRITICAL, 'config-not-applied': TONIGHT, 'config-not-kept': DEGRADED, 'state-unlocked': DEGRADED,
  'catalogue-unshared': DEGRADED, 'console-failed': TONIGHT, 'office-failed': TONIGHT, 'office-away': TONIGHT,
  'upkeep-failed': DEGRADED,
}

/**
 * A configuration refused while running changes nothing; at a start, the next act of the office may rest on
 * an old one.
 */
function configFindings({ configReload, faults, floor }: RecorderFacts): Finding[] {
  const found = faults.map(({ code, since, values = {} }): Finding =>
    ({ ...finding(code, PART_SEVERITY[code], null, values), beganAt: since }))
  if (configReload === null) return found
  const { problems, rejectedAt, fromLastGood, inForceSince } = configReload
  const { timezone: timeZone } = floor
  const minute = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  const values = { problems: String(problems), inForce: minute.format(inForceSince) }
  const severity = fromLastGood ? CRITICAL : DEGRADED
  return [...found, { ...finding('config-rejected', severity, null, values), beganAt: rejectedAt }]
}

/** Pure: all that is wrong by these facts, in no particular order. */
export function findingsOf(facts: RecorderFacts, watches: StreamWatches): Finding[] {
  const stoppedForFloor = new Set(facts.sacrifice.steps.filter(step => step.mode === 'stopped').map(streamKeyText))
  const found = [...sacrificeFindings(facts.sacrifice), ...streamFindings(facts.streams, watches, stoppedForFloor), ...volumeFindings(facts.volumes), ...floorFindings(facts.floor, isWrapping(facts.volumes))]
  found.push(...changeFindings(facts.cameraChanges, facts.floor.timezone))
  found.push(...clockFindings(facts.clock))
  found.push(...auditFindings(facts.audit), ...witnessFindings(facts.witness))
  found.push(...rottenFindings(facts.scrub, facts.floor.timezone))
  if (facts.rescues.count > 0) found.push(finding('rescue-used', DEGRADED, null, { count: String(facts.rescues.count) }))
  found.push(...glassFindings(facts.glass), ...facts.office === null ? [] : officeFindings(facts.office), ...archiveFindings(facts.archive, facts.floor.timezone))
  if (facts.isStateDiskFull) found.push(finding('state-disk-full', CRITICAL, null))
  if (facts.catalogue.state !== 'ok') found.push(finding('catalogue-failed', CRITICAL, null))
  const delayMs = facts.process.eventLoopDelayMs
  if (delayMs > EVENT_LOOP_DELAYED_MS) found.push(finding('event-loop-delayed', DEGRADED, null, { delayMs: String(Math.round(delayMs)) }))
  found.push(...configFindings(facts))
  return found
}
