import pino from 'pino'
import { openLogOutput } from './log-output.ts'
import { redact } from './redact.ts'

export type Logger = pino.Logger

const MAX_TEXT = 4000 // what a camera says may be long, and the log is for people

/** Text of an error and of its causes, without URL credentials. */
function errorFacts(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: redact(String(error).slice(0, MAX_TEXT)) }
  const code = (error as { code?: unknown }).code
  const remedy = (error as { remedy?: unknown }).remedy
  return {
    type: error.name, message: redact(error.message.slice(0, MAX_TEXT)),
    ...(typeof code === 'string' ? { code } : {}), ...(typeof remedy === 'string' ? { remedy } : {}),
    stack: redact((error.stack ?? '').slice(0, MAX_TEXT)),
    ...(error.cause === undefined ? {} : { cause: errorFacts(error.cause) }),
  }
}

/** JSON lines, on stdout unless told otherwise. */
export function createLogger(options: { level?: string, destination?: pino.DestinationStream } = {}): Logger {
  return pino({
    level: options.level ?? 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    serializers: { err: errorFacts },
    redact: { paths: ['password', '*.password', 'credential', '*.credential', 'username', '*.username'], censor: '[redacted]' },
  }, options.destination ?? openLogOutput())
}
