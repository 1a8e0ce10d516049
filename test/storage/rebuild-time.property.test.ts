import fc from 'fast-check'
import t from 'tap'
import { volumeUuid, type PastAdvance } from '../../src/domain/index.ts'
import { planTime, type StampMove } from '../../src/storage/rebuild-time.ts'
import type { Reading, TimeCopy } from '../../src/trusted-time/index.ts'

const HOUR_MS = 3_600_000
const START_MS = 1.8e12
const DISK = volumeUuid('1'.repeat(32))
/** By so much a stamp may stand ahead of the frame it tells of: a slot's stamp names a day. */
const AHEAD_MS = 48 * HOUR_MS

interface Footage { readonly trueMs: number, readonly stampMs: number }

/** A recorder that is off now and then, and counts that time later or never; it knows its own lag only then. */
class Life {
  trueMs = START_MS
  trustedMs = START_MS
  doubtSinceMs: number | null = null
  readonly advances: PastAdvance[] = []
  readonly footage: Footage[] = []

  record(forMs: number): void {
    this.trueMs += forMs
    this.trustedMs += forMs
    this.footage.push({ trueMs: this.trueMs, stampMs: this.trustedMs })
  }
  off(forMs: number): void {
    this.doubtSinceMs ??= this.trustedMs
    this.trueMs += forMs
  }
  count(): void {
    const byMs = this.trueMs - this.trustedMs
    if (this.doubtSinceMs === null || byMs <= 0) return
    this.advances.push({ sinceMs: this.doubtSinceMs, atMs: this.trustedMs, byMs })
    this.trustedMs += byMs
    this.doubtSinceMs = null
  }
  copy(timeline: string): TimeCopy {
    const { trustedMs, doubtSinceMs } = this
    return { timeline, advances: [...this.advances], time: {
      trustedMs, monoMs: 0, bootId: 'then', wallMs: trustedMs, isKnown: true, claimMs: null,
      allowanceMs: 0, doubtSinceMs, told: doubtSinceMs === null ? 'agreed' : 'disagrees',
    } }
  }
}

/** What the stamp of a slot becomes, as docs/design/0003 says it. */
function movedBy({ advances, shiftMs }: StampMove, stampMs: number): number {
  const counted = advances.reduce((stamp, { sinceMs, atMs, byMs }) =>
    stamp >= sinceMs && stamp <= atMs + AHEAD_MS ? stamp + byMs : stamp, stampMs)
  return counted + shiftMs
}

const step = fc.record({
  kind: fc.constantFrom('record', 'record', 'off', 'count'), hours: fc.integer({ min: 1, max: 2_000 }),
})

function lived(steps: readonly { readonly kind: string, readonly hours: number }[]): Life {
  const life = new Life()
  for (const { kind, hours } of steps) {
    if (kind === 'record') life.record(hours * HOUR_MS)
    else if (kind === 'off') life.off(hours * HOUR_MS)
    else life.count()
  }
  return life
}

t.test('whatever a new catalogue began with, nothing seems older after a rebuild than it is [G1]',
  t => {
    fc.assert(fc.property(
      fc.array(step, { minLength: 1, maxLength: 12 }), fc.integer({ min: 0, max: 5_000 }),
      fc.constantFrom('none', 'fresh', 'used', 'same'), fc.integer({ min: -40_000, max: 90_000 }),
      (steps, offHours, ownKind, ownAheadHours) => {
        const life = lived(steps)
        const copy = life.copy('a'.repeat(32))
        const nowMs = life.trueMs + offHours * HOUR_MS
        const ownMs = ownKind === 'same' ? life.trustedMs : nowMs + ownAheadHours * HOUR_MS
        const own = ownKind === 'none' ? null : {
          timeline: ownKind === 'same' ? copy.timeline : 'b'.repeat(32),
          time: { ...copy.time, bootId: 'now', trustedMs: ownMs, wallMs: ownMs },
        }
        const reading: Reading = { wallMs: ownMs, monoMs: 0, bootId: 'now', isSynchronised: false }
        const known = { own, advances: ownKind === 'same' ? life.advances : [], hasFootage: ownKind !== 'fresh' }
        const { take, moves } = planTime(known, [{ uuid: DISK, copy }], reading)
        const baseMs = (take ?? own!).time.trustedMs
        for (const { trueMs, stampMs } of life.footage) {
          const seemsMs = baseMs - movedBy(moves.get(DISK)!, stampMs)
          if (seemsMs > nowMs - trueMs) return false
        }
        return true
      }), { numRuns: 20_000 })
    t.pass('20,000 lives')
    t.end()
  })
