import { PictureWatch, type PictureSign } from './picture-watch.ts'
import { isRtpHead, isVersioned, payloadTypeAt, sequenceAt, sourceAt } from './rtp-head.ts'
import { leadOf } from './rtp-lead.ts'
import { CR, DOLLAR, headEnd, HEAD_END_BYTES, isCapital, LF, MAX_HEAD_BYTES, PACKET_HEAD_BYTES,
  RTP_HEAD_BYTES } from './rtsp-message.ts'
import { SequenceWatch, type SequenceStep } from './sequence-watch.ts'

/** What an answer begins with, and the last word of a request's first line. */
const PROTOCOL = Buffer.from('RTSP/')
const BLANK = 0x20, UNDERLINE = 0x5f, DELETE = 0x7f
const MAX_METHOD_BYTES = 24
const MAX_URI_BYTES = 1024
/** In one look: a camera answers what it was asked, a few times a minute. */
const MOST_MESSAGES = 64
/** In one look, which is 512 KiB at most: each begins where something was taken out or put in. */
const MOST_PARTS = 4096

/** What one look found: parts to pass on, in order, and messages of the camera that stood between packets. */
export interface Walked {
  readonly parts: readonly Buffer[]
  /** Heads of answers and requests. */
  readonly messages: readonly Buffer[]
  /** The last bytes, which begin something that is not whole; they come again in front of the next. */
  readonly left: Buffer
  /** Whether bytes or whole packets are missing in what was found. */
  readonly isDamaged: boolean
  readonly picture: PictureSign
  /** More came between packets than any camera sends: what is behind them was not looked at. */
  readonly isFlooded: boolean
}

