import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Chronicle } from './chronicle.ts'
import { DAY_MS } from './oracle/calendar.ts'
import type { Violation } from './oracle/violation.ts'
import { seedRandomBytes } from './seeded-crypto.ts'
import { sitePlanOf } from './site-plan.ts'
import { Trace } from './trace.ts'
import { START, World } from './world.ts'

export interface RunOptions {
  readonly seed: number
  readonly days: number
  /** Null: as the seed has it. */
  readonly cameras: number | null
  readonly echo?: boolean
  /** Happenings that are left out. */
  readonly without?: ReadonlySet<string>
  /** Violations that end the run; others are counted. All, where it is left out. */
  readonly counts?: (violation: Violation) => boolean
}

export interface Outcome {
  readonly seed: number
  readonly violation: Violation | null
  /** When it ended, in days from the start. */
  readonly day: number
  readonly seconds: number
  readonly trace: Trace
  readonly happened: readonly string[]
  readonly figures: Readonly<Record<string, number>>
  /** Violations that did not count, by what they broke. */
  readonly passedOver: ReadonlyMap<string, number>
}

/**
 * Where the kernel keeps files in memory: a catalogue that is synced for every row would wait for the disk
 * most of the time.
 */
const MEMORY_FOLDER = '/dev/shm'
const running = new Set<World>()
process.on('unhandledRejection', error => { for (const world of running) world.unhandled(error) })

/** Lets one recorder's days pass, from an empty ring on. */
export async function runWorld({ seed, days, cameras, echo = false, without, counts = () => true }: RunOptions): Promise<Outcome> {
  const folder = mkdtempSync(path.join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'custos-simulate-'))
  const startedAt = performance.now()
  const trace = new Trace(echo), plan = sitePlanOf(seed, cameras)
  const passedOver = new Map<string, number>()
  seedRandomBytes(String(seed))
  const world = new World({
    seed, stateDir: path.join(folder, 'state'), trace, cameras: plan.cameras,
    counts: violation => {
      if (counts(violation)) return true
      passedOver.set(violation.guarantee, (passedOver.get(violation.guarantee) ?? 0) + 1)
      return false
    },
  })
  running.add(world)
  try {
    await world.makeArchive()
    await world.makeVolumes(plan.volumes, plan.slotsAVolume)
    await new Chronicle(world, without).run(days)
  } catch (error) { if (world.violation === null) throw error } finally {
    running.delete(world)
    world.end()
    if (process.env['CUSTOS_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true })
    else console.log(`kept: ${folder}`)
  }
  return {
    seed, violation: world.violation, day: (world.now - START) / DAY_MS, seconds: (performance.now() - startedAt) / 1000, trace, happened: world.happened,
    figures: { events: world.queue.steps, ...plan, ...world.figures, ...world.oracle.figures }, passedOver,
  }
}
