import { Type, type Static, type TSchema } from 'typebox'
import { CAMERA_END_REASONS, RECORDER_END_REASONS, RECORDING_MODES, IN_RUN_REASONS, START_REASONS, REBUILT_REASONS, NAME_PATTERN } from '../domain/index.ts'

export const HEALTH_SCHEMA_VERSION = 1

const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const Instant = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$', description: 'ISO 8601, UTC, milliseconds' })
const Name = Type.String({ pattern: NAME_PATTERN.source })
const Count = Type.Integer({ minimum: 0 })
const Amount = Type.Number({ minimum: 0 })
const Level = Type.Enum(['healthy', 'degraded', 'critical'])
const StreamState = Type.Enum(['connecting', 'recording', 'waiting', 'stopped'])
const EndReason = Type.Enum([...CAMERA_END_REASONS, ...RECORDER_END_REASONS])
const Cause = Type.Enum([...CAMERA_END_REASONS, ...RECORDER_END_REASONS, ...IN_RUN_REASONS, ...START_REASONS, ...REBUILT_REASONS])

const ReasonMessage = Type.Object({
  code: Type.String({ pattern: '^[a-z0-9-]+$', description: 'stable; the list is in health.md' }),
  text: Type.String({ description: 'Traditional Chinese' }),
  en: Type.String({ description: 'the same in English' }),
  since: Instant,
  urgency: Type.Enum(['tonight', 'week', 'note']),
  level: Type.Enum(['healthy', 'degraded', 'critical'], { description: 'healthy: a note, does not lower the level' }),
  nextStep: Type.Object({ zh: Type.String(), en: Type.String() }),
  subject: Type.Union([Type.String(), Type.Null()], { description: 'camera/stream, a volume id, or null for the whole recorder' }),
})

const StreamMessage = Type.Object({
  camera: Name,
  stream: Name,
  state: StreamState,
  stateSince: Instant,
  lastFrameAt: orNull(Instant),
  lastFrameAgeMs: orNull(Count),
  bitrateBps: Count,
  fps: Amount,
  oldestFrameAt: orNull(Instant),
  restarts: Count,
  lastEndReason: orNull(EndReason),
  openGapSince: orNull(Instant),
  openGapCause: orNull(Cause),
  forecastDays: orNull(Amount),
  cameraClockOffsetMs: orNull(Type.Number()),
  channel: orNull(Type.String()),
})

const VolumeMessage = Type.Object({
  id: Name,
  state: Type.Enum(['ok', 'missing', 'foreign', 'read-only', 'unsupported', 'not-mounted', 'damaged', 'failed']),
  slots: Type.Object({ total: Count, free: Count, open: Count, sealed: Count, held: Count, quarantined: Count }),
  oldestFrameAt: orNull(Instant),
  syncMs: Type.Object({ last: Amount, worst: Amount }),
  errors: Count,
  reusedSlots: Count,
  forecastDays: orNull(Amount),
})

const FloorMessage = Type.Object({
  required: Type.Union([
    Type.Object({ kind: Type.Literal('calendar-days'), days: Amount }),
    Type.Object({ kind: Type.Literal('plain'), durationMs: Amount }),
  ]),
  forecastDays: orNull(Amount),
  wrapsAt: orNull(Instant),
  ageAtWrapDays: orNull(Amount),
  fits: orNull(Type.Boolean()),
  lackingBytes: orNull(Count),
  insisted: Type.Boolean(),
  stopsAt: orNull(Instant),
  ringStoppedByFloor: Type.Boolean(),
})

const ClockMessage = Type.Object({
  state: Type.Enum(['agreed', 'disagrees', 'waiting', 'unknown']),
  offsetMs: Type.Integer({ description: 'wall clock minus trusted time' }),
  synchronised: orNull(Type.Boolean()),
  source: Type.Enum(['chrony', 'timesyncd', 'none']),
  referenceOffsetMs: orNull(Type.Number({ description: 'wall clock minus time server' })),
  trustedAt: orNull(Instant),
  waitingMs: Count,
  waitingFor: orNull(Type.Enum(['sync', 'people'])),
})