const NOTHING = Buffer.alloc(0)
/** Interleaved head and fixed head of RTP (RFC 3550, 5.1). */
const HEADS_BYTES = PACKET_HEAD_BYTES + RTP_HEAD_BYTES
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
  /** Of the body of a message, which goes nowhere. */
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
  readonly #pictures = new PictureWatch()
  /** In the bytes at hand: from the last place that was looked at up to there no head ends. */
  #endlessTo = 0
  #lostBytes = 0
  /** Of the RTP of the pictures: what is missing elsewhere is no loss of theirs. */
  #videoChannel: number | null

  /** `videoChannel`: where it is not known it is the first one that brings RTP. */
  constructor(videoChannel: number | null = null) { this.#videoChannel = videoChannel }

  /** `bytes` begins with what was `left` before. */
  walk(bytes: Buffer): Walked {
    const parts: Buffer[] = [], messages: Buffer[] = []
    this.#endlessTo = 0
    const skipped = Math.min(this.#bodyBytes, bytes.length)
    this.#bodyBytes -= skipped
    let from = skipped, at = skipped + this.#missingBytes
    while (at < bytes.length) {
      if (messages.length > MOST_MESSAGES || parts.length > MOST_PARTS) {
        return { parts, messages, left: NOTHING, ...this.#takeNotes(), isFlooded: true }
      }
      if (this.#isLost) {
        if (at > from) parts.push(bytes.subarray(from, at))
        from = at = this.#nextPacket(bytes, at)
        if (this.#isLost) return this.#ended(bytes, { parts, messages, from, at })
      } else if (bytes[at] === DOLLAR && this.#isLikely(bytes, at)) {
        if (!isHeadWhole(bytes, at)) return this.#ended(bytes, { parts, messages, from, at })
        if (this.#learnSource(bytes, at) === 'elsewhere') {
          if (at > from) parts.push(bytes.subarray(from, at))
          parts.push(leadOf(bytes.subarray(at, at + HEADS_BYTES)))
          from = at
        }
        at += PACKET_HEAD_BYTES + bytes.readUInt16BE(at + 2)
      } else if (this.#sources.size > 0 && isLineEnd(bytes[at]!)) { // ffmpeg would pass over it too
        if (at > from) parts.push(bytes.subarray(from, at))
        while (isLineEnd(bytes[at]!)) at++
        from = at
      } else {
        const end = this.#messageEnd(bytes, at)
        if (end === 'later') return this.#ended(bytes, { parts, messages, from, at })
        if (end !== null) {
          if (at > from) parts.push(bytes.subarray(from, at))
          messages.push(bytes.subarray(at, end))
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
    return { parts, messages, left: NOTHING, ...this.#takeNotes(), isFlooded: false }
  }

  #ended(bytes: Buffer, { parts, messages, from, at }: {
    parts: Buffer[], messages: Buffer[], from: number, at: number }): Walked {
    this.#missingBytes = 0
    if (at > from) parts.push(bytes.subarray(from, at))
    return { parts, messages, left: bytes.subarray(at), ...this.#takeNotes(), isFlooded: false }
  }

  #takeNotes(): Pick<Walked, 'isDamaged' | 'picture'> {
    const isDamaged = this.#isDamaged
    this.#isDamaged = false
    return { isDamaged, picture: this.#pictures.take() }
  }

  /**
   * Whether a dollar sign begins a packet: of RTP or RTCP, on a channel where that came before or as cameras
   * number them.
   */
  #isLikely(bytes: Buffer, at: number): boolean {
    if (this.#sources.size === 0 || bytes.length - at < PACKET_HEAD_BYTES) return true
    const channel = bytes[at + 1]!
    const isUsual = channel < USUAL_CHANNELS || this.#sources.has(channel) || this.#sources.has(channel - 1)
    if (bytes.readUInt16BE(at + 2) < RTP_HEAD_BYTES) return isUsual // it holds nothing, or nothing that tells
    return isUsual && (bytes.length - at === PACKET_HEAD_BYTES || isVersioned(bytes[at + PACKET_HEAD_BYTES]!))
  }

  #learnSource(bytes: Buffer, at: number): SequenceStep {
    if (!isRtp(bytes, at)) return 'next'
    const channel = bytes[at + 1]!, source = sourceAt(bytes, at + PACKET_HEAD_BYTES)
    this.#videoChannel ??= channel
    if (channel === this.#videoChannel) this.#pictures.note(bytes, at + PACKET_HEAD_BYTES)
    if (this.#seenOnce.get(channel) === source) this.#sources.set(channel, source)
    this.#seenOnce.set(channel, source)
    let sequence = this.#sequences.get(channel)
    if (sequence === undefined) this.#sequences.set(channel, sequence = new SequenceWatch())
    const step = sequence.step(source, sequenceAt(bytes, at + PACKET_HEAD_BYTES))
    if (step === 'lost' && channel === this.#videoChannel) this.#isDamaged = true
    const payloadType = payloadTypeAt(bytes, at + PACKET_HEAD_BYTES)
    const isUsual = this.#payloadTypes.get(channel) === payloadType
    this.#payloadTypes.set(channel, payloadType)
    return isUsual ? step : 'next' // of a medium that was not described, or damaged
  }

  /** Where a known source goes on; where to look again when more has come. */
  #nextPacket(bytes: Buffer, from: number): number {
    let at = from
    for (; bytes.length - at >= HEADS_BYTES; at++) {
      if (bytes[at] === DOLLAR && isRtp(bytes, at)
        && this.#sources.get(bytes[at + 1]!) === sourceAt(bytes, at + PACKET_HEAD_BYTES)) {
        this.#isLost = false
        this.#lostBytes = 0
        return at
      }
    }
    const next = bytes.indexOf(DOLLAR, at), seen = next < 0 ? bytes.length : next
    this.#lostBytes += seen - from
    if (this.#lostBytes > MOST_LOST_BYTES) {
      this.#sources.clear()
      this.#isLost = false
      this.#lostBytes = 0
    }
    return seen
  }

  /** Where the head of a message ends; null: none begins here. A head without an end in its bound is none. */
  #messageEnd(bytes: Buffer, at: number): number | 'later' | null {
    const begins = isCapital(bytes[at]!) && messageBegins(bytes, at)
    if (begins !== true) return begins === 'later' ? 'later' : null
    const searchFrom = Math.max(0, this.#endlessTo - at - HEAD_END_BYTES)
    const end = headEnd(bytes.subarray(at, at + MAX_HEAD_BYTES), searchFrom)
    if (end >= 0) return at + end
    if (bytes.length - at < MAX_HEAD_BYTES) return 'later'
    this.#endlessTo = at + MAX_HEAD_BYTES
    return null
  }
}

const isLineEnd = (byte: number): boolean => byte === CR || byte === LF

/** Whether an answer or a request begins here; `later` where that cannot be told yet. */
function messageBegins(bytes: Buffer, at: number): boolean | 'later' {
  if (stands(PROTOCOL, bytes, at)) return true
  let i = at
  while (i - at < MAX_METHOD_BYTES && (isCapital(bytes[i]!) || bytes[i] === UNDERLINE)) i++
  if (i === at) return false
  if (i === bytes.length) return 'later'
  if (bytes[i++] !== BLANK) return false
  const uriAt = i
  while (i - uriAt < MAX_URI_BYTES && bytes[i]! > BLANK && bytes[i]! < DELETE) i++
  if (i === bytes.length) return 'later'
  if (bytes[i++] !== BLANK || !stands(PROTOCOL, bytes, i)) return false
  return i + PROTOCOL.length <= bytes.length ? true : 'later'
}

/** As far as the bytes go. */
function stands(word: Buffer, bytes: Buffer, at: number): boolean {
  const seen = Math.min(word.length, bytes.length - at)
  return bytes.compare(word, 0, seen, at, at + seen) === 0
}

/** Of a message, by its head. */
function bodyBytesOf(head: Buffer): number {
  return Number(/^content-length:[ \t]*(\d{1,6})[ \t]*\r?$/im.exec(head.toString('latin1'))?.[1] ?? 0)
}

/** Whether all is there that source and count of a packet are read from. */
function isHeadWhole(bytes: Buffer, at: number): boolean {
  const there = bytes.length - at
  if (there < PACKET_HEAD_BYTES) return false
  return there >= Math.min(HEADS_BYTES, PACKET_HEAD_BYTES + bytes.readUInt16BE(at + 2))
}

/** Whether the head at hand is one of RTP; false also where it is not whole. */
const isRtp = (bytes: Buffer, at: number): boolean =>
  isRtpHead(bytes, at + PACKET_HEAD_BYTES) && bytes.readUInt16BE(at + 2) >= RTP_HEAD_BYTES
