import { Type, type Static, type TSchema } from 'typebox'
import { NAME_PATTERN } from '../domain/index.ts'

/**
 * What is said between the recorder and those that ask it, on its Unix socket. A message that is not here, or
 * that is not of this shape, ends the connection. Any change of a shape is another version.
 */
export const LINK_VERSION = 2

const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
const exact = <P extends Record<string, TSchema>>(properties: P) => Type.Object(properties, { additionalProperties: false })
/** Milliseconds since 1970, of the years 0-9999. */
const Instant = Type.Integer({ minimum: -62167219200000, maximum: 253402300799999 })
const Count = Type.Integer({ minimum: 0 })
const Name = Type.String({ pattern: NAME_PATTERN.source })
/** 32 hex digits. */
const Id = Type.String({ pattern: '^[0-9a-f]{32}$' })
const Text = Type.String({ maxLength: 2000 })

/** Who acts: taken down as told, as it is at the command line. */
const Actor = exact({
  kind: Type.Union([Type.Literal('machine-user'), Type.Literal('account'), Type.Literal('system')]),
  name: Text, role: orNull(Text), source: orNull(Text),
})
/**
 * A command names the camera of an id; the office the very one, which may have left the configuration, or whose
 * id another device has by now.
 */
const Camera = Type.Union([exact({ id: Name }), exact({ uuid: Id })])
const HoldRange = { camera: Camera, stream: orNull(Name), fromAt: Instant, toAt: Instant }
const Hold = exact({
  holdId: Id, cameraId: Name, cameraUuid: Id, stream: orNull(Name), fromAt: Instant, toAt: Instant, authority: Text,
  application: orNull(Text), placedBy: Text, placedAt: Instant,
  ended: orNull(exact({ at: Instant, by: Text, reason: Text })),
})
/** Configured volumes that cannot be written now: the recorder writes there once they are back. */
const Refused = Type.Array(exact({ id: Name, detail: Text }), { maxItems: 64 })

// ---- of `scrub`
const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Of one segment, told at once. */
export const MOST_FAULTS = 64
/** What a slot is compared with. `isDoubted`: faults of it are on record. */
const SealedSegment = exact({
  slot: Whole, generation: Whole, cameraId: Name, cameraUuid: Id, stream: Name, startAt: Instant, endAt: Instant,
  records: Whole, usedBytes: orNull(Whole), merkleRoot: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  isQuarantined: Type.Boolean(), isDoubted: Type.Boolean(),
})
const Fault = exact({
  kind: Type.Enum(['record', 'unreadable', 'header', 'index', 'frame', 'missing']),
  fromAt: Instant, toAt: Instant, firstRecord: orNull(Whole), records: orNull(Whole),
})

/**
 * `withinMs`: how long an answer may take. `isKeyed`: made twice it is the same as made once, so that it may be
 * asked again when its answer is lost.
 */
interface Manner { readonly withinMs: number, readonly isKeyed: boolean }
interface RequestShape extends Manner { readonly body: TSchema, readonly answer: TSchema }
const request = <B extends TSchema, A extends TSchema>(body: B, answer: A, manner: Manner) => ({ body, answer, ...manner })

/** A volume that hangs is given up after 15 s. */
const DURABLE: Manner = { withinMs: 30_000, isKeyed: true }
const USUAL: Manner = { withinMs: 5_000, isKeyed: true }
/** The outcome is waited for some seconds; the same person's second one is refused. */
const CONFIRMED: Manner = { withinMs: 15_000, isKeyed: false }

// ---- footage, leases, live pictures and time: asked by the office

const OrNullInstant = orNull(Instant)
/** Half-open. */
const Range = { startAt: Instant, endAt: Instant }
export const MOST_ROWS_A_PAGE = 500
export const MOST_CAMERAS_A_PAGE = 200
/** Of one connection. */
export const MOST_LEASES = 64
export const MOST_WATCHES = 64

