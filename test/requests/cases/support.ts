import { cameraUuid, epochMs, type EpochMs } from '../../../src/domain/index.ts'
import {
  applicationNumber, next, receive, type Acts, type Actor, type Application, type Command, type Content, type Effect, type Outcome, type RefusalCode, type ScopeLine, type Staffing, type CaseContext,
} from '../../../src/requests/index.ts'
import { OfficeCalendar } from '../../../src/rules/index.ts'
import { shippedRules } from '../../rules/support.ts'

export const RULES = await shippedRules()
export const LOBBY = cameraUuid('a'.repeat(32))
export const DOOR = cameraUuid('b'.repeat(32))
export const STAIRS = cameraUuid('c'.repeat(32))
export const at = (text: string): EpochMs => epochMs(Date.parse(text.length === 10 ? `${text}T10:00:00+08:00` : `${text}+08:00`))
export const NOW = at('2026-03-02') // a Monday
const line = (camera: typeof LOBBY, from: string, to: string): ScopeLine => ({ camera, from: at(from), to: at(to) })
export const LOBBY_HOUR = line(LOBBY, '2026-02-20T09:00:00', '2026-02-20T10:00:00')
export const DOOR_HOUR = line(DOOR, '2026-02-20T09:00:00', '2026-02-20T10:00:00')

/** An office of five that has every role, with deputies for each post. */
export const ROLES: Readonly<Record<string, readonly string[]>> = {
  lee: ['system-admin', 'checker', 'staff'], lin: ['clerk', 'custodian', 'staff'], chen: ['approver', 'staff'], wang: ['approver', 'auditor', 'staff'], zhang: ['approver', 'records', 'staff'],
}
export const NAMES: Readonly<Record<string, string>> = { lee: '李資訊', lin: '林承辦', chen: '陳課長', wang: '王秘書', zhang: '張主任' }
const holds = (account: string, post: string, unit: string | null = null) => ({ account, post, unit, from: '2026-01-01', to: null })
const standsIn = (account: string, post: string, unit: string | null = null) => ({ account, post, unit, from: '2026-01-01', to: '2026-12-31' })
export const STAFFING: Staffing = {
  appointments: [holds('lin', 'clerk'), holds('chen', 'chief'), holds('wang', 'secretary'), holds('zhang', 'director'), holds('lin', 'managing-clerk'), holds('wang', 'managing-head'), holds('chen', 'applicants-head', '戶籍課'), holds('wang', 'applicants-head', '秘書室')],
  deputies: [standsIn('wang', 'chief'), standsIn('chen', 'secretary'), standsIn('wang', 'director'), standsIn('zhang', 'managing-head'), standsIn('zhang', 'applicants-head', '戶籍課'), standsIn('zhang', 'applicants-head', '秘書室')],
}

export const context = (now: EpochMs = NOW, changes: Partial<CaseContext> = {}): CaseContext =>
  ({ now, ruleSet: RULES, calendar: new OfficeCalendar(), staffing: STAFFING, isKnownCamera: camera => [LOBBY, DOOR, STAIRS].includes(camera), ...changes })
export const as = (account: string, role: string): Actor => ({ account, name: NAMES[account] ?? account, role })
export const CLERK = as('lin', 'clerk')
export const CUSTODIAN = as('lin', 'custodian')
export const CHIEF = as('chen', 'approver')
export const SECRETARY = as('wang', 'approver')
export const DIRECTOR = as('zhang', 'approver')

