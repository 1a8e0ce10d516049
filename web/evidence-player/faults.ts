/** What can be wrong with a package; the same words as `custos verify`. */
export type FaultCode = 'file-missing' | 'file-extra' | 'file-altered' | 'sums-altered' | 'manifest-altered' | 'wrong-key' | 'certificate-mismatch' | 'cms-invalid' | 'token-invalid'
  | 'records-altered' | 'outside-grant' | 'audit-altered' | 'checkpoint-mismatch' | 'unreadable'

export interface Fault {
  readonly code: FaultCode
  /** The file it shows in; null where it is the package's as a whole. */
  readonly path: string | null
  readonly zh: string
  readonly en: string
}

const TEXT: Readonly<Record<FaultCode, readonly [string, string]>> = {
  'file-missing': ['缺少檔案', 'A file is missing'],
  'file-extra': ['多出清單以外的檔案', 'A file that no list names'],
  'file-altered': ['檔案內容與清單記載的雜湊不符，已遭更動', 'The file does not have the hash that the list gives: it was altered'],
  'sums-altered': ['SHA256SUMS 與 manifest.json 或實際檔案不一致', 'SHA256SUMS does not agree with manifest.json or with the files'],
  'manifest-altered': ['manifest.json 的數位簽章不成立：內容已遭更動，或簽章不屬於本套件', 'The signature over manifest.json does not hold: it was altered, or the signature belongs to another package'],
  'wrong-key': ['簽章金鑰的指紋與您輸入的指紋不同：套件不是由該錄影主機簽署', 'The fingerprint of the signing key is not the one you typed: another key signed this package'],
  'certificate-mismatch': ['憑證、公鑰與 manifest.json 記載的金鑰不是同一把', 'The certificate, the public key and the key named in manifest.json are not one and the same'],
  'cms-invalid': ['manifest.p7s（CMS 簽章）不成立', 'manifest.p7s (the CMS signature) does not hold'],
  'token-invalid': ['時戳（manifest.tsr）不成立', 'The time stamp (manifest.tsr) does not hold'],
  'records-altered': ['影像紀錄與錄影當時的雜湊不符，或順序不對', 'Records of the video do not hash to what was recorded, or stand in another order'],
  'outside-grant': ['影像含有核准時段以外的畫面或聲音', 'A video holds pictures or sound from outside what was granted'],
  'audit-altered': ['稽核紀錄與其證明不符，已遭更動', 'Audit entries do not agree with their proofs: they were altered'],
  'checkpoint-mismatch': ['稽核紀錄的簽章檢查點不成立，或與證明不符', 'The signed checkpoint of the audit log does not hold, or the proofs lead elsewhere'],
  unreadable: ['檔案無法解讀', 'The file cannot be read'],
}

/** One sentence in each language; `more` says where and what, already in both. */
export function faultOf(code: FaultCode, path: string | null, more?: { readonly zh: string, readonly en: string }): Fault {
  const [zh, en] = TEXT[code]
  const shown = path === null ? '' : path
  return {
    code, path,
    zh: `${zh}${shown === '' ? '' : `：${shown}`}${more === undefined ? '' : `（${more.zh}）`}`,
    en: `${en}${shown === '' ? '' : `: ${shown}`}${more === undefined ? '' : ` (${more.en})`}`,
  }
}

export type VerdictKind = 'confirmed' | 'intact-unconfirmed' | 'undecided' | 'broken'
export interface Verdict { readonly kind: VerdictKind, readonly zh: string, readonly en: string, readonly faults: readonly Fault[] }

/** Hex of a typed fingerprint without blanks, colons and dashes, in lower case; full-width digits and letters count as their like. */
export const fingerprintOf = (typed: string): string => typed.normalize('NFKC').replace(/[\s:：\-–—·.]/g, '').toLowerCase()

export type TypedFingerprint = 'none' | 'incomplete' | 'same' | 'other'

export function compareFingerprint(typed: string, fingerprint: string | null): TypedFingerprint {
  const hex = fingerprintOf(typed)
  if (hex === '') return 'none'
  if (!/^[0-9a-f]{64}$/.test(hex)) return /^[0-9a-f]{0,64}$/.test(hex) && (fingerprint === null || fingerprint.startsWith(hex)) ? 'incomplete' : 'other'
  return hex === fingerprint ? 'same' : 'other'
}

export interface VerdictFacts {
  readonly faults: readonly Fault[]
  /** False when this browser could not check the signature. */
  readonly signatureChecked: boolean
  readonly fingerprint: string | null
  readonly typed: string
}

/** The one line that people read. A package of a stranger's key is intact, too: only the fingerprint from the paper tells whose it is. */
export function verdictOf({ faults, signatureChecked, fingerprint, typed }: VerdictFacts): Verdict {
  const compared = compareFingerprint(typed, fingerprint)
  const all = compared === 'other' ? [faultOf('wrong-key', 'pub.pem'), ...faults] : faults
  if (all.length > 0) {
    return { kind: 'broken', faults: all, zh: `驗證不通過：發現 ${all.length} 項問題，本套件不得視為完整。`, en: `Verification failed: ${all.length} fault${all.length === 1 ? '' : 's'} found. This package is not intact.` }
  }
  if (!signatureChecked) {
    return { kind: 'undecided', faults: all, zh: '檔案相符，但此瀏覽器無法檢查數位簽章；請改用其他瀏覽器，或依 VERIFY.txt 驗證。', en: 'The files agree, but this browser cannot check the signature. Use another browser, or follow VERIFY.txt.' }
  }
  if (compared === 'same') {
    return { kind: 'confirmed', faults: all, zh: '驗證通過：內容完整未遭更動，且來源與您輸入的指紋相符。', en: 'Verified: intact, and signed by the key whose fingerprint you typed.' }
  }
  return { kind: 'intact-unconfirmed', faults: all, zh: '內容完整，但來源尚未確認：請輸入封面頁上的金鑰指紋。', en: 'Intact but origin not confirmed: type the key fingerprint from the cover sheet.' }
}
