import { leadOf } from './rtp-lead.ts'
import { DOLLAR, headEnd, MAX_HEAD_BYTES, PACKET_HEAD_BYTES, RTP_HEAD_BYTES } from './rtsp-message.ts'
import { SequenceWatch, type SequenceStep } from './sequence-watch.ts'

const ANSWER = Buffer.from('RTSP/')
/** Of what ends a head. */
const HEAD_END_BYTES = 4

/** What one look found: parts to pass on, in order, and answers of the camera that stood between packets. */
export interface Walked {
  readonly parts: readonly Buffer[]
  readonly answers: readonly Buffer[]
  /** The last bytes, which begin something that is not whole; they come again in front of the next. */
  readonly left: Buffer
  /** Whether bytes or whole packets are missing in what was found. */
  readonly isDamaged: boolean
}

const NOTHING = Buffer.alloc(0)
/** Interleaved head and fixed head of RTP (RFC 3550, 5.1). */
const HEADS_BYTES = PACKET_HEAD_BYTES + RTP_HEAD_BYTES
const RTP_VERSION = 2
/** Payload types of RTCP packets, as they stand in the place of RTP's. */
const RTCP_TYPES = { first: 72, last: 79 }
/** Cameras number channels from 0, two for each medium. */
const USUAL_CHANNELS = 16
/** After so much without a packet of a known source the sources are taken to have changed. */
const MOST_LOST_BYTES = 256 << 10

/**
 * Goes from packet to packet through an interleaved stream without copying: whole runs of packets are passed
 * on as one part. Where a packet does not begin where it should, bytes were lost: what follows is dropped up
 * to the next packet of a known source, for a dollar sign alone also stands in pictures, and a length read
 * there swallows seconds. Before any source is known bytes are passed on as they are, as ffmpeg takes them.
 */
export class PacketWalk {
  /** Of the packet under way. */
  #missingBytes = 0
  /** Of the body of an answer, which goes nowhere. */
  #bodyBytes = 0
  /** The source (SSRC) of each channel that brings RTP. */
  readonly #sources = new Map<number, number>()
  /** Of the last packet of each channel: one that is damaged names another source. */
  readonly #seenOnce = new Map<number, number>()
  readonly #sequences = new Map<number, SequenceWatch>()
  /** Of the last packet of each channel. */
  readonly #payloadTypes = new Map<number, number>()
  #isLost = false
  #isDamaged = false
  /** In the bytes at hand: from the last place that was looked at up to there no head ends. */
  #endlessTo = 0
  #lostBytes = 0

