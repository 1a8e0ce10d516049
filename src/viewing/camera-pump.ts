import { GAP_CAUSE_TEXTS, type EpochMs, type StreamName } from '../domain/index.ts'
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
  /** Where the last of what was granted ends. */
  readonly endsAt: EpochMs
  /** One transcode at a time on the machine; null while another has it. */
  readonly takeTranscode: () => Disposable | null
  readonly onSlow: () => void
  readonly onError: (error: unknown) => void
}

/** One run from one place. */
interface Playing { readonly stream: StreamName, readonly epoch: number, readonly isOver: () => boolean, readonly signal: AbortSignal }

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
    while (!signal.aborted) {
      const target = this.#target
      try { await this.#play(target, signal) }
      catch (error) { if (!signal.aborted) this.#options.onError(error) } // another place may be sound
      finally { await this.#endTranscode() }
      while (!signal.aborted && this.#target === target) await this.#rest(signal)
    }
  }

  async #play(target: { at: EpochMs, epoch: number }, signal: AbortSignal): Promise<void> {
    this.#toldBusy = false
    const { reader, stream } = await this.#options.open(target.at)
    await using _ = reader
    const playing: Playing = { stream, epoch: target.epoch, isOver: () => signal.aborted || this.#target !== target, signal }
    while (!playing.isOver()) {
      const told = await reader.next()
      if (told === null) break
      if (!await this.#due(told, reader, playing)) return
      await this.#pass(told, playing)
    }
    await this.#finishTranscode(playing)
    if (!playing.isOver()) this.#options.line.tell({ type: 'end', camera: this.#options.index, epoch: target.epoch })
  }

  /** Waits until the player comes near enough to it. What the transcoder makes meanwhile does not wait: the player may stand still for want of it. */
  async #due(told: Told, reader: CameraReader, playing: Playing): Promise<boolean> {
    const at = told.kind === 'gap' ? told.from : told.startAt
    for (;;) {
      await this.#drain(playing, 'ready')
      if (playing.isOver()) return false
      const playhead = this.#options.playhead()
      if (playhead !== null && at <= playhead + AHEAD_MS) return true
      if (await this.#rest(playing.signal) === 'long') await reader.release()
    }
  }

  async #rest(signal: AbortSignal): Promise<'woken' | 'long'> {
    const woken = Promise.withResolvers<'woken'>()
    this.#wake = () => { woken.resolve('woken') }
    const over = new AbortController()
    const both = AbortSignal.any([signal, over.signal])
    const transcoder = this.#transcoder?.it
    if (transcoder?.hasEnded === false) void transcoder.more(both).then(() => { woken.resolve('woken') })
    const result = await Promise.race([woken.promise, this.#options.clock.wait(RELEASE_MS, both).then(() => 'long' as const)])
    over.abort()
    return result
  }

  async #pass(told: Told, playing: Playing): Promise<void> {
    const { line, index, plays, endsAt } = this.#options, { epoch } = playing
    if (told.kind === 'gap') { line.tell({ type: 'gap', camera: index, epoch, from: told.from, to: told.to, why: told.why, cause: told.cause === null ? null : GAP_CAUSE_TEXTS[told.cause] }); return }
    if (plays.includes(told.init.video.codec)) {
      await this.#finishTranscode(playing) // what came before goes first
      await this.#send(told, playing, false)
      return
    }
    if (this.#transcoder?.it.fits(told.init) === false) await this.#finishTranscode(playing)
    if (this.#transcoder === null && !await this.#beginTranscode(told)) {
      if (!this.#toldBusy && told.startsWithKey) line.tell({ type: 'gap', camera: index, epoch, from: told.startAt, to: endsAt, why: 'transcode-busy', cause: null })
      this.#toldBusy ||= told.startsWithKey
      return
    }
    await this.#transcoder!.it.write(told, playing.signal)
    await this.#drain(playing, 'ready')
  }

  /** What has come out of the transcoder, or all that will. */
  async #drain(playing: Playing, what: 'ready' | 'all'): Promise<void> {
    const transcoder = this.#transcoder?.it
    while (transcoder !== undefined) {
      for (const piece of transcoder.take()) {
        if (playing.isOver()) return
        await this.#send(piece, playing, true)
      }
      if (what === 'ready' || transcoder.hasEnded || playing.isOver()) return
      await transcoder.more(playing.signal)
    }
  }

  /** Only a key frame begins one. False: not here, or another camera has the turn. */
  async #beginTranscode({ init, startsWithKey }: Piece): Promise<boolean> {
    const turn = startsWithKey ? this.#options.takeTranscode() : null
    if (turn === null) return false
    try { this.#transcoder = { turn, it: await Transcoder.start(init) } } catch (error) {
      turn[Symbol.dispose]()
      throw error
    }
    this.#toldBusy = false
    return true
  }

  async #finishTranscode(playing: Playing): Promise<void> {
    if (this.#transcoder === null) return
    this.#transcoder.it.finish()
    await this.#drain(playing, 'all')
    await this.#endTranscode()
  }

  async #endTranscode(): Promise<void> {
    const transcoder = this.#transcoder
    this.#transcoder = null
    if (transcoder === null) return
    await transcoder.it[Symbol.asyncDispose]()
    transcoder.turn[Symbol.dispose]()
  }

  async #send(piece: Piece, { stream, epoch, isOver, signal }: Playing, isTranscoded: boolean): Promise<void> {
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
