import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import {
  type Access, type AccountId, accountId, AccountRefusedError, type AccountView, type Acting, atMachine,
  combiningRules, isAccountId, openAccess, type Role, ROLE_NAMES, roleNamed,
} from '../access/index.ts'
import { formatProblems, loadConfig, type Config } from '../config/index.ts'
import { epochMs, FatalError } from '../domain/index.ts'
import { actingPerson } from './acting-person.ts'
import { localDay, localText } from './local-time.ts'
import { officeBeside } from './office-beside.ts'

interface Out { write(text: string): unknown, readonly isTTY?: boolean | undefined }
type Options = Readonly<Record<string, string | true | undefined>>
export type AccountAct = 'create' | 'list' | 'disable' | 'unlock' | 'reset' | 'leave' | 'break-glass'

const EXIT_BAD_CONFIG = 2

/** `custos account ...`: persons and break-glass from the machine's command line, beside a running recorder or without one. Throws FatalError. */
export async function account(act: AccountAct, options: Options, out: Out): Promise<number> {
  const result = await loadConfig(textOf(options, 'config'), { secrets: 'skip' })
  if (!result.ok) { out.write(formatProblems(result.problems)); return EXIT_BAD_CONFIG }
  const { config } = result
  using office = officeBeside(config, act === 'list' ? 'read' : 'write')
  const access = openAccess({
    ...office, stateDir: config.state.dir, officeName: config.site.name, mayCombine: act === 'create' ? await combiningRules(config.office.ruleSets) : () => null,
  })
  if (act === 'list') return list(access, options, config, out)
  const acting = atMachine(actingPerson(textOf(options, 'by'), '--by'))
  switch (act) {
    case 'create': return create(access, options, acting, config, out)
    case 'break-glass': return breakGlass(access, options, acting, out)
    case 'disable':
      access.accounts.disable(idOf(options), textOf(options, 'reason'), acting)
      out.write(`帳號「${idOf(options)}」已停用，登入中的工作階段已全部結束。\naccount ${idOf(options)} is disabled and all its sessions are ended\n`)
      return 0
    case 'unlock':
      access.accounts.unlock(idOf(options), acting)
      out.write(`帳號「${idOf(options)}」已解除鎖定。\naccount ${idOf(options)} is unlocked\n`)
      return 0
    case 'leave':
      access.accounts.leave(idOf(options), { reason: textOf(options, 'reason'), undertaking: options['undertaking'] === 'signed' ? { signed: true } : { signed: false, note: textOf(options, 'undertaking') } }, acting)
      out.write(`帳號「${idOf(options)}」已關閉，不再給別人使用。\naccount ${idOf(options)} is closed for good\n`)
      return 0
    case 'reset':
      if (options['factor'] === true) {
        access.factors.reset(idOf(options), textOf(options, 'reason'), acting)
        out.write(`「${idOf(options)}」的驗證器已移除，請本人重新設定。\nthe factor of ${idOf(options)} is taken away; they enrol anew\n`)
        return 0
      }
      return tell(access.accounts.reset(idOf(options), textOf(options, 'reason'), acting), idOf(options), options, out)
  }
}

function create(access: Access, options: Options, acting: Acting, config: Config, out: Out): number {
  const id = textOf(options, 'id')
  const ends = options['ends'] === undefined ? null : epochMs(localDay(textOf(options, 'ends'), config.site.timezone).endAt)
  const made = access.accounts.apply({
    id, displayName: textOf(options, 'name'), unit: textOf(options, 'unit'), post: textOf(options, 'post'), roles: textOf(options, 'roles').split(/[,，、]/).map(rolesOption), reason: textOf(options, 'reason'), endsAtMs: ends,
    custodianId: options['custodian'] === undefined ? null : accountOption(textOf(options, 'custodian'), '--custodian'),
  }, acting)
  if (made.token !== null) return tell(made.token, id, options, out)
  out.write(`帳號「${id}」已提出申請（第 ${made.requestId} 號），待核章主管於系統核准後啟用。\naccount ${id} is applied for (request ${made.requestId}); an approver decides on it in the console\n`)
  return 0
}

