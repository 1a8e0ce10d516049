import type { ArchiveView, EpochMs } from '../domain/index.ts'
import type { ArchiveCore } from './core.ts'
import { daysUntilFull } from './forecast.ts'
import { NOTICE_DAYS, noticeAt } from './notice.ts'
import { endOf, type Strays } from './sweeper.ts'
import type { Vault } from './vault.ts'

const DAY_MS = 86_400_000
const RATE_DAYS = 30
const MOST_NEXT = 10

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
