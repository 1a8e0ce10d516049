import { setImmediate as turn } from 'node:timers/promises'
import type { TimeRange } from '../domain/index.ts'
import type { Footage } from '../footage/index.ts'
import type { Clock } from '../platform/clock.ts'
import type { Scope } from './cases/scope.ts'
import { within } from './within.ts'

/** How much of one asked line still stands. */
export interface FoundLine {
  readonly camera: string
  readonly from: number
  readonly to: number
  readonly state: 'whole' | 'partly' | 'gone' | 'unknown'
  /** None where it is not known. */
  readonly parts: readonly TimeRange[]
  /** Of all parts. */
  readonly foundMs: number
  readonly zh: string
  readonly en: string
}
export const FOUND_TEXTS = {
  whole: { zh: '影像仍在。', en: 'The footage is there.' },
  partly: { zh: '僅部分時段仍有影像；其餘已依規定循環覆蓋或未攝錄。', en: 'Part of it is there; the rest was overwritten by the rule or never recorded.' },
  gone: { zh: '此時段已無影像（已依規定循環覆蓋或未攝錄）。', en: 'None of it is there: overwritten by the rule or never recorded.' },
  unknown: { zh: '錄影程式目前無法查詢，影像是否仍在尚不得知。', en: 'The recorder cannot be asked now, so whether the footage is there is not known.' },
} as const

/** Of all lines together; who waits for it is a person. */
export const FOUND_WITHIN_MS = 5_000

/** R31: whether it exists, and nothing else of it. To the segment: a pause of the recording inside one is not seen. Never rejects. */
export async function foundOf(scope: Scope, footage: Pick<Footage, 'found'>, clock: Clock): Promise<readonly FoundLine[]> {
  const until = clock.monoNow() + FOUND_WITHIN_MS
  const lines: FoundLine[] = []
  let isAway = false
  for (const { camera, from, to } of scope) {
    const found: readonly TimeRange[] | null = isAway ? null
      : await within(clock, until - clock.monoNow(), footage.found(camera, { startAt: from, endAt: to })).catch(() => null)
    isAway ||= found === null
    const parts = found ?? [], foundMs = parts.reduce((sum, part) => sum + part.endAt - part.startAt, 0)
    const state = found === null ? 'unknown' : foundMs === 0 ? 'gone' : foundMs < to - from ? 'partly' : 'whole'
    lines.push({ camera, from, to, state, parts, foundMs, ...FOUND_TEXTS[state] })
    await turn() // a look at a catalogue in this process
  }
  return lines
}
