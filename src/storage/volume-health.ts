import { monoMs, type MonoMs } from '../domain/index.ts'

/**
 * Between probes of a volume that failed: a link that resets is back in seconds, a disk that died is asked
 * once a minute for ever.
 */
export const PROBE_DELAYS_MS = [1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 60_000]
/** Faults within this time have one cause: eight streams in flight see one reset of a link eight times. */
const BURST_MS = 1_000
/** Bursts in a row, without one good sync between, that take a volume out. */
const BURSTS_UNTIL_OUT = 3
/** A volume that fails again sooner goes on where its probes had got to. */
const SETTLED_MS = 60_000

/**
 * Counts the faults of one volume: when it is out, when it is tried again. Pure but for its own counters;
 * times are running time.
 */
export class VolumeHealth {
  #bursts = 0
  #burstBeganAt = Number.NEGATIVE_INFINITY
  #failedTrials = 0
  #trialAt = Number.NEGATIVE_INFINITY
  #probes = 0
  #probeAt = 0
  #backAt = Number.NEGATIVE_INFINITY

  /** Its last write or sync was a good one. */
  get isCalm(): boolean { return this.#bursts === 0 }
  /** While not calm: when the next slot may be tried there. */
  get trialAt(): MonoMs { return monoMs(Math.max(0, this.#trialAt)) }
  /** When it is probed next; of a volume that is out. */
  get probeAt(): MonoMs { return monoMs(this.#probeAt) }

  noteGood(): void {
    this.#bursts = 0
    this.#failedTrials = 0
    this.#trialAt = Number.NEGATIVE_INFINITY
  }

  /** True: the volume is to be taken out. */
  noteFault(now: MonoMs): boolean {
    if (now - this.#burstBeganAt < BURST_MS && this.#bursts > 0) return false
    this.#burstBeganAt = now
    this.#bursts++
    return this.#bursts >= BURSTS_UNTIL_OUT
  }

  /**
   * A slot that was tried after a fault failed too: the next try waits, so that a dead disk does not cost
   * slot after slot.
   */
  noteFailedTrial(now: MonoMs): void { this.#trialAt = now + delayOf(this.#failedTrials++) }

  /** Taken out: probes begin. */
  noteOut(now: MonoMs): void {
    if (now - this.#backAt > SETTLED_MS) this.#probes = 0
    this.#probeAt = now + delayOf(this.#probes++)
  }
  noteFailedProbe(now: MonoMs): void { this.#probeAt = now + delayOf(this.#probes++) }
  /** Something changed that is worth a look at once. */
  probeNow(now: MonoMs): void { this.#probeAt = now }
  noteBack(now: MonoMs): void {
    this.#backAt = now
    this.noteGood()
  }
}

const delayOf = (tries: number): number => PROBE_DELAYS_MS[Math.min(tries, PROBE_DELAYS_MS.length - 1)]!
