import { randomBytes } from 'node:crypto'
import { actorOf, FactorNeededError, personKey, RightMissingError, SessionEndedError, ViewingLockedError, type AccessTime, type Act, type Acting } from '../access/index.ts'
import { epochMs, monoMs, type AuditEvent, type CameraId, type CameraUuid, type MonoMs, type StreamName } from '../domain/index.ts'
import { ViewingBusyError, ViewingRefusedError } from './errors.ts'
import { LiveFeed, type LiveLane } from './live-feed.ts'
import { LiveScreen, type LiveCamera } from './live-screen.ts'
import type { ScreenCore } from './screen.ts'
import type { Screens } from './screens.ts'

/** A camera that is recorded now. */
export interface WatchableCamera { readonly id: CameraId, readonly uuid: CameraUuid, readonly name: string, readonly streams: readonly StreamName[] }

export interface LiveDeskOptions extends ScreenCore {
  readonly screens: Screens
  readonly time: AccessTime
  readonly cameras: () => readonly WatchableCamera[]
  readonly lane: (camera: CameraId, stream: StreamName) => LiveLane
}

/** Both persons of an aiming showed a factor within this. */
export const FRESH_MS = 5 * 60_000
/** The second person joins within this. */
const PROPOSAL_MS = 5 * 60_000
/** Long enough for a ladder. */
export const AIMING_MS = 15 * 60_000
const MOST_CAMERAS = 16
const MOST_PROPOSALS = 20

interface Proposal { readonly id: string, readonly camera: WatchableCamera, readonly acting: Acting, readonly token: string, readonly reason: string, readonly sinceMono: MonoMs }
export interface AimingProposal { readonly id: string, readonly camera: string, readonly by: string, readonly reason: string }

