import type { Test } from 'tap'

/** Parameters of one fast-check run, the seed printed; FC_SEED repeats a run, FC_RUNS lengthens it. */
export function seeded(t: Pick<Test, 'comment'>, numRuns: number): { seed: number, numRuns: number } {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`seed ${seed}`)
  return { seed, numRuns: Number(process.env['FC_RUNS'] ?? numRuns) }
}
