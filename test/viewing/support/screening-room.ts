import type { Test } from 'tap'
import pino from 'pino'
import { openBook, type Book } from '../../../src/book/index.ts'
import type { Acting } from '../../../src/access/index.ts'
import { cameraUuid, type CameraUuid } from '../../../src/domain/index.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Application, Content, ScopeLine } from '../../../src/requests/index.ts'
import { OfficeCalendar, RuleShelf } from '../../../src/rules/index.ts'
import { caseFactsOf, Screens, StillMaker, transcodeTurns, ViewingDesk, type FootageShelf, type GrantedScreen, type ViewingAsked } from '../../../src/viewing/index.ts'
import type { Member } from '../../access/support/office.ts'
import { CUSTODIAN, DIRECTOR, DOOR, done, FrontDesk, LOBBY, OUTSIDE, police } from '../../requests/support/front-desk.ts'
import { shippedRules } from '../../rules/support.ts'
import { RecorderRig } from '../../support/recorder-rig.ts'
import { TestPlayer } from './player.ts'

export { DOOR, LOBBY }
export const RULES = new RuleShelf([await shippedRules()])
const NAMES: Readonly<Record<string, string>> = { [LOBBY]: '大廳', [DOOR]: '大門' }

/** An office with a case, footage in slots, and a screen to see it on. Its rights and grants go by the office's clock, which the test moves; waits are real. */
export class ScreeningRoom implements AsyncDisposable {
  readonly front: FrontDesk
  readonly rig: RecorderRig
  readonly screens: Screens
  readonly desk: ViewingDesk
  readonly book: Book
  readonly kuan: Member
  readonly core

  private constructor(front: FrontDesk, rig: RecorderRig, kuan: Member, shelf: FootageShelf) {
    this.front = front
    this.rig = rig
    this.kuan = kuan
    const { audit, access, db, clock } = front.office
    this.core = { audit, sessions: access.sessions, clock: systemClock, log: pino({ level: 'silent' }) }
    this.screens = new Screens(this.core, db)
    this.book = openBook({ db, audit, time: clock, rights: access.sessions, applications: { standingOf: () => ({ kind: 'unknown' }), used: () => [] }, calendar: () => new OfficeCalendar(), grants: () => [] })
    this.desk = new ViewingDesk({
      ...this.core, screens: this.screens, book: this.book.log, grants: front.desk.grants, shelf, stills: new StillMaker(systemClock), takeTranscode: transcodeTurns(),
      caseFacts: caseFactsOf(front.desk.reader, RULES), cameraName: camera => NAMES[camera] ?? camera,
    })
  }

  static async open(t: Test, { slots = 40, shelf }: { readonly slots?: number, readonly shelf?: (rig: RecorderRig) => FootageShelf } = {}): Promise<ScreeningRoom> {
    const front = await FrontDesk.open(t)
    const rig = await RecorderRig.open(t, { slots, start: '2026-11-20T00:50:00.000Z' })
    front.office.directorActing = await front.as('boss', 'director')
    const kuan = await front.office.person('kuan', ['custodian'])
    return new ScreeningRoom(front, rig, kuan, shelf?.(rig) ?? rig.storage.footage)
  }

  /** A case of the police, granted; its statement signed. */
  async granted(asked: readonly ScopeLine[], { isPreRollAllowed = false, change = {}, isSigned = true }: { readonly isPreRollAllowed?: boolean, readonly change?: Partial<Content>, readonly isSigned?: boolean } = {}): Promise<Application> {
    const { front } = this
    let application = done(await front.receive(police({ asked: [...asked], ...change }))).application
    for (const who of OUTSIDE.slice(0, -1)) application = done(await front.sign(who, application)).application
    application = done(await front.act(DIRECTOR, application, {
      kind: 'decide', step: 3, decision: 'agree', reason: null, ground: null, narrowTo: null, isNotTheApplicant: false, grant: { days: 5, place: '本所調閱室', isPreRollAllowed },
    })).application
    return isSigned ? done(await front.act(CUSTODIAN, application, { kind: 'sign-statement', name: '趙警員' })).application : application
  }

  /** The custodian's login, in that role. */
  async login(): Promise<string> {
    const { access } = this.front.office
    const token = await this.front.office.session(this.kuan)
    access.sessions.actIn(token, 'custodian')
    return token
  }
  acting(token: string): Acting { return this.front.office.access.sessions.acting(token) }

  show(token: string, application: Application, change: Partial<ViewingAsked> = {}): GrantedScreen {
    return this.desk.open(token, { application: application.number, visitor: { name: '趙警員', part: 'applicant' }, isStatementConfirmed: true, ...change })
  }
  /** Opened, connected and said hello. */
  async watch(application: Application, { plays = ['h264'], ...change }: Partial<ViewingAsked> & { readonly plays?: readonly ('h264' | 'h265')[] } = {}) {
    const token = await this.login()
    const screen = this.show(token, application, change)
    const player = new TestPlayer()
    screen.attach(player)
    player.say({ type: 'hello', plays })
    return { token, screen, player }
  }

  actions(): string[] { return this.front.office.entries().map(({ action, result }) => `${action}${result === 'done' ? '' : ` ${result}`}`).filter(action => /^(viewing|live|aiming|reference-image)\./.test(action)) }
  async [Symbol.asyncDispose](): Promise<void> { await this.screens[Symbol.asyncDispose]() }
}

export const camera = (letter: string): CameraUuid => cameraUuid(letter.repeat(32))