/** Opens live view for posts that have the right, and aiming for two together (R14). Each opening is an entry [G5][G6]. */
export class LiveDesk {
  readonly #options: LiveDeskOptions
  readonly #feeds = new Map<string, LiveFeed>()
  readonly #proposals = new Map<string, Proposal>()
  constructor(options: LiveDeskOptions) { this.#options = options }

  /** The feed of a stream; watches nothing by itself. */
  feed(camera: CameraId, stream: StreamName): LiveFeed {
    const key = `${camera}/${stream}`
    const known = this.#feeds.get(key)
    if (known !== undefined) return known
    const feed = new LiveFeed({ watch: watcher => this.#options.lane(camera, stream).watch(watcher) })
    this.#feeds.set(key, feed)
    return feed
  }
  /** Throws ViewingRefusedError. */
  camera(id: CameraId): WatchableCamera {
    const camera = this.#options.cameras().find(each => each.id === id)
    if (camera === undefined) throw new ViewingRefusedError('沒有這支鏡頭。', 'there is no such camera')
    return camera
  }

  /** Throws ViewingRefusedError, ViewingBusyError, RightMissingError, SessionEndedError, ViewingLockedError, AuditUnavailableError. */
  open(token: string, ids: readonly CameraId[]): LiveScreen {
    const { sessions, screens, clock } = this.#options
    const acting = sessions.acting(token)
    return this.#audited(acting, 'live.opened', null, () => {
      sessions.requireRight(acting, 'live-view')
      if (ids.length === 0 || ids.length > MOST_CAMERAS || new Set(ids).size !== ids.length) throw new ViewingRefusedError(`請選擇 1 至 ${MOST_CAMERAS} 支鏡頭，不可重複。`, `choose 1 to ${MOST_CAMERAS} cameras, each once`)
      const cameras = ids.map(id => this.#watchable(this.camera(id)))
      screens.requireRoom(acting)
      const openedAt = clock.wallNow()
      const { id } = screens.book(acting, { kind: 'live', application: null, visitor: null, second: null, action: 'live.opened', detail: { cameras: [...ids] } }, openedAt)
      sessions.touchViewing(token)
      return new LiveScreen(this.#options, { id, kind: 'live', right: 'live-view', application: null, token, acting, openedAt }, { cameras, endsAt: null, subject: '即時畫面 Live view' })
    })
  }

  /** First of two: the custodian or the checker asks to see one camera while it is aimed. */
  propose(token: string, { camera: id, reason }: { readonly camera: CameraId, readonly reason: string }): AimingProposal {
    const { sessions, clock } = this.#options
    const acting = sessions.acting(token)
    const why = reason.trim()
    this.#sweep()
    const proposalId = randomBytes(16).toString('hex')
    const proposal = this.#audited(acting, 'aiming.proposed', proposalId, (): Proposal => {
      sessions.requireRight(acting, 'aim-camera')
      this.#requireFresh(token)
      const camera = this.camera(id)
      if (why === '' || Array.from(why).length > 200 || /\p{Cc}/u.test(why)) throw new ViewingRefusedError('請寫明調整理由（200 字以內）。', 'say why it is aimed, in 200 characters')
      if (this.#proposals.size >= MOST_PROPOSALS) throw new ViewingBusyError('等候會同的調整太多。', 'too many aimings wait for a second person')
      this.#options.audit.append({ action: 'aiming.proposed', actor: actorOf(acting), object: proposalId, application: null, result: 'done', detail: { camera: id, reason: why } })
      return { id: proposalId, camera, acting, token, reason: why, sinceMono: clock.monoNow() }
    })
    this.#proposals.set(proposalId, proposal)
    return shown(proposal)
  }
  proposals(): AimingProposal[] {
    this.#sweep()
    return [...this.#proposals.values()].map(shown)
  }

  /** Second of two: another person in the other role, with a fresh factor too. The screen belongs to who joins, at the camera's side or at the desk, and ends by itself. */
  join(token: string, proposalId: string): LiveScreen {
    const { sessions, screens, clock } = this.#options
    const acting = sessions.acting(token)
    this.#sweep()
    const proposal = this.#proposals.get(proposalId)
    const screen = this.#audited(acting, 'aiming.opened', null, () => {
      sessions.requireRight(acting, 'aim-camera')
      if (proposal === undefined) throw new ViewingRefusedError('沒有這個調整申請，或已過五分鐘。', 'there is no such proposal, or five minutes have passed')
      sessions.requireRight(proposal.acting, 'aim-camera')
      if (personKey(acting) === personKey(proposal.acting)) throw new ViewingRefusedError('調整鏡頭須由二人會同。', 'aiming takes two persons')
      if (acting.kind === 'account' && proposal.acting.kind === 'account' && acting.role === proposal.acting.role) throw new ViewingRefusedError('須由管理人員與查核人員會同。', 'the custodian and the checker do it together')
      this.#requireFresh(token)
      this.#requireFresh(proposal.token)
      screens.requireRoom(acting)
      const openedAt = clock.wallNow()
      const { id } = screens.book(acting, {
        kind: 'aiming', application: null, visitor: null, second: proposal.acting, action: 'aiming.opened',
        detail: { camera: proposal.camera.id, reason: proposal.reason, with: actorOf(proposal.acting).name, proposal: proposal.id, minutes: AIMING_MS / 60_000 },
      }, openedAt)
      sessions.touchViewing(token)
      return new LiveScreen(this.#options, { id, kind: 'aiming', right: 'aim-camera', application: null, token, acting, openedAt }, {
        cameras: [this.#watchable(proposal.camera)], endsAt: { wall: epochMs(openedAt + AIMING_MS), mono: monoMs(clock.monoNow() + AIMING_MS) }, subject: `調整鏡頭 Aiming ${proposal.camera.name}`,
        stillMayWatch: () => this.#holds(proposal.acting, 'aim-camera'),
      })
    })
    this.#proposals.delete(proposalId)
    return screen
  }

  #watchable({ id, uuid, name, streams }: WatchableCamera): LiveCamera { return { uuid, name, streams: streams.map(stream => ({ name: stream, feed: this.feed(id, stream) })) } }

  #holds(acting: Acting, act: Act): boolean {
    try { this.#options.sessions.requireRight(acting, act); return true }
    catch (error) {
      if (error instanceof SessionEndedError || error instanceof RightMissingError) return false
      throw error
    }
  }

  #requireFresh(token: string): void {
    const { factorMs } = this.#options.sessions.look(token)
    if (factorMs === null || this.#options.time.steadyNow() - factorMs >= FRESH_MS) throw new FactorNeededError()
  }

  #sweep(): void {
    const now = this.#options.clock.monoNow()
    for (const [id, { sinceMono }] of this.#proposals) if (now - sinceMono > PROPOSAL_MS) this.#proposals.delete(id)
  }

  /** One transaction; a refusal has an entry of its own. A screen that came of it is looked after from here on. */
  #audited<Result>(acting: Acting, action: string, object: string | null, work: () => Result): Result {
    const { audit, screens } = this.#options
    try {
      const result = audit.transaction(work)
      if (result instanceof LiveScreen) screens.add(result, acting)
      return result
    } catch (error) {
      if (error instanceof ViewingRefusedError || error instanceof ViewingBusyError || error instanceof RightMissingError || error instanceof FactorNeededError || error instanceof ViewingLockedError) {
        const refused: AuditEvent = { action, actor: actorOf(acting), object, application: null, result: 'refused', detail: { code: error.code } }
        audit.append(refused)
      }
      throw error
    }
  }
}

const shown = ({ id, camera, acting, reason }: Proposal): AimingProposal => ({ id, camera: camera.name, by: actorOf(acting).name, reason })
