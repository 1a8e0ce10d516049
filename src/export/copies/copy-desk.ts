import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { actorOf, FactorNeededError, isApprover, personKey, RightMissingError, ROLE_NAMES, type Acting, type Act } from '../../access/index.ts'
import { canonicalJson, entryTable } from '../../audit/index.ts'
import { CustosError, isoOf, streamName, SYSTEM, type AuditValue, type CameraUuid, type EpochMs } from '../../domain/index.ts'
import { applicationNumber, CASE_LIMITS, parseApplicationNumber, PRE_ROLL_MOST_MS, scopeOf, wordsFault, type ApplicationNumber, type LeaveVerdict, type Scope } from '../../requests/index.ts'
import { officeDay, rocYear } from '../../rules/index.ts'
import { auditEvidence } from '../package/audit-evidence.ts'
import { asTargetError, FenceError, PackageUnsoundError } from '../package/errors.ts'
import { gapsOf } from '../package/gaps.ts'
import { packageIdOf, type ManifestGap, type ManifestVideo } from '../package/manifest.ts'
import { sealPackage, type CustodyStep } from '../package/seal-package.ts'
import { takeVideos } from '../package/take-videos.ts'
import { verifyPackage, type Verdict } from '../package/verify.ts'
import { VideoCheck } from '../package/verify-video.ts'
import { PASSWORD_LEAST_CHARS } from '../package/zip-package.ts'
import { custodyOf, knownCamera, manifestCase } from './case-facts.ts'
import { CopyQueueFullError, CopyRefusedError } from './errors.ts'
import type { CopyIntent, CopyJob, CopyTarget } from './job.ts'
import type { CopyDeskOptions, MasterArchive, MasterFacts } from './ports.ts'
import { Staging, type Draft } from './staging.ts'
import { jobTable } from './tables/jobs.ts'
import { deliver, liesWithin, publish, withdraw, type Delivery } from './targets.ts'

/** Who takes it away, and what the book line says of it (R41). */
export interface HandOver {
  readonly recipient: { readonly name: string, readonly unit: string, /** Kind of the document that was shown; no number. */ readonly idType: string }
  readonly forInquiry: boolean
  readonly other: string | null
  /** Of the medium, as it is labelled; null for none. */
  readonly medium: { readonly type: string, readonly serial: string, readonly label: string } | null
  /** Encrypts a ZIP for carriage. Goes nowhere else. */
  readonly password: string | null
}
export interface Released { readonly job: CopyJob, readonly bookLine: number, readonly verdict: Verdict }

interface Sealing { readonly verdict: Verdict, readonly manifestSha256: string, readonly draft: Draft, readonly handedTo: string }

const MOST_WAITING = 20 // an office hands out a few a week
const BUSY_WAIT_MS = 250
const PROGRESS_EACH_BYTES = 16 << 20
const ENTRY_ROOTS = 400 // an entry's detail is bounded

/** Makes copies of what was granted, one at a time and behind recording, and lets them go only with a second person (design note 0014). */
export class CopyDesk {
  readonly #o: CopyDeskOptions
  readonly #jobs: ReturnType<typeof jobTable>
  #stopJob: AbortController | null = null
  #running: string | null = null
  #wake: () => void = () => undefined

  constructor(options: CopyDeskOptions) {
    this.#o = options
    this.#jobs = jobTable(options.db)
  }

  // ---- asking

