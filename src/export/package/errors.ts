import { FatalError } from '../../domain/index.ts'
import { LEAVE_TEXTS, type LeaveRefusal } from '../../requests/index.ts'

/** The fence let a picture not pass: the grant ended, was narrowed or never covered it. What was written is thrown away. */
export class FenceError extends FatalError {
  readonly why: LeaveRefusal
  constructor(why: LeaveRefusal) {
    const { zh, en } = LEAVE_TEXTS[why]
    super('CUSTOS_COPY_FENCED', `影像不得離開：${zh}/ a picture may not leave: ${en}`, { remedy: '請查看申請案的核准範圍與效期。/ Look at what the case grants, and until when.' })
    this.why = why
  }
}

/** A package did not pass its own verifier. It was not released, and never will be. */
export class PackageUnsoundError extends FatalError {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super('CUSTOS_COPY_UNSOUND', `複製品未通過驗證，不得交付：${faults.slice(0, 5).join('；')}/ the copy did not pass its verification and is not released`, {
      remedy: '取消這份複製並重新製作；再次發生時檢查磁碟與媒體。/ Cancel this copy and make it anew; if it happens again, look at disk and medium.',
    })
    this.faults = faults
  }
}
