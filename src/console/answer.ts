import { CustosError } from '../domain/index.ts'
import { isCatalogueBusy, isCatalogueFault } from '../platform/catalogue.ts'
import type { Answer, Change, Refusal, RefusalCode } from '../requests/index.ts'
import { ConsoleRefusal, type FieldProblem } from './errors.ts'

/** Every refusal and fault as it leaves (R78): a code, short words in two languages, and an id that the log has too. */
export interface ErrorBody {
  readonly code: string
  readonly zh: string
  readonly en: string
  readonly requestId: string
  readonly problems?: readonly FieldProblem[]
  /** With a stale version: the version that stands, and what was done since the one sent. */
  readonly version?: number
  readonly changes?: readonly Change[]
}
export interface ErrorAnswer { readonly status: number, readonly body: ErrorBody, readonly retryAfterMs: number | null, /** Nobody foresaw it; the log gets all of it. */ readonly isFault: boolean }

/** Errors whose words are written for the person who sent the request. */
const STATUS: ReadonlyMap<string, number> = new Map([
  ['CUSTOS_SIGN_IN_REFUSED', 401], ['CUSTOS_SIGN_IN_LOCKED', 429], ['CUSTOS_SIGN_IN_TOO_FAST', 429], ['CUSTOS_SIGN_IN_BUSY', 503], ['CUSTOS_SESSION_ENDED', 401], ['CUSTOS_VIEWING_LOCKED', 423],
  ['CUSTOS_FACTOR_NEEDED', 403], ['CUSTOS_RIGHT_MISSING', 403], ['CUSTOS_ACCOUNT_REFUSED', 409], ['CUSTOS_PASSWORD_REFUSED', 422], ['CUSTOS_BOOK_REFUSED', 409],
  ['CUSTOS_APPLICATION_UNKNOWN', 404], ['CUSTOS_REQUEST_KEY', 409], ['CUSTOS_ATTACHMENT_REFUSED', 422],
  ['CUSTOS_ATTACHMENT_WAITING', 409], ['CUSTOS_ATTACHMENT_NO_ROOM', 503],
  ['CUSTOS_VIEWING_REFUSED', 409], ['CUSTOS_VIEWING_BUSY', 409], ['CUSTOS_PICTURE_FAILED', 409],
  ['CUSTOS_COPY_REFUSED', 409], ['CUSTOS_COPY_REMOVED', 410], ['CUSTOS_COPY_QUEUE_FULL', 409], ['CUSTOS_COPY_TARGET', 409], ['CUSTOS_COPY_FENCED', 409], ['CUSTOS_COPY_UNSOUND', 409], ['CUSTOS_ARCHIVE_FULL', 409], ['CUSTOS_ARCHIVE_UNAVAILABLE', 409], ['CUSTOS_ARCHIVE_REFUSED', 409], ['CUSTOS_ARCHIVE_ITEM', 409],
  ['CUSTOS_PAPER_REFUSED', 409], ['CUSTOS_SURVEY_BUSY', 409],
  ['CUSTOS_DISCOVERY_FAILED', 409], ['CUSTOS_PROBE_TIMED_OUT', 409],
])
/** Errors that are the operator's to mend: people get the code, the log the rest. */
const STANDSTILL: ReadonlySet<string> = new Set([
  'CUSTOS_AUDIT_UNWRITABLE', 'CUSTOS_CATALOGUE_FAULT', 'CUSTOS_FACTOR_KEY_UNUSABLE', 'CUSTOS_PERSON_KEY_UNUSABLE', 'CUSTOS_RULE_SET_MISSING', 'CUSTOS_RULE_SET_CHANGED', 'CUSTOS_APPLICATION_ALTERED', 'CUSTOS_ATTACHMENT_UNWRITABLE', 'CUSTOS_ATTACHMENT_DAMAGED', 'CUSTOS_OPENSSL_FAILED', 'CUSTOS_PAPER_FONT', 'CUSTOS_PAPER_FAILED',
])
const STANDSTILL_WORDS = { zh: '系統目前無法辦理，請告知系統管理。', en: 'The system cannot do this now; tell the administrator.' }
/** A command beside the recorder is writing; the event loop does not wait for it. */
const BUSY = {
  code: 'CUSTOS_CATALOGUE_BUSY', zh: '系統正在處理另一項作業，這項尚未辦理；請再送出一次。',
  en: 'The system is busy with something else and this was not done; send it again.',
} as const
const BUSY_RETRY_MS = 1_000
const FAULT = { code: 'CUSTOS_CONSOLE_FAULT', zh: '系統發生錯誤，未完成。請將編號告知系統管理。', en: 'Something went wrong and this was not done. Tell the administrator the number.' } as const

