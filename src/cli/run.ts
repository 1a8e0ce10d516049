import { countProblems, fingerprintOf, formatProblems, loadStartConfig, type StartConfig } from '../config/index.ts'
import { runDaemon } from '../daemon.ts'
import { systemClock } from '../platform/clock.ts'
import { openLogOutput } from '../platform/log-output.ts'
import { createLogger, type Logger } from '../platform/logger.ts'
import { openSystemdNotify } from '../platform/systemd-notify.ts'

export const EXIT_BAD_CONFIG = 2
/**
 * systemd starts us again at once and for ever; with a file that only a person mends, so often is enough for
 * processor and journal.
 */
const BAD_CONFIG_REST_MS = 10_000
const LOOK_EVERY_MS = 500

interface RunOptions { readonly configFile: string, readonly isWithOffice: boolean, readonly err: { write(text: string): unknown } }

/**
 * `custos run`: the daemon, until SIGTERM or SIGINT. A second signal changes nothing: sealing takes seconds
 * at most. Without a good configuration, now or ever before, there is nothing to record with: exit code 2.
 */
export async function run(options: RunOptions): Promise<number> {
  const output = openLogOutput()
  const log = createLogger({ level: process.env['CUSTOS_LOG_LEVEL'] ?? 'info', destination: output })
  try { return await runLogged(options, log) } finally { await output.close() }
}

async function runLogged(options: RunOptions, log: Logger): Promise<number> {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => { stop.abort() })
  process.on('SIGHUP', () => undefined) // a terminal that closes is no reason to stop recording
  const start = await startConfig(options, log, stop.signal)
  if (start === null) return EXIT_BAD_CONFIG
  try {
    await runDaemon({ start, clock: systemClock, random: Math.random, log, isWithOffice: options.isWithOffice }, stop.signal)
    log.info('recorder stopped')
    return 0
  } catch (error) {
    log.fatal({ err: error }, 'recorder cannot go on')
    return 1
  }
}

/**
 * What there is to start with; what is wrong with the file is printed in any case. Null when there has never
 * been anything.
 */
async function startConfig(
  { configFile, err }: RunOptions, log: Logger, signal: AbortSignal,
): Promise<StartConfig | null> {
  for (;;) {
    const start = await loadStartConfig(configFile)
    if (start.config !== null) {
      if (start.rejected !== null) err.write(formatProblems(start.rejected.problems))
      return start
    }
    err.write(formatProblems(start.problems))
    await using notify = openSystemdNotify({ env: process.env, log })
    if (!notify.active) return null
    notify.status(`the configuration has ${countProblems(start.problems).errors} errors, and none was ever in force: nothing is recorded`)
    if (!await changes(start.files, signal)) return null
  }
}

async function changes(files: readonly string[], signal: AbortSignal): Promise<boolean> {
  const before = await fingerprintOf(files)
  for (let restedMs = 0; restedMs < BAD_CONFIG_REST_MS && !signal.aborted; restedMs += LOOK_EVERY_MS) {
    await systemClock.wait(LOOK_EVERY_MS, signal)
    if (await fingerprintOf(files) !== before) return true
  }
  return false
}
