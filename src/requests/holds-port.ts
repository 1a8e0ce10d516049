import type { Answer, Ask } from '../link/index.ts'

/** The recorder's holds, as the office asks for them. What is cut off has happened or not: each is keyed. */
export interface HoldsPort {
  cost(range: Ask<'hold.cost'>): Promise<Answer<'hold.cost'>>
  /** Durable on return. The same `holdId` again is the same hold; CUSTOS_HOLD_ENDED once it was ended. */
  place(hold: Ask<'hold.place'>): Promise<Answer<'hold.place'>>
  /** CUSTOS_HOLD_UNKNOWN where it never was placed, CUSTOS_HOLD_ENDED where somebody else ended it. */
  end(hold: Ask<'hold.end'>): Promise<Answer<'hold.end'>>
  list(page: Ask<'hold.list'>): Promise<Answer<'hold.list'>>
}

type HoldRequestName = 'hold.cost' | 'hold.place' | 'hold.end' | 'hold.list'
/** One request to the recorder, over its socket or in the same process. */
export type AskHolds = <N extends HoldRequestName>(name: N, body: Ask<N>) => Promise<Answer<N>>

export const holdsPort = (ask: AskHolds): HoldsPort => ({
  cost: range => ask('hold.cost', range),
  place: hold => ask('hold.place', hold),
  end: hold => ask('hold.end', hold),
  list: page => ask('hold.list', page),
})