/** A terminal shows the token, or a file for this user alone keeps it: never a pipe, where a log may catch it, unless asked to. */
function tell(token: string, id: string, options: Options, out: Out): number {
  const how = `15 分鐘內以此設定自己的密碼。\nwithin 15 minutes it sets a password of one's own\n`
  if (options['print'] === true || out.isTTY === true) {
    out.write(`帳號「${id}」的一次性密碼 / one-time password of ${id}:\n\n    ${token}\n\n${how}`)
    return 0
  }
  const file = options['tokenFile'] === undefined ? `custos-one-time-${id}.txt` : textOf(options, 'tokenFile')
  try {
    const handle = openSync(file, 'wx', 0o600)
    try { writeSync(handle, `${token}\n`); fsyncSync(handle) } finally { closeSync(handle) }
  } catch (error) {
    throw new FatalError('CUSTOS_ACCOUNT_USAGE', `the one-time password could not be written to ${file} (${(error as NodeJS.ErrnoException).code ?? 'unknown'}); it is lost, the account is made`, { remedy: `Run custos account reset --id ${id} with another --token-file, or with --print.` })
  }
  out.write(`一次性密碼已寫入 ${file}（僅您可讀，用畢請刪除）；${how.split('\n')[0]}\nthe one-time password is in ${file}, for you alone; delete it after use; ${how.split('\n')[1]}\n`)
  return 0
}

function breakGlass(access: Access, options: Options, acting: Acting, out: Out): number {
  if (options['close'] !== undefined) {
    const id = Number(textOf(options, 'close'))
    access.breakGlass.close(Number.isSafeInteger(id) ? id : 0, acting)
    out.write('緊急啟封已關閉；仍須補辦附件4。\nit is closed; the form (附件4) is still owed\n')
    return 0
  }
  const word = access.breakGlass.say(textOf(options, 'reason'), acting)
  if (word.kind === 'first') out.write(`已記錄。另一人須於 5 分鐘內執行同一指令。\nrecorded; another person must run the same command within 5 minutes\n`)
  else out.write(`緊急啟封（第 ${word.openingId} 號）已開啟並發出警報；時間到自動關閉，事後須補辦附件4。\nglass is broken (no. ${word.openingId}) and the alarm raised; it shuts by itself, and form 附件4 is owed\n`)
  return 0
}

function list(access: Access, options: Options, config: Config, out: Out): number {
  const accounts = access.accounts.list()
  if (options['json'] === true) {
    for (const each of accounts) out.write(`${JSON.stringify({ ...each, standing: each.standing.kind })}\n`)
    return 0
  }
  if (accounts.length === 0) out.write('尚無帳號：請以 custos account create 建立第一個。\nno accounts yet: make the first with `custos account create`\n')
  for (const each of accounts) {
    out.write(`${each.accountId}  ${each.displayName}  ${each.unit} ${each.post}  ${each.roles.map(role => ROLE_NAMES[role].zh).join('、')}\n    ${STANDING[each.standing.kind]}；${each.hasFactor ? '有驗證器 factor' : '無驗證器 no factor'}；最近登入 last sign-in ${each.usedAtMs === null ? '—' : localText(epochMs(each.usedAtMs), config.site.timezone)}${endText(each, config)}\n`)
  }
  return 0
}

const STANDING: Readonly<Record<AccountView['standing']['kind'], string>> = { applied: '申請中 applied', refused: '未核准 refused', active: '使用中 active', locked: '鎖定 locked', disabled: '停用 disabled', left: '已離職 left' }
const endText = ({ endsAtMs }: AccountView, { site }: Config): string => endsAtMs === null ? '' : `；截止 ends ${localText(epochMs(endsAtMs), site.timezone)}`

function rolesOption(text: string): Role {
  const role = roleNamed(text)
  if (role === null) throw new AccountRefusedError(`沒有「${text.trim().slice(0, 40)}」這種職務。`, `there is no role ${JSON.stringify(text.trim().slice(0, 40))}`, `可用 / known: ${Object.values(ROLE_NAMES).map(({ zh }) => zh).join('、')}；核章主管請寫職稱：課長、秘書、主任或單位主管。`)
  return role
}

const idOf = (options: Options): AccountId => accountOption(textOf(options, 'id'), '--id')
function accountOption(text: string, option: string): AccountId {
  if (!isAccountId(text)) throw new FatalError('CUSTOS_ACCOUNT_USAGE', `${option} ${JSON.stringify(text.slice(0, 60))} is no account name`, { remedy: 'Account names are 1 to 40 small letters, digits, dots, underscores or hyphens; see `custos account list`.' })
  return accountId(text)
}

function textOf(options: Options, key: string): string {
  const value = options[key]
  if (typeof value !== 'string') throw new FatalError('CUSTOS_ACCOUNT_USAGE', `--${key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)} is missing`, { remedy: 'See `custos account --help`.' })
  return value
}
