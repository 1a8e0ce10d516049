import { createReadStream } from 'node:fs'
import path from 'node:path'
import { SYSTEM } from '../../domain/index.ts'
import { PRE_ROLL_MOST_MS, type ApplicationNumber } from '../../requests/index.ts'
import { PackageUnsoundError } from '../package/errors.ts'
import { gapsOf } from '../package/gaps.ts'
import type { ManifestGap, ManifestVideo } from '../package/manifest.ts'
import { playbackText, playVideos } from '../package/play-video.ts'
import { takeVideos } from '../package/take-videos.ts'
import { VideoCheck } from '../package/verify-video.ts'
import { allowedScope, fenceOf } from './allowance.ts'
import { knownCamera } from './case-facts.ts'
import { advance, MAIN, required, stagingOf, type CopyCore } from './core.ts'
import { CopyRefusedError } from './errors.ts'
import type { CopyJob } from './job.ts'
import type { Draft } from './staging.ts'

const BUSY_WAIT_MS = 250, BUSY_MOST_MS = 10_000
const PROGRESS_EACH_BYTES = 16 << 20
const ENTRY_ROOTS = 400 // an entry's detail is bounded

/** From `queued` to `ready`: read into an empty staging folder, then read back from there. What it throws, the queue ends the copy with. */
export async function makeCopy(core: CopyCore, queued: CopyJob, signal: AbortSignal): Promise<void> {
  const { copyId } = queued, staging = stagingOf(core, queued)
  advance(core, queued, 'reading')
  await staging.begin()
  const draft = await read(core, required(core, copyId), staging.folder, signal)
  if (draft.videos.length === 0) throw new CopyRefusedError('核准的時段內沒有影像可供複製。', 'no footage stands in what was granted')
  advance(core, required(core, copyId), 'packing', { totalBytes: draft.videos.reduce((sum, { bytes }) => sum + bytes, 0) })
  await readBack(core, copyId, { folder: staging.folder, videos: draft.videos, signal })
  const playback = await playVideos(draft.videos, { folder: staging.folder, clock: core.options.clock, pace: () => pace(core, signal), signal })
  await staging.keep({ ...draft, playback })
  const { zh, en, isAllWell } = playbackText(playback)
  advance(core, required(core, copyId), 'ready', { error: isAllWell ? null : { code: 'CUSTOS_COPY_UNPLAYABLE', text: `${zh}。/ ${en}` } }) // the witness decides: it is what was recorded
}

/** Recording goes first [G9]; on a disk that is always slow a copy is slow as well, and is made. */
async function pace({ options: { footage, clock } }: CopyCore, signal: AbortSignal): Promise<void> {
  for (const until = clock.monoNow() + BUSY_MOST_MS; footage.isBusy && !signal.aborted && clock.monoNow() < until;) await clock.wait(BUSY_WAIT_MS, signal)
}

async function read(core: CopyCore, job: CopyJob, folder: string, signal: AbortSignal): Promise<Omit<Draft, 'playback'>> {
  const { footage, grants, camera: known, office } = core.options
  const isPreRollAllowed = job.intent === 'release' && grants.open(job.application as ApplicationNumber)?.isPreRollAllowed === true
  const videos: ManifestVideo[] = [], gaps: ManifestGap[] = [], cameraOffsets: Draft['cameraOffsets'][number][] = []
  let done = 0, told = 0
  const onBytes = (bytes: number) => {
    done += bytes
    if (done - told >= PROGRESS_EACH_BYTES) { told = done; core.jobs.progress(job.copyId, done) }
  }
  for (const { camera, from, to } of allowedScope(core, job)) {
    const facts = knownCamera(camera, known), range = { startAt: from, endAt: to }
    const taken = await takeVideos({
      folder, shelf: footage, camera, stream: MAIN, range, preRollMs: isPreRollAllowed ? PRE_ROLL_MOST_MS : 0, leave: fenceOf(core, job, camera), pace: () => pace(core, signal), signal, onBytes,
      subject: { cameraId: facts.id, cameraUuid: camera, cameraName: facts.name, location: facts.location, stream: MAIN, unitName: `Custos ${office}`, operator: job.asked.name, exportedAt: job.asked.at },
    })
    videos.push(...taken.videos)
    cameraOffsets.push(...taken.cameraOffsets)
    const noted = await footage.gaps(camera, MAIN, range)
    const of = { cameraId: facts.id, cameraName: facts.name, stream: MAIN }
    gaps.push(...gapsOf({ range, taken, noted, of }))
  }
  return { videos: anchored(core, job, videos), gaps, cameraOffsets }
}

/** The roots of all segments go into the log, so that the checkpoint over it covers them too. */
function anchored({ options: { audit } }: CopyCore, job: CopyJob, videos: readonly ManifestVideo[]): ManifestVideo[] {
  const roots = [...new Set(videos.flatMap(({ segments }) => segments.map(({ merkleRoot }) => merkleRoot)))]
  const seqOf = new Map<string, number>()
  audit.transaction(() => {
    for (let i = 0; i < roots.length; i += ENTRY_ROOTS) {
      const part = roots.slice(i, i + ENTRY_ROOTS)
      const { seq } = audit.append({ action: 'copy.taken', actor: SYSTEM, object: job.copyId, application: job.application, result: 'done', detail: { packageId: job.packageId, roots: part } })
      for (const root of part) seqOf.set(root, seq)
    }
  })
  return videos.map(video => ({ ...video, segments: video.segments.map(segment => ({ ...segment, auditSeq: seqOf.get(segment.merkleRoot) ?? null })) }))
}

/** E16: every record is hashed again from what was written. */
async function readBack(core: CopyCore, copyId: string, { folder, videos, signal }: { readonly folder: string, readonly videos: readonly ManifestVideo[], readonly signal: AbortSignal }): Promise<void> {
  let done = 0
  for (const video of videos) {
    const check = new VideoCheck(video)
    for await (const chunk of createReadStream(path.join(folder, video.path), { highWaterMark: 1 << 20, signal })) {
      check.take(chunk as Buffer)
      await pace(core, signal)
    }
    signal.throwIfAborted()
    const { sha256, fault } = check.end()
    if (fault !== null || sha256 !== video.sha256) throw new PackageUnsoundError([`${video.path}: ${fault ?? 'hash'}`])
    core.jobs.progress(copyId, done += video.bytes)
  }
}
