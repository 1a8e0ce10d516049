import { runWorld, type Outcome, type RunOptions } from './run-world.ts'

const MOST_REPLAYS = 40
const MOST_SECONDS = 300

/** A shorter course of events that breaks the same guarantee. */
export interface Shrunk { readonly outcome: Outcome, readonly happenings: readonly string[], readonly replays: number }

/**
 * Replays a violation with parts of what happened left out, halves first, as long as the effort is bounded.
 */
export async function shrink(options: RunOptions, found: Outcome): Promise<Shrunk> {
  const guarantee = found.violation!.guarantee
  const startedAt = performance.now()
  let left = [...found.happened], best = found, replays = 0
  const without = new Set(options.without)
  for (let parts = 2; parts <= left.length * 2 && left.length > 1;) {
    const size = Math.ceil(left.length / parts)
    let hasShrunk = false
    for (let from = 0; from < left.length; from += size) {
      if (replays >= MOST_REPLAYS || (performance.now() - startedAt) / 1000 > MOST_SECONDS) return { outcome: best, happenings: left, replays }
      const part = left.slice(from, from + size)
      replays++
      const outcome = await runWorld({ ...options, echo: false, days: Math.ceil(best.day) + 1, without: new Set([...without, ...part]) })
      if (outcome.violation?.guarantee !== guarantee) continue
      for (const id of part) without.add(id)
      left = [...outcome.happened]
      best = outcome
      hasShrunk = true
      break
    }
    if (!hasShrunk) {
      if (size === 1) break
      parts = Math.min(left.length, parts * 2)
    }
  }
  return { outcome: best, happenings: left, replays }
}
