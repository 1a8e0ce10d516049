import { DOLLAR, headEnd, MAX_HEAD_BYTES, PACKET_HEAD_BYTES } from './rtsp-message.ts'

const ANSWER = Buffer.from('RTSP/')

/** What one look found: parts to pass on, in order, and answers of the camera that stood between packets. */
export interface Walked {
  readonly parts: readonly Buffer[]
  readonly answers: readonly Buffer[]
  /** The last bytes, which begin something that is not whole; they come again in front of the next. */
  readonly left: Buffer
}

const NOTHING = Buffer.alloc(0)

/**
 * Goes from packet to packet through an interleaved stream without copying: whole runs of packets are passed
 * on as one
 * part. Where a packet does not begin where it should, bytes are passed on as they are up to the next dollar
 * sign, which
 * is what ffmpeg does too.
 */
export class PacketWalk {
  /** Of the packet under way. */
  #missingBytes = 0

  /** `bytes` begins with what was `left` before. */
  walk(bytes: Buffer): Walked {
    const parts: Buffer[] = [], answers: Buffer[] = []
    let from = 0, at = this.#missingBytes
    while (at < bytes.length) {
      if (bytes[at] === DOLLAR) {
        if (bytes.length - at < PACKET_HEAD_BYTES) return this.#ended(bytes, { parts, answers, from, at })
        at += PACKET_HEAD_BYTES + bytes.readUInt16BE(at + 2)
      } else if (this.#mayBeAnswer(bytes, at)) {
        const end = headEnd(bytes.subarray(at, at + MAX_HEAD_BYTES))
        if (end < 0 && bytes.length - at < MAX_HEAD_BYTES) return this.#ended(bytes,
          { parts, answers, from, at })
        if (end < 0) { at += ANSWER.length; continue }
        if (at > from) parts.push(bytes.subarray(from, at))
        answers.push(bytes.subarray(at, at + end))
        from = at += end
      } else {
        const next = bytes.indexOf(DOLLAR, at + 1)
        at = next < 0 ? bytes.length : next
      }
    }
    this.#missingBytes = at - bytes.length
    if (from < bytes.length) parts.push(bytes.subarray(from))
    return { parts, answers, left: NOTHING }
  }

  #ended(bytes: Buffer, { parts, answers, from, at }: {
    parts: Buffer[], answers: Buffer[], from: number, at: number }): Walked {
    this.#missingBytes = 0
    if (at > from) parts.push(bytes.subarray(from, at))
    return { parts, answers, left: bytes.subarray(at) }
  }

  #mayBeAnswer(bytes: Buffer, at: number): boolean {
    const seen = Math.min(ANSWER.length, bytes.length - at)
    return bytes.compare(ANSWER, 0, seen, at, at + seen) === 0
  }
}
