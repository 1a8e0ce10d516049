import { actorOf, FactorNeededError, RightMissingError, ViewingLockedError, type Acting } from '../access/index.ts'
import { BookRefusedError, type BookPerson, type LogBook } from '../book/index.ts'
import { epochMs, isoOf, type CameraUuid } from '../domain/index.ts'
import { LEAVE_TEXTS, mayLeave, rangesOf, type ApplicationNumber, type Grant } from '../requests/index.ts'
import type { CaseFacts } from './case-facts.ts'
import { ViewingBusyError, ViewingRefusedError } from './errors.ts'
import { GrantedScreen, type GrantedCamera, type GrantedCore } from './granted-screen.ts'
import type { Screens } from './screens.ts'

export interface ViewingDeskOptions extends GrantedCore {
  readonly screens: Screens
  readonly book: Pick<LogBook, 'enter'>
  readonly caseFacts: (acting: Acting, number: ApplicationNumber) => CaseFacts
  /** As people call it; a camera that left the configuration has its id. */
  readonly cameraName: (camera: CameraUuid) => string
}

export interface ViewingAsked {
  readonly application: ApplicationNumber
  /** Of those granted; all unless told. */
  readonly cameras?: readonly CameraUuid[]
  /** Who sits beside the custodian, and as whom. Identity was looked at by the custodian. */
  readonly visitor: { readonly name: string, readonly part: BookPerson['part'] }
  /** R35: the custodian confirms that the statement on file was signed by who sits here. */
  readonly isStatementConfirmed: boolean
  /** 提供檢調 (R41). */
  readonly isForInquiry?: boolean
}

/** Opens viewings on a grant. There is no other way to recorded pictures on a screen [G5]. */
export class ViewingDesk {
  readonly #options: ViewingDeskOptions
  constructor(options: ViewingDeskOptions) { this.#options = options }

  /**
   * Right, grant, entry, book line and row are one transaction, or nothing opens [G6][G10]. `token` is that of the custodian's login, which locks after five minutes without an act.
   * Throws ViewingRefusedError, ViewingBusyError, ViewingLockedError, RightMissingError, SessionEndedError, BookRefusedError, AuditUnavailableError, UnknownApplicationError, ApplicationError.
   */
  open(token: string, asked: ViewingAsked): GrantedScreen {
    const { sessions, audit, screens, clock } = this.#options
    const acting = sessions.acting(token)
    const { application: number } = asked
    try {
      const { screen } = audit.transaction(() => {
        sessions.requireRight(acting, 'open-granted-view')
        const { grant, cameras } = this.#granted(asked)
        screens.requireRoom(acting)
        const facts = this.#options.caseFacts(acting, number)
        const openedAt = clock.wallNow()
        const ranges = cameras.flatMap(camera => camera.ranges.map(({ startAt, endAt }) => ({ camera: camera.uuid, cameraName: camera.name, from: startAt, to: endAt })))
        const { id, seq } = screens.book(acting, {
          kind: 'granted', application: number, visitor: asked.visitor.name, second: null, action: 'viewing.opened',
          detail: { visitor: asked.visitor.name, as: asked.visitor.part, cameras: ranges.map(({ cameraName, from, to }) => ({ camera: cameraName, from: isoOf(from), to: isoOf(to) })), preRollAllowed: grant.isPreRollAllowed },
        }, openedAt)
        this.#options.book.enter({
          auditSeq: seq, application: number, applicant: facts.applicant, unit: facts.unit, matter: facts.matter, basis: facts.basis,
          uses: { accompanied: true, copied: false, forInquiry: asked.isForInquiry === true, other: null }, persons: personsOf(asked, facts, acting), ranges,
        })
        sessions.touchViewing(token)
        return { screen: new GrantedScreen(this.#options, { id, kind: 'granted', right: 'open-granted-view', application: number, token, acting, openedAt }, { number, grant, cameras, visitor: asked.visitor.name }) }
      })
      screens.add(screen, acting)
      return screen
    } catch (error) {
      if (error instanceof ViewingRefusedError || error instanceof ViewingBusyError || error instanceof ViewingLockedError || error instanceof RightMissingError || error instanceof FactorNeededError || error instanceof BookRefusedError) {
        audit.append({ action: 'viewing.opened', actor: actorOf(acting), object: null, application: number, result: 'refused', detail: { code: error.code } })
      }
      throw error
    }
  }

  #granted({ application, cameras: wanted, isStatementConfirmed }: ViewingAsked): { readonly grant: Grant, readonly cameras: readonly GrantedCamera[] } {
    const grant = this.#options.grants.open(application)
    if (grant === null) throw new ViewingRefusedError('此申請案目前沒有有效的核准。', 'this application opens nothing now')
    if (grant.statement === 'signed' && !isStatementConfirmed) throw new ViewingRefusedError('請先確認在場人已簽署保密聲明。', 'confirm first that who sits here signed the secrecy statement')
    const granted = [...new Set(grant.scope.map(line => line.camera))]
    const chosen = wanted ?? granted
    if (chosen.length === 0 || new Set(chosen).size !== chosen.length) throw new ViewingRefusedError('請選擇鏡頭，不可重複。', 'choose cameras, each once')
    const cameras = chosen.map((uuid): GrantedCamera => ({ uuid, name: this.#options.cameraName(uuid), ranges: rangesOf(grant.scope, uuid) }))
    for (const { uuid, ranges } of cameras) {
      const verdict = mayLeave(grant, { camera: uuid, at: epochMs(ranges[0]?.startAt ?? 0), act: 'view', now: this.#options.grants.now() })
      if (!verdict.ok) throw new ViewingRefusedError(LEAVE_TEXTS[verdict.why].zh, LEAVE_TEXTS[verdict.why].en)
    }
    return { grant, cameras }
  }
}

function personsOf({ visitor }: ViewingAsked, { applicant, agents }: CaseFacts, acting: Acting): BookPerson[] {
  const persons: BookPerson[] = [{ name: applicant, part: 'applicant' }, ...agents.map(name => ({ name, part: 'agent' as const }))]
  if (!persons.some(({ name, part }) => name === visitor.name && part === visitor.part)) persons.push(visitor)
  if (acting.kind === 'account') persons.push({ name: acting.displayName, part: 'present' })
  return persons
}
