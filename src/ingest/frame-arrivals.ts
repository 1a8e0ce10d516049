import type { TrackFragment } from '../media/index.ts'

/** One frame as it came, in decoding order. */
export interface ArrivedFrame {
  /** Since the child was started. Null: one of a session's first frames, of which ffmpeg tells no arrival. */
  readonly arrivedMs: number | null
  /** The camera's own stamp in 90 kHz ticks; null where it gave none. */
  readonly stampTicks: number | null
}

/** `arrivalFilter` doubles stamps, so that an odd one means none, and counts them modulo this. */
const CODE_MODULUS = 2 ** 30
const STAMP_MODULUS = CODE_MODULUS / 2
/** Frames that have begun to arrive when one is let go. */
const HELD_FRAMES = 2
/** Before a presentation time that carries a stamp, so that it is never before the decoding time. */
const LEAD_S = 1

/**
 * The bitstream filter that makes ffmpeg tell two clocks for each frame: its decoding time becomes the time
 * of its arrival, counted from `startedAtMs`, and its presentation time carries the camera's stamp modulo
 * 2^30. The parser lets a frame go when the next one begins to arrive, and the filter when another comes
 * after it (measured, ffmpeg 5.1): that instant, kept, is the arrival of the next but one. The first frame's
 * decoding time is 0, so that times in the file count from there.
 */
export function arrivalFilter(startedAtMs: number): string {
  const ticksNow = `2*floor((time(0)-${(startedAtMs / 1000).toFixed(3)})/TB/2)`
  const decoding =
    `st(2,ld(1));st(1,ld(0));st(0,${ticksNow});if(gte(N,${HELD_FRAMES}),max(ld(2),PREV_OUTDTS+2),2*N)`
  const base = `st(0,${ticksNow}+2*floor(${LEAD_S}/TB/2))`
  const showing = `${base};ld(0)+mod(if(eq(PTS,NOPTS),1,2*PTS)-ld(0),${CODE_MODULUS})`
  return `setts=dts=${decoding.replaceAll(',', '\\,')}:pts=${showing.replaceAll(',', '\\,')}`
}

/** Reads both clocks back out of fragments, in order, and unwraps the camera's. */
export class FrameArrivals {
  readonly #timescale: number
  #frames = 0
  #lastCode: number | null = null
  #unwrapped = 0

  constructor(timescale: number) { this.#timescale = timescale }

  /** The frames of the next fragment. */
  read(track: TrackFragment): ArrivedFrame[] {
    let ticks = Number(track.decodeTimeTicks)
    return track.samples.map(({ durationTicks, compositionOffsetTicks }) => {
      const arrivedMs = this.#frames++ < HELD_FRAMES ? null : ticks * 1000 / this.#timescale
      const frame = { arrivedMs, stampTicks: this.#stampOf(ticks + compositionOffsetTicks) }
      ticks += durationTicks
      return frame
    })
  }

  #stampOf(code: number): number | null {
    if (code % 2 !== 0) return null
    const wrapped = ((code % CODE_MODULUS) + CODE_MODULUS) % CODE_MODULUS / 2
    const stepped = this.#lastCode === null
      ? 0 : (wrapped - this.#lastCode + STAMP_MODULUS * 1.5) % STAMP_MODULUS - STAMP_MODULUS / 2
    this.#lastCode = wrapped
    this.#unwrapped += stepped
    return Math.round(this.#unwrapped * 90_000 / this.#timescale)
  }
}
