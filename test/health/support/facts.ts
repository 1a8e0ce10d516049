import { cameraId, epochMs, streamName, volumeId, type OfficeView } from '../../../src/domain/index.ts'
import type { AuditView, WitnessView } from '../../../src/audit/index.ts'
import type { ClockView, FloorView, RecorderFacts, StreamView, VolumeView } from '../../../src/health/index.ts'

export const at = (iso: string) => epochMs(Date.parse(iso))

export const stream = (id: string, change: Partial<StreamView> = {}): StreamView => ({
  cameraId: cameraId(id), stream: streamName('main'), state: 'recording', stateSince: at('2026-11-22T07:00:00.000Z'),
  lastFrameAt: at('2026-11-22T07:59:59.500Z'), lastFrameAgeMs: 500, supervisorTickAgeMs: 200, bitrateBps: 4_000_000, fps: 15,
  oldestFrameAt: at('2026-10-10T00:00:00.000Z'), restarts: 0, mode: 'full', lastEndReason: null, openGapSince: null, openGapCause: null, forecastDays: 60,
  cameraClockOffsetMs: null, channel: null, stampRate: 1, isSoundMissing: false, pictureWaitMs: 0, ...change,
})

/** A stream that is down and waits to try again. */
export const down = (id: string, change: Partial<StreamView> = {}): StreamView =>
  stream(id, { state: 'waiting', lastEndReason: 'unreachable', lastFrameAt: null, lastFrameAgeMs: null, bitrateBps: 0, fps: 0, ...change })

export const volume = (id: string, change: Partial<VolumeView> = {}): VolumeView => ({
  id: volumeId(id), state: 'ok', detail: 'ok', slots: { total: 1000, free: 0, open: 4, sealed: 996, held: 10, quarantined: 0 },
  oldestFrameAt: at('2026-10-10T00:00:00.000Z'), syncMs: { last: 12, worst: 40 }, errors: 0, reusedSlots: 17, forecastDays: 60, ...change,
})

export const floor = (change: Partial<FloorView> = {}): FloorView => ({
  required: { kind: 'calendar-days', days: 31 }, forecastDays: 60, wrapsAt: at('2027-01-20T00:00:00.000Z'), ageAtWrapDays: 60, fits: true, lackingBytes: 0, insisted: false,
  stopsAt: null, stopsInDays: null, timezone: 'Asia/Taipei', ringStoppedByFloor: false, ...change,
})

export const clock = (change: Partial<ClockView> = {}): ClockView => ({
  state: 'agreed', offsetMs: 3, synchronised: true, source: 'chrony', referenceOffsetMs: 0.4, trustedAt: at('2026-11-22T08:00:00.000Z'), waitingMs: 0, waitingFor: null, ...change,
})

export const audit = (change: Partial<AuditView> = {}): AuditView => ({ state: 'ok', failedSince: null, entries: 1234, reserve: 'kept', key: 'ok', isWhole: true, officeLogRefusedSince: null, ...change })

export const witness = (change: Partial<WitnessView> = {}): WitnessView =>
  ({ configured: true, lastAt: at('2026-11-21T16:00:05.000Z'), lastSize: 1200, overdueSince: null, ...change })

export const office = (change: Partial<OfficeView> = {}): OfficeView => ({
  rules: 'in-force', ruleProblems: 0, calendarMissing: [], calendarProblems: 0, cases: { overdue: 0, soon: 0 }, holds: { waiting: 0, waitingSince: null, unknown: 0, unknownSince: null }, inbox: { state: 'ok', waiting: 0, rejected: 0, rejectedAt: null },
  book: { lines: 20, orphans: 0, reconciledAt: at('2026-11-21T19:37:00.000Z'), isReconcilingLate: false, unsigned: 0, oldestUnsignedAt: null, unsignedDays: 0, packsDue: 0 }, ...change,
})

/** Two cameras, two volumes, nothing wrong. */
export const facts = (change: Partial<RecorderFacts> = {}): RecorderFacts => ({
  streams: [stream('lobby'), stream('door')], volumes: [volume('disk1'), volume('disk2')], floor: floor(), sacrifice: { steps: [], headroomMs: null, overBudget: [] },
  catalogue: { state: 'ok', detail: 'ok' }, isStateDiskFull: false, scrub: { lastPassAt: at('2026-11-01T00:00:00.000Z'),
  progress: 0.25, rotten: [] }, rescues: { count: 0, newestAt: null }, cameraChanges: [],
  glass: { open: 0, openedAt: null, owed: 0, owedSince: null }, archive: null, office: office(),
  clock: clock(), audit: audit(), witness: witness(),
  process: { rssBytes: 150 * 2 ** 20, eventLoopDelayMs: 4, uptimeMs: 3_600_000 }, configReload: null,
  faults: [], ...change,
})
