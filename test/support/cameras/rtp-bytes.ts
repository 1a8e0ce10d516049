import type { VideoCodec } from './access-units.ts'

/** One sender of RTP; `sequence` goes up with each packet. */
export interface RtpSource { readonly ssrc: number, sequence: number, readonly firstStamp: number }

const SEI_UUID = Buffer.from('c4570500f7a34e6db1d2ca3e7a9e5ed1', 'hex')
const SEI_HEADER = { h264: Buffer.from([0x06]), h265: Buffer.from([0x4e, 0x01]) } as const
const MOST_BYTES = 1400
const VIDEO_TYPE = 96, VIDEO_CHANNEL = 0, SENDER_REPORT = 200
/** NTP counts from 1900. */
const NTP_OFFSET_S = 2_208_988_800

/** A frame's units with its number and instant in front, as rtsp-server.py writes them and check-frames.py reads them. */
export function numberedUnit(
  codec: VideoCodec, { nals, sets }: { readonly nals: readonly Buffer[], readonly sets: readonly Buffer[] },
  counter: number, wallMs: number,
): { readonly nals: Buffer[], readonly sets: readonly Buffer[] } {
  const payload = Buffer.alloc(SEI_UUID.length + 16)
  SEI_UUID.copy(payload)
  payload.writeBigUInt64BE(BigInt(counter), SEI_UUID.length)
  payload.writeBigUInt64BE(BigInt(wallMs), SEI_UUID.length + 8)
  const body = Buffer.concat([Buffer.from([5, payload.length]), payload, Buffer.from([0x80])])
  return { nals: [Buffer.concat([SEI_HEADER[codec], escaped(body)]), ...nals], sets }
}

/** With the byte that keeps a start code from standing inside. */
function escaped(body: Buffer): Buffer {
  const bytes: number[] = []
  let zeros = 0
  for (const byte of body) {
    if (zeros >= 2 && byte <= 3) { bytes.push(3); zeros = 0 }
    bytes.push(byte)
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return Buffer.from(bytes)
}

/** Payloads of one frame, by RFC 6184 and RFC 7798; `isLast` is the end of the frame. */
export function rtpPayloads(codec: VideoCodec, nals: readonly Buffer[]): { payload: Buffer, isLast: boolean }[] {
  const payloads = nals.flatMap(nal => nal.length <= MOST_BYTES ? [nal] : fragmented(codec, nal))
  return payloads.map((payload, i) => ({ payload, isLast: i === payloads.length - 1 }))
}

function fragmented(codec: VideoCodec, nal: Buffer): Buffer[] {
  const headBytes = codec === 'h264' ? 1 : 2
  const type = codec === 'h264' ? nal[0]! & 0x1f : nal[0]! >> 1 & 0x3f
  const head = codec === 'h264' ? [nal[0]! & 0xe0 | 28] : [nal[0]! & 0x81 | 49 << 1, nal[1]!]
  const parts: Buffer[] = []
  for (let from = headBytes; from < nal.length; from += MOST_BYTES) {
    const isFirst = from === headBytes, isLast = from + MOST_BYTES >= nal.length
    const mark = (isFirst ? 0x80 : 0) | (isLast ? 0x40 : 0) | type
    parts.push(Buffer.concat([Buffer.from([...head, mark]), nal.subarray(from, from + MOST_BYTES)]))
  }
  return parts
}

/** An interleaved packet of the video. */
export function rtpPacket(
  source: RtpSource, { payload, stamp, isMarked }: { payload: Buffer, stamp: number, isMarked: boolean },
): Buffer {
  const head = Buffer.alloc(16)
  head[0] = 0x24
  head[1] = VIDEO_CHANNEL
  head.writeUInt16BE(12 + payload.length, 2)
  head[4] = 0x80
  head[5] = (isMarked ? 0x80 : 0) | VIDEO_TYPE
  head.writeUInt16BE(source.sequence, 6)
  head.writeUInt32BE(wrapped(source.firstStamp + stamp), 8)
  head.writeUInt32BE(source.ssrc, 12)
  source.sequence = source.sequence + 1 & 0xffff
  return Buffer.concat([head, payload])
}

/** An interleaved report that ties a stamp to a wall clock. */
export function senderReport({ ssrc, firstStamp }: RtpSource, stamp: number, wallMs: number): Buffer {
  const bytes = Buffer.alloc(32)
  bytes[0] = 0x24
  bytes[1] = VIDEO_CHANNEL + 1
  bytes.writeUInt16BE(28, 2)
  bytes[4] = 0x80
  bytes[5] = SENDER_REPORT
  bytes.writeUInt16BE(6, 6)
  bytes.writeUInt32BE(ssrc, 8)
  bytes.writeUInt32BE(wrapped(Math.floor(wallMs / 1000) + NTP_OFFSET_S), 12)
  bytes.writeUInt32BE(Math.floor((wallMs % 1000 + 1000) % 1000 / 1000 * 2 ** 32), 16)
  bytes.writeUInt32BE(wrapped(firstStamp + stamp), 20)
  return bytes
}

const wrapped = (value: number): number => ((Math.round(value) % 2 ** 32) + 2 ** 32) % 2 ** 32