  /** `bytes` begins with what was `left` before. */
  walk(bytes: Buffer): Walked {
    const parts: Buffer[] = [], answers: Buffer[] = []
    this.#endlessTo = 0
    const skipped = Math.min(this.#bodyBytes, bytes.length)
    this.#bodyBytes -= skipped
    let from = skipped, at = skipped + this.#missingBytes
    while (at < bytes.length) {
      if (this.#isLost) {
        if (at > from) parts.push(bytes.subarray(from, at))
        from = at = this.#nextPacket(bytes, at)
        if (this.#isLost) return this.#ended(bytes, { parts, answers, from, at })
      } else if (bytes[at] === DOLLAR && this.#isLikely(bytes, at)) {
        if (!isHeadWhole(bytes, at)) return this.#ended(bytes, { parts, answers, from, at })
        if (this.#learnSource(bytes, at) === 'elsewhere') {
          if (at > from) parts.push(bytes.subarray(from, at))
          parts.push(leadOf(bytes.subarray(at, at + HEADS_BYTES)))
          from = at
        }
        at += PACKET_HEAD_BYTES + bytes.readUInt16BE(at + 2)
      } else {
        const end = this.#answerEnd(bytes, at)
        if (end === 'later') return this.#ended(bytes, { parts, answers, from, at })
        if (end !== null) {
          if (at > from) parts.push(bytes.subarray(from, at))
          answers.push(bytes.subarray(at, end))
          this.#bodyBytes = bodyBytesOf(bytes.subarray(at, end))
          const there = Math.min(this.#bodyBytes, bytes.length - end)
          this.#bodyBytes -= there
          from = at = end + there
        } else if (this.#sources.size > 0) {
          this.#isLost = true
          this.#isDamaged = true
        } else {
          const next = bytes.indexOf(DOLLAR, at + 1)
          at = next < 0 ? bytes.length : next
        }
      }
    }
    this.#missingBytes = at - bytes.length
    if (from < bytes.length) parts.push(bytes.subarray(from))
    return { parts, answers, left: NOTHING, isDamaged: this.#takeDamage() }
  }

  #ended(bytes: Buffer, { parts, answers, from, at }: {
    parts: Buffer[], answers: Buffer[], from: number, at: number }): Walked {
    this.#missingBytes = 0
    if (at > from) parts.push(bytes.subarray(from, at))
    return { parts, answers, left: bytes.subarray(at), isDamaged: this.#takeDamage() }
  }

  #takeDamage(): boolean {
    const isDamaged = this.#isDamaged
    this.#isDamaged = false
    return isDamaged
  }

  /**
   * Whether a dollar sign begins a packet: of RTP or RTCP, on a channel where that came before or as cameras
   * number them.
   */
  #isLikely(bytes: Buffer, at: number): boolean {
    if (this.#sources.size === 0 || bytes.length - at <= PACKET_HEAD_BYTES) return true
    const channel = bytes[at + 1]!
    if (bytes[at + PACKET_HEAD_BYTES]! >> 6 !== RTP_VERSION) return false // RTCP has it too
    return channel < USUAL_CHANNELS || this.#sources.has(channel) || this.#sources.has(channel - 1)
  }

  #learnSource(bytes: Buffer, at: number): SequenceStep {
    if (!isRtp(bytes, at)) return 'next'
    const channel = bytes[at + 1]!, source = sourceOf(bytes, at)
    if (this.#seenOnce.get(channel) === source) this.#sources.set(channel, source)
    this.#seenOnce.set(channel, source)
    let sequence = this.#sequences.get(channel)
    if (sequence === undefined) this.#sequences.set(channel, sequence = new SequenceWatch())
    const step = sequence.step(source, bytes.readUInt16BE(at + PACKET_HEAD_BYTES + 2))
    if (step === 'lost') this.#isDamaged = true
    const payloadType = payloadTypeOf(bytes, at), isUsual = this.#payloadTypes.get(channel) === payloadType
    this.#payloadTypes.set(channel, payloadType)
    return isUsual ? step : 'next' // of a medium that was not described, or damaged
  }

  /** Where a known source goes on; where to look again when more has come. */
  #nextPacket(bytes: Buffer, from: number): number {
    let at = bytes.indexOf(DOLLAR, from)
    while (at >= 0 && bytes.length - at >= HEADS_BYTES) {
      if (isRtp(bytes, at) && this.#sources.get(bytes[at + 1]!) === sourceOf(bytes, at)) {
        this.#isLost = false
        this.#lostBytes = 0
        return at
      }
      at = bytes.indexOf(DOLLAR, at + 1)
    }
    const seen = at < 0 ? bytes.length : at
    this.#lostBytes += seen - from
    if (this.#lostBytes > MOST_LOST_BYTES) {
      this.#sources.clear()
      this.#isLost = false
      this.#lostBytes = 0
    }
    return seen
  }

  /** Where the head of an answer ends; null: none begins here. A head without an end in its bound is none. */
  #answerEnd(bytes: Buffer, at: number): number | 'later' | null {
    const seen = Math.min(ANSWER.length, bytes.length - at)
    if (bytes.compare(ANSWER, 0, seen, at, at + seen) !== 0) return null
    const searchFrom = Math.max(at, this.#endlessTo - HEAD_END_BYTES)
    const end = headEnd(bytes.subarray(searchFrom, at + MAX_HEAD_BYTES))
    if (end >= 0) return searchFrom + end
    if (bytes.length - at < MAX_HEAD_BYTES) return 'later'
    this.#endlessTo = at + MAX_HEAD_BYTES
    return null
  }
}

/** Of an answer, by its head. */
function bodyBytesOf(head: Buffer): number {
  return Number(/^content-length:[ \t]*(\d{1,6})[ \t]*\r?$/im.exec(head.toString('latin1'))?.[1] ?? 0)
}

/** Whether all is there that source and count of a packet are read from. */
function isHeadWhole(bytes: Buffer, at: number): boolean {
  const there = bytes.length - at
  if (there <= PACKET_HEAD_BYTES) return false
  return there >= Math.min(HEADS_BYTES, PACKET_HEAD_BYTES + bytes.readUInt16BE(at + 2))
}

/** Whether the head at hand is one of RTP; false also where it is not whole. */
function isRtp(bytes: Buffer, at: number): boolean {
  if (bytes.length - at < HEADS_BYTES) return false
  if (bytes[at + PACKET_HEAD_BYTES]! >> 6 !== RTP_VERSION) return false
  const payloadType = payloadTypeOf(bytes, at)
  const isRtcp = payloadType >= RTCP_TYPES.first && payloadType <= RTCP_TYPES.last
  return !isRtcp && bytes.readUInt16BE(at + 2) >= RTP_HEAD_BYTES
}

const payloadTypeOf = (bytes: Buffer, at: number): number => bytes[at + 5]! & 0x7f
const sourceOf = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at + PACKET_HEAD_BYTES + 8)
