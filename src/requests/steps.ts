import type { Act } from '../access/index.ts'
import type { Command } from './cases/command.ts'

interface Step {
  /** After `application.`, in the audit log and the steps of a case. Kept for good. */
  readonly verb: string
  /** Rights that let somebody try; any one of them. Who may in this case is decided by the case. */
  readonly acts: readonly [Act, ...Act[]]
}

export const STEPS: Readonly<Record<Command['kind'], Step>> = {
  'decide': { verb: 'signed', acts: ['approve-step'] },
  'ask-to-complete': { verb: 'completion-asked', acts: ['receive-application'] },
  'complete': { verb: 'completed', acts: ['receive-application', 'ask-view'] },
  'lapse': { verb: 'completion-lapsed', acts: ['receive-application'] },
  'withdraw': { verb: 'withdrawn', acts: ['receive-application', 'ask-view'] },
  'extend-deadline': { verb: 'deadline-extended', acts: ['receive-application'] },
  'recuse': { verb: 'recused', acts: ['approve-step'] },
  'ask-third-party': { verb: 'third-party-asked', acts: ['receive-application'] },
  'third-party-answered': { verb: 'third-party-answered', acts: ['receive-application'] },
  'attach': { verb: 'attached', acts: ['receive-application', 'ask-view'] },
  'sign-statement': { verb: 'statement-signed', acts: ['open-granted-view'] },
  'record-copy-request': { verb: 'copy-requested', acts: ['receive-application'] },
  'answer-copy-request': { verb: 'copy-request-answered', acts: ['approve-step'] },
  'revoke': { verb: 'revoked', acts: ['approve-step'] },
  'close': { verb: 'closed', acts: ['open-granted-view'] },
}

/** 附件4 is handed in by whoever needs it, everything else taken in by the clerk. */
export const RECEIVE: readonly [Act, ...Act[]] = ['receive-application', 'ask-view']
/** Rights whose holders see every case; anybody else sees their own. */
export const READ: readonly [Act, ...Act[]] = ['receive-application', 'sign-book', 'read-audit', 'mark-filed']
