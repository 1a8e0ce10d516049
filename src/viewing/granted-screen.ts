import { actorOf } from '../access/index.ts'
import { epochMs, isoOf, streamName, type CameraUuid, type EpochMs, type StreamName, type TimeRange } from '../domain/index.ts'
import { ApplicationError, mayLeave, PRE_ROLL_MOST_MS, type ApplicationNumber, type Grant, type GrantBook } from '../requests/index.ts'
import { ActPacer } from './act-pacer.ts'
import { CameraPump } from './camera-pump.ts'
import { CameraReader, type FootageShelf } from './camera-reader.ts'
import type { FrameFence } from './cut-record.ts'
import { PictureError, ViewingBusyError } from './errors.ts'
import { Screen, type CloseReason, type ScreenCore, type ScreenFacts } from './screen.ts'
import type { StillMaker } from './still-maker.ts'
import type { ViewerLine } from './viewer-line.ts'
import { WIRE_VERSION, type ClientMessage, type ServerMessage } from './wire.ts'

const MAIN = streamName('main'), SUB = streamName('sub')
/** Stills that come closer together than this are one burst, and one entry of the log. */
const BURST_ENDS_MS = 5_000
const MOST_CACHED_STILLS = 64
/** Looked for at once: each holds a slot open. The page asks for four a second [G9]. */
const MOST_STILLS_AT_ONCE = 6

export interface GrantedCamera { readonly uuid: CameraUuid, readonly name: string, readonly ranges: readonly TimeRange[] }
export interface GrantedCore extends ScreenCore {
  readonly grants: Pick<GrantBook, 'open' | 'now'>
  readonly shelf: FootageShelf
  readonly stills: StillMaker
  readonly takeTranscode: () => Disposable | null
}
export interface Still { readonly at: EpochMs, readonly jpeg: Buffer }

/** A viewing on a grant (陪同閱覽): its cameras in step on one timeline, and nothing that the fence does not let out at this moment. */
export class GrantedScreen extends Screen {
  readonly #core: GrantedCore
  readonly #number: ApplicationNumber
  readonly #cameras: readonly GrantedCamera[]
  readonly #grant: Grant
  readonly #visitor: string
  readonly #originAt: EpochMs
  #pumps: readonly CameraPump[] = []
  #line: ViewerLine | null = null
  #playhead: EpochMs
  #epoch = 0
  readonly #seeks: ActPacer<EpochMs>
  readonly #plays: ActPacer<{ readonly isPlaying: boolean, readonly rate: number }>
  #burst: { count: number, cameras: Set<string>, from: EpochMs, to: EpochMs, lastMono: number } | null = null
  readonly #stills = new Map<string, Still>()
  #stillsNow = 0

