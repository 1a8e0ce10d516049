import type { EpochMs } from '../domain/index.ts'
import type { Bilingual, ReasonCode } from './reason-catalogue.ts'

/** Healthy: the promise is kept. Degraded: kept, but less than intended. Critical: footage is being lost, or cannot be kept. */
export type HealthLevel = 'healthy' | 'degraded' | 'critical'
/** When a person must act. */
export type Urgency = 'tonight' | 'week' | 'note'

/** Something that is not as it should be, without the time it began. */
export interface Finding {
  readonly code: ReasonCode
  /** `camera/stream`, a volume id, or null for the whole recorder. */
  readonly subject: string | null
  /** `healthy` marks a note: worth knowing, does not lower the level. */
  readonly level: HealthLevel
  readonly urgency: Urgency
  /** Fills the placeholders of the wording. */
  readonly values: Readonly<Record<string, string>>
  /** When it began, where the facts know better than the first look. */
  readonly beganAt: EpochMs | null
  /** What `since` is remembered by: a dead stream stays one trouble while its cause changes. */
  readonly trouble: string
}

/** What a person reads. `text` is Traditional Chinese, `en` the same in English. */
export interface Reason {
  readonly code: ReasonCode
  readonly text: string
  readonly en: string
  readonly since: EpochMs
  readonly urgency: Urgency
  readonly level: HealthLevel
  readonly nextStep: Bilingual
  readonly subject: string | null
}

const LEVELS: readonly HealthLevel[] = ['healthy', 'degraded', 'critical']
const URGENCIES: readonly Urgency[] = ['tonight', 'week', 'note']

export function worstLevel(reasons: readonly { readonly level: HealthLevel }[]): HealthLevel {
  const worst = Math.max(0, ...reasons.map(reason => LEVELS.indexOf(reason.level)))
  return LEVELS[worst] ?? 'critical'
}

type Ranked = Pick<Finding, 'code' | 'subject' | 'urgency'>
const ordered = (left: string, right: string): number => left < right ? -1 : left > right ? 1 : 0

/** What is most urgent first, then by subject (the whole recorder before its parts), then by code: the same facts always read the same. */
export function byUrgency(left: Ranked, right: Ranked): number {
  return URGENCIES.indexOf(left.urgency) - URGENCIES.indexOf(right.urgency)
    || ordered(left.subject ?? '', right.subject ?? '')
    || ordered(left.code, right.code)
}
