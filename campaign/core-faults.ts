import { runTrial, type TrialPlan, type TrialRow } from './core-trial.ts'
import { catalogueLocked } from './catalogue-lock.ts'
import { hungDisk } from './hung-disk.ts'
import { spawnFault } from './spawn-fault.ts'
import { stateDiskFull } from './state-disk.ts'
import { syncBurst } from './sync-burst.ts'
import { unreadStdout } from './unread-stdout.ts'

export interface CoreFaultsOptions {
  readonly seed: number
  /** How long the catalogue is locked or the state disk full. */
  readonly minutes: number
  /** Names, or the beginning of several; all when left out. */
  readonly cases?: readonly string[]
  /** Short forms of three cases, for `npm test`. */
  readonly slice: boolean
}

const PROBLEMS_SHOWN = 16
const COLUMNS = [
  'case', 'what happened', 'sent', 'found', 'missing', 'longest hole', 'recording went on', 'health said',
  'verdict',
]

function plans({ slice, minutes }: CoreFaultsOptions): TrialPlan[] {
  const seconds = minutes * 60
  if (slice) return [
    syncBurst({ volumes: 1, isShort: true }),
    hungDisk({ seconds: 14, isShort: true }),
    catalogueLocked({ seconds: 8, cameras: 3, isShort: true }),
  ]
  return [
    syncBurst({ volumes: 1 }), syncBurst({ volumes: 1, onSlots: true }), syncBurst({ volumes: 2 }),
    hungDisk({ seconds: 40 }), hungDisk({ seconds: 120 }),
    hungDisk({ seconds: 40, when: 'start' }), hungDisk({ seconds: 20, when: 'stop' }),
    catalogueLocked({ seconds }),
    catalogueLocked({ seconds, killed: 'back-inside' }),
    catalogueLocked({ seconds, killed: 'back-after' }),
    stateDiskFull({ seconds }), stateDiskFull({ seconds, restarted: true }),
    spawnFault('not-executable'), spawnFault('folder-replaced'),
    unreadStdout(),
  ]
}

/**
 * Faults that befall the recorder's core, each on the real recorder with numbered cameras: frames sent are
 * compared with frames found. Needs root (loop devices, strace, fsfreeze).
 */
export async function coreFaultsCampaign(options: CoreFaultsOptions): Promise<boolean> {
  const { cases, seed } = options
  const all = plans(options)
  const chosen = cases?.flatMap(name => named(all, name)) ?? all
  if (chosen.length === 0) {
    const known = all.map(plan => plan.name).join(', ')
    console.error(`there is no case ${cases?.join(', ')}; there are: ${known}`)
    return false
  }
  console.log(`seed ${seed}`)
  console.log(`| ${COLUMNS.join(' | ')} |`)
  console.log(`|${COLUMNS.map(() => '---').join('|')}|`)
  let isGood = true
  for (const plan of chosen) {
    const row = await runTrial(plan, seed)
    console.log(textOf(row))
    const shown = row.problems.slice(0, PROBLEMS_SHOWN), more = row.problems.length - shown.length
    for (const problem of shown) console.log(`PROBLEM ${row.name}: ${problem}`)
    if (more > 0) console.log(`PROBLEM ${row.name}: and ${more} more`)
    isGood &&= row.problems.length === 0
  }
  if (isGood) console.log('recording went on through every fault, and every frame that lacks was told')
  return isGood
}

/** The one of that name, or those whose names begin with it. */
function named(all: readonly TrialPlan[], name: string): readonly TrialPlan[] {
  const exact = all.filter(plan => plan.name === name)
  return exact.length > 0 ? exact : all.filter(plan => plan.name.startsWith(name))
}

function textOf(row: TrialRow): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  const after = (ms: number | null) => ms === null ? 'no break' : `${seconds(ms)} after the fault began`
  const { name, happened, sent, found, missing, longestHoleMs, wentOnMs, shownOnMs, health, problems } = row
  return `| ${[
    `${name} (${seconds(row.tookMs)})`, happened, sent, found, missing, seconds(longestHoleMs),
    `frames: ${after(wentOnMs)}; by health: ${after(shownOnMs)}`, health,
    problems.length === 0 ? 'right' : `**wrong**: ${problems.length}`,
  ].join(' | ')} |`
}
