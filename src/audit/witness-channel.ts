import { runHook, type HookEnd } from '../platform/hook-process.ts'
import { lineText, noteText, type Checkpoint } from './checkpoint.ts'

export interface WitnessSettings {
  /** Through `logger`: to the local syslog, which must forward it, or straight to `server` over TCP (RFC 5424). */
  readonly syslog: { readonly tag: string, readonly server: { readonly host: string, readonly port: number } | null } | null
  /** A program that takes the checkpoint on stdin and ends with 0 once it is out of the house, e.g. a mailer. */
  readonly command: readonly string[] | null
  /** A person prints the page and says so. */
  readonly print: boolean
}

/** A way out of the machine that needs nobody. */
export interface WitnessChannel {
  readonly how: 'syslog' | 'command'
  /** Never rejects. */
  deliver(checkpoint: Checkpoint, signal: AbortSignal): Promise<HookEnd>
}

const SYSLOG_TIMEOUT_MS = 15_000
/** A mail server that greylists or a slow script; the recorder does not wait for it. */
const COMMAND_TIMEOUT_MS = 60_000

/** Arguments for util-linux' logger. `--socket-errors=on`: else it ends with 0 when there is no syslog at all (measured, 2.38). Pure. */
export function loggerArguments({ tag, server }: NonNullable<WitnessSettings['syslog']>, line: string): string[] {
  const where = server === null ? ['--socket-errors=on'] : ['--server', server.host, '--port', String(server.port), '--tcp', '--rfc5424', '--octet-count']
  return ['--priority', 'auth.notice', '--tag', tag, ...where, '--', line]
}

export function channelsOf(settings: WitnessSettings | null, logger = 'logger'): WitnessChannel[] {
  const channels: WitnessChannel[] = []
  const { syslog, command } = settings ?? {}
  if (syslog) {
    channels.push({ how: 'syslog', deliver: (checkpoint, signal) => runHook({ command: [logger, ...loggerArguments(syslog, lineText(checkpoint))], stdin: '', timeoutMs: SYSLOG_TIMEOUT_MS, signal }) })
  }
  if (command) {
    channels.push({ how: 'command', deliver: (checkpoint, signal) => runHook({ command, stdin: noteText(checkpoint), timeoutMs: COMMAND_TIMEOUT_MS, signal }) })
  }
  return channels
}
