import { actorOf, personKey, SessionEndedError, type Act, type Acting, type AuditBook, type Sessions } from '../access/index.ts'
import { AuditUnavailableError } from '../audit/index.ts'
import { CustosError, type AuditEvent, type EpochMs, type MonoMs } from '../domain/index.ts'
import { isCatalogueBusy } from '../platform/catalogue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { ScreenKind } from './tables/sessions.ts'
import { TAKEN_OVER, TOO_MANY_WORDS, ViewerLine, type SocketLike } from './viewer-line.ts'
import { parseClientMessage, type ClientMessage, type ServerMessage } from './wire.ts'

/** What all screens share. */
export interface ScreenCore {
  readonly audit: AuditBook & { requireWritable(): void }
  readonly sessions: Pick<Sessions, 'acting' | 'look' | 'requireRight' | 'touchViewing' | 'endViewing'>
  readonly clock: Clock
  readonly log: Logger
}

const BUSY = '系統正在處理另一項作業，請再試一次。/ the system is busy with something else; try again'

export const CLOSE_REASONS = {
  'closed': { zh: '已關閉。如需再看，請由管理人員於控制台重新開啟。', en: 'Closed. To look again, the custodian opens it anew at the console.' },
  'expired': { zh: '核准的效期已過。如仍需閱覽，請重新申請。', en: 'The grant has run out. To look again, a new application is needed.' },
  'revoked': { zh: '授權已撤銷或結束。請向管理人員查詢案件狀態。', en: 'The grant was revoked or has ended. Ask the custodian how the case stands.' },
  'signed-out': { zh: '登入已結束。請重新登入後再開啟。', en: 'The login is over. Sign in again, then open it anew.' },
  'right-ended': { zh: '已無此權限。請洽系統管理人員確認職務。', en: 'The right is gone. Ask the system administrator about the role.' },
  'book-unwritable': { zh: '稽核紀錄無法寫入，不得閱覽。請立即通知系統管理人員。', en: 'The audit log cannot be written, so nothing is shown. Tell the system administrator at once.' },
  'viewer-gone': { zh: '畫面已中斷。請由管理人員於控制台重新開啟。', en: 'The player went away. The custodian opens it anew at the console.' },
  'slow-viewer': { zh: '網路或電腦接收太慢，已中斷；錄影不受影響。請少開幾支鏡頭，或檢查網路後重新開啟。', en: 'The line or the computer was too slow; recording goes on. Open fewer cameras, or see to the line and open it anew.' },
  'time-over': { zh: '時間已到。如需繼續，請二人重新會同。', en: 'The time is over. To go on, the two propose and join again.' },
  'recorder-stopped': { zh: '錄影主機正在停止。請於主機恢復後重新開啟。', en: 'The recorder is stopping. Open it anew once the recorder is back.' },
  'recorder-killed': { zh: '錄影主機曾中斷，於重新啟動時補登結束。', en: 'The recorder had ended; closed in the books at its next start.' },
  'failed': { zh: '畫面因程式錯誤而關閉。請重新開啟；再發生請通知系統管理人員。', en: 'The screen was closed by a fault of the program. Open it anew; if it happens again tell the system administrator.' },
} as const
export type CloseReason = keyof typeof CLOSE_REASONS

/** What a refusal is an answer to. */
interface About { readonly ref?: number | null, readonly camera?: number | null }

/** A screen that nobody is connected to is closed after this. */
export const VIEWER_GONE_MS = 60_000

const TOUCH_EACH_MS = 2_000
/** A page says some ten words a second. Each costs the thread that also records [G9]. */
const MOST_WORDS = 1_000, WORDS_IN_MS = 5_000

export interface ScreenFacts {
  readonly id: string
  readonly kind: ScreenKind
  /** The right that must last as long as it is open. */
  readonly right: Act
  readonly application: string | null
  /** Of the login; a secret. */
  readonly token: string
  readonly acting: Acting
  readonly openedAt: EpochMs
}

