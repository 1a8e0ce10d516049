import type { EpochMs } from '../domain/index.ts'
import type { ArchiveCore } from './core.ts'
import { daysUntilFull } from './forecast.ts'
import type { ItemNo } from './item.ts'
import { NOTICE_DAYS, noticeAt } from './notice.ts'
import { endOf, type Strays } from './sweeper.ts'
import type { Vault, VaultState } from './vault.ts'

const DAY_MS = 86_400_000
const RATE_DAYS = 30
const MOST_NEXT = 10

/** How the archive stands, for health and the command line. Numbers of items only, no names. */
export interface ArchiveView {
  readonly state: VaultState
  /** For the log; may name files. */
  readonly detail: string
  readonly items: number
  readonly bytes: number
  readonly quotaBytes: number
  /** Of the volume; null while it is not there. */
  readonly freeBytes: number | null
  /** The last putting in was refused for room, and there is still none. */
  readonly isFull: boolean
  /** At the rate of the last 30 days; null when not within 400. */
  readonly fullInDays: number | null
  /** The next ends, soonest first. */
  readonly next: readonly { readonly itemNo: ItemNo, readonly destroysAt: EpochMs }[]
  /** Items within 30 local days of their end. */
  readonly expiring: { readonly count: number, readonly soonestAt: EpochMs | null }
  /** More than a day over their end and still there, e.g. while the clocks disagree. */
  readonly overdue: number
  readonly unsigned: { readonly count: number, readonly since: EpochMs | null }
  readonly holdsToApprove: { readonly count: number, readonly since: EpochMs | null }
  readonly lost: readonly { readonly itemNo: ItemNo, readonly since: EpochMs, readonly what: string }[]
  readonly strays: number
}

export function viewOf({ items, destructions, options: { quotaBytes } }: ArchiveCore, { vault, strays, neededBytes, now }: { readonly vault: Vault, readonly strays: Strays, readonly neededBytes: number, readonly now: EpochMs }): ArchiveView {
  const there = items.there(), used = items.used()
  const ends = there.map(item => ({ itemNo: item.itemNo, bytes: item.bytes, destroysAt: endOf(item) }))
  const next = ends.filter((end): end is typeof end & { destroysAt: EpochMs } => end.destroysAt !== null).sort((a, b) => a.destroysAt - b.destroysAt)
  const expiring = next.filter(({ destroysAt }) => now >= noticeAt(destroysAt, NOTICE_DAYS[0]) && now < destroysAt)
  const roomBytes = Math.min(quotaBytes, vault.freeBytes === null ? quotaBytes : used.bytes + vault.freeBytes)
  return {
    state: vault.state, detail: vault.detail, items: used.items, bytes: used.bytes, quotaBytes, freeBytes: vault.freeBytes, isFull: neededBytes > 0 && used.bytes + neededBytes > roomBytes,
    fullInDays: daysUntilFull({ now, quotaBytes: roomBytes, usedBytes: used.bytes, perDayBytes: items.putSince(now - RATE_DAYS * DAY_MS) / RATE_DAYS, leaving: ends.map(({ destroysAt, bytes }) => ({ at: destroysAt, bytes })) }),
    next: next.slice(0, MOST_NEXT).map(({ itemNo, destroysAt }) => ({ itemNo, destroysAt })), expiring: { count: expiring.length, soonestAt: expiring[0]?.destroysAt ?? null },
    overdue: next.filter(({ destroysAt }) => now >= destroysAt + DAY_MS).length, unsigned: destructions.unsigned(), holdsToApprove: items.holds.toApprove(),
    lost: there.flatMap(({ itemNo, lost }) => lost === null ? [] : [{ itemNo, ...lost }]), strays: strays.folders.length + strays.keys.length,
  }
}
