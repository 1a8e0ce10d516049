import { parseMovieFragment, type Sample, type TrackFragment } from './movie-fragment.ts'

/**
 * The samples of a track with their durations shortened in proportion, so that they end within `roomTicks`;
 * null where they do already. Footage of before frame times were decided once may have records that reach
 * into the next: their frames stand too long.
 */
export function fittedSamples({ samples, durationTicks }: TrackFragment, roomTicks: number): Sample[] | null {
  if (durationTicks <= roomTicks) return null
  const room = Math.max(roomTicks, samples.length) // a tick each, so that no two share a time
  let before = 0, fitted = 0
  return samples.map((sample, i) => {
    before += sample.durationTicks
    const left = samples.length - 1 - i
    const end = Math.min(room - left, Math.max(fitted + 1, Math.round(before * room / durationTicks)))
    const shortened = { ...sample, durationTicks: end - fitted }
    fitted = end
    return shortened
  })
}

/**
 * The same in the bytes of a record's `moof` and `mdat`, for the track of the pictures. Whether anything
 * changed. Throws MalformedMediaError.
 */
export function fitPictures(media: Buffer, videoTrackId: number, roomTicks: number): boolean {
  const track = parseMovieFragment(media, media.length).find(({ trackId }) => trackId === videoTrackId)
  const fitted = track === undefined ? null : fittedSamples(track, roomTicks)
  if (track === undefined || fitted === null || track.durationFields === null) return false
  const { at, strideBytes } = track.durationFields
  for (const [i, { durationTicks }] of fitted.entries()) media.writeUInt32BE(
    durationTicks, at + i * strideBytes
  )
  return true
}
