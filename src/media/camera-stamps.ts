import { boxesIn, findBox, makeBox } from './box.ts'

/**
 * The camera's own time stamps of a fragment's pictures, in decoding order: a `uuid` box in the track's
 * `traf`, so that players pass over it. Ticks of 90 kHz as the camera counted them since its session began;
 * null where a picture came without one.
 */
const STAMPS_UUID = Buffer.from('637573746f735374616d70732d303031', 'hex') // "custosStamps-001"
const NO_STAMP = -(2n ** 63n)

export function cameraStampsBox(stampTicks: readonly (number | null)[]): Buffer {
  const body = Buffer.allocUnsafe(stampTicks.length * 8)
  for (const [i, ticks] of stampTicks.entries()) body.writeBigInt64BE(
    ticks === null ? NO_STAMP : BigInt(ticks), i * 8
  )
  return makeBox('uuid', STAMPS_UUID, body)
}

/** Of a `moof` at the start of `media`; null where the recorder kept none. Throws MalformedMediaError. */
export function cameraStampsOf(media: Buffer): (number | null)[] | null {
  const moof = findBox(media, { bodyAt: 0, endAt: media.length }, 'moof')
  if (moof === null) return null
  for (const traf of boxesIn(media, moof.bodyAt, moof.endAt)) {
    if (traf.type !== 'traf') continue
    const box = [...boxesIn(media, traf.bodyAt, traf.endAt)].find(({ type, bodyAt }) =>
      type === 'uuid' && media.subarray(bodyAt, bodyAt + STAMPS_UUID.length).equals(STAMPS_UUID))
    if (box === undefined) continue
    const stamps: (number | null)[] = []
    for (let at = box.bodyAt + STAMPS_UUID.length; at + 8 <= box.endAt; at += 8) {
      const ticks = media.readBigInt64BE(at)
      stamps.push(ticks === NO_STAMP ? null : Number(ticks))
    }
    return stamps
  }
  return null
}
