import { Dice } from './dice.ts'

/** What a simulated office has. */
export interface SitePlan { readonly cameras: number, readonly volumes: number, readonly slotsAVolume: number }

/** A camera fills a slot in about a day; what a run leaves over, and what fails, takes some more. */
const SLOTS_A_DAY = 1.05

/** By the seed: some have room for the floor and more, some too little. */
export function sitePlanOf(seed: number, cameras: number | null): SitePlan {
  const dice = new Dice(seed, 'site')
  const count = cameras ?? dice.pick([3, 4, 6, 8, 16])
  const volumes = dice.pick([1, 2, 2, 2, 3])
  const days = dice.between(30, 42)
  return { cameras: count, volumes, slotsAVolume: Math.max(4, Math.ceil(count * days * SLOTS_A_DAY / volumes)) }
}