  constructor(core: GrantedCore, facts: ScreenFacts, { number, grant, cameras, visitor }: { readonly number: ApplicationNumber, readonly grant: Grant, readonly cameras: readonly GrantedCamera[], readonly visitor: string }) {
    super(core, facts)
    this.#core = core
    this.#number = number
    this.#grant = grant
    this.#visitor = visitor
    this.#cameras = cameras
    const firstAt = Math.min(...cameras.flatMap(camera => camera.ranges.map(range => range.startAt)))
    this.#playhead = epochMs(firstAt)
    this.#originAt = epochMs(firstAt - (grant.isPreRollAllowed ? PRE_ROLL_MOST_MS : 0))
    this.#seeks = new ActPacer(core.clock, this.over, (at, skipped) => { this.guarded(() => { this.#seek(at, skipped) }) })
    this.#plays = new ActPacer(core.clock, this.over, ({ isPlaying, rate }, skipped) => {
      this.guarded(() => { this.note(isPlaying ? 'viewing.played' : 'viewing.paused', { at: isoOf(this.#playhead), speedPercent: Math.round(rate * 100), skipped }) })
    })
  }

  protected override welcome(): ServerMessage {
    return {
      type: 'opened', version: WIRE_VERSION, kind: 'granted', subject: this.#number, viewer: `${this.#visitor}／${actorOf(this.acting).name}`, now: this.core.clock.wallNow(), originAt: this.#originAt, endsAt: this.#grant.validUntil,
      cameras: this.#cameras.map(({ name, ranges }, index) => ({ index, name, ranges: ranges.map(({ startAt, endAt }) => ({ from: startAt, to: endAt })) })),
    }
  }

  /** Null also where the record no longer carries its approval: it was altered under an open screen. */
  #openGrant(): Grant | null {
    try { return this.#core.grants.open(this.#number) } catch (error) {
      if (!(error instanceof ApplicationError)) throw error
      this.core.log.error({ err: error, screen: this.id }, 'the grant of an open screen does not hold')
      return null
    }
  }

  /** Asked of the grant as it stands now, which proves its own record again. Anything wrong with it is no. */
  #verdict(camera: CameraUuid, at: EpochMs): ReturnType<FrameFence> {
    const grant = this.#openGrant()
    const verdict = grant === null || this.closed !== null ? null : mayLeave(grant, { camera, at, act: 'view', now: this.#core.grants.now() })
    return verdict?.ok !== true ? 'outside' : verdict.isPreRoll ? 'pre-roll' : 'inside'
  }

  protected override reasonToClose(): CloseReason | null {
    const grant = this.#openGrant()
    if (grant === null || !grant.canView || grant.statement === 'missing') return 'revoked'
    return this.#core.grants.now() < grant.validUntil ? null : 'expired'
  }

  #readerOf(camera: GrantedCamera, stream: StreamName, at: EpochMs): CameraReader {
    return new CameraReader({
      shelf: this.#core.shelf, camera: camera.uuid, stream, ranges: camera.ranges, fence: when => this.#verdict(camera.uuid, when), isPreRollAllowed: this.#grant.isPreRollAllowed, originAt: this.#originAt,
    }, at)
  }

  /** `main` where the player can play it, else `sub` if that was recorded and can be, else `main` to be transcoded. */
  async #open(camera: GrantedCamera, at: EpochMs, plays: readonly ('h264' | 'h265')[]): Promise<{ reader: CameraReader, stream: StreamName }> {
    if (!await this.#isPlayable(camera, MAIN, at, plays) && await this.#isPlayable(camera, SUB, at, plays)) return { reader: this.#readerOf(camera, SUB, at), stream: SUB }
    return { reader: this.#readerOf(camera, MAIN, at), stream: MAIN }
  }
  async #isPlayable(camera: GrantedCamera, stream: StreamName, at: EpochMs, plays: readonly ('h264' | 'h265')[]): Promise<boolean> {
    const range = camera.ranges.find(each => each.endAt > at)
    if (range === undefined) return false
    const from = epochMs(Math.max(at, range.startAt)), { shelf } = this.#core
    const [segment] = await shelf.segments(camera.uuid, stream, { startAt: from, endAt: range.endAt })
    if (segment === undefined) return false
    try {
      await using reader = await shelf.open(segment)
      return plays.includes(reader.footage.init.video.codec)
    } catch { return false } // what is gone is told when it is read
  }

  protected override begin(line: ViewerLine, { plays }: ClientMessage & { type: 'hello' }, signal: AbortSignal): void {
    this.#line = line
    const epoch = ++this.#epoch
    line.tell({ type: 'sought', epoch, at: this.#playhead })
    this.#pumps = this.#cameras.map((camera, index) => new CameraPump({
      index, clock: this.core.clock, line, plays, open: at => this.#open(camera, at, plays),
      playhead: () => this.isLocked || this.closed !== null ? null : this.#playhead, mayLeave: at => this.#verdict(camera.uuid, at) !== 'outside',
      takeTranscode: this.#core.takeTranscode, onSlow: () => { this.close('slow-viewer') }, onError: error => { this.failed(error, { camera: index }) },
      endsAt: camera.ranges.at(-1)!.endAt,
    }, this.#playhead, epoch))
    for (const pump of this.#pumps) void pump.run(signal)
  }

  protected override take(message: Exclude<ClientMessage, { type: 'hello' | 'close' | 'act' }>): void {
    switch (message.type) {
      case 'at':
        this.#playhead = this.#bounded(message.at)
        this.lockChanged()
        return
      case 'seek': this.#seeks.ask(this.#bounded(message.at)); return
      case 'play': this.#plays.ask({ isPlaying: true, rate: message.rate }); return
      case 'pause': this.#plays.ask({ isPlaying: false, rate: 0 }); return
      case 'still': void this.#answerStill(message); return
    }
  }

  #bounded(at: number): EpochMs {
    const ranges = this.#cameras.flatMap(camera => camera.ranges)
    return epochMs(Math.min(Math.max(at, Math.min(...ranges.map(range => range.startAt))), Math.max(...ranges.map(range => range.endAt))))
  }

  /** The entry first: what cannot be written down does not happen [G10]. */
  #seek(at: EpochMs, skipped: number): void {
    this.note('viewing.sought', { to: isoOf(at), skipped })
    this.#playhead = at
    const epoch = ++this.#epoch
    this.#line?.tell({ type: 'sought', epoch, at })
    for (const pump of this.#pumps) pump.seek(at, epoch)
  }

  protected override lockChanged(): void { for (const pump of this.#pumps) pump.nudge() }

  async #answerStill({ camera, at, ref }: ClientMessage & { type: 'still' }): Promise<void> {
    try {
      const still = await this.still(camera, epochMs(at))
      this.#line?.show({ kind: 'still', camera, epoch: ref, at: still.at, mediaMs: still.at - this.#originAt, durationMs: 0, frames: 1, isPreRoll: false, beginsChain: true, isTranscoded: true, bytes: still.jpeg })
    } catch (error) { this.failed(error, { ref }) }
  }

  /** The key frame at or before `at` that may leave, else the first after, as JPEG. Throws PictureError where there is none, ViewingBusyError. */
  async still(index: number, at: EpochMs): Promise<Still> {
    if (this.#stillsNow >= MOST_STILLS_AT_ONCE) throw new ViewingBusyError('等候中的畫面太多。', 'too many stills wait already')
    this.#stillsNow++
    try { return await this.#findStill(index, at) } finally { this.#stillsNow-- }
  }

  async #findStill(index: number, at: EpochMs): Promise<Still> {
    const camera = this.#cameras[index]
    if (camera === undefined || this.isLocked || this.closed !== null) throw new PictureError('此處沒有畫面。', 'there is no picture here')
    for (const stream of [SUB, MAIN]) {
      await using reader = this.#readerOf(camera, stream, at)
      const piece = await reader.next()
      if (piece?.kind !== 'piece') continue
      const key = `${index}/${stream}/${piece.startAt}`
      this.#countStill(camera.name, piece.startAt)
      const known = this.#stills.get(key)
      const still = known ?? { at: piece.startAt, jpeg: await this.#core.stills.make(piece.init, piece.bytes) }
      this.#stills.delete(key)
      this.#stills.set(key, still) // the last one asked for stays longest
      if (this.#stills.size > MOST_CACHED_STILLS) this.#stills.delete(this.#stills.keys().next().value ?? key)
      if (this.isLocked || this.#verdict(camera.uuid, piece.startAt) === 'outside') break // it took a while
      return still
    }
    throw new PictureError('此處沒有畫面。', 'there is no picture here')
  }

  /** One entry when a burst begins, one when it is over: written before the first picture of it leaves [G10]. */
  #countStill(camera: string, at: EpochMs): void {
    const burst = this.#burst
    if (burst === null) {
      this.note('viewing.scrubbing', { camera, at: isoOf(at) })
      this.#burst = { count: 1, cameras: new Set([camera]), from: at, to: at, lastMono: this.core.clock.monoNow() }
      return
    }
    burst.count++
    burst.cameras.add(camera)
    burst.from = epochMs(Math.min(burst.from, at))
    burst.to = epochMs(Math.max(burst.to, at))
    burst.lastMono = this.core.clock.monoNow()
  }
  #endBurst(): void {
    const burst = this.#burst
    if (burst === null) return
    this.#burst = null
    this.note('viewing.scrubbed', { stills: burst.count, cameras: [...burst.cameras], from: isoOf(burst.from), to: isoOf(burst.to) })
  }
  protected override tick(): void { if (this.#burst !== null && this.core.clock.monoNow() - this.#burst.lastMono > BURST_ENDS_MS) this.#endBurst() }
  protected override wrapUp(): void {
    this.#stills.clear()
    this.#endBurst()
  }
}
