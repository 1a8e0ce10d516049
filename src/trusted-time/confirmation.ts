import { isoOf, epochMs } from '../domain/index.ts'
import { AGREED_MS, mayConfirm, STEPPED_MS, stateOf, type Reading, type TimeState } from './time-machine.ts'

/** Two words count together when no more than this lies between them (P4). */
export const PAIR_WITHIN_MS = 5 * 60_000

/** One person's word that the wall clock is right. */
export interface Confirmation {
  readonly id: number
  readonly name: string
  readonly reason: string
  /** Whom the machine takes them for. */
  readonly login: string
  readonly wallMs: number
  readonly monoMs: number
  readonly bootId: string
}

export type Decision =
  | { readonly kind: 'counted', readonly first: Confirmation, readonly second: Confirmation }
  | { readonly kind: 'refused', readonly confirmation: Confirmation, readonly why: string }

/** Names that a reader takes for one person are one: width, case and blanks aside. */
export const samePerson = (left: string, right: string): boolean => plain(left) === plain(right)
const plain = (name: string): string => name.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim()

/** Pure: what becomes of the words not decided yet, oldest first. One that may still find its second is left out. At most one pair counts a time. */
export function decide(open: readonly Confirmation[], now: Reading, state: TimeState): Decision[] {
  const decisions: Decision[] = []
  let first: Confirmation | null = null
  for (const word of open) {
    const fault = faultOf(word, now, state)
    if (fault !== null) decisions.push({ kind: 'refused', confirmation: word, why: fault })
    else if (first === null) first = word
    else if (samePerson(first.name, word.name)) decisions.push({ kind: 'refused', confirmation: word, why: 'the same name confirmed before; the second must be another person' })
    else if (word.monoMs - first.monoMs > PAIR_WITHIN_MS) {
      decisions.push({ kind: 'refused', confirmation: first, why: 'nobody else confirmed within five minutes' })
      first = word
    } else {
      decisions.push({ kind: 'counted', first, second: word })
      return decisions // what follows is judged by the time that counts then
    }
  }
  if (first !== null && now.monoMs - first.monoMs > PAIR_WITHIN_MS) decisions.push({ kind: 'refused', confirmation: first, why: 'nobody else confirmed within five minutes' })
  return decisions
}

function faultOf(word: Confirmation, now: Reading, state: TimeState): string | null {
  if (word.bootId !== now.bootId || word.monoMs > now.monoMs + AGREED_MS) return 'the machine was started anew since; look at its clock again'
  const movedMs = (now.wallMs - now.monoMs) - (word.wallMs - word.monoMs)
  if (Math.abs(movedMs) > STEPPED_MS) return `the clock was set since (by ${Math.round(movedMs / 1000)} s); look at it again`
  if (!mayConfirm(now.wallMs)) return `${isoOf(epochMs(now.wallMs))} cannot be the time of this recorder`
  if (stateOf(state, now.wallMs - state.trustedMs) === 'agreed') return 'wall clock and trusted time agree; there is nothing to confirm'
  return null
}
