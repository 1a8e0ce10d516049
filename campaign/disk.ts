import { diskCase, type DiskCase } from './disk-case.ts'
import { inject, INJECTIONS } from './disk-injection.ts'
import { STRIKES } from './disk-mounts.ts'
import { stepMatrix } from './disk-steps.ts'

export interface DiskOptions {
  readonly seed: number
  /** Each label once, and the one real case that needs neither root nor strace. */
  readonly slice: boolean
  /** Only real cases whose name has this in it; the matrix is left out. */
  readonly only?: string
}

const SLICE = 'the folder replaced by an empty one'

const REAL: readonly DiskCase[] = [
  ...STRIKES.map(({ name, disk, strike, repair, isHarmless = false, isDead = false }): DiskCase => ({ name, disk, isHarmless, isDead, trouble: async each => { await strike(each); return { end: () => repair(each) } } })),
  ...INJECTIONS.map((injection): DiskCase => ({
    name: `injected: ${injection.name}`, disk: 'folder', isHarmless: /EOPNOTSUPP/.test(injection.name),
    trouble: async (disk, site) => { const running = await inject(injection, site.recorder.pid, disk.mountPoint); return { injected: () => running.injected(), end: () => running.stop() } },
  })),
]

/** Disks that fail: by every labelled file call on volumes in memory, and for real under the running program. */
export async function diskCampaign({ seed, slice, only }: DiskOptions): Promise<boolean> {
  const problems: string[] = []
  if (only === undefined) {
    const steps = await stepMatrix({ seed, sample: slice ? 0 : 1 })
    console.log(`file calls: ${steps.cases} faults at ${steps.labels.length} labelled calls, ${steps.problems.length} problems (seed ${seed})`)
    problems.push(...steps.problems)
  }
  for (const each of REAL.filter(({ name }) => only === undefined ? !slice || name === SLICE : name.includes(only))) {
    const { name, lostMs, reason, injected, problems: wrong } = await diskCase(each, slice ? { beforeMs: 3_000, troubleMs: 30_000, afterMs: 3_000, badMiB: 24, goodMiB: 24, isShort: true } : undefined)
    console.log(`${wrong.length === 0 ? 'well' : 'PROBLEM'}: ${name}: ${injected === null ? '' : `${injected} calls failed, `}at most ${(lostMs / 1000).toFixed(1)} s of a stream lost, health said ${reason}`)
    problems.push(...wrong.map(what => `${name}: ${what}`))
  }
  for (const problem of problems) console.log(`PROBLEM ${problem}`)
  console.log(problems.length === 0 ? 'the recorder lived through every fault, the other volume went on, nothing synced was lost, and what was lost is told' : `${problems.length} problems`)
  return problems.length === 0
}
