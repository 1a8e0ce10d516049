import { FatalError, RetryableError } from '../domain/index.ts'

/** No room within the quota or on the volume. Nothing was removed to make some: the case stays approved and its source held. */
export class ArchiveFullError extends RetryableError {
  constructor(neededBytes: number, leftBytes: number) {
    const mib = (bytes: number): string => (Math.max(0, bytes) / 2 ** 20).toFixed(1)
    super('CUSTOS_ARCHIVE_FULL', `存檔區空間不足：需要 ${mib(neededBytes)} MiB，剩 ${mib(leftBytes)} MiB，未存入。/ the archive is full: ${mib(neededBytes)} MiB are needed, ${mib(leftBytes)} MiB are left; nothing was put in`, {
      remedy: '請增加存檔區容量或 archive.quota；存檔期滿者會自行銷毀，不會提前。案件維持核准，原影像續予保全。/ Enlarge the archive or archive.quota; what is due goes by itself and never earlier. The case stays approved and its footage held.',
    })
  }
}

const STATES: Readonly<Record<string, string>> = {
  'missing': '資料夾不存在', 'not-mounted': '資料夾是空的，磁碟可能沒有掛載', 'foreign': '不是本系統的存檔區', 'damaged': '識別檔或資料夾損壞', 'read-only': '磁碟為唯讀', 'key-file': '金鑰檔遺失、損壞或不相符', 'none': '沒有設定，或無法開啟',
}

/** The archive's volume or key file cannot be used. `detail` is for the operator, in English. */
export class ArchiveUnavailableError extends RetryableError {
  readonly state: string
  constructor(state: string, detail: string, cause?: unknown) {
    super('CUSTOS_ARCHIVE_UNAVAILABLE', `存檔區無法使用：${STATES[state] ?? STATES['none']!}。 / the archive cannot be used: ${detail}`, {
      remedy: '請接上原來的存檔磁碟或還原金鑰檔；全新的存檔區以 custos archive init 建立一次。/ Attach the archive\'s own disk or restore its key file; a new archive is made once with `custos archive init`.', ...(cause === undefined ? {} : { cause }),
    })
    this.state = state
  }
}

/** An item that is gone, changed, destroyed or was never there. */
export class ArchiveItemError extends FatalError {
  constructor(itemNo: string, what: { readonly zh: string, readonly en: string }, cause?: unknown) {
    super('CUSTOS_ARCHIVE_ITEM', `存檔「${itemNo.slice(0, 40)}」${what.zh} / archived item ${itemNo.slice(0, 40)} ${what.en}`, {
      remedy: '請以 custos archive list 核對編號，以 custos archive verify 查驗。/ Check the number with `custos archive list`, the item with `custos archive verify`.', ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** An act that the archive does not do; nothing was changed. */
export class ArchiveRefusedError extends FatalError {
  constructor(zh: string, en: string) {
    super('CUSTOS_ARCHIVE_REFUSED', `${zh} / ${en}`, { remedy: '請依訊息更正。/ Put right what the message names.' })
  }
}