const Fact = orNull(Type.String({ maxLength: 1000 }))
const Device = exact({
  maker: Fact, model: Fact, firmware: Fact, serial: Fact, firstSeenAt: Instant, lastSeenAt: Instant,
})
const RecordedCamera = exact({ uuid: Id, id: Name, isRetired: Type.Boolean(), lastDevice: orNull(Device) })
const SegmentKeyShape = { volumeUuid: Id, slot: Count, generation: Count }
const Segment = exact({
  ...SegmentKeyShape, cameraId: Name, cameraUuid: Id, stream: Name, startAt: Instant,
  floorRule: Type.String({ maxLength: 100 }), endAt: OrNullInstant, keepUntil: OrNullInstant,
  newestAt: OrNullInstant, records: orNull(Count), usedBytes: orNull(Count),
  merkleRoot: orNull(Type.String({ pattern: '^[0-9a-f]{64}$' })),
})
/** The row that was looked at last: what is asked with it goes on behind it. */
const RowMark = exact({ startAt: Instant, row: Count })
const FoundMark = exact({ stream: Name, startAt: Instant, row: Count })
const GapMark = exact({ startAt: Instant, kind: Count, row: Count })
const rowsOf = <S extends TSchema>(row: S) => Type.Array(row, { maxItems: MOST_ROWS_A_PAGE })
/** Chosen by who asks; of its connection alone. */
const OwnNumber = Type.Integer({ minimum: 1, maximum: 2 ** 32 })

/** Of trusted time: one each time that the machine was off. */
export const MOST_ADVANCES_TOLD = 200

const SyncAnswer = exact({
  source: Type.Enum(['chrony', 'timesyncd', 'none']), isSynchronised: orNull(Type.Boolean()),
  referenceOffsetMs: orNull(Type.Number()),
})

// ---- the office's log, its packages and its health

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Base64 = Type.String({ maxLength: 16_000, pattern: '^[A-Za-z0-9+/]*=*$' })
const Pem = Type.String({ maxLength: 8_000 })
const LogHead = exact({ origin: Type.String({ maxLength: 200 }), size: Whole, root: Hash, lastHash: Hash })
/** Of the largest that fits into one frame. */
export const MOST_MANIFEST_BYTES = 700_000
const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4

const Since = exact({ count: Count, since: OrNullInstant })
/** Never a name, a path or the number of a case: what is told here can be read on the loopback. */
const OfficeView = exact({
  rules: Type.Enum(['in-force', 'none']), ruleProblems: Count,
  calendarMissing: Type.Array(Type.Integer(), { maxItems: 10 }), calendarProblems: Count,
  book: exact({
    lines: Count, orphans: Count, reconciledAt: OrNullInstant, isReconcilingLate: Type.Boolean(),
    unsigned: Count, oldestUnsignedAt: OrNullInstant, unsignedDays: Count, packsDue: Count,
  }),
  cases: exact({ overdue: Count, soon: Count }),
  inbox: exact({
    state: Type.Enum(['off', 'ok', 'failed']), waiting: Count, rejected: Count, rejectedAt: OrNullInstant,
  }),
  holds: exact({
    waiting: Count, waitingSince: OrNullInstant, unknown: Count, unknownSince: OrNullInstant,
  }),
})
const ItemNo = Type.String({ pattern: '^A[0-9]+-[0-9]+$', maxLength: 40 })
/** More are not told. */
export const MOST_LOST_ITEMS = 1_000
const ArchiveView = exact({
  state: Type.String({ pattern: '^[a-z-]{2,40}$' }), detail: Text, items: Count, bytes: Count, quotaBytes: Count,
  freeBytes: orNull(Count), isFull: Type.Boolean(), fullInDays: orNull(Type.Number({ minimum: 0 })),
  next: Type.Array(exact({ itemNo: ItemNo, destroysAt: Instant }), { maxItems: 10 }),
  expiring: exact({ count: Count, soonestAt: OrNullInstant }), overdue: Count,
  unsigned: Since, holdsToApprove: Since,
  lost: Type.Array(exact({ itemNo: ItemNo, since: Instant, what: Text }), { maxItems: MOST_LOST_ITEMS }),
  strays: Count,
})
/** `office`: null while it cannot be opened. `auditFailedSince`: since when its acts cannot be written down. */
const OfficeFacts = exact({
  auditFailedSince: OrNullInstant,
  glass: exact({ open: Count, openedAt: OrNullInstant, owed: Count, owedSince: OrNullInstant }),
  office: orNull(OfficeView), archive: orNull(ArchiveView),
  faults: Type.Array(exact({
    code: Type.Enum(['console-failed', 'office-failed', 'upkeep-failed']), since: Instant,
    values: Type.Record(Type.String({ maxLength: 40 }), Text, { maxProperties: 10 }),
  }), { maxItems: 10 }),
})

/**
 * Pages of rows are in the order of their start. Each looks at 2,000 rows at most: one may be empty and still
 * have a `next`, which is the `after` of the page behind.
 */
