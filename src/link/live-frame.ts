import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { LinkViolation } from './errors.ts'

/**
 * What stands before the bytes of a live fragment. A payload is the length of this head (4 bytes, most
 * significant first), the head as JSON, `ftyp` and `moov` where it has an `init`, then `moof` and `mdat`.
 */
const LiveHead = Type.Object({
  watch: Type.Integer({ minimum: 1, maximum: 2 ** 32 }),
  run: Type.Integer({ minimum: 0 }),
  /** Wall time of the first frame. */
  startAt: Type.Integer({ minimum: -62167219200000, maximum: 253402300799999 }),
  durationMs: Type.Number({ minimum: 0 }),
  isKey: Type.Boolean(),
  cameraClockOffsetMs: Type.Union([Type.Number(), Type.Null()]),
  /** Of each track the first sample's media time in the run, in ticks; may be negative. */
  tracks: Type.Array(Type.Object({
    id: Type.Integer({ minimum: 0 }), timescale: Type.Integer({ minimum: 1 }),
    ticks: Type.String({ pattern: '^-?[0-9]{1,19}$' }),
  }, { additionalProperties: false }), { maxItems: 8 }),
  /** Null while it is that of the fragment before. */
  init: Type.Union([Type.Null(), Type.Object({
    ftypBytes: Type.Integer({ minimum: 0 }), moovBytes: Type.Integer({ minimum: 0 }),
  }, { additionalProperties: false })]),
  moofBytes: Type.Integer({ minimum: 0 }),
  /** Fragments of this watch that were left out before this one, for the peer was slow. */
  dropped: Type.Integer({ minimum: 0 }),
}, { additionalProperties: false })
export type LiveHead = Static<typeof LiveHead>

export interface LiveFrame {
  readonly head: LiveHead
  /** Null where the head has no `init`. */
  readonly init: { readonly ftyp: Buffer, readonly moov: Buffer } | null
  /** The payload itself; `moof` stands at `moofAt`, `mdat` reaches to its end. */
  readonly payload: Buffer
  readonly moofAt: number
}

const MOST_HEAD_BYTES = 4096
const LENGTH_BYTES = 4
const check = Compile(LiveHead)

/** What stands before `ftyp`, or `moof`. */
export function liveFrameHead(head: LiveHead): Buffer {
  const text = JSON.stringify(head), bytes = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(text))
  bytes.writeUInt32BE(bytes.length - LENGTH_BYTES)
  bytes.write(text, LENGTH_BYTES)
  return bytes
}

/** Shares the payload's memory. Throws LinkViolation. */
export function readLiveFrame(payload: Buffer): LiveFrame {
  const headBytes = payload.length < LENGTH_BYTES ? Infinity : payload.readUInt32BE()
  if (headBytes > MOST_HEAD_BYTES || LENGTH_BYTES + headBytes > payload.length) throw strange()
  let head: unknown
  try { head = JSON.parse(payload.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + headBytes)) } catch {
    throw strange()
  }
  if (!check.Check(head)) throw strange()
  const ftypAt = LENGTH_BYTES + headBytes, moovAt = ftypAt + (head.init?.ftypBytes ?? 0)
  const moofAt = moovAt + (head.init?.moovBytes ?? 0)
  if (moofAt + head.moofBytes > payload.length) throw strange()
  const init = head.init === null ? null
    : { ftyp: payload.subarray(ftypAt, moovAt), moov: payload.subarray(moovAt, moofAt) }
  return { head, init, payload, moofAt }
}

const strange = (): LinkViolation => new LinkViolation('a live fragment has a shape of its own')
