import type { CaseHold, HoldCost } from './tables/case-holds.ts'

/** How the holds of a case stand at the recorder. Only `held` says that all it wants is held. */
export type HoldingState = 'none' | 'held' | 'being-held' | 'being-let-go'
/** `reason`: what the recorder answered last, or that it did not. */
export interface Holding { readonly state: HoldingState, readonly zh: string, readonly en: string, readonly reason: string | null }

export const HOLDING_TEXTS = {
  'none': { zh: '本案沒有保全中的影像。', en: 'No footage is held for this case.' },
  'held': { zh: '已保全。', en: 'Held.' },
  'being-held': { zh: '保全中，待錄影程式確認。', en: 'Being held; the recorder has not confirmed it yet.' },
  'being-let-go': { zh: '解除中，待錄影程式確認。', en: 'Being let go; the recorder has not confirmed it yet.' },
} as const satisfies Record<HoldingState, object>

const SILENT = '錄影程式尚未回答。/ the recorder has not answered yet'

/** Of the rows of a case that are not ended. */
export function holdingOf(rows: readonly CaseHold[]): Holding {
  const waiting = rows.find(({ state, trouble }) => state === 'wanted' && trouble !== null)
    ?? rows.find(({ state }) => state === 'wanted')
  const ending = rows.find(({ state }) => state === 'ending')
  const state = waiting !== undefined ? 'being-held' : rows.some(row => row.state === 'held') ? 'held'
    : ending !== undefined ? 'being-let-go' : 'none'
  const isWaiting = state === 'being-held' || state === 'being-let-go'
  return { state, ...HOLDING_TEXTS[state], reason: isWaiting ? (waiting ?? ending)?.trouble?.text ?? SILENT : null }
}

/** One hold as a case shows it. */
export const STATE_TEXTS = {
  wanted: HOLDING_TEXTS['being-held'], held: HOLDING_TEXTS.held, ending: HOLDING_TEXTS['being-let-go'],
  ended: { zh: '已解除。', en: 'Let go.' },
} as const

/** Of all of them together, a slot that two lines touch twice; null while it is not known of one. */
export function costOf(rows: readonly Pick<CaseHold, 'cost'>[]): HoldCost | null {
  const sum = { slots: 0, bytes: 0, newlyHeld: 0 }
  for (const { cost } of rows) {
    if (cost === null) return null
    sum.slots += cost.slots
    sum.bytes += cost.bytes
    sum.newlyHeld += cost.newlyHeld
  }
  return sum
}
