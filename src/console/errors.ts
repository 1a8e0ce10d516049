import { FatalError } from '../domain/index.ts'

/** What a request is refused for before any part of the office sees it. `status` is the answer's. */
export class ConsoleRefusal extends FatalError {
  readonly status: number
  readonly problems: readonly FieldProblem[]
  constructor(code: string, status: number, zh: string, en: string, problems: readonly FieldProblem[] = []) {
    super(code, `${zh}/ ${en}`, { remedy: '請依訊息更正後再送出。/ Put right what the message names and send again.' })
    this.status = status
    this.problems = problems
  }
}
/** One field that is wrong. `where` is a path such as `fields.phone` or `asked[2]`. */
export interface FieldProblem { readonly where: string, readonly zh: string, readonly en: string }

export const badRequest = (zh: string, en: string, problems: readonly FieldProblem[] = [], status = 400): ConsoleRefusal => new ConsoleRefusal('CUSTOS_CONSOLE_REQUEST', status, zh, en, problems)
export const foreignPage = (zh: string, en: string): ConsoleRefusal => new ConsoleRefusal('CUSTOS_CONSOLE_FOREIGN', 403, zh, en)
export const noRole = (): ConsoleRefusal => new ConsoleRefusal('CUSTOS_CONSOLE_ROLE', 403, '請先選擇以何種職務辦理。', 'choose first in which of your roles you act')
export const notHere = (): ConsoleRefusal => new ConsoleRefusal('CUSTOS_CONSOLE_NOT_FOUND', 404, '沒有這項資料，或無權查看。', 'there is no such thing, or none that you may see')
export class TooManyRequests extends ConsoleRefusal {
  readonly retryAfterMs: number
  constructor(retryAfterMs: number) {
    super('CUSTOS_CONSOLE_TOO_MANY', 429, '請求過於頻繁，請稍候。', 'too many requests; wait a little')
    this.retryAfterMs = retryAfterMs
  }
}

/** The console cannot begin: its certificate or its address. Recording goes on without it. */
export class ConsoleTlsError extends FatalError {
  constructor(message: string, cause?: unknown) {
    super('CUSTOS_CONSOLE_TLS', message, {
      remedy: 'Give console.tls a certificate (PEM, with its chain) and the private key that belongs to it, mode 0600 and readable by the account custos; or set console.tls to auto.', ...(cause === undefined ? {} : { cause }),
    })
  }
}
export class ConsoleListenError extends FatalError {
  constructor(where: string, cause: NodeJS.ErrnoException) {
    super('CUSTOS_CONSOLE_LISTEN', `the console cannot listen on ${where} (${cause.code ?? 'unknown'})`, { remedy: 'Set console.host to an address of this machine and console.port to a port that no other program has.', cause })
  }
}