const AuditMessage = Type.Object({
  state: Type.Enum(['ok', 'failed'], { description: 'failed: viewing, export and erasure wait; recording goes on' }),
  entries: Count,
  reserve: Type.Enum(['checking', 'kept', 'used', 'absent'], { description: 'disk space kept back so that acts can be written down when the disk is full' }),
  key: Type.Enum(['ok', 'replaced', 'unusable'], { description: 'the key that signs checkpoints' }),
  isWhole: Type.Boolean({ description: 'false: entries are gone, so that no checkpoint can be made' }),
})

const WitnessMessage = Type.Object({
  configured: Type.Boolean(),
  lastAt: orNull(Instant),
  lastSize: orNull(Count),
  overdueSince: orNull(Instant),
}, { description: 'checkpoints of the audit log that left the machine' })

const SacrificeMessage = Type.Object({
  steps: Type.Array(Type.Object({
    camera: Name, stream: Name, mode: Type.Enum(RECORDING_MODES.filter(mode => mode !== 'full')), since: Instant,
    reason: Type.String({ pattern: '^[a-z-]+$', description: 'ring-would-stop, over-budget, ring-stops; floor-fits-again for a step back that is not the last' }),
  }), { description: 'streams recorded less than in full so that the floor holds (order of sacrifice)' }),
  headroomMs: orNull(Count),
})

const envelope = { schema: Type.Literal(HEALTH_SCHEMA_VERSION), seq: Type.Integer({ minimum: 1 }), at: Instant }
const body = {
  level: Level,
  reasons: Type.Array(ReasonMessage),
  streams: Type.Array(StreamMessage),
  volumes: Type.Array(VolumeMessage),
  floor: FloorMessage,
  sacrifice: SacrificeMessage,
  catalogue: Type.Object({ state: Type.Enum(['ok', 'failed']) }),
  scrub: Type.Object({ lastPassAt: orNull(Instant), progress: Type.Number({ minimum: 0, maximum: 1, description: 'of the round under way' }), rotten: Count }),
  clock: ClockMessage,
  audit: AuditMessage,
  witness: WitnessMessage,
  process: Type.Object({ rssBytes: Count, eventLoopDelayMs: Amount, uptimeMs: Count }),
  configReload: orNull(Type.Object({
    rejectedAt: Instant, problems: Count, inForceSince: Instant,
    fromLastGood: Type.Boolean({ description: 'refused at the start: the last good one is in force' }),
  }, { description: 'the configuration file, while it is refused' })),
}

export const SnapshotSchema = Type.Object({ ...envelope, kind: Type.Literal('snapshot'), ...body })
export const ChangeSchema = Type.Object({ ...envelope, kind: Type.Literal('change'), ...body })
export const HeartbeatSchema = Type.Object({
  ...envelope,
  kind: Type.Literal('heartbeat'),
  level: Level,
  streams: Type.Array(Type.Object({ camera: Name, stream: Name, state: StreamState, lastFrameAt: orNull(Instant), bitrateBps: Count })),
})

/** Every message on the health socket. Open on purpose: later versions may add fields, never take one away. */
export const HealthMessageSchema = Type.Union([SnapshotSchema, ChangeSchema, HeartbeatSchema], {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Custos health message',
  description: 'One JSON message a websocket frame, and (snapshot only) the answer to GET /health.',
})

export type SnapshotMessage = Static<typeof SnapshotSchema>
export type ChangeMessage = Static<typeof ChangeSchema>
export type HeartbeatMessage = Static<typeof HeartbeatSchema>
export type HealthMessage = Static<typeof HealthMessageSchema>

/** The text of docs/operating/health.schema.json. */
export const healthSchemaText = (): string => `${JSON.stringify(HealthMessageSchema, null, 2)}\n`
