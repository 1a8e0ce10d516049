import {
  cameraId, epochMs, RECORDING_MODES, RetryableError, streamName, type CustosError, type EpochMs, type RecordingMode, type RunEndReason,
} from '../../src/domain/index.ts'
import type { StreamReport } from '../../src/ingest/index.ts'
import type { StreamLane } from '../../src/storage/index.ts'
import type { Dice } from './dice.ts'
import { initOf, madeFragment } from './fragment-maker.ts'
import type { ProcessClock } from './process-clock.ts'
import type { Piece, SentBy, Session, SimStream } from './sim-camera.ts'
import type { SentFragment } from './oracle/sent-footage.ts'

export interface StreamDriverOptions {
  readonly stream: SimStream
  readonly lane: StreamLane
  readonly mode: RecordingMode
  readonly clock: ProcessClock
  readonly trueNow: () => number
  readonly wallOffsetMs: () => number
  readonly sentBy: () => SentBy
  readonly dice: Dice
  readonly onStored: (fragment: SentFragment) => void
  readonly note: (line: string) => void
}

interface Run { readonly anchorMs: number, readonly mediaFrom: number, readonly width: number, id: number | null, endAt: EpochMs, stored: number }

const DELAYS_MS = [100, 250, 500, 1000, 2000, 4000, 8000, 15_000]
/** A wall clock that moved by more ends the run, as ingest does it. */
const STEP_MS = 500
const CONNECT_MS = { least: 60, most: 400 }
/** Of its full rate, what a stream takes in a mode. */
const RATE_OF_MODE: Readonly<Record<RecordingMode, number>> = { full: 1, lower: 0.25, 'key-frames': 0.2, stopped: 0 }

/**
 * What ingest does for one stream, without ffmpeg: connects, hands each piece to the lane with its times,
 * and tells how each run ended.
 */
export class StreamDriver {
  readonly #options: StreamDriverOptions
  #mode: RecordingMode
  #session: Session | null = null
  #stopReason: RunEndReason | null = null
  #modeChanged = Promise.withResolvers<void>()
  #recordingSince: EpochMs | null = null

