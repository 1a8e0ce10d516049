import { inject } from './disk-injection.ts'
import { stateOf } from './health-watch.ts'
import { SYNCED_MS, type Trial, type TrialPlan } from './core-trial.ts'

const BURST_S = 6
const WITHIN_MS = 10_000 // after the end of the burst every camera is recorded again
const RECOVERED_WITHIN_MS = 70_000
const EIO = { name: 'burst', trace: 'fdatasync,fsync', inject: 'fdatasync,fsync:error=EIO:when=1..4' }

export interface SyncBurstOptions {
  readonly volumes: number
  readonly onSlots?: boolean
  readonly isShort?: boolean
}

/**
 * The first four syncs of each thread of the recorder fail with EIO, as when a SATA link is reset. Those of
 * the catalogue fail too, unless `onSlots`.
 */
export function syncBurst({ volumes, onSlots = false, isShort = false }: SyncBurstOptions): TrialPlan {
  const ids = Array.from({ length: volumes }, (_, i) => `disk${i + 1}`)
  return {
    name: `sync-burst${volumes === 1 ? '' : '-two'}${onSlots ? '-slots' : ''}`,
    floorS: 20, mayQuarantine: true,
    site: () => Promise.resolve({ cameras: 2, volumes: ids.map(id => ({ id, sizeMiB: 64 })) }),
    mayLose: ({ from, cause }, { struckAt }) => from >= struckAt - SYNCED_MS && /storage/.test(cause),
    async act(trial) {
      await trial.start()
      await trial.lasting(5_000 + trial.random() * 1_000)
      trial.strike()
      const { recorder, volumes: [volume] } = trial.site
      const running = await inject(EIO, recorder.pid, onSlots ? volume!.path : undefined)
      try { await trial.lasting(BURST_S * 1000) } finally { await running.stop() }
      trial.mend()
      trial.expect(running.injected() > 0, 'no call was failed')
      await trial.untilRecording(WITHIN_MS)
      trial.expectTold(/^(volume-|no-usable-volume|stream-storage|catalogue)/, 'the failed syncs', 2_000)
      const isWell = () => ids.every(id => stateOf(trial.watch.last, id) === 'ok')
      const isBack = await trial.lasting(trial.mendedAt + RECOVERED_WITHIN_MS - Date.now(), isWell)
      const late = `${RECOVERED_WITHIN_MS / 1000} s after the burst`
      trial.expect(isBack, `not every volume was ok ${late}: ${volumeStates(trial)}`)
      if (isBack) tellsBoth(trial, ids)
      await trial.lasting(isShort ? 3_000 : 10_000)
      return `${running.injected()} syncs failed within ${BURST_S} s`
    },
  }
}

const volumeStates = ({ watch }: Trial): string =>
  watch.last?.volumes.map(({ id, state }) => `${id} ${state}`).join(', ') ?? 'no answer'

/** A volume that health showed as out has an audit entry of that, and a later one of its coming back. */
function tellsBoth(trial: Trial, ids: readonly string[]): void {
  for (const id of ids) {
    const after = trial.watch.looks.filter(({ at, health }) => at > trial.struckAt && health !== null)
    if (after.every(({ health }) => stateOf(health, id) === 'ok')) continue
    const rows = trial.rows<{ action: string }>(`SELECT action FROM audit_entry
      WHERE object = ? AND at >= ? AND action LIKE 'volume.%' ORDER BY seq`, id, trial.struckAt)
    const acts = rows.map(({ action }) => action)
    const out = acts.findIndex(action => action === 'volume.failed' || action === 'volume.refused')
    const isTold = out >= 0 && acts.indexOf('volume.in-use', out) > out
    trial.expect(isTold, `${id} was out and is back; the audit log says: ${acts.join(', ') || 'nothing'}`)
  }
}
