import { isoOf, type EpochMs } from '../domain/index.ts'
import type { AuditView, WitnessView } from '../audit/index.ts'
import type { Assessment } from './health-state.ts'
import { HEALTH_SCHEMA_VERSION, type ChangeMessage, type HeartbeatMessage, type SnapshotMessage } from './schema.ts'
import type { ClockView, StreamView, VolumeView } from './views.ts'

const isoOrNull = (at: EpochMs | null): string | null => at === null ? null : isoOf(at)
/** JSON has no NaN, and a rate over no time is one. */
const amount = (value: number): number => Number.isFinite(value) && value > 0 ? Math.round(value * 100) / 100 : 0
const count = (value: number): number => Math.round(amount(value))

/** To a tenth of a second: the floors of trials are seconds long. */
const daysOrNull = (days: number | null): number | null => days !== null && Number.isFinite(days) ? Math.max(0, Math.round(days * 1e6) / 1e6) : null

// Built field by field: what a view gains later is private until it is named here.
const streamOf = (view: StreamView): SnapshotMessage['streams'][number] => ({
  camera: view.cameraId, stream: view.stream, state: view.state, stateSince: isoOf(view.stateSince),
  lastFrameAt: isoOrNull(view.lastFrameAt), lastFrameAgeMs: view.lastFrameAgeMs && count(view.lastFrameAgeMs),
  bitrateBps: count(view.bitrateBps), fps: amount(view.fps), oldestFrameAt: isoOrNull(view.oldestFrameAt),
  restarts: count(view.restarts), lastEndReason: view.lastEndReason,
  openGapSince: isoOrNull(view.openGapSince), openGapCause: view.openGapCause,
  forecastDays: daysOrNull(view.forecastDays), cameraClockOffsetMs: view.cameraClockOffsetMs
    && Math.round(view.cameraClockOffsetMs), channel: view.channel,
})

const volumeOf = ({ id, state, slots, oldestFrameAt, syncMs, errors, reusedSlots, forecastDays }: VolumeView): SnapshotMessage['volumes'][number] => ({
  id, state,
  slots: { total: slots.total, free: slots.free, open: slots.open, sealed: slots.sealed, held: slots.held, quarantined: slots.quarantined },
  oldestFrameAt: isoOrNull(oldestFrameAt), syncMs: { last: amount(syncMs.last), worst: amount(syncMs.worst) }, errors: count(errors), reusedSlots: count(reusedSlots), forecastDays: daysOrNull(forecastDays),
})

const clockOf = ({ state, offsetMs, synchronised, source, referenceOffsetMs, trustedAt, waitingMs, waitingFor }: ClockView): SnapshotMessage['clock'] => ({
  state, offsetMs: Math.round(offsetMs), synchronised, source, referenceOffsetMs: referenceOffsetMs === null ? null : Math.round(referenceOffsetMs * 1000) / 1000,
  trustedAt: isoOrNull(trustedAt), waitingMs: count(waitingMs), waitingFor,
})

const auditOf = ({ state, entries, reserve, key, isWhole }: AuditView): SnapshotMessage['audit'] => ({ state, entries: count(entries), reserve, key, isWhole })
const witnessOf = ({ configured, lastAt, lastSize, overdueSince }: WitnessView): SnapshotMessage['witness'] =>
  ({ configured, lastAt: isoOrNull(lastAt), lastSize: lastSize === null ? null : count(lastSize), overdueSince: isoOrNull(overdueSince) })

type Body = Omit<SnapshotMessage, 'schema' | 'seq' | 'at' | 'kind'>

function bodyOf({ facts, level, reasons }: Assessment): Body {
  const { floor, configReload } = facts
  const { required } = floor
  return {
    level,
    reasons: reasons.map(({ code, text, en, since, urgency, level, nextStep, subject }) =>
      ({ code, text, en, since: isoOf(since), urgency, level, nextStep: { ...nextStep }, subject })),
    streams: facts.streams.map(streamOf),
    volumes: facts.volumes.map(volumeOf),
    floor: {
      required: required.kind === 'plain' ? { kind: required.kind, durationMs: required.durationMs } : { kind: required.kind, days: required.days },
      forecastDays: daysOrNull(floor.forecastDays), wrapsAt: isoOrNull(floor.wrapsAt), ageAtWrapDays: daysOrNull(floor.ageAtWrapDays),
      fits: floor.fits, lackingBytes: floor.lackingBytes === null ? null : count(floor.lackingBytes), insisted: floor.insisted, stopsAt: isoOrNull(floor.stopsAt),
      ringStoppedByFloor: floor.ringStoppedByFloor,
    },
    sacrifice: {
      steps: facts.sacrifice.steps.map(({ cameraId, stream, mode, since, reason }) => ({ camera: cameraId, stream, mode, since: isoOf(since), reason })),
      headroomMs: facts.sacrifice.headroomMs === null ? null : count(facts.sacrifice.headroomMs),
    },
    catalogue: { state: facts.catalogue.state },
    scrub: { lastPassAt: isoOrNull(facts.scrub.lastPassAt), progress: Math.min(1, Math.round(facts.scrub.progress * 10_000) / 10_000), rotten: count(facts.scrub.rotten.length) },
    clock: clockOf(facts.clock), audit: auditOf(facts.audit), witness: witnessOf(facts.witness),
    process: { rssBytes: count(facts.process.rssBytes), eventLoopDelayMs: amount(facts.process.eventLoopDelayMs), uptimeMs: count(facts.process.uptimeMs) },
    configReload: configReload && {
      rejectedAt: isoOf(configReload.rejectedAt), problems: count(configReload.problems),
      fromLastGood: configReload.fromLastGood, inForceSince: isoOf(configReload.inForceSince),
    },
  }
}

const envelope = (assessment: Assessment, seq: number) => ({ schema: HEALTH_SCHEMA_VERSION, seq, at: isoOf(assessment.at) } as const)

/** The whole state; holds camera ids and volume ids, never a name, an address, a path, a password or a picture. */
export const snapshotOf = (assessment: Assessment, seq: number): SnapshotMessage =>
  ({ ...envelope(assessment, seq), kind: 'snapshot', ...bodyOf(assessment) })

/** The same fields as a snapshot. */
export const changeOf = (assessment: Assessment, seq: number): ChangeMessage =>
  ({ ...envelope(assessment, seq), kind: 'change', ...bodyOf(assessment) })

/** What moves every second, so that a board needs no snapshot to show it. */
export const heartbeatOf = (assessment: Assessment, seq: number): HeartbeatMessage => ({
  ...envelope(assessment, seq), kind: 'heartbeat', level: assessment.level,
  streams: assessment.facts.streams.map(view => ({
    camera: view.cameraId, stream: view.stream, state: view.state, lastFrameAt: isoOrNull(view.lastFrameAt), bitrateBps: count(view.bitrateBps),
  })),
})

/** Two assessments with the same mark differ in nothing that is worth a `change`: level, reasons, stream and volume states. */
export const materialMark = ({ level, reasons, facts }: Assessment): string => JSON.stringify([
  level,
  reasons.map(reason => [reason.code, reason.subject, reason.level, reason.urgency]),
  facts.streams.map(view => [view.cameraId, view.stream, view.state]),
  facts.volumes.map(view => [view.id, view.state]),
  facts.catalogue.state, facts.clock.state,
])
