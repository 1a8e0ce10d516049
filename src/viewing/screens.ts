import { randomBytes } from 'node:crypto'
import { actorOf, personKey, type Acting } from '../access/index.ts'
import { SYSTEM, type AuditEvent, type EpochMs } from '../domain/index.ts'
import type { Db } from '../platform/catalogue.ts'
import { ViewingBusyError } from './errors.ts'
import type { CloseReason, Screen, ScreenCore } from './screen.ts'
import { screenTable, type ScreenKind } from './tables/sessions.ts'

const LOOK_EVERY_MS = 500
/** Each costs reading and sending of what it shows. */
const MOST_SCREENS = 24
const CLOSE_ACTIONS = { granted: 'viewing.closed', live: 'live.closed', aiming: 'aiming.closed' } as const satisfies Record<ScreenKind, string>

export interface ToOpen { readonly kind: ScreenKind, readonly application: string | null, readonly visitor: string | null, readonly second: Acting | null, readonly action: string, readonly detail: AuditEvent['detail'] }

/** All open screens and their books. One loop looks after them, and only while there are any. */
export class Screens implements AsyncDisposable {
  readonly #core: ScreenCore
  readonly #table: ReturnType<typeof screenTable>
  readonly #open = new Map<string, Screen>()
  /** Closed, and the log did not take it yet. */
  readonly #unbooked = new Map<string, () => void>()
  readonly #stop = new AbortController()
  #loop: Promise<void> | null = null
  constructor(core: ScreenCore, db: Db) {
    this.#core = core
    this.#table = screenTable(db)
  }

  get(id: string): Screen | null { return this.#open.get(id) ?? null }
  list(): Screen[] { return [...this.#open.values()] }

  /** Throws ViewingBusyError: a login shows one screen at a time. */
  requireRoom(acting: Acting): void {
    if (this.#stop.signal.aborted) throw new ViewingBusyError('錄影主機正在停止。', 'the recorder is stopping')
    if (acting.kind !== 'account' || this.list().some(screen => screen.isOfSession(acting.sessionHash))) throw new ViewingBusyError('此登入已開啟一個畫面。', 'this login has a screen open already')
    if (this.#open.size >= MOST_SCREENS) throw new ViewingBusyError(`已開啟 ${MOST_SCREENS} 個畫面。`, `${MOST_SCREENS} screens are open`)
  }

  /** Entry and row of a screen that opens, inside the caller's transaction. */
  book(acting: Acting, { kind, application, visitor, second, action, detail }: ToOpen, openedAt: EpochMs): { readonly id: string, readonly seq: number } {
    const id = randomBytes(16).toString('hex')
    const { seq } = this.#core.audit.append({ action, actor: actorOf(acting), object: id, application, result: 'done', detail })
    this.#table.add({ id, kind, application, account: personKey(acting), secondAccount: second === null ? null : personKey(second), visitor, openedAt, openedSeq: seq })
    return { id, seq }
  }

  /** After the transaction. */
  add(screen: Screen, acting: Acting): void {
    this.#open.set(screen.id, screen)
    screen.onClosed = reason => {
      this.#open.delete(screen.id)
      const write = () => { this.#close(screen, acting, reason) }
      try { write() } catch (error) {
        this.#core.log.error({ err: error, screen: screen.id }, 'the end of a screen could not be written yet')
        this.#unbooked.set(screen.id, write)
      }
    }
    this.#loop ??= this.#watch()
  }

  #close(screen: Pick<Screen, 'id' | 'kind' | 'application'>, acting: Acting | null, reason: CloseReason): void {
    const { audit, clock } = this.#core
    audit.transaction(() => {
      const { seq } = audit.append({ action: CLOSE_ACTIONS[screen.kind], actor: acting === null ? SYSTEM : actorOf(acting), object: screen.id, application: screen.application, result: 'done', detail: { reason } })
      this.#table.close(screen.id, clock.wallNow(), reason, seq)
    })
  }

  /** At start, before anything opens: what a recorder that was killed left open ends in the books. How many. */
  recover(): number {
    const left = this.#table.open().filter(({ id }) => !this.#open.has(id) && !this.#unbooked.has(id))
    for (const screen of left) this.#close(screen, null, 'recorder-killed')
    return left.length
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted && (this.#open.size > 0 || this.#unbooked.size > 0)) {
      await this.#core.clock.wait(LOOK_EVERY_MS, this.#stop.signal)
      this.#retry()
      for (const screen of this.list()) screen.check()
    }
    this.#loop = null
  }

  #retry(): void {
    for (const [id, write] of [...this.#unbooked]) {
      try { write(); this.#unbooked.delete(id) } catch { return } // the log says why, and is tried again
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const screen of this.list()) screen.close('recorder-stopped')
    this.#retry()
    await this.#loop
  }
}
