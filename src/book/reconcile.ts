import type { CameraUuid, EpochMs } from '../domain/index.ts'
import type { BookAct } from './line.ts'

/** A viewing or a copy, as the audit log tells it. */
export interface UseFact { readonly seq: number, readonly act: BookAct, readonly object: string | null, readonly application: string | null, readonly account: string, readonly at: EpochMs }
interface RangeFact { readonly camera: CameraUuid, readonly from: EpochMs, readonly to: EpochMs }
/** A line of the book. */
export interface LineFact {
  readonly line: number
  readonly act: BookAct
  readonly useSeq: number
  readonly object: string
  readonly application: string
  readonly account: string
  readonly usedAt: EpochMs
  readonly ranges: readonly RangeFact[]
  readonly corrects: number | null
  /** The hash in the row, the one its words have now, and the one the audit log was told (null: it was told of no such line). */
  readonly sha256: string
  readonly actualSha256: string
  readonly toldSha256: string | null
}
/** What an application was approved for, at any time, also if it was closed since. */
export interface Approval { readonly view: boolean, readonly copy: boolean, readonly approvedAt: EpochMs, readonly validUntil: EpochMs, readonly ranges: readonly RangeFact[], /** A key frame this much before a range may leave with it; 0 unless the approver ticked it. */ readonly preRollMs: number }
/** `unknown`: there is no such application. */
export type Standing = { readonly kind: 'unknown' } | { readonly kind: 'not-approved' } | { readonly kind: 'approved', readonly approval: Approval }
export interface Facts {
  readonly uses: Iterable<UseFact>
  readonly lines: Iterable<LineFact>
  /** Numbers of all lines that the audit log was told of. */
  readonly told: Iterable<number>
  readonly standingOf: (application: string) => Standing
  /** Applications whose own record says that they were viewed or copied. */
  readonly used: Iterable<string>
}

export const ORPHAN_NAMES = {
  'use-without-line': { zh: '有調閱或複製，紀錄簿沒有登錄', en: 'a viewing or copy without a line' },
  'line-without-use': { zh: '紀錄簿有登錄，稽核紀錄沒有這次應用', en: 'a line without a viewing or copy' },
  'two-lines-for-use': { zh: '同一次應用登錄兩行', en: 'a second line for one use' },
  'line-unlike-use': { zh: '登錄內容與稽核紀錄不符', en: 'a line that tells another story than the audit log' },
  'line-without-form': { zh: '登錄的申請編號不存在', en: 'a line without an application' },
  'form-not-approved': { zh: '申請未經核准', en: 'a line on an application that was not approved' },
  'outside-approval': { zh: '超出核准的方式、期間或範圍', en: 'a use outside what was approved' },
  'form-without-line': { zh: '申請案已應用，紀錄簿沒有登錄', en: 'an application used, without a line' },
  'line-altered': { zh: '登錄內容遭更動', en: 'a line that was altered' },
  'line-untold': { zh: '登錄未經稽核紀錄', en: 'a line the audit log was not told of' },
  'line-missing': { zh: '登錄遭刪除', en: 'a line that is gone' },
  'correction-astray': { zh: '更正所指的行不符', en: 'a correction of no line of its use' },
} as const satisfies Record<string, { readonly zh: string, readonly en: string }>
export type OrphanKind = keyof typeof ORPHAN_NAMES
export const ORPHAN_KINDS = Object.keys(ORPHAN_NAMES) as readonly OrphanKind[]
/** `subject` is the line, the audit entry or the application. */
export interface Orphan { readonly kind: OrphanKind, readonly subject: string, readonly application: string | null }

/** R44, in both directions: uses of the audit log, lines of the book, approved applications. One orphan a line at most, the gravest; pure. */
export function reconcile(facts: Facts): readonly Orphan[] {
  const steps = reconcileInSteps(facts)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** So many facts a step. */
const STEP = 1000
/** The same, with a place to pause every now and then: a hundred thousand lines at once would hold the recorder up for a third of a second. */
export function* reconcileInSteps({ uses, lines, told, standingOf, used }: Facts): Generator<void, readonly Orphan[]> {
  const open = new Map<number, UseFact>(), all = new Map<number, UseFact>(), useOf = new Map<number, number>(), written = new Set<string>()
  for (const use of uses) {
    all.set(use.seq, use)
    open.set(use.seq, use)
    if (all.size % STEP === 0) yield
  }
  const orphans: Orphan[] = []
  let last = 0
  for (const line of lines) {
    last = Math.max(last, line.line)
    if (useOf.size % STEP === STEP - 1) yield
    useOf.set(line.line, line.useSeq)
    written.add(line.application)
    const use = all.get(line.useSeq)
    const isFirst = line.corrects !== null || open.delete(line.useSeq)
    const kind = lineFault(line, use, isFirst, line.corrects === null ? line.useSeq : useOf.get(line.corrects), standingOf)
    if (kind !== null) orphans.push({ kind, subject: String(line.line), application: line.application })
  }
  for (const use of open.values()) orphans.push({ kind: 'use-without-line', subject: String(use.seq), application: use.application })
  yield
  const gone = new Set<number>()
  for (const line of told) if (!useOf.has(line)) gone.add(line)
  yield
  for (let line = 1; line <= last; line++) if (!useOf.has(line)) gone.add(line)
  for (const line of gone) orphans.push({ kind: 'line-missing', subject: String(line), application: null })
  for (const application of new Set(used)) if (!written.has(application)) orphans.push({ kind: 'form-without-line', subject: application, application })
  return orphans
}

function lineFault(line: LineFact, use: UseFact | undefined, isFirst: boolean, useOfCorrected: number | undefined, standingOf: Facts['standingOf']): OrphanKind | null {
  if (line.toldSha256 === null) return 'line-untold'
  if (line.sha256 !== line.actualSha256 || line.sha256 !== line.toldSha256) return 'line-altered'
  if (use === undefined) return 'line-without-use'
  if (!isFirst) return 'two-lines-for-use'
  if (useOfCorrected !== line.useSeq) return 'correction-astray'
  if (use.act !== line.act || use.object !== line.object || use.application !== line.application || use.account !== line.account || use.at !== line.usedAt) return 'line-unlike-use'
  const standing = standingOf(line.application)
  if (standing.kind === 'unknown') return 'line-without-form'
  if (standing.kind === 'not-approved') return 'form-not-approved'
  return isInside(line, standing.approval) ? null : 'outside-approval'
}

function isInside({ act, usedAt, ranges }: LineFact, approval: Approval): boolean {
  return approval[act] && approval.approvedAt <= usedAt && usedAt < approval.validUntil &&
    ranges.every(range => approval.ranges.some(({ camera, from, to }) => camera === range.camera && from - approval.preRollMs <= range.from && range.to <= to))
}
