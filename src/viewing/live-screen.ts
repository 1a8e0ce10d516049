import { actorOf } from '../access/index.ts'
import type { CameraUuid, EpochMs, MonoMs, StreamName } from '../domain/index.ts'
import type { Piece } from './camera-reader.ts'
import { mimeOf } from './codec-string.ts'
import { ViewingRefusedError } from './errors.ts'
import type { LiveFeed } from './live-feed.ts'
import { Screen, type CloseReason, type ScreenCore, type ScreenFacts } from './screen.ts'
import type { ViewerLine } from './viewer-line.ts'
import { WIRE_VERSION, type ClientMessage, type ServerMessage } from './wire.ts'

/** A live viewer without room for so long is let go; until then it misses pictures up to a key frame, never the recording [G9]. */
const SLOW_LIVE_MS = 5_000

export interface LiveCamera { readonly uuid: CameraUuid, readonly name: string, readonly streams: readonly { readonly name: StreamName, readonly feed: LiveFeed }[] }

/** What is being recorded this moment, as the recorder gets it; nothing older can be asked for. */
export class LiveScreen extends Screen {
  readonly #cameras: readonly LiveCamera[]
  readonly #endsAt: { readonly wall: EpochMs, readonly mono: MonoMs } | null
  readonly #subject: string
  readonly #stillMayWatch: () => boolean

  /** `stillMayWatch`: what else must last, e.g. the second person's login. */
  constructor(core: ScreenCore, facts: ScreenFacts, { cameras, endsAt, subject, stillMayWatch = () => true }: { readonly cameras: readonly LiveCamera[], readonly endsAt: { readonly wall: EpochMs, readonly mono: MonoMs } | null, readonly subject: string, readonly stillMayWatch?: () => boolean }) {
    super(core, facts)
    this.#cameras = cameras
    this.#endsAt = endsAt
    this.#subject = subject
    this.#stillMayWatch = stillMayWatch
  }

  protected override reasonToClose(): CloseReason | null {
    if (this.#endsAt !== null && this.core.clock.monoNow() >= this.#endsAt.mono) return 'time-over'
    return this.#stillMayWatch() ? null : 'signed-out'
  }

  protected override welcome(): ServerMessage {
    const now = this.core.clock.wallNow()
    return {
      type: 'opened', version: WIRE_VERSION, kind: this.kind, subject: this.#subject, viewer: actorOf(this.acting).name, now, originAt: now, endsAt: this.#endsAt?.wall ?? null,
      cameras: this.#cameras.map(({ name }, index) => ({ index, name, ranges: [] })),
    }
  }

  protected override begin(line: ViewerLine, { plays }: ClientMessage & { type: 'hello' }, signal: AbortSignal): void {
    for (const [index, camera] of this.#cameras.entries()) this.#show(line, index, camera, plays, signal)
  }

  /** `main` as long as the player can play it; the first picture tells. */
  #show(line: ViewerLine, index: number, camera: LiveCamera, plays: readonly string[], signal: AbortSignal, choice = 0): void {
    const stream = camera.streams[choice]
    if (stream === undefined) {
      line.tell({ type: 'refused', code: 'codec-unsupported', message: `此瀏覽器無法播放「${camera.name}」的編碼，且沒有可用的次要串流。請系統管理人員為此鏡頭加錄 H.264 次要串流。/ This browser cannot play the codec of ${camera.name}, and no second stream helps. Have a second stream in H.264 recorded.`, ref: null, camera: index })
      this.#waitForOther(line, index, camera, plays, signal)
      return
    }
    let moov: Buffer | null = null, waitsForKey = true, withoutRoomSince: MonoMs | null = null
    const stop = stream.feed.watch(piece => {
      if (this.closed !== null || signal.aborted || this.isLocked) { waitsForKey = true; return }
      if (!plays.includes(piece.init.video.codec)) {
        end()
        this.#show(line, index, camera, plays, signal, choice + 1)
        return
      }
      if (!line.hasRoom) {
        const now = this.core.clock.monoNow()
        withoutRoomSince ??= now
        waitsForKey = true
        if (now - withoutRoomSince > SLOW_LIVE_MS) this.close('slow-viewer')
        return
      }
      withoutRoomSince = null
      if (waitsForKey && !piece.startsWithKey) return
      waitsForKey = false
      if (moov === null || !moov.equals(piece.init.moov)) this.#track(line, index, stream.name, piece)
      moov = piece.init.moov
      line.show({ ...headOf(index, piece), kind: 'media', frames: piece.frames, beginsChain: piece.beginsChain, bytes: piece.bytes })
    })
    const end = () => { stop(); signal.removeEventListener('abort', end) }
    signal.addEventListener('abort', end, { once: true })
  }

  /** A camera that is set to another codec shows again without anybody opening anything. */
  #waitForOther(line: ViewerLine, index: number, camera: LiveCamera, plays: readonly string[], signal: AbortSignal): void {
    const stop = camera.streams[0]?.feed.watch(piece => {
      if (!plays.includes(piece.init.video.codec)) return
      end()
      this.#show(line, index, camera, plays, signal)
    })
    const end = () => { stop?.(); signal.removeEventListener('abort', end) }
    signal.addEventListener('abort', end, { once: true })
  }

  #track(line: ViewerLine, index: number, stream: string, piece: Piece): void {
    const { init } = piece
    line.tell({ type: 'track', camera: index, epoch: 1, mime: mimeOf(init), widthPx: init.video.widthPx, heightPx: init.video.heightPx, stream, isTranscoded: false })
    line.show({ ...headOf(index, piece), kind: 'init', frames: 0, beginsChain: true, bytes: Buffer.concat([init.ftyp, init.moov]) })
  }

  protected override take(message: Exclude<ClientMessage, { type: 'hello' | 'close' | 'act' }>): void {
    if (message.type === 'seek' || message.type === 'still') throw new ViewingRefusedError('即時畫面不能回看。', 'live view shows nothing older')
  }
  protected override lockChanged(): void { /* the next piece looks */ }
}

const headOf = (camera: number, { startAt, mediaMs, durationMs }: Piece) => ({ camera, epoch: 1, at: startAt, mediaMs, durationMs, isPreRoll: false, isTranscoded: false })
