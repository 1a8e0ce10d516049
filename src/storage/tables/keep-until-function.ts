import { epochMs, type EpochMs } from '../../domain/index.ts'
import type { Db } from '../../platform/catalogue.ts'

/** SQL function `custos_keep_until(floor_rule, newest_at)`, for statements that move many rows at once. */
export function defineKeepUntil(db: Db, keepUntilOf: (floorRule: string, newestAt: EpochMs) => EpochMs): void {
  db.function('custos_keep_until',
    (rule: unknown, newestAt: unknown) => keepUntilOf(String(rule), epochMs(Number(newestAt))))
}
