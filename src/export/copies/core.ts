import { actorOf, FactorNeededError, personKey, RightMissingError, ROLE_NAMES, type Act, type Acting } from '../../access/index.ts'
import { AuditUnavailableError } from '../../audit/index.ts'
import { CustosError, streamName, SYSTEM, type AuditValue } from '../../domain/index.ts'
import { isCatalogueFault } from '../../platform/catalogue.ts'
import { parseApplicationNumber, wordsFault } from '../../requests/index.ts'
import { FenceError } from '../package/errors.ts'
import { CopyQueueFullError, CopyRefusedError } from './errors.ts'
import type { CopyJob, CopyState } from './job.ts'
import type { CopyDeskOptions } from './ports.ts'
import { Staging } from './staging.ts'
import type { JobChange, jobTable } from './tables/jobs.ts'

/** What the parts of the desk share. */
export interface CopyCore {
  readonly options: CopyDeskOptions
  readonly jobs: ReturnType<typeof jobTable>
  /** One at a time for each copy: whatever touches it at its destination. */
  readonly inTurn: <Result>(copyId: string, work: () => Promise<Result>) => Promise<Result>
  /** Copies that this very desk makes or lets go just now: what a start finds in such a state without one of these was cut off. */
  readonly underWay: Set<string>
  /** What could not be written down yet, by copy [G10]. */
  readonly owed: Map<string, Stop>
  /** Packages whose removal failed, as far as this process has entered it. */
  readonly unremoved: Set<string>
}
/** Why a copy did not go on, and whether its stage may begin again. */
export interface Stop { readonly error: unknown, readonly isAgain: boolean }

export const MAIN = streamName('main')

export function required({ jobs }: CopyCore, copyId: string): CopyJob {
  const job = jobs.get(copyId)
  if (job === null) throw new CopyRefusedError('沒有這份複製。', 'there is no such copy')
  return job
}

export const stagingOf = ({ options: { folder } }: CopyCore, { copyId, packageId }: CopyJob): Staging => new Staging(folder, copyId, packageId)

/** On to the next state. Throws CopyRefusedError for a copy that somebody else moved. */
export function advance({ jobs }: CopyCore, job: CopyJob, state: CopyState, change: Pick<JobChange, 'totalBytes' | 'error'> = {}): void {
  if (!jobs.move(job, state, change)) throw new CopyRefusedError('狀態已變更。', 'it moved on meanwhile')
}

/** Neither log nor catalogue takes a row now: nothing is wrong with the copy. */
export const isUnwritten = (error: unknown): boolean => error instanceof AuditUnavailableError || isCatalogueFault(error)

/** A copy that did not go on: back to the beginning of its stage, or to its end. Owed to it until it is written down. Throws what kept it from that. */
export function settle(core: CopyCore, copyId: string, stop: Stop): void {
  core.owed.set(copyId, stop)
  const job = required(core, copyId)
  if (job.endedAt === null) {
    if (!stop.isAgain) fail(core, job, stop.error)
    else if (job.state === 'releasing') core.jobs.move(job, 'ready', { error: toldError(stop.error) })
    else if (job.state === 'reading' || job.state === 'packing') core.jobs.move(job, 'queued')
  }
  core.owed.delete(copyId)
}

/** Ends a copy for good, with its entry. */
function fail({ jobs, options: { audit, clock } }: CopyCore, job: CopyJob, error: unknown): void {
  const told = toldError(error)
  audit.transaction(() => {
    audit.append({ action: 'copy.failed', actor: SYSTEM, object: job.copyId, application: job.application, result: 'failed', detail: { code: told.code } })
    jobs.move(job, 'failed', { error: told, endedAt: clock.wallNow() })
  })
}

const toldError = (error: unknown): { readonly code: string, readonly text: string } =>
  error instanceof CustosError ? { code: error.code, text: error.message.slice(0, 500) } : { code: 'CUSTOS_COPY_BROKEN', text: (error instanceof Error ? error.message : String(error)).slice(0, 500) }

/** As a person stands on the papers of a copy. */
export const personOf = (acting: Acting): { readonly person: string, readonly name: string, readonly role: string } =>
  acting.kind === 'account' ? { person: personKey(acting), name: acting.displayName, role: ROLE_NAMES[acting.role].zh } : { person: personKey(acting), name: acting.actor.name, role: '主機指令列' }

type Write = (detail: { readonly [key: string]: AuditValue }, application?: string) => number

/** One act with its entry: allowed, done and written down in one transaction, or not at all; a refusal has an entry of its own. */
export function perform<Result>({ options: { audit, rights } }: CopyCore, acting: Acting, act: Act, event: { readonly action: string, readonly object: string, readonly application: string | null }, work: (write: Write) => Result): Result {
  const entry = { ...event, actor: actorOf(acting) }
  try {
    return audit.transaction(() => {
      rights.requireRight(acting, act)
      return work((detail, application = event.application ?? undefined) => audit.append({ ...entry, application: application ?? null, result: 'done', detail }).seq)
    })
  } catch (error) {
    if (error instanceof CopyRefusedError || error instanceof RightMissingError || error instanceof FactorNeededError || error instanceof CopyQueueFullError || error instanceof FenceError) {
      audit.append({ ...entry, application: entry.application !== null && parseApplicationNumber(entry.application) === null ? null : entry.application, result: 'refused', detail: { code: error.code } })
    }
    throw error
  }
}

/** Words that are kept and printed as they stand. Throws CopyRefusedError. */
export function plain(words: string, what: string, mayBeEmpty = false): string {
  const trimmed = words.trim()
  const fault = wordsFault(trimmed, { maxChars: 200, lines: false })
  if (fault !== null && !(fault === 'blank' && mayBeEmpty)) throw new CopyRefusedError(`${what}是空的、過長或含有無法列印的字元。`, `the words of ${what} are empty, too long or cannot be printed`)
  return trimmed
}