/** One open screen: a login, a right, at most one player connected to it, and an end that is written down. */
export abstract class Screen {
  readonly id: string
  readonly kind: ScreenKind
  readonly application: string | null
  readonly openedAt: EpochMs
  protected readonly core: ScreenCore
  readonly #facts: ScreenFacts
  #line: ViewerLine | null = null
  #viewing = new AbortController()
  #aloneSince: MonoMs | null
  #isLocked = false
  #touchedMono = -Infinity
  #closed: CloseReason | null = null
  readonly #over = new AbortController()
  /** Told once, when it closed: writes the books. */
  onClosed: (reason: CloseReason) => void = () => undefined

  constructor(core: ScreenCore, facts: ScreenFacts) {
    this.core = core
    this.#facts = facts
    this.id = facts.id
    this.kind = facts.kind
    this.application = facts.application
    this.openedAt = facts.openedAt
    this.#aloneSince = core.clock.monoNow()
  }

  get closed(): CloseReason | null { return this.#closed }
  get isLocked(): boolean { return this.#isLocked }
  get account(): string { return personKey(this.#facts.acting) }
  protected get acting(): Acting { return this.#facts.acting }
  protected get line(): ViewerLine | null { return this.#line }
  /** Aborts when the screen closes. */
  protected get over(): AbortSignal { return this.#over.signal }
  /** Whether this login opened it; whoever connects is asked. */
  isOfSession(sessionHash: Buffer): boolean {
    const { acting } = this.#facts
    return acting.kind === 'account' && acting.sessionHash.equals(sessionHash)
  }

  /** Why it may not go on by its own rules; null when it may. */
  protected abstract reasonToClose(): CloseReason | null
  protected abstract welcome(): ServerMessage
  /** The player said what it plays. `signal` aborts when it goes or another one comes. */
  protected abstract begin(line: ViewerLine, hello: ClientMessage & { type: 'hello' }, signal: AbortSignal): void
  protected abstract take(message: Exclude<ClientMessage, { type: 'hello' | 'close' | 'act' }>): void
  /** The lock went on or off. */
  protected abstract lockChanged(): void
  /** Looked after twice a second. */
  protected tick(): void { /* nothing of its own */ }
  protected wrapUp(): void { /* nothing of its own */ }

  /** Takes a player that the caller has authenticated as this login. One that was connected before is let go. */
  attach(socket: SocketLike): void {
    this.#viewing.abort()
    this.#line?.close(TAKEN_OVER)
    const line = new ViewerLine(socket, this.core.clock)
    if (this.#closed !== null) { line.close(); return }
    const viewing = this.#viewing = new AbortController()
    this.#line = line
    this.#aloneSince = null
    const gone = () => {
      viewing.abort()
      if (this.#line !== line) return
      this.#line = null
      this.#aloneSince ??= this.core.clock.monoNow()
    }
    socket.on('close', gone)
    socket.on('error', gone)
    let hasBegun = false, words = 0, wordsSince = this.core.clock.monoNow()
    socket.on('message', (data, isBinary) => {
      if (this.#closed !== null || this.#line !== line) return
      const now = this.core.clock.monoNow()
      if (now - wordsSince > WORDS_IN_MS) { words = 0; wordsSince = now }
      if (++words > MOST_WORDS) { line.close(TOO_MANY_WORDS); gone(); return }
      const message = isBinary ? null : parseClientMessage(String(data))
      if (message === null) { line.tell({ type: 'refused', code: 'bad-message', message: '無法辨識的訊息。/ not understood', ref: null, camera: null }); return }
      this.guarded(() => {
        if (message.type === 'close') { this.close('closed'); return }
        if (message.type === 'hello') {
          if (hasBegun) return
          hasBegun = true
          this.begin(line, message, AbortSignal.any([viewing.signal, this.over]))
          return
        }
        if (message.type !== 'at') this.touch()
        if (message.type !== 'act') this.take(message)
      }, 'ref' in message ? { ref: message.ref } : {})
    })
    line.tell(this.welcome())
    if (this.#isLocked) line.tell({ type: 'locked' })
  }

  /** Runs what a person asked for. What it refuses is told; a login or a book that is gone closes the screen. */
  protected guarded(work: () => void, about: About = {}): void {
    try { work() } catch (error) { this.failed(error, about) }
  }
  protected failed(error: unknown, { ref = null, camera = null }: About = {}): void {
    const code = error instanceof CustosError ? error.code : ''
    if (error instanceof SessionEndedError) this.close('signed-out')
    else if (error instanceof AuditUnavailableError) this.close('book-unwritable')
    else if (code === 'CUSTOS_VIEWING_LOCKED' && !this.#isLocked) this.#setLocked(true)
    else if (error instanceof CustosError) this.#line?.tell({ type: 'refused', code, message: `${error.message} ${error.remedy}`, ref, camera })
    else if (isCatalogueBusy(error)) {
      this.#line?.tell({ type: 'refused', code: 'CUSTOS_CATALOGUE_BUSY', message: BUSY, ref, camera })
    }
    else {
      this.core.log.error({ err: error, screen: this.id }, 'a screen broke')
      this.close('failed')
    }
  }

  /** An act of the person at the player. Each is a row and so a sync: a hand that never rests costs one every two seconds [G9]. */
  protected touch(): void {
    const now = this.core.clock.monoNow()
    if (!this.#isLocked && now - this.#touchedMono < TOUCH_EACH_MS) return
    try { this.core.sessions.touchViewing(this.#facts.token) } catch (error) {
      if (isCatalogueBusy(error) && !this.#isLocked) return // the next act tries again
      throw error
    }
    this.#touchedMono = now
    this.#setLocked(false)
  }

  /** Everything that may end it, asked twice a second. */
  check(): void {
    if (this.#closed !== null) return
    try {
      const { sessions, audit, clock } = this.core
      const { isViewingLocked } = sessions.look(this.#facts.token)
      sessions.requireRight(this.#facts.acting, this.#facts.right)
      audit.requireWritable()
      const reason = this.reasonToClose()
      if (reason !== null) { this.close(reason); return }
      if (this.#aloneSince !== null && clock.monoNow() - this.#aloneSince > VIEWER_GONE_MS) { this.close('viewer-gone'); return }
      this.#setLocked(isViewingLocked)
      if (this.#line?.hasRoom === true) this.#line.tell({ type: 'alive', now: clock.wallNow() })
      this.tick()
    } catch (error) {
      if (error instanceof CustosError && error.code === 'CUSTOS_RIGHT_MISSING') this.close('right-ended')
      else this.failed(error)
    }
  }

  #setLocked(isLocked: boolean): void {
    if (this.#isLocked === isLocked) return
    this.#isLocked = isLocked
    this.#line?.tell({ type: isLocked ? 'locked' : 'unlocked' })
    this.lockChanged()
  }

  /** An entry of this screen. Throws AuditUnavailableError. */
  protected note(action: string, detail: AuditEvent['detail']): void {
    this.core.audit.append({ action, actor: actorOf(this.#facts.acting), object: this.id, application: this.application, result: 'done', detail })
  }

  /** Nothing leaves any more once this returns. Idempotent. */
  close(reason: CloseReason): void {
    if (this.#closed !== null) return
    this.#closed = reason
    this.#over.abort()
    this.#viewing.abort()
    this.#line?.tell({ type: 'closed', reason, ...CLOSE_REASONS[reason] })
    this.#line?.close()
    this.#line = null
    try { this.wrapUp() } catch (error) { this.core.log.error({ err: error, screen: this.id }, 'the last entries of a screen could not be written') }
    this.onClosed(reason)
    try { this.core.sessions.endViewing(this.#facts.token) } catch { /* the login is over, and its lock with it */ }
  }
}
