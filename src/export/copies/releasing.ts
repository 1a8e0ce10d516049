import { actorOf, isApprover, personKey, type Acting } from '../../access/index.ts'
import { CustosError } from '../../domain/index.ts'
import type { ApplicationNumber, Scope } from '../../requests/index.ts'
import type { Delivery } from '../courier/destination.ts'
import { FenceError, PackageUnsoundError } from '../package/errors.ts'
import type { Verdict } from '../package/verify.ts'
import { allowedScope } from './allowance.ts'
import { bookUseOf } from './book-line.ts'
import type { Case } from './case-facts.ts'
import { isUnwritten, perform, personOf, required, settle, stagingOf, type CopyCore } from './core.ts'
import { AllowanceEndedError, CopyRefusedError } from './errors.ts'
import { checkedHandOver, type HandOver } from './hand-over.ts'
import type { CopyJob } from './job.ts'
import { sweepParts } from './leftovers.ts'
import { archiveMaster, requireSound, sealCopy } from './sealing.ts'
import { placeSheets } from './sheets.ts'
import type { Staging } from './staging.ts'

export interface Released { readonly job: CopyJob, readonly bookLine: number, readonly verdict: Verdict }

const MOST_TRIES = 5 // viewings open a few times an hour, a sheet takes a second

/** The order of `CopyDesk.release`. */
export async function releaseCopy(core: CopyCore, witness: Acting, copyId: string, handOver: HandOver): Promise<Released> {
  const { job, words } = await witnessed(core, witness, copyId, 'release', () => checkedHandOver(handOver))
  const staging = stagingOf(core, job)
  let delivery: Delivery | null = null, bookLine: number | null = null
  try {
    const sealed = await sealCopy(core, job, { staging, witness, words }), { verdict, manifestSha256, timestamp } = sealed
    delivery = await deliveryOf(core, job, { folder: staging.folder, words })
    if (delivery !== null) await offer(core, delivery)
    const scope = allowedScope(core, job)
    const itemNo = await archiveMaster(core, job, { folder: staging.folder, scope, witness, sealed })
    bookLine = await enterWithSheets(core, job, { staging, delivery, witness, words, scope, manifestSha256, itemNo, verdict, timestamp })
    await publishCopy(core, required(core, copyId)).catch((error: unknown) => { if (!(error instanceof CustosError || isUnwritten(error))) throw error }) // it is released: its name follows when the destination is back
    return { job: required(core, copyId), bookLine, verdict }
  } catch (error) {
    if (delivery !== null && bookLine === null) await core.options.destinations.withdraw(delivery)
    await notReleased(core, copyId, error)
    throw error
  } finally {
    core.underWay.delete(copyId)
  }
}

/** Stands there, hidden and proved, or not at all. */
async function offer(core: CopyCore, delivery: Delivery): Promise<void> {
  await sweepParts(core, delivery.target.path)
  requireSound(await core.inTurn(delivery.copyId, () => core.options.destinations.deliver(delivery)))
}

/** The order of `CopyDesk.keep`. */
export async function keepCopy(core: CopyCore, witness: Acting, copyId: string): Promise<CopyJob> {
  const { jobs, options: { audit, clock } } = core
  const { job } = await witnessed(core, witness, copyId, 'keep', () => null)
  const staging = stagingOf(core, job)
  try {
    const sealed = await sealCopy(core, job, { staging, witness, words: null }), { manifestSha256, timestamp } = sealed
    const itemNo = await archiveMaster(core, job, { folder: staging.folder, scope: allowedScope(core, job), witness, sealed })
    audit.transaction(() => {
      audit.append({ action: 'copy.kept', actor: actorOf(witness), object: copyId, application: job.application, result: 'done', detail: { packageId: job.packageId, manifest: manifestSha256, item: itemNo, timestamp } })
      if (!jobs.move(required(core, copyId), 'kept', { endedAt: clock.wallNow(), manifestSha256, archiveItem: itemNo })) throw new TypeError('a copy that is being kept moved on')
    })
    await staging.clear().catch(() => undefined) // it is kept: what is left here goes at the next start
    return required(core, copyId)
  } catch (error) {
    await notReleased(core, copyId, error)
    throw error
  } finally {
    core.underWay.delete(copyId)
  }
}

/** Gives what was released its name at the destination. Throws CopyTargetError while that is gone. */
export async function publishCopy(core: CopyCore, job: CopyJob): Promise<void> {
  if (job.state !== 'released' || job.isPublished) return
  const { target, packageId, copyId } = job
  if (target.kind !== 'here') await core.inTurn(copyId, () => core.options.destinations.publish({ target, packageId, copyId }))
  core.jobs.published(copyId)
  if (target.kind !== 'here') await stagingOf(core, job).clear().catch(() => undefined) // goes at the next start
}

/** From here until its end the copy is under way. One whose allowance has ended ends here. */
async function witnessed<Words extends HandOver | null>(core: CopyCore, witness: Acting, copyId: string, how: 'release' | 'keep', said: () => Words): Promise<{ readonly job: CopyJob, readonly words: Words }> {
  try {
    const begun = begin(core, witness, copyId, how, said)
    core.underWay.add(copyId)
    return begun
  } catch (error) {
    if (hasEnded(error)) await notReleased(core, copyId, error)
    throw error
  }
}

