import type { ProblemText } from '../config/index.ts'

const text = (code: string, zh: string, en: string): ProblemText => ({ code, zh, en })

/** Every sentence the rule-set loader shows. The file holds no secrets, so ids may be named. */
export const ruleTexts = {
  id: text('rule-id', '代號為 1 至 40 個小寫英文字母、數字、- 或 _。', 'An id is 1 to 40 of a-z, 0-9, - and _.'),
  sentence: (max: number) => text('rule-text', `文字為 1 至 ${max} 個字，不可只有空白或含控制字元。`, `Text of 1 to ${max} characters, not only blanks, without control characters.`),
  wording: (max: number) => text('rule-wording', `文字為 1 至 ${max} 個字，可分行，不可含其他控制字元。`, `Text of 1 to ${max} characters; line breaks are allowed, other control characters are not.`),
  number: (min: number, max: number) => text('rule-number', `這裡必須是 ${min} 至 ${max} 的整數。`, `This is a whole number from ${min} to ${max}.`),
  rocDate: text('rule-date', '日期以民國年書寫，如 113-09-30。', 'The date is written in ROC years, such as 113-09-30.'),
  oneOf: (words: readonly string[]) => text('rule-one-of', `這裡只能是：${words.join('、')}。`, `This is one of: ${words.join(', ')}.`),
  trueOrFalse: text('rule-true-or-false', '這裡只能是 true 或 false。', 'This is either true or false.'),
  list: (min: number, max: number) => text('rule-list', `這裡必須是 ${min} 至 ${max} 項的清單。`, `This is a list of ${min} to ${max} items.`),
  period: text('rule-period', '期間寫成 { days: 15 }、{ weeks: 2 }、{ months: 1 } 或 { years: 1 }，只能擇一。', 'A period is one of { days: 15 }, { weeks: 2 }, { months: 1 }, { years: 1 }.'),

  // meaning
  idTwice: (id: string) => text('rule-id-twice', `代號「${id}」重複。`, `The id "${id}" is given twice.`),
  unknown: (kind: string, id: string, known: readonly string[]) => text('rule-unknown', `沒有名為「${id}」的 ${kind}；可用：${known.join('、')}。`, `There is no ${kind} "${id}"; known: ${known.join(', ')}.`),
  copyForParties: text('rule-copy-for-parties', '只有申請人全為公務機關的表單可以有 copy（作業規定第六點）；當事人、利害關係人與本所人員不得取得複製。', 'Only a form whose applicants are agencies alone may have copy (article 6): parties and staff never receive one.'),
  redactedCopy: text('rule-redacted-copy', '本版尚無遮蔽複製的功能，此開關只能是 false（R59）。', 'This version has no redacted copies: the switch must be false (R59).'),
  lastPost: text('rule-last-post', '核決的一關不可與前面的關相同。', 'The last step must not be a post that signed before.'),
  tooManySigners: (steps: number) => text('rule-signers', `這條流程只有 ${steps} 關，簽核人數不可更多。`, `The chain has ${steps} steps; no more signers than that.`),
  floorShort: text('rule-floor', '最短保存期限不得少於一個月（作業規定第五點）。', 'The floor must not be less than one month (article 5).'),
  grantDays: text('rule-grant-days', '預設效期不可超過上限。', 'The default must not be longer than the maximum.'),
  formUse: (use: string, count: number) => text('rule-form-use', `用途為 ${use} 的表單必須恰有一份，現在有 ${count} 份。`, `There must be exactly one form for ${use}; there are ${count}.`),
  requestNeeds: (key: string) => text('rule-request-needs', `申請用的表單必須有「${key}」。`, `A form for requests needs "${key}".`),
  notForRequests: (key: string) => text('rule-not-for-requests', `只有申請用的表單可以有「${key}」。`, `Only a form for requests has "${key}".`),
  fieldNeeded: (means: string) => text('rule-field-needed', `表單缺少 means: ${means} 的欄位。`, `The form has no field that means ${means}.`),
  optionsNeeded: text('rule-options', 'kind: options 的欄位必須列出 options，其他欄位不可有。', 'A field of kind options lists its options, no other does.'),
  slot: (slot: string, known: readonly string[]) => text('rule-slot', `「{${slot}}」不是可填入的項目；可用：${known.join('、')}。`, `"{${slot}}" is nothing that can be filled in; known: ${known.join(', ')}.`),
  slotMissing: (slot: string) => text('rule-slot-missing', `這份通知必須含有「{${slot}}」（R36）。`, `This notice must hold "{${slot}}" (R36).`),
  noticeMissing: (id: string) => text('rule-notice-missing', `缺少通知「${id}」。`, `The notice "${id}" is missing.`),
  deadlineMissing: (id: string) => text('rule-deadline-missing', `缺少期限「${id}」。`, `The deadline "${id}" is missing.`),
  roleMissing: (id: string) => text('rule-role-missing', `缺少角色「${id}」。`, `The role "${id}" is missing.`),
  apartSelf: text('rule-apart-self', '同一角色不能與自己分開；請列兩個不同的角色。', 'A role cannot be apart from itself; name two.'),
  fileMissing: text('rule-set-none', '資料夾中沒有任何規定（.yaml）。', 'There is no rule set (.yaml) in the folder.'),
  folderUnreadable: text('rule-set-folder', '無法讀取規定資料夾。', 'The folder of rule sets cannot be read.'),
  tooManyFiles: (max: number) => text('rule-set-many', `規定檔超過 ${max} 份。`, `There are more than ${max} rule sets.`),
  versionTwice: (ref: string) => text('rule-set-twice', `規定「${ref}」出現在兩個檔案；修改內容時請提高 version。`, `The rule set "${ref}" stands in two files; raise version when the content changes.`),
  fileForm: text('rule-set-form', '檔案必須是「鍵: 值」的規定。', 'The file must consist of "key: value" rules.'),
  byteOrderMark: text('rule-set-bom', '檔案開頭有 BOM；請另存為不含 BOM 的 UTF-8。', 'The file starts with a byte order mark; save it as UTF-8 without one.'),
}
