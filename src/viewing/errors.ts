import { FatalError, RetryableError } from '../domain/index.ts'

/** A viewing, a live view, an aiming or a reference image that the rules do not allow. */
export class ViewingRefusedError extends FatalError {
  constructor(zh: string, en: string, remedy = '請依訊息更正後再開啟。/ Put right what the message names, then open again.') { super('CUSTOS_VIEWING_REFUSED', `${zh}/ ${en}`, { remedy }) }
}

/** As many are open as this recorder or this person may have at once. */
export class ViewingBusyError extends RetryableError {
  constructor(zh: string, en: string) { super('CUSTOS_VIEWING_BUSY', `${zh}/ ${en}`, { remedy: '先關閉另一個畫面，或稍候再試。/ Close another screen first, or try again shortly.' }) }
}

/** A picture could not be made of the footage there is. */
export class PictureError extends RetryableError {
  constructor(zh: string, en: string) { super('CUSTOS_PICTURE_FAILED', `${zh}/ ${en}`, { remedy: '換一個時間點再試；仍失敗請查看系統狀態。/ Try another instant; if it fails again look at the state of the system.' }) }
}
