import { chmodSync, cpSync, mkdirSync, renameSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { SYNCED_MS, type Trial, type TrialPlan } from './core-trial.ts'

const ROOT = path.join(import.meta.dirname, '..')
const FAULT_MS = 10_000
const WITHIN_MS = 15_000
/** Its connection breaks while no ffmpeg can be started; the others need none. */
const BROKEN = 'c0'
/** As the installer copies them; the modules stay where they are. */
const PARTS = ['bin', 'libexec', 'src', 'web', 'migrations', 'config', 'package.json']

function install(to: string): void {
  mkdirSync(to)
  for (const part of PARTS) cpSync(path.join(ROOT, part), path.join(to, part), { recursive: true })
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(to, 'node_modules'))
}

export type SpawnFault = 'not-executable' | 'folder-replaced'

/** No ffmpeg can be started for ten seconds, while one camera has to be connected anew. */
export function spawnFault(kind: SpawnFault): TrialPlan {
  let home = ''
  return {
    name: `spawn-fault-${kind}`, floorS: 20,
    site(folder) {
      home = path.join(folder, 'opt')
      install(home)
      const program = path.join(home, 'bin/custos')
      return Promise.resolve({ cameras: 3, volumes: [{ id: 'disk', sizeMiB: 64 }], program })
    },
    mayLose: ({ from, cause }, { struckAt }) =>
      from >= struckAt - SYNCED_MS && cause !== '' && !/storage|recorder/.test(cause),
    async act(trial) {
      await trial.start()
      await trial.lasting(6_000 + trial.random() * 2_000)
      trial.strike()
      const child = path.join(home, 'libexec/ffmpeg-child')
      if (kind === 'not-executable') chmodSync(child, 0o644)
      else renameSync(home, `${home}.old`)
      const { proxy } = trial.site.cameras.find(({ id }) => id === BROKEN)!
      await proxy.set({ kind: 'reset' })
      await trial.lasting(1_000)
      await proxy.set({ kind: 'pass' })
      await trial.lasting(FAULT_MS - 1_000)
      if (kind === 'not-executable') chmodSync(child, 0o755)
      else install(home)
      trial.mend()
      await trial.untilRecording(WITHIN_MS)
      await trial.lasting(8_000)
      trial.later(() => { othersLostNothing(trial) })
      const what = kind === 'not-executable' ? 'ffmpeg-child not executable' : 'program folder away'
      return `${what} for ${FAULT_MS / 1000} s, one camera reset in it`
    },
  }
}

function othersLostNothing({ site, problems }: Trial): void {
  for (const { id, ledger } of site.cameras) {
    const lost = ledger.holes().reduce((sum, hole) => sum + hole.frames, 0)
    if (id !== BROKEN && lost > 0) problems.push(`${id} was not touched and lost ${lost} frames`)
  }
}
