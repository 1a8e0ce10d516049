import type { Application } from './application.ts'
import type { Effect, Outcome } from './command.ts'
import { refusal, type ContentProblem, type RefusalCode } from './refusal.ts'

const ENDS: ReadonlySet<Application['state']['kind']> = new Set(['refused', 'withdrawn', 'closed'])
export const hasEnded = ({ state }: Application): boolean => ENDS.has(state.kind)
export const isApproved = ({ state }: Application): boolean => state.kind === 'approved' || state.kind === 'partly-approved'

export const no = (code: RefusalCode, problems: readonly ContentProblem[] = []): Outcome => ({ ok: false, refusal: refusal(code, problems) })
/** The next version. */
export const done = (application: Application, changes: Partial<Application>, effects: readonly Effect[] = []): Outcome =>
  ({ ok: true, application: { ...application, ...changes, version: application.version + 1 }, effects })
