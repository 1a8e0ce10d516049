import path from 'node:path'
import { startChild } from './child-process.ts'
import { systemClock } from './clock.ts'
import { FailureLog } from './failure-log.ts'
import type { Logger } from './logger.ts'

/** systemd answers nothing; this is for a helper that hangs, or a service manager that reads no more. */
const ANSWER_WITHIN_MS = 5_000
/** At the end the recorder waits no longer than this for what is still to be said, and as long again for the helper to go. */
const LAST_WORDS_MS = 1_000
const MAX_STATUS_CHARS = 200
/** systemd restarts at one interval without a word: five may get lost, or come late. */
const PETS_PER_INTERVAL = 6
/** A word whose helper died is said again by a new one, once; after that with the next word. */
const TRIES = 2
const HELPER = path.join(import.meta.dirname, '../../libexec/systemd-words')

/** Words to systemd. Every call returns at once; what cannot be sent yet is merged into the next call. */
export interface SystemdNotify extends AsyncDisposable {
  /** Whether anybody listens. */
  readonly active: boolean
  /** How often `watchdog` must be called; null when systemd does not watch us. */
  readonly watchdogIntervalMs: number | null
  ready(): void
  /** One line for `systemctl status`. */
  status(text: string): void
  watchdog(): void
  stopping(): void
  /** Resolves when all that was said was sent, or could not be. */
  flushed(): Promise<void>
}

export interface SystemdNotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  /** The process systemd watches; this one unless told. */
  readonly pid?: number
  /** The helper to start; `libexec/systemd-words` unless told. */
  readonly command?: string
  readonly answerWithinMs?: number
}

function watchdogIntervalOf(env: SystemdNotifyOptions['env'], pid: number): number | null {
  const usec = Number(env['WATCHDOG_USEC'])
  if (!Number.isSafeInteger(usec) || usec <= 0) return null
  if (env['WATCHDOG_PID'] !== undefined && Number(env['WATCHDOG_PID']) !== pid) return null
  return Math.max(1, Math.floor(usec / 1_000 / PETS_PER_INTERVAL))
}

/** A process that sends words as long as it lives. It may hang or die at any time. */
interface Helper {
  readonly isGone: boolean
  /** Null when it was sent, else why it may not have been; never throws. One call at a time. */
  say(line: string): Promise<string | null>
  /** Lets it finish, kills it if it does not; resolves within LAST_WORDS_MS. */
  end(): Promise<void>
}

/** `work`, but no longer than `ms`; null then. */
async function within<Result>(ms: number, work: Promise<Result>): Promise<Result | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => { resolve(null) }, ms)
  try { return await Promise.race([work, late]) } finally { clearTimeout(timer) }
}

/** It dies with the recorder, even by kill -9. Throws when it cannot be started. */
async function startHelper(command: string, env: NodeJS.ProcessEnv, answerWithinMs: number): Promise<Helper> {
  const child = await startChild('setpriv', ['--pdeathsig', 'KILL', '--', command], { stdio: ['pipe', 'pipe', 'ignore'], env, cwd: '/' })
  let isGone = false, said = '', answered: (answer: string) => void = () => undefined
  const { promise: gone, resolve: leave } = Promise.withResolvers<true>()
  child.stdin.on('error', () => undefined) // told by its end
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MAX_STATUS_CHARS)
    if (!said.endsWith('\n')) return
    answered(said.trim())
    said = ''
  })
  child.once('close', (code, signal) => {
    isGone = true
    answered(signal ?? `exit code ${code}`)
    leave(true)
  })
  const kill = () => {
    isGone = true
    child.kill('SIGKILL')
    child.unref()
    for (const stream of [child.stdin, child.stdout]) stream.destroy() // nothing of it keeps this process alive
  }
  return {
    get isGone() { return isGone },
    async say(line) {
      const { promise: answer, resolve } = Promise.withResolvers<string>()
      answered = resolve
      child.stdin.write(`${line}\n`)
      const why = await within(answerWithinMs, answer)
      if (why === 'sent') return null
      if (why === null) kill() // what it was told it may still send: twice does no harm
      return why ?? `no answer within ${answerWithinMs} ms`
    },
    async end() {
      child.stdin.end()
      if (await within(LAST_WORDS_MS, gone) === null) kill()
    },
  }
}

/**
 * Speaks sd_notify through a helper that stays: Node has no unix datagram sockets, and systemd drops the word of a sender that is gone when it
 * reads it (27 of 150 by `systemd-notify --no-block`, measured). The unit needs NotifyAccess=all. Does nothing when NOTIFY_SOCKET is unset.
 */
export function openSystemdNotify(options: SystemdNotifyOptions): SystemdNotify {
  const { env, log, pid = process.pid, command = HELPER, answerWithinMs = ANSWER_WITHIN_MS } = options
  const socket = env['NOTIFY_SOCKET']
  const active = socket !== undefined && socket !== ''
  const pending = new Map<string, string>()
  let helper: Helper | null = null
  let inFlight: Promise<void> | null = null
  let isOver = false
  const failures = new FailureLog({ clock: systemClock, log, failed: 'systemd cannot be told', recovered: 'systemd hears us again' })

  const trySaying = async (line: string): Promise<string | null> => {
    try {
      if (helper === null || helper.isGone) helper = await startHelper(command, { NOTIFY_SOCKET: socket, PATH: env['PATH'] }, answerWithinMs)
      return await helper.say(line)
    } catch (error) { return String((error as NodeJS.ErrnoException).code) }
  }

  /** Ends with nothing pending, or after TRIES; what could not be sent stays pending unless something newer was said. */
  const drain = async () => {
    await Promise.resolve() // what is said in one turn goes together
    for (let tries = 0; pending.size > 0 && tries < TRIES && !isOver;) {
      const words = [...pending]
      pending.clear()
      const why = await trySaying(words.map(([name, value]) => `${name}=${value}`).join('\t'))
      if (why === null) { failures.success(); continue }
      failures.failure({ why })
      tries++
      for (const [name, value] of words) if (!pending.has(name)) pending.set(name, value)
    }
    inFlight = null
  }

  const say = (name: string, value: string) => {
    if (!active) return
    pending.set(name, value)
    inFlight ??= drain()
  }

  const flushed = () => inFlight ?? Promise.resolve()
  return {
    active,
    watchdogIntervalMs: active ? watchdogIntervalOf(env, pid) : null,
    ready: () => say('READY', '1'),
    status: text => say('STATUS', text.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, MAX_STATUS_CHARS)), // a line break would start another assignment
    watchdog: () => say('WATCHDOG', '1'),
    stopping: () => say('STOPPING', '1'),
    flushed,
    [Symbol.asyncDispose]: async () => {
      await within(LAST_WORDS_MS, flushed())
      isOver = true
      await helper?.end()
    },
  }
}
