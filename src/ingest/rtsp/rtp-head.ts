import { RTP_HEAD_BYTES } from './rtsp-message.ts'

const RTP_VERSION = 2
/** Payload types of RTCP packets, as they stand in the place of RTP's (RFC 5761, 4). */
const RTCP_TYPES = { first: 72, last: 79 }

/** Whether the byte may begin a packet of RTP or RTCP. */
export const isVersioned = (byte: number): boolean => byte >> 6 === RTP_VERSION

/** Whether a packet of RTP, and none of RTCP, begins at `at`; false also where its head is not whole. */
export function isRtpHead(bytes: Buffer, at: number): boolean {
  if (bytes.length - at < RTP_HEAD_BYTES || !isVersioned(bytes[at]!)) return false
  const type = payloadTypeAt(bytes, at)
  return type < RTCP_TYPES.first || type > RTCP_TYPES.last
}

/** Of a whole head. */
export const payloadTypeAt = (bytes: Buffer, at: number): number => bytes[at + 1]! & 0x7f
/** Of the last packet of a picture, where the camera tells. */
export const hasMarkerAt = (bytes: Buffer, at: number): boolean => bytes[at + 1]! > 0x7f
export const sequenceAt = (bytes: Buffer, at: number): number => bytes.readUInt16BE(at + 2)
export const timestampAt = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at + 4)
export const sourceAt = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at + 8)
