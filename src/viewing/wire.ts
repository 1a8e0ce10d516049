/**
 * What a player and the recorder say to each other over one WebSocket. Text frames are JSON, binary frames a header of 32 bytes and the bytes.
 * `epoch` rises with each seek: what carries an older one is thrown away. Instants are UTC milliseconds.
 */
export const WIRE_VERSION = 1
export const WIRE_HEADER_BYTES = 32

/** Person's acts keep the screen open (R66); `at` and `hello` do not. */
export type ClientMessage =
  /** First. What Media Source plays; the recorder finds other streams, or transcodes. */
  | { readonly type: 'hello', readonly plays: readonly ('h264' | 'h265')[] }
  /** The playhead. Pieces come up to a bound ahead of it. */
  | { readonly type: 'at', readonly at: number }
  | { readonly type: 'seek', readonly at: number }
  | { readonly type: 'play', readonly rate: number }
  | { readonly type: 'pause' }
  /** Some other act of the person: a key, a click. */
  | { readonly type: 'act' }
  | { readonly type: 'still', readonly camera: number, readonly at: number, readonly ref: number }
  | { readonly type: 'close' }

export interface WireCamera { readonly index: number, readonly name: string, readonly ranges: readonly { readonly from: number, readonly to: number }[] }
export type ServerMessage =
  /** `mediaMs` of a piece counts from `originAt`. `subject` and `viewer` (who looks, and the custodian beside) stand in the watermark. */
  | { readonly type: 'opened', readonly version: number, readonly kind: 'granted' | 'live' | 'aiming', readonly subject: string, readonly viewer: string, readonly now: number, readonly originAt: number, readonly endsAt: number | null, readonly cameras: readonly WireCamera[] }
  /** Before the init segment of a track: how Media Source names it. */
  | { readonly type: 'track', readonly camera: number, readonly epoch: number, readonly mime: string, readonly widthPx: number, readonly heightPx: number, readonly stream: string, readonly isTranscoded: boolean }
  | { readonly type: 'gap', readonly camera: number, readonly epoch: number, readonly from: number, readonly to: number, readonly why: string, /** Why nothing was recorded, where that was noted. */ readonly cause: { readonly zh: string, readonly en: string } | null }
  | { readonly type: 'end', readonly camera: number, readonly epoch: number }
  | { readonly type: 'sought', readonly epoch: number, readonly at: number }
  | { readonly type: 'locked' } | { readonly type: 'unlocked' }
  /** `ref`: of the still that was asked for. `camera`: the one that shows nothing from here on. */
  | { readonly type: 'refused', readonly code: string, readonly message: string, readonly ref: number | null, readonly camera: number | null }
  /** Twice a second: a player that hears nothing for long has lost its line, and takes the pictures away. */
  | { readonly type: 'alive', readonly now: number }
  /** Nothing more comes. The page takes all pictures away. */
  | { readonly type: 'closed', readonly reason: string, readonly zh: string, readonly en: string }

export type FrameKind = 'init' | 'media' | 'still'
const KINDS = ['init', 'media', 'still'] as const satisfies readonly FrameKind[]
const FLAGS = { preRoll: 1, beginsChain: 2, transcoded: 4 }

export interface WireFrame {
  readonly kind: FrameKind
  readonly camera: number
  /** Of a still: the `ref` it was asked with. */
  readonly epoch: number
  /** Wall time of the first frame. */
  readonly at: number
  readonly mediaMs: number
  readonly durationMs: number
  /** Pictures in it; 0 for an init segment. */
  readonly frames: number
  readonly isPreRoll: boolean
  readonly beginsChain: boolean
  readonly isTranscoded: boolean
  readonly bytes: Buffer
}

/** version u8, kind u8, camera u16, epoch u32, wall time f64, media time f64, duration f32, frames u16, flags u16; big-endian. */
export function encodeFrame(frame: WireFrame): Buffer {
  const whole = Buffer.allocUnsafe(WIRE_HEADER_BYTES + frame.bytes.length)
  whole.writeUInt8(WIRE_VERSION, 0)
  whole.writeUInt8(KINDS.indexOf(frame.kind) + 1, 1)
  whole.writeUInt16BE(frame.camera, 2)
  whole.writeUInt32BE(frame.epoch >>> 0, 4)
  whole.writeDoubleBE(frame.at, 8)
  whole.writeDoubleBE(frame.mediaMs, 16)
  whole.writeFloatBE(frame.durationMs, 24)
  whole.writeUInt16BE(Math.min(frame.frames, 0xffff), 28)
  whole.writeUInt16BE((frame.isPreRoll ? FLAGS.preRoll : 0) | (frame.beginsChain ? FLAGS.beginsChain : 0) | (frame.isTranscoded ? FLAGS.transcoded : 0), 30)
  frame.bytes.copy(whole, WIRE_HEADER_BYTES)
  return whole
}

/** Throws RangeError on what `encodeFrame` does not write. */
export function decodeFrame(bytes: Buffer): WireFrame {
  const kind = bytes.length < WIRE_HEADER_BYTES || bytes.readUInt8(0) !== WIRE_VERSION ? undefined : KINDS[bytes.readUInt8(1) - 1]
  if (kind === undefined) throw new RangeError('no frame of this protocol')
  const flags = bytes.readUInt16BE(30)
  return {
    kind, camera: bytes.readUInt16BE(2), epoch: bytes.readUInt32BE(4), at: bytes.readDoubleBE(8), mediaMs: bytes.readDoubleBE(16), durationMs: bytes.readFloatBE(24), frames: bytes.readUInt16BE(28),
    isPreRoll: (flags & FLAGS.preRoll) !== 0, beginsChain: (flags & FLAGS.beginsChain) !== 0, isTranscoded: (flags & FLAGS.transcoded) !== 0, bytes: bytes.subarray(WIRE_HEADER_BYTES),
  }
}

const MESSAGE_MOST_CHARS = 500
const MAX_RATE = 16
/** As far as a clock of ours goes: years 1900 to 9999. */
const isInstant = (value: unknown): value is number => typeof value === 'number' && value >= -2_208_988_800_000 && value < 253_402_300_799_999
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32

/** A client's message, checked; null for anything else, whatever it is. */
export function parseClientMessage(text: string): ClientMessage | null {
  if (text.length > MESSAGE_MOST_CHARS) return null
  let said: unknown
  try { said = JSON.parse(text) } catch { return null }
  if (typeof said !== 'object' || said === null) return null
  const { type, plays, at, rate, camera, ref } = said as Record<string, unknown>
  switch (type) {
    case 'hello': return Array.isArray(plays) ? { type, plays: (['h264', 'h265'] as const).filter(codec => plays.includes(codec)) } : null
    case 'at': case 'seek': return isInstant(at) ? { type, at } : null
    case 'play': return typeof rate === 'number' && rate > 0 && rate <= MAX_RATE ? { type, rate } : null
    case 'pause': case 'act': case 'close': return { type }
    case 'still': return isCount(camera) && isInstant(at) && isCount(ref) ? { type, camera, at, ref } : null
    default: return null
  }
}
