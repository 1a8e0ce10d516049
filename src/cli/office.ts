import { LiveConfig, runOffice } from '../office.ts'
import { systemClock } from '../platform/clock.ts'
import { openLogOutput } from '../platform/log-output.ts'
import { createLogger } from '../platform/logger.ts'
import { EXIT_BAD_CONFIG } from './run.ts'

/** After its recorder is gone: another one may start at once, and waits for what this one has. */
const END_WITHIN_MS = 500

interface OfficeOptions {
  readonly configFile: string
  /** Ends with the process that started it, whose end closes standard input. */
  readonly isChild: boolean
}

/** `custos office`: all that serves people, until SIGTERM or SIGINT. */
export async function office({ configFile, isChild }: OfficeOptions): Promise<number> {
  const output = openLogOutput()
  const log = createLogger({ level: process.env['CUSTOS_LOG_LEVEL'] ?? 'info', destination: output })
    .child({ process: 'office' })
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => { stop.abort() })
  process.on('SIGHUP', () => undefined)
  if (isChild) endWithParent(stop)
  try {
    await using config = await LiveConfig.open(configFile, systemClock, log)
    if (config === null) {
      log.error({ configFile }, 'there is no configuration to open the office with')
      return EXIT_BAD_CONFIG
    }
    await runOffice({ config, clock: systemClock, log }, stop.signal)
    return 0
  } catch (error) {
    log.fatal({ err: error }, 'office cannot go on')
    return 1
  } finally {
    if (isChild) process.stdin.destroy() // it would keep the process
    await output.close()
  }
}

function endWithParent(stop: AbortController): void {
  const end = (): void => {
    stop.abort()
    setTimeout(() => { process.exit(0) }, END_WITHIN_MS).unref()
  }
  process.stdin.once('end', end).once('error', end).once('close', end)
  process.stdin.resume()
}
