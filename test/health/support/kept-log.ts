import { createLogger, type Logger } from '../../../src/platform/logger.ts'

/** A logger whose lines a test can read. */
export function keptLog(): { log: Logger, lines: string[] } {
  const lines: string[] = []
  return { log: createLogger({ level: 'debug', destination: { write: line => { lines.push(line) } } }), lines }
}