/** The right is asked before anything that was said is looked at: who has none learns nothing, and is on record. */
function begin<Words extends HandOver | null>(core: CopyCore, witness: Acting, copyId: string, how: 'release' | 'keep', said: () => Words): { readonly job: CopyJob, readonly words: Words } {
  return perform(core, witness, 'witness-copy', { action: 'copy.witnessed', object: copyId, application: core.jobs.get(copyId)?.application ?? null }, write => {
    const job = required(core, copyId)
    if ((job.intent === 'release') !== (how === 'release')) throw how === 'release' ? new CopyRefusedError('這份複製只存檔，不交付。', 'this copy is for the archive and is handed to nobody') : new CopyRefusedError('這份複製是要交付的，交付時一併存檔。', 'this copy is to be handed over; its Master is archived with that')
    if (job.state !== 'ready') throw new CopyRefusedError('這份複製尚未完成或已結束。', 'this copy is not ready')
    if (personKey(witness) === job.asked.person) throw new CopyRefusedError('製作人不得兼見證人，須由另一人辦理。', 'who made it cannot witness it')
    if (job.intent === 'decision' && (witness.kind !== 'account' || !isApprover(witness.role))) throw new CopyRefusedError('複製存檔須由核章主管決定。', 'the office\'s own decision is an approver\'s')
    const words = said()
    if (words?.password != null && job.target.kind !== 'zip') throw new CopyRefusedError('只有 ZIP 可以設定密碼。', 'only a ZIP takes a password')
    allowedScope(core, job)
    write({ packageId: job.packageId, how })
    if (!core.jobs.move(job, 'releasing', { witness: personOf(witness) })) throw new CopyRefusedError('狀態已變更，請重新整理。', 'it moved on meanwhile')
    return { job: required(core, copyId), words }
  })
}

/** Null for what stays here. */
async function deliveryOf(core: CopyCore, job: CopyJob, { folder, words: { password } }: { readonly folder: string, readonly words: HandOver }): Promise<Delivery | null> {
  const { target, copyId, packageId } = job, { fingerprint } = await core.options.signer()
  return target.kind === 'here' ? null : { copyId, packageId, folder, target, password, fingerprint, own: core.options.own() }
}

/** The sheets say the line's number, so they are made for the next one; when another use took that meanwhile, they are made again. The line's number. */
async function enterWithSheets(core: CopyCore, job: CopyJob, { staging, delivery, ...entering }: Entering & { readonly staging: Staging, readonly delivery: Delivery | null }): Promise<number> {
  const { book, grants } = core.options, { words, manifestSha256, itemNo } = entering
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const bookLine = book.last() + 1, { ruleSet } = theCase(grants.record(job.application as ApplicationNumber))
    await placeSheets(core, { staging, delivery, ruleSet, words, manifestSha256, archiveItem: itemNo, bookLine })
    if (enter(core, job, { ...entering, bookLine })) return bookLine
  }
  throw new CopyRefusedError('紀錄簿同時有其他登錄，請再試一次。', 'other uses are entered in the log book all the time; try again')
}

interface Entering { readonly witness: Acting, readonly words: HandOver, readonly scope: Scope, readonly manifestSha256: string, readonly itemNo: string, readonly verdict: Verdict, readonly timestamp: string }

/** Act, entry and book line together [G10], or false and nothing when the line would have another number. The grant is asked once more, at this instant. */
function enter(core: CopyCore, job: CopyJob, { witness, words, scope, manifestSha256, itemNo, verdict, timestamp, bookLine }: Entering & { readonly bookLine: number }): boolean {
  const { audit, book, grants, clock, camera: known } = core.options
  return audit.transaction(() => {
    if (book.last() + 1 !== bookLine) return false
    allowedScope(core, job)
    const { application } = theCase(grants.record(job.application as ApplicationNumber))
    const { seq } = audit.append({
      action: 'copy.released', actor: actorOf(witness), object: job.copyId, application: job.application, result: 'done',
      detail: { packageId: job.packageId, manifest: manifestSha256, item: itemNo, exporter: job.asked.name, bytes: verdict.checked.bytes, target: job.target.kind, recipient: words.recipient.name, medium: words.medium, timestamp },
    })
    if (book.enter({ ...bookUseOf(job, application, { words, scope, known }), auditSeq: seq }) !== bookLine) throw new TypeError('the book line has another number than its sheet')
    if (!core.jobs.move(required(core, job.copyId), 'released', { endedAt: clock.wallNow(), manifestSha256, archiveItem: itemNo })) throw new TypeError('a copy that is being released moved on')
    return true
  })
}

function theCase(found: Case | null): Case {
  if (found === null) throw new CopyRefusedError('沒有這件申請案。', 'there is no such case')
  return found
}

/** For good: a statement may still be signed, and a clock set right. */
const hasEnded = (error: unknown): boolean => error instanceof AllowanceEndedError || (error instanceof FenceError && error.why !== 'no-statement' && error.why !== 'not-yet')

/** Ready as before, or at its end. The queue settles it later where it cannot be written down now; who released hears of the first error. */
async function notReleased(core: CopyCore, copyId: string, error: unknown): Promise<void> {
  try {
    settle(core, copyId, { error, isAgain: !(error instanceof PackageUnsoundError || hasEnded(error)) })
    const job = required(core, copyId)
    if (job.state === 'failed') await stagingOf(core, job).clear().catch(() => undefined) // goes at the next start
  } catch (unsettled) { if (!isUnwritten(unsettled)) throw unsettled }
}
