// The protocol of src/viewing/wire.ts, as the page reads it.
const HEADER_BYTES = 32
const KINDS = ['', 'init', 'media', 'still']

/** @param {ArrayBuffer} buffer */
export function decodeFrame(buffer) {
  const view = new DataView(buffer)
  const kind = buffer.byteLength >= HEADER_BYTES && view.getUint8(0) === 1 ? KINDS[view.getUint8(1)] : undefined
  if (!kind) return null
  const flags = view.getUint16(30)
  return {
    kind, camera: view.getUint16(2), epoch: view.getUint32(4), at: view.getFloat64(8), mediaMs: view.getFloat64(16), durationMs: view.getFloat32(24), frames: view.getUint16(28),
    isPreRoll: (flags & 1) !== 0, beginsChain: (flags & 2) !== 0, isTranscoded: (flags & 4) !== 0, bytes: new Uint8Array(buffer, HEADER_BYTES),
  }
}

const LOCAL = new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Taipei', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
/** 民國 date and local time of an instant, to a tenth of a second when `tenths`. */
export function rocTime(at, tenths = false) {
  const part = Object.fromEntries(LOCAL.formatToParts(at).map(({ type, value }) => [type, value]))
  return `民國${Number(part.year) - 1911}年${part.month}月${part.day}日 ${part.hour}:${part.minute}:${part.second}${tenths ? `.${Math.floor((at % 1000) / 100)}` : ''}`
}
