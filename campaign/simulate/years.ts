import { runWorld, type Outcome } from './run-world.ts'
import { shrink } from './shrink.ts'

export interface YearsOptions {
  readonly seed: number
  readonly years: number
  /** Null: as the seed has it. */
  readonly cameras: number | null
  readonly echo: boolean
  /** Guarantees whose violations are counted and passed over. */
  readonly ignore: readonly string[]
  /** Kinds of happenings that are left out. */
  readonly skip: readonly string[]
  readonly isShrunk: boolean
}

const YEAR_DAYS = 365
/**
 * A recorder is followed so long; then another site begins, by the next seed. Archived copies need more
 * than a year.
 */
const MOST_YEARS_A_SITE = 2
const TAIL_LINES = 80

/** Follows one site after the other. True: nothing was found. */
export async function followYears({ seed, years, cameras, echo, ignore, skip, isShrunk }: YearsOptions): Promise<boolean> {
  const startedAt = performance.now()
  let done = 0
  for (let site = 0; done < years - 1e-9; site++) {
    const length = Math.min(MOST_YEARS_A_SITE, years - done)
    const options = { seed: seed + site, days: length * YEAR_DAYS, cameras, echo, without: new Set(skip), counts: (violation: { guarantee: string }) => !ignore.includes(violation.guarantee) }
    const outcome = await runWorld(options)
    done += outcome.day / YEAR_DAYS
    console.log(lineOf(outcome))
    if (outcome.violation === null) continue
    console.log(`VIOLATION in seed ${outcome.seed}, day ${outcome.day.toFixed(2)}, event ${outcome.figures['events']}: ${outcome.violation.message}`)
    const shrunk = isShrunk ? await shrink(options, outcome) : { outcome, happenings: outcome.happened, replays: 0 }
    console.log(`the shortest course found, after ${shrunk.replays} replays: day ${shrunk.outcome.day.toFixed(2)}: ${shrunk.outcome.violation!.message}`)
    console.log(shrunk.happenings.map(each => `  window ${each}`).join('\n'))
    console.log(shrunk.outcome.trace.tail(TAIL_LINES).map(line => `    ${line}`).join('\n'))
    console.log(`again: npm run campaign -- simulate --years ${length} --seed ${outcome.seed}${cameras === null ? '' : ` --cameras ${cameras}`}`)
    return false
  }
  const minutes = (performance.now() - startedAt) / 60_000
  console.log(`${done.toFixed(1)} recorder-years without a violation, seeds from ${seed}; ${minutes.toFixed(1)} min, ${(done / minutes).toFixed(2)} years a minute`)
  return true
}

function lineOf({ seed, day, seconds, figures, trace, passedOver }: Outcome): string {
  const f = (name: string): string => String(Math.round(figures[name] ?? 0))
  const over = passedOver.size === 0 ? '' : `; passed over: ${[...passedOver].map(([name, count]) => `${count} ${name}`).join(', ')}`
  return `seed ${seed}: ${(day / YEAR_DAYS).toFixed(2)} years in ${seconds.toFixed(0)} s: ${f('cameras')} cameras, ${f('volumes')} volumes of ${f('slotsAVolume')} slots; `
    + `${f('starts')} starts, ${f('kills')} kills, ${f('cuts')} power cuts; ${f('acked')} of ${f('sent')} fragments stored, ${f('aged')} overwritten, ${f('lostAtCut')} lost at cuts `
    + `(${f('worstLossMs')} ms at most), ${f('missingAndTold')} missing and told; judged ${f('judged')} of ${f('windows')} times; trace ${trace.digest().slice(0, 16)}${over}`
}
