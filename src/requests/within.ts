import { RetryableError } from '../domain/index.ts'
import type { Clock } from '../platform/clock.ts'

/** The recorder did not answer as long as somebody waited. What was asked has happened, or happens later, or not. */
export class NoAnswerError extends RetryableError {
  constructor(withinMs: number) {
    const seconds = Math.ceil(withinMs / 1000)
    super('CUSTOS_RECORDER_SILENT', `錄影程式 ${seconds} 秒內沒有回答。/ the recorder did not answer within ${seconds} s`, {
      remedy: '請以 custos status 查看錄影程式；系統會自行再試。/ Look at the recorder with `custos status`; it is asked again by itself.',
    })
  }
}

/** Rejects with NoAnswerError when it takes longer. */
export async function within<Result>(clock: Clock, withinMs: number, work: Promise<Result>): Promise<Result> {
  const over = new AbortController()
  const late = clock.wait(withinMs, over.signal).then((): never => { throw new NoAnswerError(withinMs) })
  try { return await Promise.race([work, late]) } finally { over.abort() }
}
