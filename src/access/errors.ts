import { FatalError, RetryableError } from '../domain/index.ts'
import { RIGHTS, type Act } from './rights.ts'

/** The same for an unknown name, a wrong password, a wrong code, and an account that is not active: the answer tells a stranger nothing (R70). */
export class SignInRefusedError extends FatalError {
  constructor() {
    super('CUSTOS_SIGN_IN_REFUSED', '帳號、密碼或驗證碼不正確，未登入。/ account, password or code is not right; nobody was signed in', {
      remedy: '請再確認一次；帳號停用或忘記密碼請洽系統管理。/ Try once more. For a closed account or a forgotten password ask the administrator.',
    })
  }
}

/** Too many failures for this name, be there such an account or not. */
export class SignInLockedError extends RetryableError {
  readonly retryAfterMs: number
  constructor(retryAfterMs: number) {
    super('CUSTOS_SIGN_IN_LOCKED', `連續登入失敗，已鎖定，${Math.ceil(retryAfterMs / 60_000)} 分鐘後可再試。/ locked after repeated failures for another ${Math.ceil(retryAfterMs / 60_000)} min`, {
      remedy: '請稍候，或請他人解除鎖定。若不是您本人操作，請立即告知管理人員。/ Wait, or have somebody else unlock it. If it was not you, say so at once.',
    })
    this.retryAfterMs = retryAfterMs
  }
}

/** Too many failures from this source. */
export class SignInTooFastError extends RetryableError {
  readonly retryAfterMs: number
  constructor(retryAfterMs: number) {
    super('CUSTOS_SIGN_IN_TOO_FAST', `此來源登入失敗過多，${Math.ceil(retryAfterMs / 1000)} 秒後可再試。/ too many failures from this place; try again in ${Math.ceil(retryAfterMs / 1000)} s`, {
      remedy: '請稍候再試。/ Wait for that time.',
    })
    this.retryAfterMs = retryAfterMs
  }
}

/** More sign-ins wait than are worked on. */
export class SignInBusyError extends RetryableError {
  constructor() {
    super('CUSTOS_SIGN_IN_BUSY', '同時登入的人太多，請稍候。/ too many sign-ins at once; this one was not looked at', { remedy: '幾秒後再試。/ Try again in a few seconds.' })
  }
}

/** By the reason that is on record; any other is said without one. */
const OVER: Readonly<Record<string, { readonly zh: string, readonly en: string }>> = {
  'idle': { zh: '閒置過久', en: 'it was not used for too long' }, 'too-long': { zh: '已達最長時間', en: 'it lasted as long as one may' }, 'signed-out': { zh: '已登出', en: 'it was signed out' }, 'account-closed': { zh: '帳號已停用', en: 'the account is closed' },
  'roles-changed': { zh: '職務已變更', en: 'the roles were changed' }, 'password-changed': { zh: '密碼已變更', en: 'the password was changed' }, 'too-many-sessions': { zh: '同一帳號登入過多', en: 'the account was signed in too often' }, 'factor-failures': { zh: '驗證碼錯誤過多', en: 'too many codes were wrong' },
}

export class SessionEndedError extends FatalError {
  readonly why: string
  /** `none` where there was no session at all. */
  constructor(why: string) {
    const over = OVER[why]
    super('CUSTOS_SESSION_ENDED', why === 'none' ? '尚未登入。/ nobody is signed in' : `登入已結束${over === undefined ? '' : `：${over.zh}`}。/ the session is over${over === undefined ? '' : `: ${over.en}`}`, { remedy: '請重新登入。/ Sign in again.' })
    this.why = why
  }
}

/** At a player, after five minutes without an act. */
export class ViewingLockedError extends FatalError {
  constructor() { super('CUSTOS_VIEWING_LOCKED', '閱覽畫面已鎖定。/ the viewing screen is locked', { remedy: '輸入密碼解除。/ Type the password to go on.' }) }
}

export class FactorNeededError extends FatalError {
  constructor() {
    super('CUSTOS_FACTOR_NEEDED', '此動作需要剛輸入過的驗證碼。/ this act needs a code of the second factor that was typed just now', {
      remedy: '輸入驗證器的 6 位數字；尚未設定者請先設定驗證器。/ Type the six digits of your authenticator; enrol one first if you have none.',
    })
  }
}

/** A file of state.dir/keys cannot be used. */
export class FactorKeyError extends FatalError {
  constructor(message: string, cause?: unknown) {
    super('CUSTOS_FACTOR_KEY_UNUSABLE', `the key of the second factors cannot be used: ${message}`, {
      remedy: 'Restore state.dir/keys/factor-key (mode 0600) from the escrow copy. If it is lost for good, move it away and reset the factor of each person: they enrol anew.', cause,
    })
  }
}

export class RightMissingError extends FatalError {
  constructor(act: Act, role: string) {
    super('CUSTOS_RIGHT_MISSING', `「${role}」沒有「${RIGHTS[act].zh}」的權限。/ who acts as ${role} may not ${RIGHTS[act].en}`, {
      remedy: '以有此權限的職務身分辦理，或請有權者辦理。/ Act in a role that may, or ask who may.',
    })
  }
}

/** An act on an account, a deputy, a hand-over, a review or an opening that the rules do not allow. */
export class AccountRefusedError extends FatalError {
  constructor(zh: string, en: string, remedy = '請依訊息更正後再辦。/ Put right what the message names, then try again.') {
    super('CUSTOS_ACCOUNT_REFUSED', `${zh}/ ${en}`, { remedy })
  }
}

export class PasswordRefusedError extends FatalError {
  readonly problems: readonly string[]
  constructor(problems: readonly { readonly zh: string, readonly en: string }[]) {
    super('CUSTOS_PASSWORD_REFUSED', problems.map(({ zh, en }) => `${zh}/ ${en}`).join('\n'), {
      remedy: '例如用四個不相干的詞，加上數字與符號。/ For example four unrelated words with a digit and a sign.',
    })
    this.problems = problems.map(({ zh }) => zh)
  }
}
