import { epochMs, type EpochMs } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'
import { REASON_CATALOGUE, worded } from './reason-catalogue.ts'
import { byUrgency, worstLevel, type Finding, type HealthLevel, type Reason } from './reason.ts'
import { findingsOf } from './reasons.ts'
import { StreamWatcher } from './stream-watch.ts'
import type { RecorderFacts } from './views.ts'

/** One verdict over one set of facts. */
export interface Assessment {
  readonly at: EpochMs
  readonly facts: RecorderFacts
  readonly level: HealthLevel
  /** Most urgent first. */
  readonly reasons: readonly Reason[]
}

/** Remembers since when each trouble lasts, under whatever code it shows just now. */
export class TroubleHistory {
  #since = new Map<string, EpochMs>()

  /** Troubles no longer found are forgotten. */
  stamp(findings: readonly Finding[], now: EpochMs): Reason[] {
    const since = new Map<string, EpochMs>()
    const reasons = findings.toSorted(byUrgency).map(finding => {
      // A start in the future can only come of a clock that was set back.
      const began = this.#since.get(finding.trouble) ?? epochMs(Math.min(finding.beganAt ?? now, now))
      since.set(finding.trouble, began)
      return reasonOf(finding, began)
    })
    this.#since = since
    return reasons
  }
}

function reasonOf(finding: Finding, since: EpochMs): Reason {
  const { text, nextStep } = REASON_CATALOGUE[finding.code]
  return {
    code: finding.code, text: worded(text.zh, finding.values), en: worded(text.en, finding.values), since,
    urgency: finding.urgency, level: finding.level, nextStep, subject: finding.subject,
  }
}

/** Judges the recorder by its facts, look after look. Reads nothing itself and changes nothing. */
export class HealthState {
  readonly #clock: Clock
  readonly #streams: StreamWatcher
  readonly #history = new TroubleHistory()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#streams = new StreamWatcher(clock)
  }

  assess(facts: RecorderFacts): Assessment {
    const at = this.#clock.wallNow()
    const reasons = this.#history.stamp(findingsOf(facts, this.#streams.observe(facts.streams)), at)
    return { at, facts, level: worstLevel(reasons), reasons }
  }
}