  constructor(options: StreamDriverOptions) {
    this.#options = options
    this.#mode = options.mode
    options.stream.modeRate = RATE_OF_MODE[this.#mode] || 1
  }

  /** Never ends before `stop`. Rejects with what no supervisor would survive. */
  async run(): Promise<void> {
    const { lane, clock, dice, note, stream } = this.#options
    lane.noteStarting()
    void lane.recover().catch((error: unknown) => { note(`${stream.key} recovery failed: ${textOf(error)}`) })
    await clock.wait(dice.between(0, 300))
    for (let failures = 0; this.#stopReason === null;) {
      if (this.#mode === 'stopped') { await this.#standStill(); continue }
      const mode = this.#mode
      const stored = await this.#runOnce()
      failures = stored > 0 || mode !== this.#mode ? 0 : failures + 1
      if (this.#stopReason === null) await clock.wait(DELAYS_MS[Math.min(failures, DELAYS_MS.length - 1)]! * dice.between(0.8, 1.2))
    }
  }

  stop(reason: RunEndReason): void {
    this.#stopReason ??= reason
    this.#session?.close(reason)
    this.#modeChanged.resolve()
  }

  /** More or less of the stream from now on: the run under way ends with that reason. */
  setMode(mode: RecordingMode): void {
    if (mode === this.#mode) return
    const isLess = RECORDING_MODES.indexOf(mode) > RECORDING_MODES.indexOf(this.#mode)
    this.#options.note(`${this.#options.stream.key} goes from ${this.#mode} to ${mode}`)
    this.#mode = mode
    this.#options.stream.modeRate = RATE_OF_MODE[mode] || 1
    this.#session?.close(mode === 'stopped' ? 'stopped-for-floor' : isLess ? 'stepped-down' : 'stepped-up')
    this.#modeChanged.resolve()
    this.#modeChanged = Promise.withResolvers()
  }

  async #standStill(): Promise<void> {
    this.#options.lane.noteNoFootage('stopped-for-floor')
    await this.#modeChanged.promise
  }

  report(): StreamReport {
    const { stream, clock } = this.#options
    return {
      cameraId: cameraId(stream.facts.camera), stream: streamName(stream.facts.stream), mode: this.#mode, state: this.#recordingSince === null ? 'waiting' : 'recording',
      stateSince: this.#recordingSince ?? clock.wallNow(), lastFrameAt: null, lastFrameAgeMs: null, supervisorTickAgeMs: 0,
      bitrateBps: this.#recordingSince === null ? 0 : stream.bps, fps: 15, restarts: 0, lastEndReason: null,
      cameraClockOffsetMs: null, channel: null, stampRate: 1, isSoundMissing: false, pictureWaitMs: 0,
    }
  }

  /** How many pieces of the run were stored. */
  async #runOnce(): Promise<number> {
    const { stream, lane, clock, dice, trueNow, sentBy, note } = this.#options
    await clock.wait(dice.between(CONNECT_MS.least, CONNECT_MS.most))
    if (!stream.isReachable) {
      lane.noteNoFootage('unreachable')
      return 0
    }
    const session = this.#session = stream.connect(trueNow(), sentBy())
    if (this.#stopReason !== null) session.close(this.#stopReason)
    let run: Run | null = null
    let reason: RunEndReason | null = null
    for (let piece = await session.next(); piece !== null; piece = await session.next()) {
      if (reason !== null) continue
      try {
        run ??= this.#newRun(piece)
        reason = await this.#store(run, piece)
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        note(`${stream.key} ${piece.sent.name} refused: ${textOf(error)}`)
        reason = reasonOf(error)
      }
      if (reason !== null) session.close(reason)
    }
    reason ??= session.endReason ?? 'closed-by-camera'
    this.#recordingSince = null
    stream.isRefused = reason === 'storage-full' || reason === 'slot-budget'
    stream.isRingFull = reason === 'storage-full'
    if (run === null) lane.noteNoFootage(reason)
    else lane.endRun(reason, run.endAt)
    note(`${stream.key} run ended: ${reason}`)
    return run?.stored ?? 0
  }

  #newRun({ sent, width }: Piece): Run {
    const anchorMs = this.#options.wallOffsetMs()
    return { anchorMs, mediaFrom: sent.startAt, width, id: null, endAt: epochMs(sent.startAt + anchorMs), stored: 0 }
  }

  /** Why the run must end with this piece, which is then not stored. */
  async #store(run: Run, { sent, dataBytes, width }: Piece): Promise<RunEndReason | null> {
    const { lane, wallOffsetMs, stream, clock, onStored } = this.#options
    if (width !== run.width) return 'parameter-sets-changed'
    if (Math.abs(wallOffsetMs() - run.anchorMs) > STEP_MS) return 'clock-stepped'
    const init = initOf(width)
    const startAt = epochMs(sent.startAt + run.anchorMs)
    run.id ??= await lane.beginRun(init, startAt)
    if (startAt - run.endAt > 1_500) lane.noteHole(run.endAt, startAt, 'no-frames')
    const durationMs = sent.endAt - sent.startAt
    await lane.append(madeFragment({ init, name: sent.name, dataBytes, durationMs, mediaMs: sent.startAt - run.mediaFrom, runId: run.id, startAt }))
    run.endAt = epochMs(startAt + durationMs)
    run.stored++
    stream.isRefused = stream.isRingFull = false
    this.#recordingSince ??= clock.wallNow()
    onStored(sent)
    return null
  }
}

function reasonOf(error: CustosError): RunEndReason {
  return error.code === 'CUSTOS_RING_FULL' ? 'storage-full' : error.code === 'CUSTOS_SLOT_BUDGET' ? 'slot-budget' : 'storage-failed'
}
export const textOf = (error: unknown): string => error instanceof Error ? `${(error as { code?: string }).code ?? error.name} ${error.message}` : String(error)
/** With the places in the program that it came through. */
export const tracedText = (error: unknown): string => {
  const places = [...((error as Error | null)?.stack ?? '').matchAll(/at (?:async )?(?:(\S+) )?.*\/src\/(\S+?):\d+\)?$/gm)].slice(0, 4)
  return `${textOf(error)} [${places.map(match => `${match[1] ?? ''} ${match[2]}`).join(' < ')}]`
}
