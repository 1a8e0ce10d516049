import { Type, type Static, type TSchema } from 'typebox'
import { CAMERA_END_REASONS, RECORDER_END_REASONS, IN_RUN_REASONS, START_REASONS, NAME_PATTERN } from '../domain/index.ts'

export const HEALTH_SCHEMA_VERSION = 1

const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const Instant = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$', description: 'ISO 8601, UTC, milliseconds' })
const Name = Type.String({ pattern: NAME_PATTERN.source })
const Count = Type.Integer({ minimum: 0 })
const Amount = Type.Number({ minimum: 0 })
const Level = Type.Enum(['healthy', 'degraded', 'critical'])
const StreamState = Type.Enum(['connecting', 'recording', 'waiting', 'stopped'])
const EndReason = Type.Enum([...CAMERA_END_REASONS, ...RECORDER_END_REASONS])
const Cause = Type.Enum([...CAMERA_END_REASONS, ...RECORDER_END_REASONS, ...IN_RUN_REASONS, ...START_REASONS])

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
  cameraClockOffsetMs: orNull(Type.Number()),
})

const VolumeMessage = Type.Object({
  id: Name,
  state: Type.Enum(['ok', 'missing', 'foreign', 'read-only', 'unsupported', 'not-mounted', 'damaged', 'failed']),
  slots: Type.Object({ total: Count, free: Count, open: Count, sealed: Count, held: Count, quarantined: Count }),
  oldestFrameAt: orNull(Instant),
  syncMs: Type.Object({ last: Amount, worst: Amount }),
  errors: Count,
})

const FloorMessage = Type.Object({
  required: Type.Union([
    Type.Object({ kind: Type.Literal('calendar-days'), days: Amount }),
    Type.Object({ kind: Type.Literal('plain'), durationMs: Amount }),
  ]),
  forecastDays: orNull(Amount),
  wrapsAt: orNull(Instant),
  ringStoppedByFloor: Type.Boolean(),
})

const envelope = { schema: Type.Literal(HEALTH_SCHEMA_VERSION), seq: Type.Integer({ minimum: 1 }), at: Instant }
const body = {
  level: Level,
  reasons: Type.Array(ReasonMessage),
  streams: Type.Array(StreamMessage),
  volumes: Type.Array(VolumeMessage),
  floor: FloorMessage,
  catalogue: Type.Object({ state: Type.Enum(['ok', 'failed']) }),
  process: Type.Object({ rssBytes: Count, eventLoopDelayMs: Amount, uptimeMs: Count }),
  configReload: orNull(Type.Object({ rejectedAt: Instant, problems: Count })),
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