const OFFICE_REQUESTS = {
  /** Every camera that was ever recorded, those in use first; `next` is the last of the page. */
  'footage.cameras': request(
    exact({ after: orNull(Id) }),
    exact({ cameras: Type.Array(RecordedCamera, { maxItems: MOST_CAMERAS_A_PAGE }), next: orNull(Id) }), USUAL),
  /** Spans in any stream, stream after stream: those of all pages are to be joined. */
  'footage.found': request(
    exact({ camera: Id, ...Range, after: orNull(FoundMark) }),
    exact({ rows: rowsOf(exact(Range)), next: orNull(FoundMark) }), USUAL),
  'footage.segments': request(
    exact({ camera: Id, stream: Name, ...Range, after: orNull(RowMark) }),
    exact({ rows: rowsOf(Segment), next: orNull(RowMark) }), USUAL),
  'footage.gaps': request(
    exact({ camera: Id, stream: Name, ...Range, after: orNull(GapMark) }),
    exact({
      rows: rowsOf(exact({ startAt: Instant, endAt: OrNullInstant, cause: Type.String({ maxLength: 40 }) })),
      next: orNull(GapMark),
    }), USUAL),
  'footage.device': request(exact({ camera: Id, at: Instant }), exact({ device: orNull(Device) }), USUAL),
  /**
   * Keeps a slot generation from reuse until `lease.end`, 60 s after the last renewal, or the end of the
   * connection. The same number again for the same segment is the same lease.
   */
  'lease.take': request(exact({ lease: OwnNumber, ...SegmentKeyShape }), Type.Union([
    exact({ outcome: Type.Literal('taken'), folder: Type.String({ maxLength: 4096 }), slotSizeBytes: Count }),
    exact({ outcome: Type.Enum(['gone', 'volume-away', 'too-many']) }),
  ]), USUAL),
  /** Answered with those that had lapsed, which are none any more. */
  'lease.renew': request(
    exact({ leases: Type.Array(OwnNumber, { maxItems: MOST_LEASES }) }),
    exact({ lapsed: Type.Array(OwnNumber, { maxItems: MOST_LEASES }) }), USUAL),
  'lease.end': request(exact({ lease: OwnNumber }), exact({}), USUAL),
  /** Media frames with this number from the stream's next fragment on: see live-frame.ts. */
  'live.watch': request(
    exact({ watch: OwnNumber, camera: Name, stream: Name }),
    exact({ outcome: Type.Enum(['watching', 'not-recorded', 'too-many']) }), USUAL),
  'live.stop': request(exact({ watch: OwnNumber }), exact({}), USUAL),
  /**
   * As it was at `monoMs` of the kernel's running time. `steadyMs`: trusted time, or its stand-in while it is
   * unknown.
   * `archiveAt`: null unless both clocks agree, which is while they differ by `agreedMs` at most.
   */
  'recorder.time': request(exact({}), exact({
    bootId: Type.String({ maxLength: 100 }), monoMs: Type.Number({ minimum: 0 }), steadyMs: Type.Number(),
    trustedAt: OrNullInstant, archiveAt: OrNullInstant, agreedMs: Count,
    state: Type.Enum(['agreed', 'disagrees', 'waiting', 'unknown']), offsetMs: Type.Number(),
    /** What an instant is dated by while the clocks disagree; the newest advances, the oldest first. */
    stamp: exact({ timeline: Type.String({ pattern: '^[0-9a-f]{32}$' }), at: Instant }),
    advances: Type.Array(exact({ sinceMs: Type.Integer(), atMs: Type.Integer(), byMs: Type.Integer() }), { maxItems: MOST_ADVANCES_TOLD }),
    hasEarlierAdvances: Type.Boolean(),
    sync: SyncAnswer, waitingMs: Type.Number(), waitingFor: orNull(Type.Enum(['sync', 'people'])), isBusy: Type.Boolean(),
  }), USUAL),
  /** Tells the head of the office's log. The same or a later one again changes nothing. */
  'log.head': request(LogHead, exact({}), USUAL),
  /** A signed checkpoint of that head, which is remembered first; `signature` is base64. */
  'log.sign': request(LogHead, exact({
    body: Type.String({ maxLength: 4000 }), signature: orNull(Base64), publicPem: orNull(Pem),
    outside: orNull(Type.String({ maxLength: 8000 })),
  }), DURABLE),
  'package.certificate': request(exact({}), exact({
    pem: Pem, publicPem: Pem, fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  }), DURABLE),
  /**
   * Signs the manifest of an evidence package, base64, with an entry in the recorder's log. Twice gives two
   * signatures, either of which is good.
   */
  'package.sign': request(
    exact({ manifest: Type.String({ maxLength: base64Length(MOST_MANIFEST_BYTES) }) }),
    exact({ signature: Base64, cms: Base64 }), DURABLE),
  /** How the office stands, for health: all of it each time. */
  'office.facts': request(OfficeFacts, exact({}), USUAL),
} as const satisfies Record<string, RequestShape>

