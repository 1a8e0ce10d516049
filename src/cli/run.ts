import { formatProblems, loadConfig } from '../config/index.ts'
import { runDaemon } from '../daemon.ts'
import { systemClock } from '../platform/clock.ts'
import { createLogger } from '../platform/logger.ts'

export const EXIT_BAD_CONFIG = 2

/** `custos run`: the daemon, until SIGTERM or SIGINT. A second signal changes nothing: sealing takes seconds at most. */
export async function run(options: { readonly configFile: string, readonly err: { write(text: string): unknown } }): Promise<number> {
  const result = await loadConfig(options.configFile)
  if (!result.ok) {
    options.err.write(formatProblems(result.problems))
    return EXIT_BAD_CONFIG
  }
  const log = createLogger({ level: process.env['CUSTOS_LOG_LEVEL'] ?? 'info' })
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => { stop.abort() })
  process.on('SIGHUP', () => undefined) // a terminal that closes is no reason to stop recording
  try {
    await runDaemon({ config: result.config, clock: systemClock, random: Math.random, log }, stop.signal)
    log.info('recorder stopped')
    return 0
  } catch (error) {
    log.fatal({ err: error }, 'recorder cannot go on')
    return 1
  }
}
