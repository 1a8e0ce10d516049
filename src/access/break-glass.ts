import { SYSTEM } from '../domain/index.ts'
import { actorOf, nowOf, perform, personKey, plain, type Acting, type Core } from './core.ts'
import { AccountRefusedError } from './errors.ts'
import type { Opening } from './tables/break-glass.ts'

export interface OpenGlass { readonly openingId: number, readonly by: readonly [string, string], readonly openedAtMs: number, readonly closesInMs: number, readonly reason: string }
export interface GlassView {
  /** Open now: an alarm as long as it lasts. */
  readonly open: readonly OpenGlass[]
  /** Openings whose 附件4 has not been entered, open or closed. */
  readonly formsOwed: readonly { readonly openingId: number, readonly openedAtMs: number, readonly by: readonly [string, string] }[]
}
export type Word = { readonly kind: 'first', readonly openingId: number } | { readonly kind: 'opened', readonly openingId: number }

const REASON = { zh: '緊急事由', en: 'the reason' }, FORM = { zh: '附件4申請編號', en: 'the number of the form' }

/** R13: the sealed credential. Two persons open it, it shuts by itself, and a form is owed. What it lets them do is for the fence of requests to say. */
export class BreakGlass {
  readonly #core: Core
  constructor(core: Core) { this.#core = core }

  /**
   * One person's word. With that of another within five minutes it opens: two accounts that showed their factors just now, or two names at the machine; never one of each, for a name at the machine proves nobody.
   * The second's reason stands in the audit log, the first's on the record. Throws AccountRefusedError, FactorNeededError.
   */
  say(reason: string, acting: Acting): Word {
    const { openings, settings } = this.#core
    const by = personKey(acting), source = sourceOf(acting)
    return perform<Word>(this.#core, acting, 'break-glass', { action: 'break-glass.said', object: null }, now => {
      const why = plain(reason, REASON, 500)
      const isSameKind = ({ firstBy }: Opening): boolean => firstBy.startsWith('machine:') === (acting.kind === 'machine')
      const waiting = openings.waitingSince(now.steadyMs - settings.pairWithinMs)
      const first = waiting.find(each => each.firstBy !== by && isSameKind(each))
      if (first === undefined) {
        if (waiting.some(each => each.firstBy === by)) throw new AccountRefusedError('您已提出，請另一人於五分鐘內確認。', 'you said so already; another person has to, within five minutes')
        const openingId = openings.ask(why, by, source, now.steadyMs)
        return { result: { kind: 'first', openingId }, detail: { openingId, reason: why } }
      }
      openings.open(first.openingId, by, source, now.wallMs, now.steadyMs + settings.breakGlassMs)
      this.#core.audit.append({
        action: 'break-glass.opened', actor: actorOf(acting), object: String(first.openingId), application: null, result: 'done',
        detail: { first: first.firstBy, firstSource: first.firstSource, second: by, reason: first.reason, hours: Math.round(settings.breakGlassMs / 3_600_000), sameSource: first.firstSource === source },
      })
      return { result: { kind: 'opened', openingId: first.openingId }, detail: { openingId: first.openingId, reason: why } }
    })
  }

  close(openingId: number, acting: Acting): void {
    perform(this.#core, acting, 'close-break-glass', { action: 'break-glass.closed', object: String(openingId) }, now => {
      if (!this.#core.openings.close(openingId, now.wallMs, personKey(acting))) throw new AccountRefusedError('沒有這筆啟封，或已關閉。', 'there is no such opening, or it is closed')
      return { result: undefined }
    })
  }

  /** The 附件4 that was owed. */
  settle(openingId: number, application: string, acting: Acting): void {
    const form = plain(application, FORM, 60)
    perform(this.#core, acting, 'settle-break-glass', { action: 'break-glass.settled', object: String(openingId), application: form }, now => {
      if (!this.#core.openings.settle(openingId, form, now.wallMs, personKey(acting))) throw new AccountRefusedError('沒有這筆啟封，或已補登。', 'there is no such opening, or its form was entered')
      return { result: undefined }
    })
  }

  /** How it stands, for health; what has shut by itself is not open, whether a sweep has written that down or not. */
  view(): GlassView {
    const { steadyMs } = nowOf(this.#core)
    const standing = this.#core.openings.standing()
    const by = (row: Opening): [string, string] => [row.firstBy, row.secondBy ?? '']
    return {
      open: standing.filter(row => isOpen(row, steadyMs)).map(row => ({ openingId: row.openingId, by: by(row), openedAtMs: row.openedAtMs ?? 0, closesInMs: (row.closesSteadyMs ?? 0) - steadyMs, reason: row.reason })),
      formsOwed: standing.filter(row => row.application === null).map(row => ({ openingId: row.openingId, openedAtMs: row.openedAtMs ?? 0, by: by(row) })),
    }
  }

  /** The opening by which this person may act now; null when there is none. */
  openFor(acting: Acting): number | null {
    const { steadyMs } = nowOf(this.#core)
    return this.#core.openings.standing().find(row => isOpen(row, steadyMs) && (row.firstBy === personKey(acting) || row.secondBy === personKey(acting)))?.openingId ?? null
  }

  /** Writes down which openings have shut by themselves. */
  sweep(): number {
    const { audit, openings } = this.#core
    return audit.transaction(() => openings.standing().filter(row => {
      if (row.closedAtMs !== null || isOpen(row, nowOf(this.#core).steadyMs)) return false
      openings.close(row.openingId, this.#core.time.wallNow(), 'system')
      audit.append({ action: 'break-glass.closed', actor: SYSTEM, object: String(row.openingId), application: null, result: 'done', detail: { why: 'time' } })
      return true
    }).length)
  }
}

const isOpen = (row: Opening, steadyMs: number): boolean => row.closedAtMs === null && row.closesSteadyMs !== null && steadyMs < row.closesSteadyMs
const sourceOf = (acting: Acting): string => (acting.kind === 'machine' ? acting.actor.source : acting.source) ?? ''
