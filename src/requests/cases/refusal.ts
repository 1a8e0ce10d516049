import type { Bilingual } from '../../config/index.ts'

/** Why a command was not carried out. The codes are stable; screens and the API show the words. */
export const REFUSAL_TEXTS = {
  stale: { zh: '申請案已有新版本；請重新讀取後再簽核。', en: 'The application has a newer version; read it again before acting.' },
  'wrong-state': { zh: '依目前的狀態不能這樣做。', en: 'This cannot be done in the present state.' },
  'not-this-step': { zh: '還沒輪到這一關，或這一關已簽；不得跳關。', en: 'It is not this step\'s turn; no step is skipped or signed twice.' },
  'wrong-role': { zh: '目前使用的角色無權為此行為。', en: 'The role acted in has no right to this.' },
  'not-in-post': { zh: '您今日不任此職位，也不是其代理人。', en: 'You neither hold this post today nor stand in for it.' },
  'own-request': { zh: '不得簽核自己的申請；請由代理人簽核。', en: 'Nobody decides on their own request; the deputy signs.' },
  recused: { zh: '已迴避本案；請由代理人簽核。', en: 'You are recused from this case; the deputy signs.' },
  'same-name': { zh: '您與申請人或代理人同名；請確認並聲明不是同一人，否則由代理人簽核。', en: 'You have the name of the applicant or an agent: state that you are not that person, or let the deputy sign.' },
  'too-few-signers': { zh: '簽核的人數將少於規定；這一關請由他人簽核。', en: 'Too few different people would sign; somebody else must take this step.' },
  'signed-before': { zh: '核決者不得同時簽過前面的關。', en: 'Who decides last must not have signed before.' },
  'bad-words': { zh: '文字空白、過長或含有無法列印的字元。', en: 'A text is blank, too long or cannot be printed.' },
  'reason-needed': { zh: '須填寫理由。', en: 'A reason in words is needed.' },
  'ground-needed': { zh: '須選擇法令依據。', en: 'A ground must be chosen.' },
  incomplete: { zh: '申請尚未齊備，只能退回補正或不同意。', en: 'The application is not complete: it can be returned or refused only.' },
  'wider-than-asked': { zh: '核准範圍不得大於申請或前一關的範圍。', en: 'Nothing wider than what was asked, or what the step before left, can be approved.' },
  'nothing-left': { zh: '範圍或項目已全部刪除；請改選「不同意」。', en: 'Nothing would be left to grant; refuse instead.' },
  'third-party-pending': { zh: '第三人表示意見的期限尚未屆滿。', en: 'The third party still has time to comment.' },
  'bad-grant': { zh: '效期或調閱處所不合規定。', en: 'The length or place of the grant is not allowed.' },
  'not-yet-lapsed': { zh: '補正期限尚未屆滿。', en: 'The time to complete has not run out.' },
  'no-extension': { zh: '本案期限不得延長。', en: 'This deadline has no extension.' },
  'extended-before': { zh: '期限只能延長一次。', en: 'A deadline is extended once only.' },
  overdue: { zh: '期限已過，不能再延長。', en: 'The deadline has passed and cannot be extended.' },
  'too-long': { zh: '延長超過上限。', en: 'The extension is longer than allowed.' },
  paused: { zh: '補正期間不計入，此時不必延長。', en: 'The deadline stands still during completion; there is nothing to extend.' },
  'too-many': { zh: '數量超過上限。', en: 'There are too many of these.' },
  'done-before': { zh: '已經做過。', en: 'This was done before.' },
  'no-statement': { zh: '這種申請不需要聲明書。', en: 'This kind of application has no statement to sign.' },
  'not-for-this-form': { zh: '這種申請沒有此項。', en: 'This kind of application has no such thing.' },
  'bad-content': { zh: '申請內容有誤，見各欄說明。', en: 'The content is wrong; see the fields.' },
  'not-approved': { zh: '簽核未完成，或未核准；收件資料夾只收已核准的申請。', en: 'The chain is not finished, or ended without approval; only approved requests are taken.' },
  'no-such-signer': { zh: '沒有這個帳號、帳號未使用中，或當時尚未建立。', en: 'There is no such account, it is not active, or it did not exist at that time.' },
  'bad-number': { zh: '案號與受理日期不符。', en: 'The application number does not belong to the day of receipt.' },
} as const satisfies Readonly<Record<string, Bilingual>>

export type RefusalCode = keyof typeof REFUSAL_TEXTS
/** One field or line that is wrong. `where` is a path such as `fields.phone` or `asked[2]`. */
export interface ContentProblem { readonly where: string, readonly zh: string, readonly en: string }
export interface Refusal { readonly code: RefusalCode, readonly message: Bilingual, readonly problems: readonly ContentProblem[] }

export const refusal = (code: RefusalCode, problems: readonly ContentProblem[] = []): Refusal => ({ code, message: REFUSAL_TEXTS[code], problems })