  /** A copy of all that the grant of an application covers. Throws CopyRefusedError unless that grant carries a copy right now, CopyQueueFullError, what the right throws, AuditUnavailableError. */
  ask(acting: Acting, { application, target }: { readonly application: ApplicationNumber, readonly target: CopyTarget }): CopyJob {
    return this.#ask(acting, application, 'release', target, () => {
      const grant = this.#o.grants.open(application)
      if (grant === null) throw new CopyRefusedError('這件申請案目前沒有有效的核准。', 'nothing is granted on this case now')
      if (grant.copy === null) throw new CopyRefusedError('這件申請案未核准複製；複製僅限公務機關依附件2申請並經核准者。', 'this case was not granted a copy; only an agency can be, by form 2 and its last approval')
      return { number: application, scope: grant.scope, reason: '依核准複製' }
    })
  }

  /** 複製存檔 of an approved 申請保存 (R33): stays in the archive. */
  preserve(acting: Acting, { application, reason }: { readonly application: ApplicationNumber, readonly reason: string }): CopyJob {
    return this.#ask(acting, application, 'preserve', { kind: 'here' }, () => {
      const scope = this.#o.grants.toPreserve(application)
      if (scope === null) throw new CopyRefusedError('這件申請案未准予保存。', 'this case was not granted to be kept')
      return { number: application, scope, reason: plain(reason, '保存理由') }
    })
  }

  /** 複製存檔 by the office's own decision (R21): it counts when an approver keeps it. Numbered on its own, 115-存-0001. */
  preserveByDecision(acting: Acting, { scope, reason }: { readonly scope: Scope, readonly reason: string }): CopyJob {
    return this.#ask(acting, null, 'decision', { kind: 'here' }, () => {
      const lines = scopeOf(scope), now = this.#o.clock.wallNow()
      if (lines.length === 0 || lines.length > CASE_LIMITS.scopeLines || lines.some(({ from, to }) => to > now || to - from > CASE_LIMITS.rangeMs)) throw new CopyRefusedError('時段不正確。', 'the ranges are not right')
      for (const { camera } of lines) knownCamera(camera, this.#o.camera)
      const year = rocYear(officeDay(now))
      return { number: applicationNumber({ rocYear: year, word: '存', serial: this.#jobs.decisions(`${year}-存-%`) + 1 }), scope: lines, reason: plain(reason, '繼續保存之必要') }
    })
  }

  #ask(acting: Acting, application: string | null, intent: CopyIntent, target: CopyTarget, decide: () => { readonly number: string, readonly scope: Scope, readonly reason: string }): CopyJob {
    const copyId = randomBytes(16).toString('hex')
    const job = this.#perform(acting, 'make-granted-copy', { action: 'copy.asked', object: copyId, application }, write => {
      if (this.#jobs.waiting().length >= MOST_WAITING) throw new CopyQueueFullError()
      if (target.kind !== 'here' && (!path.isAbsolute(target.path) || target.path.length > 400 || target.path.includes('\0'))) throw new CopyRefusedError('目的地須為完整路徑。', 'the destination is an absolute path')
      if (target.kind !== 'here' && liesWithin(path.resolve(target.path), this.#o.own())) throw new CopyRefusedError('目的地不得在錄影系統自己的資料夾內。', 'the destination lies in a folder of the recorder itself')
      const { number, scope, reason } = decide()
      const count = this.#jobs.lastCount(number) + 1, at = this.#o.clock.wallNow()
      const seq = write({ intent, reason, target: target.kind, packageId: packageIdOf(number, count), lines: scope.map(({ camera, from, to }) => ({ camera, from, to })) }, number)
      this.#jobs.insert({ copyId, packageId: packageIdOf(number, count), application: number, count, intent, target, reason, asked: { person: personKey(acting), ...nameOf(acting), at, seq } })
      return this.#must(copyId)
    })
    this.#wake()
    return job
  }

  // ---- looking

  get(copyId: string): CopyJob | null { return this.#jobs.get(copyId) }
  ofApplication(application: string): CopyJob[] { return this.#jobs.ofApplication(application) }
  list(limit = 50): CopyJob[] { return this.#jobs.newest(Math.min(Math.max(1, Math.trunc(limit)), 200)) }
  /** Of a released copy that stays here to be fetched; null for any other. */
  folderOf(copyId: string): string | null {
    const job = this.#jobs.get(copyId)
    return job?.state === 'released' && job.target.kind === 'here' ? this.#staging(job).folder : null
  }

  /** By who may make one, at any point before the release. What was written goes. */
  async cancel(acting: Acting, copyId: string, reason: string): Promise<CopyJob> {
    const job = this.#perform(acting, 'make-granted-copy', { action: 'copy.cancelled', object: copyId, application: this.#jobs.get(copyId)?.application ?? null }, write => {
      const found = this.#must(copyId)
      if (found.endedAt !== null || found.state === 'releasing') throw new CopyRefusedError('這份複製已結束或正在交付。', 'this copy has ended, or is being released')
      write({ reason: plain(reason, '取消理由') })
      if (!this.#jobs.move(found, 'cancelled', { endedAt: this.#o.clock.wallNow() })) throw new CopyRefusedError('狀態已變更，請重新整理。', 'it moved on meanwhile')
      return this.#must(copyId)
    })
    if (this.#running === copyId) this.#stopJob?.abort(new CopyRefusedError('已取消。', 'it was cancelled'))
    else await this.#staging(job).clear()
    return job
  }

  // ---- the queue

  /** After a start: what was under way begins anew from its stage, what was released gets its name. */
  async resume(): Promise<void> {
    for (const job of this.#jobs.waiting()) {
      if (job.state === 'reading' || job.state === 'packing') this.#jobs.move(job, 'queued')
      if (job.state === 'releasing') {
        if (job.target.kind !== 'here') await withdraw({ target: job.target, copyId: job.copyId })
        this.#jobs.move(job, 'ready')
      }
    }
    for (const job of this.#jobs.unpublished()) await this.#publish(job).catch(() => undefined) // a medium that is not plugged in: again at the next start, or by `publishAgain`
  }

  /** Works until `signal` aborts. One copy at a time; a failure ends the copy, not the desk. */
  async run(signal: AbortSignal): Promise<void> {
    await this.resume()
    while (!signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      if (await this.runNext(signal)) continue
      signal.addEventListener('abort', () => { resolve() }, { once: true })
      await promise
    }
  }

  /** The oldest that waits, to `ready` or to its failure. False when none does. */
  async runNext(signal: AbortSignal): Promise<boolean> {
    const job = this.#jobs.waiting().find(({ state }) => state === 'queued')
    if (job === undefined) return false
    const stop = new AbortController()
    this.#stopJob = stop
    this.#running = job.copyId
    const staging = this.#staging(job)
    try {
      await this.#make(job, staging, AbortSignal.any([signal, stop.signal]))
    } catch (error) {
      await staging.clear().catch(() => undefined)
      const now = this.#must(job.copyId)
      if (now.endedAt !== null) return true // cancelled meanwhile, and stays so
      if (signal.aborted) this.#jobs.move(now, 'queued')
      else this.#fail(now, asTargetError(error))
    } finally {
      this.#stopJob = null
      this.#running = null
    }
    return true
  }

  #fail(job: CopyJob, error: unknown): void {
    const told = errorOf(error)
    this.#o.audit.transaction(() => {
      this.#o.audit.append({ action: 'copy.failed', actor: SYSTEM, object: job.copyId, application: job.application, result: 'failed', detail: { code: told.code } })
      this.#jobs.move(job, 'failed', { error: told, endedAt: this.#o.clock.wallNow() })
    })
  }

  async #make(queued: CopyJob, staging: Staging, signal: AbortSignal): Promise<void> {
    this.#go(queued, 'reading')
    await staging.begin()
    const draft = await this.#read(this.#must(queued.copyId), staging, signal)
    if (draft.videos.length === 0) throw new CopyRefusedError('核准的時段內沒有影像可供複製。', 'no footage stands in what was granted')
    await staging.keep(draft)
    this.#go(this.#must(queued.copyId), 'packing', draft.videos.reduce((sum, { bytes }) => sum + bytes, 0))
    await this.#readBack(queued.copyId, staging.folder, draft, signal)
    this.#go(this.#must(queued.copyId), 'ready')
  }

  #go(job: CopyJob, state: CopyJob['state'], totalBytes: number | null = job.totalBytes): void {
    if (!this.#jobs.move(job, state, { totalBytes })) throw new CopyRefusedError('狀態已變更。', 'it moved on meanwhile')
  }

  /** The fence of a job: the grant itself for what leaves, the proved scope for what stays. */
  #fence(job: CopyJob, camera: CameraUuid): (at: EpochMs) => LeaveVerdict {
    if (job.intent === 'release') return at => this.#o.grants.mayLeave(job.application as ApplicationNumber, { camera, at, act: 'copy' })
    const scope = this.#scope(job)
    return at => scope.some(line => line.camera === camera && line.from <= at && at < line.to) ? { ok: true, isPreRoll: false } : { ok: false, why: 'outside-range' }
  }

  /** What may be taken now, proved anew. Throws CopyRefusedError when it may not any more. */
  #scope(job: CopyJob): Scope {
    if (job.intent === 'decision') return scopeOf((JSON.parse(this.#o.audit.get(job.asked.seq)?.detail ?? '{"lines":[]}') as { lines: Scope }).lines)
    const scope = job.intent === 'preserve' ? this.#o.grants.toPreserve(job.application as ApplicationNumber) : this.#granted(job)
    if (scope === null) throw new CopyRefusedError('核准已失效或撤銷。', 'what allowed this copy has ended')
    return scope
  }

  #granted(job: CopyJob): Scope | null {
    const grant = this.#o.grants.open(job.application as ApplicationNumber)
    if (grant === null || grant.copy === null) return null
    const [line] = grant.scope
    if (line !== undefined) {
      const verdict = this.#o.grants.mayLeave(grant.application, { camera: line.camera, at: line.from, act: 'copy' })
      if (!verdict.ok) throw new FenceError(verdict.why)
    }
    return grant.scope
  }

  async #read(job: CopyJob, staging: Staging, signal: AbortSignal): Promise<Draft> {
    const { shelf, clock, isBusy, office, gaps: noted } = this.#o
    const isPreRollAllowed = job.intent === 'release' && this.#o.grants.open(job.application as ApplicationNumber)?.isPreRollAllowed === true
    const videos: ManifestVideo[] = [], gaps: ManifestGap[] = [], cameraOffsets: Draft['cameraOffsets'][number][] = []
    let done = 0, told = 0
    const onBytes = (bytes: number) => {
      done += bytes
      if (done - told >= PROGRESS_EACH_BYTES) { told = done; this.#jobs.progress(job.copyId, done) }
    }
    const pace = async () => { while (isBusy() && !signal.aborted) await clock.wait(BUSY_WAIT_MS, signal) }
    for (const { camera, from, to } of this.#scope(job)) {
      const facts = knownCamera(camera, this.#o.camera), range = { startAt: from, endAt: to }
      const taken = await takeVideos({
        folder: staging.folder, shelf, camera, stream: MAIN, range, preRollMs: isPreRollAllowed ? PRE_ROLL_MOST_MS : 0, leave: this.#fence(job, camera), pace, signal, onBytes,
        subject: { cameraId: facts.id, cameraUuid: camera, cameraName: facts.name, location: facts.location, maker: facts.maker, model: facts.model, firmware: facts.firmware, stream: MAIN, unitName: `Custos ${office}`, operator: job.asked.name, exportedAt: job.asked.at },
      })
      videos.push(...taken.videos)
      cameraOffsets.push(...taken.cameraOffsets)
      gaps.push(...gapsOf({ range, taken, noted: noted(camera, MAIN, range), of: { cameraId: facts.id, cameraName: facts.name, stream: MAIN } }))
    }
    return { videos: this.#anchored(job, videos), gaps, cameraOffsets }
  }

  /** The roots of all segments go into the log, so that the checkpoint over it covers them too. */
  #anchored(job: CopyJob, videos: readonly ManifestVideo[]): ManifestVideo[] {
    const roots = [...new Set(videos.flatMap(({ segments }) => segments.map(({ merkleRoot }) => merkleRoot)))]
    const seqOf = new Map<string, number>()
    this.#o.audit.transaction(() => {
      for (let i = 0; i < roots.length; i += ENTRY_ROOTS) {
        const part = roots.slice(i, i + ENTRY_ROOTS)
        const { seq } = this.#o.audit.append({ action: 'copy.taken', actor: SYSTEM, object: job.copyId, application: job.application, result: 'done', detail: { packageId: job.packageId, roots: part } })
        for (const root of part) seqOf.set(root, seq)
      }
    })
    return videos.map(video => ({ ...video, segments: video.segments.map(segment => ({ ...segment, auditSeq: seqOf.get(segment.merkleRoot) ?? null })) }))
  }

  /** E16: every record is hashed again from what was written. */
  async #readBack(copyId: string, folder: string, { videos }: Draft, signal: AbortSignal): Promise<void> {
    let done = 0
    for (const video of videos) {
      const check = new VideoCheck(video)
      for await (const chunk of createReadStream(path.join(folder, video.path), { highWaterMark: 1 << 20, signal })) {
        check.take(chunk as Buffer)
        while (this.#o.isBusy() && !signal.aborted) await this.#o.clock.wait(BUSY_WAIT_MS, signal)
      }
      signal.throwIfAborted()
      const { sha256, fault } = check.end()
      if (fault !== null || sha256 !== video.sha256) throw new PackageUnsoundError([`${video.path}: ${fault ?? 'hash'}`])
      this.#jobs.progress(copyId, done += video.bytes)
    }
  }

  // ---- letting go

  /**
   * The second person releases what is ready: it is sealed in their name, verified whole, written to its destination and verified there, its Master archived; then act, entry and book line are one transaction, and only then it gets its name at the destination.
   * Throws CopyRefusedError (also for who asked for it), PackageUnsoundError, CopyTargetError, what right, fence, archive and book throw; it stays ready then, unless it was unsound.
   */
  async release(witness: Acting, copyId: string, handOver: HandOver): Promise<Released> {
    const { job, words } = this.#witnessed(witness, copyId, 'release', () => checkedHandOver(handOver))
    const { staging, delivery } = await this.#prepared(job, words)
    try {
      const sealed = await this.#seal(job, staging, witness, words), { verdict, manifestSha256, draft } = sealed
      if (delivery !== null) {
        const delivered = await deliver(delivery)
        if (!delivered.verdict.isIntact || delivered.verdict.origin !== 'confirmed') throw new PackageUnsoundError(delivered.verdict.faults.map(({ zh, where }) => `${where} ${zh}`))
      }
      const scope = this.#scope(job)
      const itemNo = await this.#archive(job, witness, sealed, { folder: staging.folder, facts: this.#master(job, scope, draft, witness) })
      const bookLine = this.#enter(job, { witness, words, scope, manifestSha256, itemNo, verdict })
      const released = this.#must(copyId)
      await this.#publish(released).catch((error: unknown) => { if (!(error instanceof CustosError)) throw error }) // it is released: its name follows when the destination is back
      return { job: this.#must(copyId), bookLine, verdict }
    } catch (error) {
      if (delivery !== null && this.#must(copyId).state === 'releasing') await withdraw(delivery)
      this.#backToReady(copyId, error)
      throw error
    }
  }

  /** An approver keeps what was made by the office's own decision, a second person what was granted to be kept: into the archive, to nobody's hands. */
  async keep(witness: Acting, copyId: string): Promise<CopyJob> {
    const { job } = this.#witnessed(witness, copyId, 'keep', () => null)
    const staging = this.#staging(job)
    try {
      const sealed = await this.#seal(job, staging, witness, null), { manifestSha256, draft } = sealed
      const itemNo = await this.#archive(job, witness, sealed, { folder: staging.folder, facts: this.#master(job, this.#scope(job), draft, witness) })
      this.#o.audit.transaction(() => {
        this.#o.audit.append({ action: 'copy.kept', actor: actorOf(witness), object: copyId, application: job.application, result: 'done', detail: { packageId: job.packageId, manifest: manifestSha256, item: itemNo } })
        if (!this.#jobs.move(this.#must(copyId), 'kept', { endedAt: this.#o.clock.wallNow(), manifestSha256, archiveItem: itemNo })) throw new TypeError('a copy that is being kept moved on')
      })
      await staging.clear()
      return this.#must(copyId)
    } catch (error) {
      this.#backToReady(copyId, error)
      throw error
    }
  }

  /** The right is asked before anything that was said is looked at: who has none learns nothing, and is on record. */
  #witnessed<Words extends HandOver | null>(witness: Acting, copyId: string, how: 'release' | 'keep', said: () => Words): { readonly job: CopyJob, readonly words: Words } {
    return this.#perform(witness, 'witness-copy', { action: 'copy.witnessed', object: copyId, application: this.#jobs.get(copyId)?.application ?? null }, write => {
      const job = this.#must(copyId)
      if ((job.intent === 'release') !== (how === 'release')) throw new CopyRefusedError('這份複製不是要交付的。', 'this copy is not meant for that')
      if (job.state !== 'ready') throw new CopyRefusedError('這份複製尚未完成或已結束。', 'this copy is not ready')
      if (personKey(witness) === job.asked.person) throw new CopyRefusedError('製作人不得兼見證人，須由另一人辦理。', 'who made it cannot witness it')
      if (job.intent === 'decision' && (witness.kind !== 'account' || !isApprover(witness.role))) throw new CopyRefusedError('複製存檔須由核章主管決定。', 'the office\'s own decision is an approver\'s')
      const words = said()
      if (words?.password != null && job.target.kind !== 'zip') throw new CopyRefusedError('只有 ZIP 可以設定密碼。', 'only a ZIP takes a password')
      this.#scope(job)
      write({ packageId: job.packageId, how })
      const { name, role } = nameOf(witness)
      if (!this.#jobs.move(job, 'releasing', { witness: { person: personKey(witness), name, role } })) throw new CopyRefusedError('狀態已變更，請重新整理。', 'it moved on meanwhile')
      return { job: this.#must(copyId), words }
    })
  }

  async #prepared(job: CopyJob, { password }: HandOver): Promise<{ readonly staging: Staging, readonly delivery: Delivery | null }> {
    const staging = this.#staging(job)
    const { key } = await this.#o.certificate().catch((error: unknown) => { this.#backToReady(job.copyId, error); throw error })
    const { target, copyId, packageId } = job
    return { staging, delivery: target.kind === 'here' ? null : { copyId, packageId, folder: staging.folder, target, password, fingerprint: key.fingerprint, signal: new AbortController().signal, own: this.#o.own() } }
  }

  /** Seals in the name of the witness and verifies all of it from the disk. Once the archive may hold the Master, only that very hand-over goes on, with what was sealed for it: Master and copy stay one (E17). */
  async #seal(job: CopyJob, staging: Staging, witness: Acting, words: HandOver | null): Promise<Sealing> {
    const { clock, office, timezone, version, checkpoints, audit, db, papers, timestamp } = this.#o
    const draft = await staging.draft(), certificate = await this.#o.certificate()
    const handedTo = sha256(canonicalJson({ witness: personKey(witness), words: words === null ? null : { ...words, password: null } } as unknown as AuditValue))
    const check = async () => verifyPackage(staging.folder, { fingerprint: certificate.key.fingerprint })
    if (job.handedTo !== null && job.manifestSha256 !== null) {
      if (job.handedTo !== handedTo) throw new CopyRefusedError('這份複製已依先前的見證人及交付資料存檔；請由同一人以相同資料交付，或取消後重新製作。', 'its Master was archived for another hand-over: the same witness hands it over with the same words, or it is cancelled and made anew')
      const before = await check()
      if (before.isIntact && before.origin === 'confirmed') return { verdict: before, manifestSha256: job.manifestSha256, draft, handedTo }
      throw new PackageUnsoundError(before.faults.map(({ zh, where }) => `${where} ${zh}`))
    }
    const found = job.intent === 'decision' ? null : this.#o.grants.record(job.application as ApplicationNumber)
    const scope = this.#scope(job), now = clock.wallNow(), who = nameOf(witness)
    const facts = {
      packageId: job.packageId, timezone, intent: job.intent === 'release' ? 'release' as const : 'preserve' as const, office, createdAt: now, application: manifestCase(job, found, scope, this.#o.camera),
      exporter: { account: job.asked.person, name: job.asked.name, role: job.asked.role }, witness: { account: personKey(witness), ...who },
      recorder: { make: 'Custos', model: 'Custos', serial: checkpoints.table.logId(), version }, time: { ...this.#o.time(), stampedBy: STAMPED_BY, utcOffset: '+08:00', atExport: isoOf(now), cameraOffsets: draft.cameraOffsets },
      videos: draft.videos, gaps: draft.gaps, custody: custodyOf(job, found, custodySteps(job, now, who.name, words)), evidence: auditEvidence({ log: audit, entries: entryTable(db), checkpoints, application: job.application }),
    }
    const forms = await papers.forms({ application: found?.application ?? null, ruleSet: found?.ruleSet ?? null, facts })
    const { manifestSha256 } = await sealPackage(staging.folder, { ...facts, forms }, { certificate, timestamp, signal: new AbortController().signal })
    const verdict = await check()
    if (!verdict.isIntact || verdict.origin !== 'confirmed') throw new PackageUnsoundError(verdict.faults.map(({ zh, where }) => `${where} ${zh}`))
    return { verdict, manifestSha256, draft, handedTo }
  }

  /** Tied to its hand-over before the archive is asked, so that a crash leaves no second Master; untied only when the archive said that it did not take it. */
  async #archive(job: CopyJob, witness: Acting, { handedTo, manifestSha256 }: Sealing, ask: Parameters<MasterArchive['put']>[1]): Promise<string> {
    this.#jobs.move(this.#must(job.copyId), 'releasing', { handedTo, manifestSha256 })
    try {
      return (await this.#o.archive.put(witness, ask)).itemNo
    } catch (error) {
      if (error instanceof CustosError && job.handedTo === null) this.#jobs.move(this.#must(job.copyId), 'releasing', { handedTo: null, manifestSha256: null })
      throw error
    }
  }

  #master(job: CopyJob, scope: Scope, { videos }: Draft, witness: Acting): MasterFacts {
    return {
      application: job.application, kind: job.intent === 'release' ? 'copy-master' : 'preserved', reason: job.reason, requester: job.asked.name, approver: this.#approver(job) ?? nameOf(witness).name,
      ranges: scope.map(({ camera, from, to }) => { const { id, name } = knownCamera(camera, this.#o.camera); return { cameraUuid: camera, cameraId: id, cameraName: name, from, to } }),
      footageSha256: sha256(videos.map(({ sha256: hash, path: name }) => `${hash}  ${name}\n`).join('')),
    }
  }
  #approver(job: CopyJob): string | null { return job.intent === 'decision' ? null : this.#o.grants.record(job.application as ApplicationNumber)?.application.signatures.at(-1)?.name ?? null }

  /** Act, entry and book line together [G10]. The grant is asked once more, at this instant. */
  #enter(job: CopyJob, { witness, words, scope, manifestSha256, itemNo, verdict }: { readonly witness: Acting, readonly words: HandOver, readonly scope: Scope, readonly manifestSha256: string, readonly itemNo: string, readonly verdict: Verdict }): number {
    const { audit, book, grants, clock } = this.#o
    return audit.transaction(() => {
      this.#scope(job)
      const found = grants.record(job.application as ApplicationNumber)
      if (found === null) throw new CopyRefusedError('沒有這件申請案。', 'there is no such case')
      const { seq } = audit.append({
        action: 'copy.released', actor: actorOf(witness), object: job.copyId, application: job.application, result: 'done',
        detail: { packageId: job.packageId, manifest: manifestSha256, item: itemNo, exporter: job.asked.name, bytes: verdict.checked.bytes, target: job.target.kind, recipient: words.recipient.name, medium: words.medium },
      })
      const { fields } = found.application.content
      const bookLine = book.enter({
        auditSeq: seq, application: job.application, applicant: fields['applicant'] ?? fields['agency'] ?? words.recipient.name, unit: fields['agency'] ?? '', matter: fields['purpose'] ?? job.reason, basis: fields['legal-basis'] ?? job.reason,
        uses: { accompanied: false, copied: true, forInquiry: words.forInquiry, other: words.other }, persons: [{ name: words.recipient.name, part: 'receiver' }],
        ranges: scope.map(({ camera, from, to }) => ({ camera, cameraName: knownCamera(camera, this.#o.camera).name, from, to })),
      })
      if (!this.#jobs.move(this.#must(job.copyId), 'released', { endedAt: clock.wallNow(), manifestSha256, archiveItem: itemNo })) throw new TypeError('a copy that is being released moved on')
      return bookLine
    })
  }

  /** For a destination that was gone just after the release. Throws CopyTargetError. */
  async publishAgain(copyId: string): Promise<void> { await this.#publish(this.#must(copyId)) }

  async #publish(job: CopyJob): Promise<void> {
    if (job.state !== 'released' || job.isPublished) return
    if (job.target.kind !== 'here') {
      await publish({ target: job.target, packageId: job.packageId, copyId: job.copyId })
      await this.#staging(job).clear()
    }
    this.#jobs.published(job.copyId)
  }

  #backToReady(copyId: string, error: unknown): void {
    const job = this.#must(copyId)
    if (job.state !== 'releasing') return
    if (error instanceof PackageUnsoundError) this.#fail(job, error)
    else this.#jobs.move(job, 'ready', { error: errorOf(error) })
  }

  // ---- shared

  #staging(job: CopyJob): Staging { return new Staging(this.#o.folder, job.copyId, job.packageId) }
  #must(copyId: string): CopyJob {
    const job = this.#jobs.get(copyId)
    if (job === null) throw new CopyRefusedError('沒有這份複製。', 'there is no such copy')
    return job
  }

  /** One act with its entry: allowed, done and written down in one transaction, or not at all; a refusal has an entry of its own. */
  #perform<Result>(acting: Acting, act: Act, event: { readonly action: string, readonly object: string, readonly application: string | null }, work: (write: (detail: { readonly [key: string]: AuditValue }, application?: string) => number) => Result): Result {
    const { audit, rights } = this.#o
    const entry = { ...event, actor: actorOf(acting) }
    try {
      return audit.transaction(() => {
        rights.requireRight(acting, act)
        return work((detail, application = event.application ?? undefined) => audit.append({ ...entry, application: application ?? null, result: 'done', detail }).seq)
      })
    } catch (error) {
      if (error instanceof CopyRefusedError || error instanceof RightMissingError || error instanceof FactorNeededError || error instanceof CopyQueueFullError) {
        audit.append({ ...entry, application: entry.application !== null && parseApplicationNumber(entry.application) === null ? null : entry.application, result: 'refused', detail: { code: error.code } })
      }
      throw error
    }
  }
}

const MAIN = streamName('main')
const STAMPED_BY = { zh: '錄影機於收到畫面時所記，以媒體時間修正抖動', en: 'the recorder when the picture arrived, with the jitter taken out by media time' }
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const nameOf = (acting: Acting): { readonly name: string, readonly role: string } =>
  acting.kind === 'account' ? { name: acting.displayName, role: ROLE_NAMES[acting.role].zh } : { name: acting.actor.name, role: '主機指令列' }
const errorOf = (error: unknown): { readonly code: string, readonly text: string } =>
  error instanceof CustosError ? { code: error.code, text: error.message.slice(0, 500) } : { code: 'CUSTOS_COPY_BROKEN', text: (error instanceof Error ? error.message : String(error)).slice(0, 500) }

/** Words that are kept and printed as they stand. Throws CopyRefusedError. */
function plain(words: string, what: string, mayBeEmpty = false): string {
  const trimmed = words.trim()
  const fault = wordsFault(trimmed, { maxChars: 200, lines: false })
  if (fault !== null && !(fault === 'blank' && mayBeEmpty)) throw new CopyRefusedError(`${what}是空的、過長或含有無法列印的字元。`, `the words of ${what} are empty, too long or cannot be printed`)
  return trimmed
}

function checkedHandOver({ recipient, forInquiry, other, medium, password }: HandOver): HandOver {
  if (password !== null && (Array.from(password).length < PASSWORD_LEAST_CHARS || password.length > 200)) throw new CopyRefusedError(`密碼須為 ${PASSWORD_LEAST_CHARS} 至 200 字。`, `a password has ${PASSWORD_LEAST_CHARS} to 200 characters`)
  return {
    recipient: { name: plain(recipient.name, '收受人'), unit: plain(recipient.unit, '收受人單位', true), idType: plain(recipient.idType, '證件種類') }, forInquiry, other: other === null ? null : plain(other, '其他'),
    medium: medium === null ? null : { type: plain(medium.type, '媒體種類'), serial: plain(medium.serial, '媒體序號', true), label: plain(medium.label, '媒體標籤', true) }, password,
  }
}

function custodySteps(job: CopyJob, now: EpochMs, witness: string, words: HandOver | null): CustodyStep[] {
  const acquired: CustodyStep[] = [
    { at: job.asked.at, step: 'acquired', by: job.asked.name, words: `製作 ${job.packageId}` },
    { at: now, step: 'closed', by: witness, words: '封存、簽章並全部讀回驗證' },
  ]
  if (words === null) return [...acquired, { at: now, step: 'kept', by: witness, words: '複製存檔，留存本所' }]
  const { recipient, medium } = words
  return [
    ...acquired,
    ...(medium === null ? [] : [{ at: now, step: 'written' as const, by: witness, words: `寫入 ${[medium.type, medium.serial, medium.label].filter(text => text !== '').join(' ')}` }]),
    { at: now, step: 'handed-over', by: witness, words: `交付 ${[recipient.unit, recipient.name].filter(text => text !== '').join(' ')}（${recipient.idType}）` },
  ]
}

