import type { SimDisk } from '../disk.ts'
import { DiskViews, type DiskJudge, type SlotView, type ViewedRecord } from './disk-view.ts'
import { mayGoAt, type TimeGains } from './floor-judge.ts'
import { SentFootage, type SentFragment } from './sent-footage.ts'
import { Violation } from './violation.ts'

/** What the oracle must be told of the world, and never of the program under test. */
export interface WorldFacts {
  readonly now: number
  readonly floorDays: number
  readonly gains: TimeGains
}

/** G4: what a kill or a power cut may cost a stream. */
const MAY_LOSE_MS = 2_000

/** Judges what becomes of each piece of footage. Shares no code with the program. */
export class Oracle implements DiskJudge {
  readonly footage = new SentFootage()
  readonly disks: DiskViews
  readonly #world: WorldFacts
  readonly #report: (violation: Violation) => void
  /** Figures of the run. */
  readonly figures = { sent: 0, acked: 0, aged: 0, lostAtCut: 0, worstLossMs: 0 }

  constructor(world: WorldFacts, report: (violation: Violation) => void) {
    this.#world = world
    this.#report = report
    this.disks = new DiskViews(this.footage, this)
  }

  violate(guarantee: string, what: string): void { this.#report(new Violation(guarantee, what)) }
  wrong(what: string): void { this.violate('G1', what) }

  sent(fragment: SentFragment): void {
    this.figures.sent++
    this.footage.add(fragment)
  }
  acked(fragment: SentFragment): void {
    fragment.ackedAt = this.#world.now
    this.figures.acked++
  }

  destroyed(view: SlotView, records: readonly ViewedRecord[]): void {
    for (const { fragment } of records) {
      if (fragment === null || fragment.copies > 0) continue
      this.#judgeGone(fragment, `${view.name} is overwritten`)
    }
  }

  #judgeGone(fragment: SentFragment, how: string): void {
    if (fragment.excuse !== null) return
    const { now, floorDays, gains } = this.#world
    const mayGo = mayGoAt(fragment, floorDays, now, gains)
    if (now >= mayGo) {
      fragment.excuse = 'aged'
      this.figures.aged++
      return
    }
    this.violate('G1', `${how}: ${fragment.name} of ${iso(fragment.endAt)} is gone at ${iso(now)}, ${hours(mayGo - now)} before its floor ends`)
  }

  /** Before bytes change that nobody writes. */
  lookNow(): void { this.disks.catchUpAll() }

  /** Power is gone; the media are what they are. */
  powerCut(disks: Iterable<{ readonly disk: SimDisk, readonly files: readonly string[], readonly wasLiedAbout: ReadonlySet<string>, readonly troubledSince: number | null }>): void {
    const { now } = this.#world
    for (const { disk, files, wasLiedAbout, troubledSince } of disks) {
      for (const { fragment, isDurable } of this.disks.lookAgain(disk, files)) {
        if (fragment === null || fragment.copies > 0 || fragment.excuse !== null) continue
        const ageMs = now - fragment.sentAt
        fragment.excuse = 'lost at a power cut'
        this.figures.lostAtCut++
        if (isDurable) this.violate('G4', `${fragment.name} was on the medium and is gone after a power cut`)
        if (ageMs > MAY_LOSE_MS && wasLiedAbout.size === 0 && (troubledSince === null || fragment.sentAt < troubledSince - MAY_LOSE_MS)) {
          this.violate('G4', `a power cut costs ${fragment.name}, sent ${Math.round(ageMs)} ms before`)
        }
        this.figures.worstLossMs = Math.max(this.figures.worstLossMs, troubledSince === null && wasLiedAbout.size === 0 ? ageMs : 0)
      }
    }
  }

  /** Everything that was said to be stored must be on a disk, unless it may be gone. */
  checkStored(): void {
    this.disks.catchUpAll()
    const from = this.#world.now - 2 * 86_400_000
    for (const fragment of this.footage.after(from)) {
      if (fragment.ackedAt !== null && fragment.copies === 0 && fragment.excuse === null) this.violate('G4', `${fragment.name} was said to be stored and is on no disk`)
    }
  }
}

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 19)
const hours = (ms: number): string => `${(ms / 3_600_000).toFixed(2)} h`
