import { RetryableError } from '../../domain/index.ts'

export type TargetFault = 'full' | 'read-only' | 'gone' | 'exists' | 'denied' | 'own' | 'hung' | 'other'
const TARGET_TEXTS: Readonly<Record<TargetFault, { readonly zh: string, readonly en: string }>> = {
  'full': { zh: '目的地空間不足', en: 'there is no room left' }, 'read-only': { zh: '目的地為唯讀', en: 'it is read-only' }, 'gone': { zh: '目的地不存在、沒有掛載媒體、已移除或無法讀寫', en: 'there is no such folder, or no medium in it, or it was pulled out or does not answer' },
  'exists': { zh: '目的地已有同名項目', en: 'something of that name is there already' }, 'denied': { zh: '沒有寫入目的地的權限', en: 'the recorder may not write there' }, 'own': { zh: '目的地在錄影系統自己的資料夾內', en: 'it lies in a folder of the recorder itself' }, 'hung': { zh: '目的地沒有回應', en: 'it does not answer' }, 'other': { zh: '目的地寫入失敗', en: 'writing failed' },
}

/** A destination did not take the package. Nothing of it is left there under its name. */
export class CopyTargetError extends RetryableError {
  readonly fault: TargetFault
  constructor(fault: TargetFault, cause?: unknown) {
    const { zh, en } = TARGET_TEXTS[fault]
    super('CUSTOS_COPY_TARGET', `無法寫入複製的目的地：${zh}。/ the copy could not be written: ${en}`, {
      remedy: '更換或清空媒體，或改用其他目的地，再辦一次；未留下不完整的複製品。/ Change or empty the medium, or name another place, and try again; nothing half-made was left.', ...(cause === undefined ? {} : { cause }),
    })
    this.fault = fault
  }
}

const FAULT_BY_ERRNO: Readonly<Record<string, TargetFault>> = {
  ENOSPC: 'full', EDQUOT: 'full', EFBIG: 'full', EROFS: 'read-only', ENOENT: 'gone', ENOTDIR: 'gone', EIO: 'gone', ENODEV: 'gone', ENXIO: 'gone', EEXIST: 'exists', ENOTEMPTY: 'exists', EACCES: 'denied', EPERM: 'denied',
}

/** What the file system said of a destination, as a CopyTargetError; anything that is no errno stays what it is. */
export function asTargetError(error: unknown): unknown {
  const { code, syscall } = (error ?? {}) as { code?: unknown, syscall?: unknown }
  return typeof code === 'string' && (syscall !== undefined || code in FAULT_BY_ERRNO) && !code.startsWith('CUSTOS_') && !code.startsWith('SQLITE_') ? new CopyTargetError(FAULT_BY_ERRNO[code] ?? 'other', error) : error
}
