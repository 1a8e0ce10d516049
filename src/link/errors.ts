import { FatalError, RetryableError } from '../domain/index.ts'

/** The other side is gone, or was closed for what it sent. What was asked last has happened or not. */
export class LinkClosedError extends RetryableError {
  constructor(why: string) {
    super('CUSTOS_LINK_CLOSED', `錄影程式的連線中斷：${why}。/ the connection to the recorder ended: ${why}`, {
      remedy: '請再試一次；同一件事不會做兩次。/ Try again: the same thing is not done twice.',
    })
  }
}

/** No answer came in time. What was asked has happened, or happens later, or not. */
export class LinkTimeoutError extends RetryableError {
  constructor(what: string, withinMs: number) {
    super('CUSTOS_LINK_TIMEOUT', `錄影程式 ${withinMs / 1000} 秒內沒有回答（${what}）。/ the recorder did not answer within ${withinMs / 1000} s (${what})`, {
      remedy: '請以 custos status 查看錄影程式，再試一次；同一件事不會做兩次。/ Look at the recorder with `custos status` and try again: the same thing is not done twice.',
    })
  }
}

/** Two programs of different versions. */
export class LinkVersionError extends FatalError {
  constructor(own: string, other: string) {
    super('CUSTOS_LINK_VERSION', `兩端程式版本不合：此端 ${own}，對方 ${other}。/ this program speaks ${own}, the recorder ${other}`, {
      remedy: '請使用與執行中的錄影程式相同版本的指令，或重新啟動錄影程式。/ Use the command of the version that runs, or restart the recorder.',
    })
  }
}

/** What the other side sent is not of this protocol. */
export class LinkViolation extends Error {}
