import { createHash } from 'node:crypto'
import { personKey, type Acting } from '../../access/index.ts'
import { entryTable } from '../../audit/index.ts'
import { CustosError, isoOf } from '../../domain/index.ts'
import type { ApplicationNumber, Scope } from '../../requests/index.ts'
import { auditEvidence } from '../package/audit-evidence.ts'
import { PackageUnsoundError } from '../package/errors.ts'
import { sealPackage } from '../package/seal-package.ts'
import type { Verdict } from '../package/verify.ts'
import { allowedScope } from './allowance.ts'
import { bookUseOf } from './book-line.ts'
import { custodyOf, knownCamera, manifestCase } from './case-facts.ts'
import { isUnwritten, personOf, required, type CopyCore } from './core.ts'
import { CopyRefusedError } from './errors.ts'
import { custodySteps, handOverDigest, type HandOver } from './hand-over.ts'
import type { CopyJob } from './job.ts'
import type { MasterFacts } from './ports.ts'
import type { Draft, Staging } from './staging.ts'

/** A package as it was sealed for one hand-over. */
export interface Sealing { readonly verdict: Verdict, readonly manifestSha256: string, readonly draft: Draft, readonly handedTo: string, /** Of its time stamp, for the log: `obtained`, or why there is none. */ readonly timestamp: string }

const STAMPED_BY = { zh: '錄影機於收到畫面時所記，以媒體時間修正抖動', en: 'the recorder when the picture arrived, with the jitter taken out by media time' }

/** Throws PackageUnsoundError unless all of it holds, signed by this very recorder. */
export function requireSound(verdict: Verdict): Verdict {
  if (verdict.isIntact && verdict.origin === 'confirmed') return verdict
  throw new PackageUnsoundError(verdict.faults.map(({ zh, where }) => `${where} ${zh}`))
}

/** Seals in the name of the witness and verifies all of it from the disk. Once the archive may hold the Master, only that very hand-over goes on, with what was sealed for it: Master and copy stay one (E17). */
export async function sealCopy(core: CopyCore, job: CopyJob, { staging, witness, words }: { readonly staging: Staging, readonly witness: Acting, readonly words: HandOver | null }): Promise<Sealing> {
  const { clock, office, timezone, version, checkpoints, audit, db, papers, grants, camera, time } = core.options
  const draft = await staging.draft(), signer = await core.options.signer()
  const handedTo = handOverDigest(personKey(witness), words)
  const check = async () => requireSound(await core.options.destinations.verify(staging.folder, signer.fingerprint))
  if (job.handedTo !== null && job.manifestSha256 !== null) {
    if (job.handedTo !== handedTo) throw new CopyRefusedError('這份複製已依先前的見證人及交付資料存檔；請由同一人以相同資料交付，或取消後重新製作。', 'its Master was archived for another hand-over: the same witness hands it over with the same words, or it is cancelled and made anew')
    return { verdict: await check(), manifestSha256: job.manifestSha256, draft, handedTo, timestamp: 'sealed before' }
  }
  const found = job.intent === 'decision' ? null : grants.record(job.application as ApplicationNumber)
  const scope = allowedScope(core, job), now = clock.wallNow(), who = personOf(witness)
  const facts = {
    packageId: job.packageId, timezone, intent: job.intent === 'release' ? 'release' as const : 'preserve' as const, office, createdAt: now, application: manifestCase(job, found, scope, camera),
    exporter: { account: job.asked.person, name: job.asked.name, role: job.asked.role }, witness: { account: who.person, name: who.name, role: who.role },
    recorder: { make: 'Custos', model: 'Custos', serial: checkpoints.table.logId(), version }, time: { ...time(), stampedBy: STAMPED_BY, utcOffset: '+08:00', atExport: isoOf(now), cameraOffsets: draft.cameraOffsets },
    videos: draft.videos, gaps: draft.gaps, playback: draft.playback, custody: custodyOf(job, found, custodySteps(job, { now, witness: who.name, words, playback: draft.playback })), evidence: await auditEvidence({ log: audit, entries: entryTable(db), checkpoints, application: job.application }),
  }
  const forms = await papers.forms({ application: found?.application ?? null, ruleSet: found?.ruleSet ?? null, facts, use: found === null || words === null ? null : bookUseOf(job, found.application, { words, scope, known: camera }) })
  const { manifestSha256, timestamp } = await sealPackage(staging.folder, { ...facts, forms }, { signer, timestamp: core.options.timestamp(), signal: new AbortController().signal })
  return { verdict: await check(), manifestSha256, draft, handedTo, timestamp: timestamp === 'obtained' ? timestamp : [timestamp.why, timestamp.words].filter(text => text !== '').join(': ') }
}

/** The number of its Master. Tied to its hand-over before the archive is asked, so that a crash leaves no second Master; untied only when the archive said that it did not take it. */
export async function archiveMaster(core: CopyCore, job: CopyJob, { folder, scope, witness, sealed }: { readonly folder: string, readonly scope: Scope, readonly witness: Acting, readonly sealed: Sealing }): Promise<string> {
  const { jobs, options: { archive } } = core, { handedTo, manifestSha256, draft } = sealed
  jobs.move(required(core, job.copyId), 'releasing', { handedTo, manifestSha256 })
  try {
    return (await archive.put(witness, { folder, facts: masterFacts(core, job, { scope, draft, witness }) })).itemNo
  } catch (error) {
    if (error instanceof CustosError && job.handedTo === null) untie(core, job.copyId)
    throw error
  }
}

function untie(core: CopyCore, copyId: string): void {
  try { core.jobs.move(required(core, copyId), 'releasing', { handedTo: null, manifestSha256: null }) } catch (error) { if (!isUnwritten(error)) throw error } // stays tied, which is no harm
}

const MASTER_KINDS = { release: 'copy-master', preserve: 'preserved', decision: 'decided' } as const satisfies Record<CopyJob['intent'], MasterFacts['kind']>

function masterFacts({ options: { grants, camera: known } }: CopyCore, job: CopyJob, { scope, draft: { videos }, witness }: { readonly scope: Scope, readonly draft: Draft, readonly witness: Acting }): MasterFacts {
  const approver = job.intent === 'decision' ? null : grants.record(job.application as ApplicationNumber)?.application.signatures.at(-1)?.name ?? null
  return {
    application: job.application, kind: MASTER_KINDS[job.intent], reason: job.reason, requester: job.asked.name, approver: approver ?? personOf(witness).name,
    ranges: scope.map(({ camera, from, to }) => { const { id, name } = knownCamera(camera, known); return { cameraUuid: camera, cameraId: id, cameraName: name, from, to } }),
    footageSha256: createHash('sha256').update(videos.map(({ sha256, path: name }) => `${sha256}  ${name}\n`).join('')).digest('hex'),
  }
}