/** Refusals for what was sent, not for how the case stands: sending it again can never succeed. */
const UNFIT: ReadonlySet<RefusalCode> = new Set<RefusalCode>(['bad-words', 'reason-needed', 'ground-needed', 'incomplete', 'wider-than-asked', 'nothing-left', 'bad-grant', 'too-long', 'too-many', 'bad-content', 'not-for-this-form', 'no-statement', 'no-extension'])

/** The case's own no: 422 for what was sent, 409 for how the case stands. */
export class CaseRefusal extends Error {
  readonly refusal: Refusal
  readonly version: number | null
  readonly changes: readonly Change[]
  constructor({ refusal, version, changes }: Extract<Answer, { ok: false }>) {
    super(`the case refuses: ${refusal.code}`)
    this.refusal = refusal
    this.version = version
    this.changes = changes
  }
}

/** Messages are written `中文/ English`, one to a line. What has no Chinese half is for operators and is not shown. */
export function inBoth(message: string): { readonly zh: string, readonly en: string } | null {
  const lines = message.split('\n').map(line => line.split(/\/ /, 2))
  if (lines.some(([zh, en]) => en === undefined || !/\p{Script=Han}/u.test(zh ?? ''))) return null
  return { zh: lines.map(([zh]) => zh?.trim()).join('\n'), en: lines.map(([, en]) => en?.trim()).join('\n') }
}

const retryAfterOf = (error: unknown): number | null => { const ms = (error as { retryAfterMs?: unknown }).retryAfterMs; return typeof ms === 'number' ? ms : null }

export function answerOf(error: unknown, requestId: string): ErrorAnswer {
  const answer = (status: number, body: Omit<ErrorBody, 'requestId'>, isFault = false): ErrorAnswer => ({ status, body: { ...body, requestId }, retryAfterMs: retryAfterOf(error), isFault })
  if (error instanceof CaseRefusal) {
    const { refusal, version, changes } = error
    return answer(UNFIT.has(refusal.code) ? 422 : 409, {
      code: refusal.code, ...refusal.message, ...(refusal.problems.length === 0 ? {} : { problems: refusal.problems }), ...(refusal.code !== 'stale' || version === null ? {} : { version, changes }),
    })
  }
  if (isCatalogueBusy(error)) return { ...answer(503, BUSY), retryAfterMs: BUSY_RETRY_MS }
  if (isCatalogueFault(error)) {
    return answer(503, { code: 'CUSTOS_CATALOGUE_FAULT', ...STANDSTILL_WORDS }, true)
  }
  if (error instanceof CustosError) {
    const words = inBoth(error.message)
    const status = error instanceof ConsoleRefusal ? error.status : STATUS.get(error.code)
    if (status !== undefined && words !== null) {
      const problems = error instanceof ConsoleRefusal ? error.problems : error.code === 'CUSTOS_PASSWORD_REFUSED' ? problemsIn(words) : []
      return answer(status, { code: error.code, ...words, ...(problems.length === 0 ? {} : { problems }) })
    }
    if (STANDSTILL.has(error.code)) return answer(503, { code: error.code, ...STANDSTILL_WORDS }, true)
  }
  const ofServer = serverAnswer(error)
  return ofServer === null ? answer(500, FAULT, true) : answer(ofServer.status, { code: 'CUSTOS_CONSOLE_REQUEST', zh: ofServer.zh, en: ofServer.en })
}

function problemsIn({ zh, en }: { readonly zh: string, readonly en: string }): readonly FieldProblem[] {
  const english = en.split('\n')
  return zh.split('\n').map((line, index) => ({ where: 'newPassword', zh: line, en: english[index] ?? '' }))
}

/** What the HTTP server itself refuses, each with an `FST_` code and a status below 500. */
function serverAnswer(error: unknown): { readonly status: number, readonly zh: string, readonly en: string } | null {
  const { statusCode, code } = error as { statusCode?: unknown, code?: unknown }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500 || !(typeof code === 'string' && code.startsWith('FST_')) && !(error instanceof SyntaxError)) return null
  switch (statusCode) {
    case 413: return { status: 413, zh: '送出的資料過大。', en: 'What was sent is too large.' }
    case 415: return { status: 415, zh: '不接受這種資料格式。', en: 'This content type is not taken here.' }
    case 408: return { status: 408, zh: '傳送逾時。', en: 'Sending took too long.' }
    default: return { status: statusCode, zh: '請求格式有誤。', en: 'The request is malformed.' }
  }
}
