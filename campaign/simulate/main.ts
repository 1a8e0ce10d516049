import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SCALE } from './scale.ts'
import { hookSources } from './source-hooks.ts'

export interface SimulateOptions { readonly seed: number, readonly years: number, readonly echo?: boolean, readonly ignore?: readonly string[] }

const MEMORY_FOLDER = '/dev/shm'

export async function simulateCampaign({ seed, years, echo = false, ignore = [] }: SimulateOptions): Promise<boolean> {
  hookSources(SCALE)
  const { World } = await import('./world.ts')
  const { Chronicle } = await import('./chronicle.ts')
  const { Trace } = await import('./trace.ts')
  const { seedRandomBytes } = await import('./seeded-crypto.ts')
  const folder = mkdtempSync(path.join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'custos-simulate-'))
  const startedAt = performance.now()
  try {
    seedRandomBytes(String(seed))
    const trace = new Trace(echo)
    const ignored = new Map(ignore.map(name => [name, 0]))
    const world = new World({ seed, stateDir: path.join(folder, 'state'), trace, cameras: 16, ignore: ignored })
    process.on('unhandledRejection', error => { world.unhandled(error) })
    try {
      await world.makeVolumes(2, 300)
      await new Chronicle(world).run(years * 365)
    } catch (error) { if (world.violation === null) throw error }
    const seconds = (performance.now() - startedAt) / 1000
    console.log(`seed ${seed}: ${seconds.toFixed(1)} s, ${world.queue.steps} events, ${trace.lines} lines, trace ${trace.digest()}`)
    console.log(JSON.stringify({ ...world.figures, ...world.oracle.figures, ignored: Object.fromEntries(ignored) }))
    if (world.violation !== null) {
      console.log(trace.tail(60).join('\n'))
      console.log(`day ${((world.now - Date.UTC(2026, 10, 22)) / 86_400_000).toFixed(1)}: VIOLATION ${world.violation.message}`)
    }
    return world.violation === null
  } finally { rmSync(folder, { recursive: true, force: true }) }
}
