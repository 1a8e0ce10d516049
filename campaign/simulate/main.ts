import { SCALE } from './scale.ts'
import { hookSources } from './source-hooks.ts'
import type { YearsOptions } from './years.ts'

export interface SimulateOptions extends YearsOptions {
  /** A fault to plant, and to find. */
  readonly plant: string | null
  /** All of them, or those with this in their names. */
  readonly plants: boolean
  readonly only: string
}

/** Recorder-years on virtual time: nothing of `src` may be loaded before its sources are hooked. */
export async function simulateCampaign({ plant, plants, ...options }: SimulateOptions): Promise<boolean> {
  if (plants) {
    hookSources(SCALE)
    return await (await import('./plant-trials.ts')).allTrials(options)
  }
  if (plant !== null) {
    const { plantOf } = await import('./plants.ts')
    hookSources([...SCALE, ...plantOf(plant).replacements])
    return await (await import('./plant-trials.ts')).trialOf(plant, { seed: options.seed, cameras: options.cameras }) !== null
  }
  hookSources(SCALE)
  return await (await import('./years.ts')).followYears(options)
}
