import { APPROVERS, ROLES, type Role } from './roles.ts'

interface Right {
  readonly zh: string
  readonly en: string
  readonly roles: readonly Role[]
  /** The second factor must have been shown in the last five minutes (R69). */
  readonly factor?: true
  /** Also by a named person at the command line of the machine. */
  readonly machine?: true
}

const STAFF = ['custodian', 'clerk', ...APPROVERS, 'checker', 'records', 'staff'] as const satisfies readonly Role[]

/**
 * Every act of the system and the roles that have it. `view` and `copy` are there to say that nobody has them (R14): pictures come by a grant,
 * and what a grant opens is decided by the fence of requests, beside the right to handle it that stands here.
 */
const TABLE = {
  'view': { zh: '任意調閱影像', en: 'view footage at will', roles: [] },
  'copy': { zh: '任意複製影像', en: 'copy footage at will', roles: [] },
  'open-granted-view': { zh: '依核准開啟陪同閱覽', en: 'open a granted view and attend it', roles: ['custodian'] },
  'make-granted-copy': { zh: '依核准製作複製', en: 'make a granted copy', roles: ['custodian'], factor: true },
  'witness-copy': { zh: '複製交付見證', en: 'witness the release of a copy', roles: ['clerk', ...APPROVERS], factor: true },
  'live-view': { zh: '即時畫面（限規定列名職務）', en: 'live view, for posts the rule set lists', roles: ['custodian', 'director'] },
  'aim-camera': { zh: '調整鏡頭方向（二人）', en: 'aim a camera, two together', roles: ['custodian', 'checker'] },
  'reference-image': { zh: '核定鏡頭參考影像', en: 'approve a reference image', roles: ['custodian'] },
  'ask-view': { zh: '填寫附件4', en: 'ask to view (form 4)', roles: STAFF },
  'receive-application': { zh: '受理、補正、通知', en: 'receive an application', roles: ['clerk'] },
  'approve-step': { zh: '申請案核章', en: 'decide a step of an application', roles: ['clerk', ...APPROVERS], factor: true },
  'place-hold': { zh: '保全影像', en: 'place a hold', roles: ['custodian', 'clerk'], machine: true },
  'end-hold': { zh: '解除保全', en: 'end a hold', roles: APPROVERS, factor: true, machine: true },
  'mark-filed': { zh: '標示已歸檔', en: 'mark a copy as filed', roles: ['records'] },
  'sign-destruction': { zh: '銷毀紀錄簽章', en: 'sign a destruction record', roles: ['custodian', ...APPROVERS] },
  'sign-book': { zh: '紀錄簿簽章', en: 'sign the log book', roles: ['custodian', ...APPROVERS] },
  'correct-book': { zh: '紀錄簿更正', en: 'correct the log book by a new line', roles: ['custodian'] },
  'check': { zh: '辦理查核', en: 'do a monthly check', roles: ['checker'] },
  'sign-check': { zh: '查核表核章', en: 'sign a monthly check', roles: APPROVERS },
  'read-audit': { zh: '查閱稽核紀錄', en: 'read the audit log', roles: ['auditor'], machine: true },
  'sign-review-pack': { zh: '每月覆核簽章', en: 'sign the monthly review pack', roles: APPROVERS, factor: true },
  'read-health': { zh: '查看系統狀態', en: 'see the state of the system', roles: ROLES, machine: true },
  'config': { zh: '變更系統設定', en: 'change the configuration', roles: ['system-admin'], machine: true },
  'confirm-time': { zh: '確認系統時間', en: 'confirm the clock', roles: ['system-admin', 'custodian'], machine: true },
  'camera-register': { zh: '維護鏡頭清冊', en: 'keep the camera register', roles: ['system-admin', 'custodian'] },
  'maintain': { zh: '設備維護', en: 'maintain the equipment', roles: ['system-admin', 'vendor'], machine: true },
  'account-list': { zh: '查看帳號清冊', en: 'see the list of accounts', roles: ['system-admin', 'auditor', ...APPROVERS], machine: true },
  'account-apply': { zh: '申請建立、異動、啟用帳號', en: 'ask for an account or a change of one', roles: ['system-admin', 'custodian'], machine: true },
  'account-approve': { zh: '核准帳號申請', en: 'decide on an account', roles: APPROVERS, factor: true },
  'account-disable': { zh: '停用帳號', en: 'disable an account', roles: ['system-admin', ...APPROVERS], machine: true },
  'account-leave': { zh: '離職關閉帳號', en: 'close the account of who leaves', roles: ['system-admin', ...APPROVERS], machine: true },
  'account-unlock': { zh: '解除帳號鎖定', en: 'unlock an account', roles: ['system-admin', 'custodian', ...APPROVERS], machine: true },
  'account-reset': { zh: '發給一次性密碼', en: 'issue a one-time password', roles: ['system-admin', ...APPROVERS], factor: true, machine: true },
  'factor-reset': { zh: '重設驗證器', en: 'take a factor away, to be enrolled anew', roles: APPROVERS, factor: true, machine: true },
  'name-deputy': { zh: '登記職務代理', en: 'name a deputy', roles: APPROVERS, factor: true },
  'hand-over': { zh: '移交', en: 'hand a role over', roles: ['custodian', 'checker', 'records', 'clerk'], factor: true },
  'make-account-review': { zh: '製作帳號清查', en: 'make the yearly account review', roles: ['system-admin', 'auditor'] },
  'sign-account-review': { zh: '帳號清查簽章', en: 'sign the yearly account review', roles: APPROVERS, factor: true },
  'break-glass': { zh: '緊急啟封（二人）', en: 'break glass, two together', roles: ['custodian', 'clerk', ...APPROVERS], factor: true, machine: true },
  'close-break-glass': { zh: '關閉緊急啟封', en: 'close what was broken open', roles: ['system-admin', 'custodian', 'clerk', ...APPROVERS], machine: true },
  'settle-break-glass': { zh: '補登啟封之附件4', en: 'enter the form owed for breaking glass', roles: ['clerk'] },
} as const satisfies Record<string, Right>

export type Act = keyof typeof TABLE
export const RIGHTS: Readonly<Record<Act, Right>> = TABLE
export const ACTS = Object.keys(TABLE) as readonly Act[]

/** Whether somebody acting in `role` may do `act`, as far as the role decides. Pure. */
export const hasRight = (role: Role, act: Act): boolean => RIGHTS[act].roles.includes(role)
/** Whether one of these roles has an act that asks for the factor: who holds it is to enrol one. */
export const needsFactor = (roles: readonly Role[]): boolean => ACTS.some(act => RIGHTS[act].factor === true && roles.some(role => hasRight(role, act)))
/** Whether a named person at the machine's command line may. */
export const machineHasRight = (act: Act): boolean => RIGHTS[act].machine === true

/** Acts that put a picture before somebody, with a grant or as one of the exceptions of R14 [G5]. */
export const PICTURE_ACTS = ['view', 'copy', 'open-granted-view', 'make-granted-copy', 'live-view', 'aim-camera', 'reference-image', 'check'] as const satisfies readonly Act[]
