import type { Fragment, TrackFragment, VideoTrack } from '../media/index.ts'

/** Times in a fragment as ffmpeg wrote them, repaired. Ticks of the video track. */
export interface FrameTimes {
  /** Of the first frame. May be negative: a first frame without a time lies before the run's zero. */
  readonly startTicks: number
  /** Up to the end of the last frame. */
  readonly durationTicks: number
  /** Start of the last frame plus one usual frame: when the frame that made the muxer let go of this fragment was due. */
  readonly releasedAtTicks: number
  /** Frames that stand so long that others must be missing, in order: from the start of each to that of the next. */
  readonly holes: readonly { readonly startTicks: number, readonly durationTicks: number }[]
  /** Most frames were squeezed together, because the camera's clock went backwards: their times are rebuilt at the usual distance. */
  readonly wentBackwards: boolean
}

/** A frame that stands longer than this is a hole whatever the camera's rate: none is asked for less than a frame a second. */
const HOLE_MOST_MS = 1500
/** Shorter pauses are the unsteadiness of a camera's own clock, however many frames it sends. */
const HOLE_LEAST_MS = 200
const HOLE_USUAL_FRAMES = 2.5
const SQUEEZED_TICKS = 2 // what ffmpeg's monotony rule leaves between frames whose order it had to enforce

/** How long a frame may stand before time counts as lost [G7], for frames that usually stand `usualTicks`. A camera that slows down is told once: what it usually does is known by the next fragment. */
export function holeTicks(usualTicks: number | null, timescale: number): number {
  const most = HOLE_MOST_MS * timescale / 1000
  return usualTicks === null ? most : Math.min(most, Math.max(HOLE_LEAST_MS * timescale / 1000, HOLE_USUAL_FRAMES * usualTicks))
}

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
  const longest = holeTicks(usualTicks, video.timescale), holes: { startTicks: number, durationTicks: number }[] = []
  for (const durationTicks of durations) {
    if (durationTicks > longest) holes.push({ startTicks: at, durationTicks })
    at += durationTicks
  }
  const lastTicks = durations.at(-1) ?? 0
  return { startTicks, durationTicks: at - startTicks, releasedAtTicks: at - lastTicks + Math.min(lastTicks, usual), holes, wentBackwards: squeezed * 2 > durations.length }
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
