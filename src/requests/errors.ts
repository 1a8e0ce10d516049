import { FatalError } from '../domain/index.ts'

export class UnknownApplicationError extends FatalError {
  constructor(number: string) {
    super('CUSTOS_APPLICATION_UNKNOWN', `沒有案號「${number.slice(0, 40)}」，或無權查看。/ there is no application ${number.slice(0, 40)}, or none that you may see`, {
      remedy: '請核對案號，或以姓名查詢。/ Check the number, or search by name.',
    })
  }
}

/** A key names one command of one person; another command came with it. Nothing was done. */
export class RequestKeyError extends FatalError {
  constructor(why: 'malformed' | 'reused') {
    super('CUSTOS_REQUEST_KEY', why === 'malformed' ? '請求識別碼須為 8 至 100 個英數字、底線或連字號。/ a request key is 8 to 100 letters, digits, underscores or hyphens'
      : '這個請求識別碼已用於另一項請求，本次未執行。/ this request key belongs to another request; nothing was done', { remedy: '請重新載入頁面後再送出。/ Reload the page and send again; a program makes a new key for each new request.' })
  }
}

/** The key that keeps ID numbers, or a number kept under it, cannot be used. */
export class PersonKeyError extends FatalError {
  constructor(detail: string, cause?: unknown) {
    super('CUSTOS_PERSON_KEY_UNUSABLE', `身分證字號的金鑰無法使用：${detail} / the key of ID numbers cannot be used: ${detail}`, {
      remedy: '請自保管處還原 state.dir/keys/person-key（權限 0600）。/ Restore state.dir/keys/person-key from escrow (mode 0600).', cause,
    })
  }
}

type AttachmentFault =
  | 'CUSTOS_ATTACHMENT_REFUSED' | 'CUSTOS_ATTACHMENT_DAMAGED' | 'CUSTOS_ATTACHMENT_UNWRITABLE' | 'CUSTOS_ATTACHMENT_WAITING' | 'CUSTOS_ATTACHMENT_NO_ROOM'
export class AttachmentError extends FatalError {
  constructor(code: AttachmentFault, message: string, remedy: string, cause?: unknown) {
    super(code, message, { remedy, cause })
  }
}
