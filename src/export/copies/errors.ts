import { FatalError, isoOf, RetryableError, type EpochMs } from '../../domain/index.ts'
import { rocDateTimeText } from '../../rules/index.ts'
import { REMOVAL_TEXTS, type RemovalReason } from './job.ts'

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

/** A released package is here no longer; its Master went into the archive with the release. */
export class CopyRemovedError extends FatalError {
  constructor({ at, why }: { readonly at: EpochMs, readonly why: RemovalReason }, archiveItem: string | null) {
    const item = archiveItem ?? '', { zh, en } = REMOVAL_TEXTS[why]
    super('CUSTOS_COPY_REMOVED', `這份複製已於${rocDateTimeText(at)}自本機移除（${zh}）；Master 存於存檔區${item}。/ this copy was removed from the recorder at ${isoOf(at)}: ${en}; its Master went into the archive as item ${item}`, {
      remedy: '仍需要時，以新的申請核准後另行製作；查閱 Master 依存檔規定辦理。/ Where it is still needed, make another under a new grant; the Master is read by the rules of the archive.',
    })
  }
}

/** More copies wait than the desk takes. */
export class CopyQueueFullError extends RetryableError {
  constructor() {
    super('CUSTOS_COPY_QUEUE_FULL', '等候製作的複製過多。/ too many copies wait', { remedy: '完成或取消等候中的複製後再申請。/ Release or cancel one that waits, then ask again.' })
  }
}
