import { FatalError, RetryableError } from '../../domain/index.ts'

/** What a person asked of a copy is not allowed, or not possible as it stands. Nothing was done but the entry of the refusal. */
export class CopyRefusedError extends FatalError {
  constructor(zh: string, en: string) {
    super('CUSTOS_COPY_REFUSED', `${zh}/ ${en}`, { remedy: '請查看申請案與這份複製的狀態。/ Look at the case, and at how far this copy is.' })
  }
}

/** What allowed this very copy is no more: it ends. */
export class AllowanceEndedError extends CopyRefusedError {
  constructor() { super('核准已失效或撤銷。', 'what allowed this copy has ended') }
}

/** More copies wait than the desk takes. */
export class CopyQueueFullError extends RetryableError {
  constructor() {
    super('CUSTOS_COPY_QUEUE_FULL', '等候製作的複製過多。/ too many copies wait', { remedy: '完成或取消等候中的複製後再申請。/ Release or cancel one that waits, then ask again.' })
  }
}
