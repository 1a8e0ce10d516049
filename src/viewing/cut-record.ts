import type { EpochMs } from '../domain/index.ts'
import {
  fittedSamples, instantOf, parseMovieFragment, type InitSegment, type Sample, type TrackFragment
} from '../media/index.ts'

/** Whether the picture of this instant may leave, and as what. */
export type FrameFence = (at: EpochMs) => 'inside' | 'pre-roll' | 'outside'

/** Frames of a record that leave together: one after another, the first of a chain a key frame. */
export interface Cut {
  /** Of the first frame, and the end of the last. */
  readonly startAt: EpochMs
  readonly endAt: EpochMs
  /** Of the last frame: it may be shown for longer than it lies inside. */
  readonly lastAt: EpochMs
  readonly isPreRoll: boolean
  /** A decoder begins anew here. */
  readonly beginsChain: boolean
  /** A decoder may begin here. */
  readonly startsWithKey: boolean
  /** Decode time of the first frame as it stands in the record. */
  readonly decodeTimeTicks: number
  readonly frames: number
  readonly durationMs: number
  readonly tracks: readonly { readonly track: TrackFragment, readonly timescale: number, readonly samples: readonly Sample[], readonly decodeTimeTicks: number }[]
  /** What the samples' `dataAt` counts in. */
  readonly media: Buffer
}

export interface RecordToCut {
  /** `moof` and `mdat`. */
  readonly media: Buffer
  readonly init: InitSegment
  /** Wall time of the first frame. */
  readonly startAt: EpochMs
  /** Up to where the next record of the run stands. */
  readonly roomTicks: number
  /** The frame before this record left too, and nothing lies between. */
  readonly goesOn: boolean
}

interface Frame { readonly sample: Sample, readonly ticks: number, readonly endTicks: number, readonly standing: 'inside' | 'pre-roll' | 'outside' }

/**
 * [G5] What of a record may leave: frames whose decoding and showing both lie where the fence says so, from a key frame on, up to the first that does not.
 * Sound only beside pictures that leave, sample by sample behind the same fence. `isOpenEnd`: the last frame left, so that the next record may go on.
 */
export function cutRecord(
  { media, init, startAt, roomTicks, goesOn }: RecordToCut, fence: FrameFence
): { readonly cuts: readonly Cut[], readonly isOpenEnd: boolean } {
  const tracks = parseMovieFragment(media, media.length)
  const { video } = init
  const pictures = tracks.find(track => track.trackId === video.trackId)
  if (pictures === undefined) return { cuts: [], isOpenEnd: goesOn } // sound while the camera sent no picture: nothing to show it with
  const zero = { startAt, ticks: pictures.decodeTimeTicks, timescale: video.timescale }
  const wallOf = (ticks: number, timescale = video.timescale): EpochMs => instantOf(zero, BigInt(ticks), timescale)
  let ticks = Number(pictures.decodeTimeTicks)
  const frames = (fittedSamples(pictures, roomTicks) ?? pictures.samples).map((sample): Frame => {
    const decoded = fence(wallOf(ticks)), shown = sample.compositionOffsetTicks === 0 ? decoded : fence(wallOf(ticks + sample.compositionOffsetTicks))
    const standing = decoded === 'outside' || shown === 'outside' ? 'outside' : decoded === 'pre-roll' || shown === 'pre-roll' ? 'pre-roll' : 'inside'
    const frame = { sample, ticks, endTicks: ticks + sample.durationTicks, standing } as const
    ticks = frame.endTicks
    return frame
  })
  const chains: { frames: Frame[], beginsChain: boolean }[] = []
  let open = goesOn ? { frames: [] as Frame[], beginsChain: false } : null
  for (const frame of frames) {
    if (frame.standing === 'outside') { open = null; continue }
    if (open === null && !frame.sample.isKey) continue
    open ??= { frames: [], beginsChain: true }
    const changes = open.frames.length > 0 && open.frames[0]!.standing !== frame.standing
    if (changes) open = { frames: [], beginsChain: false } // pre-roll is told apart from what was granted
    if (open.frames.length === 0) chains.push(open)
    open.frames.push(frame)
  }
  const cuts = chains.map(({ frames: chosen, beginsChain }): Cut => {
    const first = chosen[0]!, last = chosen.at(-1)!
    const isLast = last === frames.at(-1)
    const sound = tracks.filter(track => track !== pictures).flatMap(track => {
      const { timescale } = init.tracks.find(known => known.trackId === track.trackId)!
      const videoTicks = (at: number) => at * video.timescale / timescale
      let at = Number(track.decodeTimeTicks)
      const timed = track.samples.map(sample => { const own = { sample, at }; at += sample.durationTicks; return own })
      const chosenSound = timed.filter(own => {
        const when = videoTicks(own.at)
        return (first === frames[0] && !beginsChain ? true : when >= first.ticks) && (isLast ? true : when < last.endTicks) && fence(wallOf(own.at, timescale)) !== 'outside'
      })
      const [begin] = chosenSound
      return begin === undefined ? [] : [{ track, timescale, samples: chosenSound.map(own => own.sample), decodeTimeTicks: begin.at }]
    })
    return {
      startAt: wallOf(first.ticks), endAt: wallOf(last.endTicks), lastAt: wallOf(last.ticks), isPreRoll: first.standing === 'pre-roll', beginsChain, startsWithKey: first.sample.isKey, decodeTimeTicks: first.ticks, frames: chosen.length,
      durationMs: (last.endTicks - first.ticks) * 1000 / video.timescale,
      tracks: [{ track: pictures, timescale: video.timescale, samples: chosen.map(frame => frame.sample), decodeTimeTicks: first.ticks }, ...sound], media,
    }
  })
  return { cuts, isOpenEnd: open !== null && (open.frames.length > 0 || frames.length === 0) }
}
