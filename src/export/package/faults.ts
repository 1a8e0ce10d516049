/** What a verifier may find. The player's verifier uses the same words; keep them. */
export const FAULT_TEXTS = {
  'file-missing': { zh: '缺少檔案', en: 'a file is missing' },
  'file-extra': { zh: '多出清單以外的檔案', en: 'a file is there that the manifest does not list' },
  'file-altered': { zh: '檔案內容與清單不符，已遭變更', en: 'a file is not what the manifest lists: it was altered' },
  'sums-altered': { zh: 'SHA256SUMS 與清單不符，已遭變更', en: 'SHA256SUMS does not fit the manifest: it was altered' },
  'manifest-altered': { zh: '清單的數位簽章不成立，清單或簽章已遭變更', en: 'the signature over the manifest does not hold: manifest or signature was altered' },
  'wrong-key': { zh: '簽章金鑰不是指定的金鑰，不是該錄影機所製作', en: 'it is signed by another key than the one asked for' },
  'certificate-mismatch': { zh: '憑證、公鑰與清單所載的金鑰不一致', en: 'certificate, public key and the key named in the manifest differ' },
  'cms-invalid': { zh: 'CMS 簽章（manifest.p7s）不成立', en: 'the CMS signature (manifest.p7s) does not hold' },
  'token-invalid': { zh: '時戳（manifest.tsr）不成立', en: 'the time stamp (manifest.tsr) does not hold' },
  'records-altered': { zh: '影像紀錄與錄影當時的雜湊或順序不符', en: 'video records do not hash to what was recorded, or are out of order' },
  'outside-grant': { zh: '影像含有核准時段以外的畫面或聲音', en: 'a video holds pictures or sound from outside what was granted' },
  'audit-altered': { zh: '稽核紀錄或其證明不符，已遭變更或截短', en: 'the audit entries or their proofs do not hold: altered or cut short' },
  'checkpoint-mismatch': { zh: '與另外保存的查核點不符，稽核紀錄已遭改寫或並非同一部錄影機', en: 'it does not fit the checkpoint that was kept elsewhere: the log was rewritten, or is another recorder\'s' },
  'unreadable': { zh: '無法讀取或不是證據複製品', en: 'it cannot be read, or is no evidence package' },
} as const satisfies Readonly<Record<string, { readonly zh: string, readonly en: string }>>

export type FaultCode = keyof typeof FAULT_TEXTS
/** `where` is the file's path in the package, or what else names the place. */
export interface PackageFault { readonly code: FaultCode, readonly where: string, readonly zh: string, readonly en: string }