const bare = { agents: [], applicantAccount: null, applicantUnit: null, necessity: null, identity: null, authority: null } as const
/** 附件2 of the police, whole. */
export const police = (changes: Partial<Content> = {}): Content => ({
  ...bare, form: 'form-2', applicantClass: 'agency', acts: { view: true, copy: true, preserve: false }, asked: [LOBBY_HOUR, DOOR_HOUR], necessity: '須附卷移送檢察官',
  authority: { kind: 'document', number: '北市警信分刑字第1150001號' },
  fields: { agency: '臺北市政府警察局信義分局', applicant: '趙警員', phone: '02-27234567', 'legal-basis': '刑事訴訟法第230條', purpose: '偵辦竊盜案', use: '大廳及大門' }, ...changes,
})
/** 附件3 of somebody who lost a purse, whole. */
export const party = (changes: Partial<Content> = {}): Content => ({
  ...bare, form: 'form-3', applicantClass: 'data-subject', acts: { view: true, copy: false, preserve: false }, asked: [LOBBY_HOUR], identity: { document: '國民身分證', seenAt: NOW, seenBy: '林承辦' },
  fields: { applicant: '𡍼大明', 'applicant-id': 'A123456789', 'applicant-address': '臺北市信義區', 'applicant-phone': '0912345678', reason: '皮夾遺失' }, ...changes,
})
/** 附件4 of the clerk of the household section. */
export const staff = (account = 'lee', changes: Partial<Content> = {}): Content => ({
  ...bare, form: 'form-4', applicantClass: 'staff', acts: { view: true, copy: false, preserve: false }, asked: [LOBBY_HOUR], applicantAccount: account, applicantUnit: '戶籍課',
  fields: { applicant: NAMES[account] ?? account, purpose: '釐清櫃檯糾紛' }, ...changes,
})

export const NUMBER = applicationNumber({ rocYear: 115, word: '調', serial: 1 })
export const take = (content: Content, actor: Actor = content.applicantClass === 'staff' ? as(content.applicantAccount ?? '', 'staff') : CLERK, when: CaseContext = context()): Outcome => receive({ actor, number: NUMBER, content }, when)

export function mustGo(outcome: Outcome): Application {
  if (!outcome.ok) throw new Error(`refused: ${outcome.refusal.code} ${JSON.stringify(outcome.refusal.problems)}`)
  return outcome.application
}
export const received = (content: Content): Application => mustGo(take(content))
export const codeOf = (outcome: Outcome): RefusalCode | 'ok' => outcome.ok ? 'ok' : outcome.refusal.code
export const effectsOf = (outcome: Outcome): readonly Effect[] => outcome.ok ? outcome.effects : []

/** A command without actor and version, which `act` adds. */
type Bare = Command extends infer One ? One extends Command ? Omit<One, 'actor' | 'version'> : never : never
export const act = (application: Application, actor: Actor, command: Bare, when: CaseContext = context()): Outcome =>
  next(application, { ...command, actor, version: application.version } as Command, when)

export interface Saying { readonly decision?: 'agree' | 'return' | 'refuse', readonly reason?: string, readonly ground?: string, readonly scope?: readonly ScopeLine[], readonly acts?: Acts, readonly grant?: { days: number, place: string, isPreRollAllowed: boolean }, readonly isNotTheApplicant?: boolean, readonly step?: number }
/** The signature of whoever's turn it is. */
export function sign(application: Application, actor: Actor, saying: Saying = {}, when: CaseContext = context()): Outcome {
  const step = saying.step ?? (application.state.kind === 'under-review' ? application.state.step : 0)
  const narrowTo = saying.scope === undefined && saying.acts === undefined ? null : { scope: saying.scope ?? application.proposal.scope, acts: saying.acts ?? application.proposal.acts }
  return act(application, actor, {
    kind: 'decide', step, decision: saying.decision ?? 'agree', reason: saying.reason ?? null, ground: saying.ground ?? null, narrowTo, isNotTheApplicant: saying.isNotTheApplicant ?? false, grant: saying.grant ?? null,
  }, when)
}

export const OUTSIDE = [CLERK, CHIEF, SECRETARY, DIRECTOR] as const
export const INSIDE = [CHIEF, CLERK, SECRETARY] as const
/** Signed by everybody in turn; the last step's outcome. */
export function signAll(application: Application, chain: readonly Actor[], last: Saying = {}): Outcome {
  let current = application
  for (const actor of chain.slice(0, -1)) current = mustGo(sign(current, actor))
  return sign(current, chain.at(-1)!, last)
}