/** What is asked of the recorder. */
export const REQUESTS = {
  ...OFFICE_REQUESTS,
  /** What a hold would keep from reuse; `days` of ring time, null where too little was recorded to tell. */
  'hold.cost': request(
    exact(HoldRange),
    exact({ slots: Count, bytes: Count, newlyHeld: Count, days: orNull(Type.Number({ minimum: 0 })), refused: Refused }),
    USUAL),
  /** Answered when it is durable. `holdId` is chosen by who asks: the same again is the same hold. */
  'hold.place': request(
    exact({ ...HoldRange, holdId: Id, authority: Text, application: orNull(Text), by: Actor }),
    exact({ hold: Hold, refused: Refused }), DURABLE),
  /** Ended before by the same person for the same reason is ended. */
  'hold.end': request(exact({ holdId: Type.String({ maxLength: 100 }), by: Actor, reason: Text }), exact({ hold: Hold }), DURABLE),
  /** At most 200 a page, in the order of their placing; `next` is the `after` of the page behind. */
  'hold.list': request(
    exact({ withEnded: Type.Boolean(), after: Count }),
    exact({ holds: Type.Array(Hold, { maxItems: 200 }), next: orNull(Count) }), USUAL),
  /** One person's confirmation that the wall clock is right. `offsetMs`: of the wall clock to trusted time before it. */
  'time.confirm': request(
    exact({ name: Text, reason: Text, login: Text }),
    exact({ outcome: Type.Enum(['counted', 'waiting', 'refused']), why: Text, offsetMs: orNull(Type.Number()) }), CONFIRMED),
  /**
   * Sealed segments of a volume in the slots from `from` on that overlap the range, at most 200 a page; `next`
   * is the `from` of the page behind. `startId`: the start of a recorder that the volume's own mark names, null
   * where it names none and behind the first page. Not `isKnown`: the catalogue is not the one that the volume
   * was last used with, and nothing is listed.
   */
  'scrub.segments': request(
    exact({
      volume: Id, startId: orNull(Id), from: Whole, camera: orNull(Name),
      range: orNull(exact({ startAt: Instant, endAt: Instant })),
    }),
    exact({
      isKnown: Type.Boolean(), segments: Type.Array(SealedSegment, { maxItems: 200 }), next: orNull(Whole),
    }), USUAL),
  /**
   * All that a look at one segment brought, none too; answered when it is durable. Keyed by the segment, and
   * the kind and the beginning of each fault. Not `isStanding`: it was overwritten meanwhile, or never was, and
   * nothing is written down.
   */
  'scrub.finding': request(
    exact({ volume: Id, slot: Whole, generation: Whole, faults: Type.Array(Fault, { maxItems: MOST_FAULTS }) }),
    exact({ isStanding: Type.Boolean() }), DURABLE),
  /** A person printed the checkpoint over so many entries and had it filed. Once; again changes nothing. */
  'audit.witnessed': request(exact({ size: Whole, by: Actor }), exact({ isKnown: Type.Boolean() }), USUAL),
} as const satisfies Record<string, RequestShape>

export type RequestName = keyof typeof REQUESTS
export type Ask<N extends RequestName> = Static<(typeof REQUESTS)[N]['body']>
export type Answer<N extends RequestName> = Static<(typeof REQUESTS)[N]['answer']>
export type HoldMessage = Static<typeof Hold>
export type SealedSegmentMessage = Static<typeof SealedSegment>
export type ActorMessage = Static<typeof Actor>
export type SegmentMessage = Static<typeof Segment>
export type DeviceMessage = Static<typeof Device>
export type RowMarkMessage = Static<typeof RowMark>
export type FoundMarkMessage = Static<typeof FoundMark>
export type GapMarkMessage = Static<typeof GapMark>
export type OfficeFactsMessage = Static<typeof OfficeFacts>

const Number32 = Type.Integer({ minimum: 1, maximum: 2 ** 32 })
const Named = Type.String({ maxLength: 100 })

/** What stands in a JSON frame. The first of each side is `hello`. */
export const EnvelopeSchema = Type.Union([
  exact({ hello: exact({ protocol: Type.Integer({ minimum: 0 }), role: Named, version: Named }) }),
  exact({ ask: Named, id: Number32, body: Type.Unknown() }),
  exact({ answer: Number32, body: Type.Unknown() }),
  exact({ answer: Number32, error: exact({ code: Named, message: Type.String(), remedy: Type.String(), isRetryable: Type.Boolean() }) }),
])
export type Envelope = Static<typeof EnvelopeSchema>
