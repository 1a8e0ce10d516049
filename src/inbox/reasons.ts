import type { Bilingual } from '../config/index.ts'
import { INBOX_LIMITS } from './limits.ts'

/** Why a file is not taken. The codes are stable. */
export const INBOX_REASONS = {
  'not-a-file': { zh: '這不是一般檔案（可能是連結、資料夾或裝置），未讀取其內容。', en: 'This is no regular file (a link, a folder or a device); nothing of it was read.' },
  'unreadable': { zh: '錄影程式沒有讀取這個檔案的權限。', en: 'The recorder may not read this file.' },
  'too-large': { zh: `檔案超過 ${INBOX_LIMITS.fileBytes / 1024} KiB。`, en: `The file is larger than ${INBOX_LIMITS.fileBytes / 1024} KiB.` },
  'not-json': { zh: '內容不是完整的 UTF-8 JSON。', en: 'The content is no whole UTF-8 JSON.' },
  'bad-shape': { zh: '內容不符合公布的格式（docs/operating/inbox.schema.json）。', en: 'The content does not follow the published schema (docs/operating/inbox.schema.json).' },
  'unknown-key': { zh: '這把金鑰未登錄。', en: 'This key is not enrolled.' },
  'key-ended': { zh: '這把金鑰已撤銷，或不在效期內。', en: 'This key was revoked, or is outside its dates.' },
  'bad-signature': { zh: '簽章不符：內容遭更動，或不是以這把金鑰簽署。', en: 'The signature does not hold: the content was changed, or another key signed it.' },
  'wrong-system': { zh: '訊息所載的系統名稱與金鑰登錄的不同。', en: 'The system named in the message is not the one the key was enrolled for.' },
  'id-reused': { zh: '這個編號已用於另一件申請；請以新編號重送。', en: 'This id was used for another request; send it again with a new id.' },
  'bad-time': { zh: '時間有誤：發出時間在未來或超過七日，或收件、簽核時間的先後不合理。', en: 'The times are wrong: issued in the future or more than seven days ago, or receipt and decisions out of order.' },
  'refused': { zh: '申請案未能成立，資料未變更。', en: 'The application could not be taken in; nothing was changed.' },
} as const satisfies Readonly<Record<string, Bilingual>>
export type InboxReason = keyof typeof INBOX_REASONS

/** One place that is wrong; `where` is a path such as `content.asked[0]`, never a value. */
export interface Fault extends Bilingual { readonly where: string }
export interface Rejection { readonly reason: InboxReason, readonly faults: readonly Fault[] }

const MOST_FAULTS = 20

/** What is written beside a rejected file. Holds nothing of its content. */
export function reasonText({ reason, faults }: Rejection, { name, sha256, at }: { readonly name: string, readonly sha256: string, readonly at: string }): string {
  const { zh, en } = INBOX_REASONS[reason]
  const more = faults.length > MOST_FAULTS ? [`  （另有 ${faults.length - MOST_FAULTS} 項 / and ${faults.length - MOST_FAULTS} more）`] : []
  return [
    '收件未受理，任何資料都沒有變更。', 'This file was not taken; nothing was changed.', '',
    `檔案 file:    ${name}`, `SHA-256:      ${sha256}`, `時間 at:      ${at}`, `原因 reason:  ${reason}`, `  ${zh}`, `  ${en}`,
    ...faults.slice(0, MOST_FAULTS).flatMap(fault => [`- ${fault.where}`, `  ${fault.zh}`, `  ${fault.en}`]), ...more, '',
  ].join('\n')
}
