import { inject } from './disk-injection.ts'
import { stateOf } from './health-watch.ts'
import { SYNCED_MS, type Trial, type TrialPlan } from './core-trial.ts'

const BURST_S = 6
const WITHIN_MS = 10_000 // after the end of the burst every camera is recorded again
const RECOVERED_WITHIN_MS = 70_000
const EIO = { name: 'burst', trace: 'fdatasync,fsync', inject: 'fdatasync,fsync:error=EIO:when=1..4' }

/**
 * The first four syncs of each thread of the recorder fail with EIO, as when a SATA link is reset; then all is well again.
 * Those of the catalogue fail too, unless `onSlots`.
 */
export function syncBurst({ volumes, onSlots = false, isShort = false }: { volumes: number, onSlots?: boolean, isShort?: boolean }): TrialPlan {
  const ids = Array.from({ length: volumes }, (_, i) => `disk${i + 1}`)
  return {
    name: `sync-burst${volumes === 1 ? '' : '-two'}${onSlots ? '-slots' : ''}`, floorS: 20, mayQuarantine: true,
    site: () => Promise.resolve({ cameras: 2, volumes: ids.map(id => ({ id, sizeMiB: 64 })) }),
    mayLose: ({ from, cause }, { struckAt }) => from >= struckAt - SYNCED_MS && /storage/.test(cause),
    async act(trial) {
      await trial.start()
      await trial.lasting(5_000 + trial.random() * 1_000)
      trial.strike()
      const running = await inject(EIO, trial.site.recorder.pid, onSlots ? trial.site.volumes[0]!.path : undefined)
      try { await trial.lasting(BURST_S * 1000) } finally { await running.stop() }
      trial.mend()
      trial.expect(running.injected() > 0, 'no call was failed')
      await trial.untilRecording(WITHIN_MS)
      trial.expectTold(/^(volume-|no-usable-volume|stream-storage|catalogue)/, 'the failed syncs', 2_000)
      const isWell = () => ids.every(id => stateOf(trial.watch.last, id) === 'ok')
      const isBack = isWell() || await trial.lasting(trial.mendedAt + RECOVERED_WITHIN_MS - Date.now(), isWell)
      trial.expect(isBack, `not every volume was ok ${RECOVERED_WITHIN_MS / 1000} s after the burst: ${volumeStates(trial)}`)
      if (isBack) tellsBoth(trial, ids)
      await trial.lasting(isShort ? 3_000 : 10_000)
      return `${running.injected()} syncs failed within ${BURST_S} s`
    },
  }
}

const volumeStates = ({ watch }: Trial): string => watch.last?.volumes.map(({ id, state }) => `${id} ${state}`).join(', ') ?? 'no answer'

/** A volume that health showed as out has an audit entry of that, and a later one of its coming back. */
function tellsBoth(trial: Trial, ids: readonly string[]): void {
  for (const id of ids) {
    const wasOut = trial.watch.looks.some(({ at, health }) => at > trial.struckAt && health !== null && stateOf(health, id) !== 'ok')
    if (!wasOut) continue
    const acts = trial.rows<{ action: string }>(
      "SELECT action FROM audit_entry WHERE object = ? AND at >= ? AND action LIKE 'volume.%' ORDER BY seq", id, trial.struckAt)
      .map(({ action }) => action)
    const out = acts.findIndex(action => action === 'volume.failed' || action === 'volume.refused')
    trial.expect(out >= 0 && acts.indexOf('volume.in-use', out) > out, `${id} was out and is back; the audit log says: ${acts.join(', ') || 'nothing'}`)
  }
}
