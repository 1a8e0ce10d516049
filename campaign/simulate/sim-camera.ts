import type { RunEndReason } from '../../src/domain/index.ts'
import type { SentFragment } from './oracle/sent-footage.ts'

/** A piece on its way to the recorder. */
export interface Piece { readonly sent: SentFragment, readonly dataBytes: number, readonly width: number }

/** One RTSP session: what the camera sends from the moment of connecting on. */
export class Session {
  readonly connectedAt: number
  #pieces: { piece: Piece, at: number }[] = []
  #wake: (() => void) | null = null
  #end: RunEndReason | null = null

  constructor(connectedAt: number) { this.connectedAt = connectedAt }

  get endReason(): RunEndReason | null { return this.#end }
  /** How long the oldest piece has waited for the recorder. */
  waitedMs(now: number): number { return this.#pieces.length === 0 ? 0 : now - this.#pieces[0]!.at }

  push(piece: Piece, at: number): void {
    if (this.#end !== null) return
    this.#pieces.push({ piece, at })
    this.#wake?.()
  }
  close(reason: RunEndReason): void {
    this.#end ??= reason
    this.#wake?.()
  }

  /** Null once it is closed and all that came before was taken. */
  async next(): Promise<Piece | null> {
    while (this.#pieces.length === 0) {
      if (this.#end !== null) return null
      await new Promise<void>(resolve => { this.#wake = resolve })
      this.#wake = null
    }
    return this.#pieces.shift()!.piece
  }
}

export interface CameraFacts { readonly camera: string, readonly stream: string, readonly device: number, readonly bytesPerHour: number }
/** What stands when something is sent. `knownSince`: when the recorder first heard of the camera. */
export interface SentBy { readonly wallOffsetMs: number, readonly isWanted: boolean, readonly knownSince: number | null, readonly floorDays: number | null }

const MAX_PIECE_BYTES = 12 * 1024
const MAX_PIECE_MS = 6 * 3_600_000
const LEAST_BYTES = 400
const TOO_SLOW_MS = 15_000

/** A camera's stream: films without a pause, and sends what it films to what is connected. */
export class SimStream {
  readonly facts: CameraFacts
  readonly key: string
  readonly configuredAt: number
  #lastEndAt: number
  #serial = 0
  #session: Session | null = null
  isReachable = true
  reachableSince = 0
  /** The ring, or the budget of slots, refused its last run. */
  isRefused = false
  /** Its last run ended because no slot was free. */
  isRingFull = false
  /** How many times its usual rate it takes now. */
  rate = 1
  /** How much of it the recorder asks for. */
  modeRate = 1
  /** Of its pictures; another one means other parameter sets. */
  width = 64
  readonly #send: (fragment: SentFragment) => void

  constructor(facts: CameraFacts, now: number, send: (fragment: SentFragment) => void) {
    this.facts = facts
    this.key = `${facts.camera}/${facts.stream}`
    this.configuredAt = now
    this.#lastEndAt = now
    this.#send = send
  }

  get isConnected(): boolean { return this.#session !== null && this.#session.endReason === null }
  /** Since when it is connected to what it is connected to now; null when to nothing. */
  get connectedAt(): number | null { return this.isConnected ? this.#session!.connectedAt : null }

  /** What it takes on disk, in bits a second. */
  get bps(): number { return this.facts.bytesPerHour * this.rate * this.modeRate * 8 / 3600 }

  connect(now: number, by: SentBy): Session {
    this.#session?.close('closed-by-camera')
    this.film(now, by)
    this.#session = new Session(now)
    return this.#session
  }
  /** The line is cut, or the camera ends it. */
  hangUp(reason: RunEndReason): void { this.#session?.close(reason) }

  /** Everything filmed since the last call, in pieces that fit into a slot. */
  film(now: number, by: SentBy): void {
    const nowMs = Math.floor(now)
    const lengthMs = nowMs - this.#lastEndAt
    if (lengthMs < 20) return
    const bytes = this.facts.bytesPerHour * this.rate * this.modeRate * lengthMs / 3_600_000
    const pieces = Math.ceil(Math.max(bytes / MAX_PIECE_BYTES, lengthMs / MAX_PIECE_MS))
    for (let i = 1; i <= pieces; i++) {
      const startAt = this.#lastEndAt
      const endAt = i === pieces ? nowMs : startAt + Math.floor(lengthMs / pieces)
      this.#lastEndAt = endAt
      const name = `${this.key}#${this.facts.device}.${this.#serial++}`
      const { knownSince, ...rest } = by
      const sent: SentFragment = {
        name, key: this.key, device: this.facts.device, startAt, endAt, sentAt: nowMs, ...rest, isKnownCamera: knownSince !== null && knownSince <= startAt,
        ackedAt: null, copies: 0, away: 0, durable: 0, found: 0, excuse: null,
      }
      this.#send(sent)
      const session = this.#session
      if (session === null || !this.isReachable || session.connectedAt > startAt + 20) continue
      if (session.waitedMs(now) > TOO_SLOW_MS) session.close('storage-too-slow')
      session.push({ sent, dataBytes: Math.max(LEAST_BYTES, Math.round(bytes / pieces)), width: this.width }, now)
    }
  }
}
