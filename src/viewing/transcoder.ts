import { PassThrough } from 'node:stream'
import { epochMs, type EpochMs } from '../domain/index.ts'
import { FragmentParser, MalformedMediaError, patchDecodeTime, type Fragment, type InitSegment } from '../media/index.ts'
import { startFfmpeg } from '../platform/ffmpeg.ts'
import type { Piece } from './camera-reader.ts'

const MOST_FRAGMENT_BYTES = 16 << 20
/** H.264 that every browser plays, frame for frame, on one thread. */
const OUTPUT = [
  ['-map', '0:v:0'], ['-an'], ['-c:v', 'libx264'], ['-preset', 'ultrafast'], ['-tune', 'zerolatency'], ['-crf', '26'], ['-pix_fmt', 'yuv420p'], ['-bf', '0'], ['-g', '30'], ['-threads', '1'], ['-x264-params', 'threads=1:sliced-threads=0'],
  ['-fps_mode', 'passthrough'], ['-enc_time_base', '-1'], ['-copyts'], ['-muxdelay', '0'], ['-movflags', '+frag_keyframe+empty_moov+default_base_moof+frag_discont'], ['-frag_duration', '500000'], ['-flush_packets', '1'],
] as const satisfies readonly (readonly [string, string] | readonly [string])[]

export interface Transcoded extends Piece { readonly isTranscoded: true }

/**
 * Pieces of H.265 into H.264, one ffmpeg of the lowest priority fed by a pipe. Media times stay what they are, so frames stay in step with other cameras.
 * What comes out is the picture that went in and nothing else; it never enters a copy.
 */
export class Transcoder implements AsyncDisposable {
  readonly #input = new PassThrough({ highWaterMark: 1 << 20 })
  readonly #kill = new AbortController()
  readonly #parser = new FragmentParser({ headRoomBytes: 0, tailRoomBytes: 0, maxFragmentBytes: MOST_FRAGMENT_BYTES })
  readonly #ready: Transcoded[] = []
  readonly #times: Pick<Piece, 'mediaMs' | 'startAt' | 'durationMs' | 'isPreRoll'>[] = []
  #init: InitSegment | null = null
  #shiftTicks: number | null = null
  readonly #source: InitSegment
  #exit: Promise<unknown> = Promise.resolve()
  #hasEnded = false
  #wake: () => void = () => undefined

  private constructor(source: InitSegment) { this.#source = source }

  static async start(source: InitSegment): Promise<Transcoder> {
    const transcoder = new Transcoder(source)
    transcoder.#input.on('error', () => undefined) // a child that ended early; `ended` tells
    transcoder.#input.write(Buffer.concat([source.ftyp, source.moov]))
    const child = await startFfmpeg({
      inputFormat: 'mp4', inputOptions: [['-threads', '1'], ['-probesize', '32'], ['-analyzeduration', '0']], inputText: transcoder.#input, niceness: 19, outputFormat: 'mp4', outputOptions: OUTPUT,
      onBytes: bytes => { transcoder.#take(bytes); return 'whole' },
    }, { stop: new AbortController().signal, kill: transcoder.#kill.signal })
    transcoder.#exit = child.exit.then(() => { transcoder.#hasEnded = true; transcoder.#wake() })
    return transcoder
  }

  /** Whether pieces of this init segment may follow. */
  fits(init: InitSegment): boolean { return !this.#hasEnded && init.moov.equals(this.#source.moov) }
  get hasEnded(): boolean { return this.#hasEnded }

  /** Waits while the child has enough to do. */
  async write(piece: Piece, signal: AbortSignal): Promise<void> {
    this.#times.push(piece)
    if (this.#input.write(piece.bytes) || this.#hasEnded) return
    await new Promise<void>(resolve => {
      const done = () => { this.#input.off('drain', done); signal.removeEventListener('abort', done); resolve() }
      this.#input.once('drain', done)
      signal.addEventListener('abort', done, { once: true })
      void this.#exit.finally(() => { done() })
    })
  }

  /** What has come out so far, oldest first. */
  take(): Transcoded[] { return this.#ready.splice(0) }
  /** Resolves when something came out, or the child ended. */
  async more(signal: AbortSignal): Promise<void> {
    if (this.#ready.length > 0 || this.#hasEnded || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = this.#wake = () => { resolve() }
    signal.addEventListener('abort', wake, { once: true })
    await promise
    signal.removeEventListener('abort', wake)
  }
  /** No more goes in; what the child still holds comes out until `hasEnded`. */
  finish(): void { this.#input.end() }

  #take(bytes: Buffer): void {
    try {
      for (const parsed of this.#parser.push(bytes)) {
        if (parsed.kind === 'init') this.#init = parsed.init
        else this.#tell(parsed.fragment)
      }
    } catch (error) {
      if (!(error instanceof MalformedMediaError)) throw error
      this.#kill.abort()
    }
  }

  #tell({ buffer, moofAt, endAt, tracks: [track] }: Fragment): void {
    const init = this.#init
    if (init === null || track === undefined) return
    const ms = (ticks: number) => ticks * 1000 / init.video.timescale
    // The muxer counts from its first frame; ours counts from the session's origin.
    this.#shiftTicks ??= Math.round((this.#times[0]?.mediaMs ?? 0) * init.video.timescale / 1000) - Number(track.decodeTimeTicks)
    const ticks = Number(track.decodeTimeTicks) + this.#shiftTicks
    patchDecodeTime(buffer, moofAt, track, BigInt(Math.max(0, ticks)))
    const mediaMs = ms(ticks), durationMs = ms(track.durationTicks)
    while (this.#times.length > 1 && (this.#times[1]?.mediaMs ?? Infinity) <= mediaMs + 1) this.#times.shift()
    const source = this.#times[0]
    const startAt: EpochMs = epochMs((source?.startAt ?? 0) + mediaMs - (source?.mediaMs ?? 0))
    this.#ready.push({
      kind: 'piece', isTranscoded: true, init, startAt, endAt: epochMs(startAt + durationMs), lastAt: startAt, isPreRoll: source?.isPreRoll ?? false, beginsChain: track.samples[0]?.isKey === true, startsWithKey: track.samples[0]?.isKey === true, frames: track.samples.length, durationMs, mediaMs,
      bytes: Buffer.from(buffer.subarray(moofAt, endAt)),
    })
    this.#wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill.abort()
    this.#input.destroy()
    await this.#exit
  }
}
