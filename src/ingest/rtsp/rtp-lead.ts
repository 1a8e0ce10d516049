import { PACKET_HEAD_BYTES, RTP_HEAD_BYTES } from './rtsp-message.ts'

/** Version 2 without padding, extension or sources that contributed. */
const PLAIN_HEAD = 0x80

/**
 * A packet without payload, numbered before the one whose heads are given (interleaved, then RTP). Where a source's
 * count goes on elsewhere, ffmpeg drops one packet before it believes the new count (RFC 3550, A.1): this one is
 * sent to be dropped, for the camera's own would cost a picture.
 */
export function leadOf(heads: Buffer): Buffer {
  const lead = Buffer.from(heads), numberAt = PACKET_HEAD_BYTES + 2
  lead.writeUInt16BE(RTP_HEAD_BYTES, 2)
  lead[PACKET_HEAD_BYTES] = PLAIN_HEAD
  lead.writeUInt16BE((heads.readUInt16BE(numberAt) + 0xffff) & 0xffff, numberAt)
  return lead
}
