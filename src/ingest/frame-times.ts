import type { Fragment, TrackFragment, VideoTrack } from '../media/index.ts'

/** Times in a fragment as ffmpeg wrote them, repaired. Ticks of the video track. */
export interface FrameTimes {
  /** Of the first frame. May be negative: a first frame without a time lies before the run's zero. */
  readonly startTicks: number
  /** Up to the end of the last frame. */
  readonly durationTicks: number
  /** Start of the last frame plus one usual frame: when the frame that made the muxer let go of this fragment was due. */
  readonly releasedAtTicks: number
  /** The longest a single frame stands, and where. */
  readonly longestFrame: { readonly startTicks: number, readonly durationTicks: number }
  /** Most frames were squeezed together, because the camera's clock went backwards: their times are rebuilt at the usual distance. */
  readonly wentBackwards: boolean
}

const SQUEEZED_TICKS = 2 // what ffmpeg's monotony rule leaves between frames whose order it had to enforce

/**
 * Repairs, in the fragment's own bytes, what ffmpeg does to frames without a time and to frames whose time went backwards, and returns the times.
 * `isFirst`: the run's first frame comes without a time from some servers (measured: GStreamer); ffmpeg then puts it on zero and pushes the next one tick on.
 */
export function repairFrameTimes(fragment: Fragment, track: TrackFragment, video: VideoTrack, isFirst: boolean, usualTicks: number | null): FrameTimes {
  const durations = track.samples.map(sample => sample.durationTicks)
  let startTicks = Number(track.decodeTimeTicks)
  const usual = usualTicks ?? median(durations.filter(ticks => ticks > SQUEEZED_TICKS)) ?? video.timescale / 10
  if (isFirst && durations.length > 1 && durations[0]! <= SQUEEZED_TICKS) {
    const pushed = durations[0]!
    durations[0] = usual
    durations[1] = durations[1]! + pushed
    startTicks -= usual
  }
  let squeezed = 0
  for (const [i, ticks] of durations.entries()) {
    if (ticks > SQUEEZED_TICKS || durations.length === 1) continue
    durations[i] = usual
    squeezed++
  }
  writeDurations(fragment, track, durations)
  let at = startTicks
  let longestFrame = { startTicks, durationTicks: 0 }
  for (const durationTicks of durations) {
    if (durationTicks > longestFrame.durationTicks) longestFrame = { startTicks: at, durationTicks }
    at += durationTicks
  }
  const lastTicks = durations.at(-1) ?? 0
  return { startTicks, durationTicks: at - startTicks, releasedAtTicks: at - lastTicks + Math.min(lastTicks, usual), longestFrame, wentBackwards: squeezed * 2 > durations.length }
}

/** The usual distance of frames in a fragment, for the next one. */
export const usualFrameTicks = (track: TrackFragment): number | null => median(track.samples.map(sample => sample.durationTicks).filter(ticks => ticks > SQUEEZED_TICKS))

function writeDurations(fragment: Fragment, track: TrackFragment, durations: readonly number[]): void {
  const { durationFields } = track
  if (durationFields === null) return // all frames share one default, so none was squeezed beside another
  for (const [i, ticks] of durations.entries()) {
    fragment.buffer.writeUInt32BE(Math.round(ticks), fragment.moofAt + durationFields.at + i * durationFields.strideBytes)
  }
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}
