import type { EpochMs, StreamName } from '../domain/index.ts'
import type { InitSegment } from '../media/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { CameraReader, Piece, Told } from './camera-reader.ts'
import { mimeOf } from './codec-string.ts'
import { Transcoder } from './transcoder.ts'
import type { ViewerLine } from './viewer-line.ts'

/** Pieces go this far ahead of the playhead: a player at 16 times the speed tells its playhead twice a second. */
export const AHEAD_MS = 20_000
/** A pump that has nothing to do for so long gives its slot free. */
const RELEASE_MS = 10_000

export interface PumpOptions {
  readonly index: number
  readonly clock: Clock
  readonly line: ViewerLine
  readonly plays: readonly ('h264' | 'h265')[]
  /** Where this camera's footage from `at` on comes from, and of which stream. */
  readonly open: (at: EpochMs) => Promise<{ readonly reader: CameraReader, readonly stream: StreamName }>
  /** The playhead; null while nothing may be sent. */
  readonly playhead: () => EpochMs | null
  /** Asked once more right before sending: it may have been long since the piece was read. */
  readonly mayLeave: (at: EpochMs) => boolean
  /** One transcode at a time on the machine; null while another has it. */
  readonly takeTranscode: () => Disposable | null
  readonly onSlow: () => void
  readonly onError: (error: unknown) => void
}

/** Sends one camera's pieces to one player, from wherever it was last told to, no further ahead than the player asks. */
export class CameraPump {
  readonly #options: PumpOptions
  #target: { readonly at: EpochMs, readonly epoch: number }
  #wake: () => void = () => undefined
  #init: InitSegment | null = null
  #sentEpoch = -1
  #transcoder: { readonly it: Transcoder, readonly turn: Disposable } | null = null
  #toldBusy = false

  constructor(options: PumpOptions, at: EpochMs, epoch: number) {
    this.#options = options
    this.#target = { at, epoch }
  }

  seek(at: EpochMs, epoch: number): void {
    this.#target = { at, epoch }
    this.#wake()
  }
  /** The playhead moved, or the lock changed. */
  nudge(): void { this.#wake() }

  /** Until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const target = this.#target
        await this.#play(target, signal)
        while (!signal.aborted && this.#target === target) await this.#rest(signal)
      }
    } catch (error) { if (!signal.aborted) this.#options.onError(error) }
    finally { await this.#endTranscode() }
  }

  async #play(target: { at: EpochMs, epoch: number }, signal: AbortSignal): Promise<void> {
    const isOver = () => signal.aborted || this.#target !== target
    await this.#endTranscode()
    this.#toldBusy = false
    const { reader, stream } = await this.#options.open(target.at)
    await using _ = reader
    while (!isOver()) {
      const told = await reader.next()
      if (told === null) break
      if (!await this.#due(told, reader, isOver, signal)) return
      await this.#pass(told, stream, target.epoch, isOver, signal)
    }
    if (this.#transcoder !== null) {
      this.#transcoder.it.finish()
      await this.#drain(stream, target.epoch, isOver, signal)
    }
    if (!isOver()) this.#options.line.tell({ type: 'end', camera: this.#options.index, epoch: target.epoch })
  }

  /** Waits until the player comes near enough to it. */
  async #due(told: Told, reader: CameraReader, isOver: () => boolean, signal: AbortSignal): Promise<boolean> {
    const at = told.kind === 'gap' ? told.from : told.startAt
    for (;;) {
      if (isOver()) return false
      const playhead = this.#options.playhead()
      if (playhead !== null && at <= playhead + AHEAD_MS) return true
      if (await this.#rest(signal) === 'long') await reader.release()
    }
  }

  async #rest(signal: AbortSignal): Promise<'woken' | 'long'> {
    const woken = Promise.withResolvers<'woken'>()
    this.#wake = () => { woken.resolve('woken') }
    const over = new AbortController()
    const both = AbortSignal.any([signal, over.signal])
    const result = await Promise.race([woken.promise, this.#options.clock.wait(RELEASE_MS, both).then(() => 'long' as const)])
    over.abort()
    return result
  }

  async #pass(told: Told, stream: StreamName, epoch: number, isOver: () => boolean, signal: AbortSignal): Promise<void> {
    const { line, index, plays } = this.#options
    if (told.kind === 'gap') { line.tell({ type: 'gap', camera: index, epoch, from: told.from, to: told.to, why: told.why }); return }
    if (plays.includes(told.init.video.codec)) { await this.#send(told, stream, epoch, false, isOver, signal); return }
    if (!await this.#readyToTranscode(told.init)) {
      if (!this.#toldBusy) line.tell({ type: 'gap', camera: index, epoch, from: told.startAt, to: told.endAt, why: 'transcode-busy' })
      this.#toldBusy = true
      return
    }
    await this.#transcoder!.it.write(told, signal)
    await this.#drain(stream, epoch, isOver, signal, 'ready')
  }

  async #drain(stream: StreamName, epoch: number, isOver: () => boolean, signal: AbortSignal, what: 'ready' | 'all' = 'all'): Promise<void> {
    const transcoder = this.#transcoder!.it
    for (;;) {
      for (const piece of transcoder.take()) {
        if (isOver()) return
        await this.#send(piece, stream, epoch, true, isOver, signal)
      }
      if (what === 'ready' || transcoder.hasEnded || isOver()) return
      await transcoder.more(signal)
    }
  }

  async #readyToTranscode(init: InitSegment): Promise<boolean> {
    if (this.#transcoder !== null && !this.#transcoder.it.fits(init)) await this.#endTranscode()
    if (this.#transcoder !== null) return true
    const turn = this.#options.takeTranscode()
    if (turn === null) return false
    this.#transcoder = { turn, it: await Transcoder.start(init) }
    return true
  }

  async #endTranscode(): Promise<void> {
    const transcoder = this.#transcoder
    this.#transcoder = null
    if (transcoder === null) return
    await transcoder.it[Symbol.asyncDispose]()
    transcoder.turn[Symbol.dispose]()
  }

  async #send(piece: Piece, stream: StreamName, epoch: number, isTranscoded: boolean, isOver: () => boolean, signal: AbortSignal): Promise<void> {
    const { line, index, mayLeave, onSlow } = this.#options
    const room = await line.room(signal)
    if (room === 'slow') onSlow()
    if (room !== 'room' || isOver()) return
    if (!mayLeave(piece.startAt) || !mayLeave(piece.lastAt)) return
    const { init } = piece
    const isNew = this.#sentEpoch !== epoch || this.#init === null || !this.#init.moov.equals(init.moov)
    const head = { camera: index, epoch, at: piece.startAt, mediaMs: piece.mediaMs, durationMs: piece.durationMs, isPreRoll: piece.isPreRoll, isTranscoded }
    if (isNew) {
      line.tell({ type: 'track', camera: index, epoch, mime: mimeOf(init), widthPx: init.video.widthPx, heightPx: init.video.heightPx, stream, isTranscoded })
      line.show({ ...head, kind: 'init', frames: 0, beginsChain: true, bytes: Buffer.concat([init.ftyp, init.moov]) })
      this.#init = init
      this.#sentEpoch = epoch
    }
    line.show({ ...head, kind: 'media', frames: piece.frames, beginsChain: piece.beginsChain, bytes: piece.bytes })
  }
}
