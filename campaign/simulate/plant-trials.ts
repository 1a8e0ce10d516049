import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { PLANTS, plantOf } from './plants.ts'
import { runWorld } from './run-world.ts'

const YEAR_DAYS = 365
const YEARS_A_SITE = 2
/** What a planted fault must be found within. */
const MOST_YEARS = 10

/**
 * With the fault planted into this process already: how many years it survives; null when it was not found.
 */
export async function trialOf(name: string, { seed, years = MOST_YEARS, cameras }: { readonly seed: number, readonly years?: number, readonly cameras: number | null }): Promise<number | null> {
  const { finds } = plantOf(name)
  let done = 0
  for (let site = 0; done < years; site++) {
    const outcome = await runWorld({ seed: seed + site, days: Math.min(YEARS_A_SITE, years - done) * YEAR_DAYS, cameras, counts: violation => finds.test(violation.message) })
    done += outcome.day / YEAR_DAYS
    if (outcome.violation !== null) {
      console.log(`${name}: found after ${done.toFixed(2)} years (seed ${outcome.seed}, ${outcome.seconds.toFixed(0)} s): ${outcome.violation.message}`)
      return done
    }
  }
  console.log(`${name}: NOT FOUND in ${years} years`)
  return null
}

/** Each in a process of its own, since a program can be altered only once. */
export async function allTrials({ seed, only, cameras }: { readonly seed: number, readonly only: string, readonly cameras: number | null }): Promise<boolean> {
  const survived: string[] = []
  const chosen = PLANTS.filter(({ name }) => name.includes(only))
  for (const { name } of chosen) {
    const args = [path.join(import.meta.dirname, '../main.ts'), 'simulate', '--plant', name, '--seed', String(seed), ...(cameras === null ? [] : ['--cameras', String(cameras)])]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const [said, complained] = [text(child.stdout), text(child.stderr)]
    const [code] = await once(child, 'exit') as [number | null]
    process.stdout.write(await said)
    if (code === 0) continue
    survived.push(name)
    process.stdout.write(await complained)
  }
  console.log(survived.length === 0 ? `all ${chosen.length} planted faults were found` : `${survived.length} of ${chosen.length} planted faults were not found: ${survived.join(', ')}`)
  return survived.length === 0
}
