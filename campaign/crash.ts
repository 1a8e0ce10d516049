import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesMarked } from '../test/support/recorder/processes.ts'
import { seededRandom } from '../test/support/seeded-random.ts'
import { HoldRound } from './crash-holds.ts'
import { judgeCatalogue, judgeFrames, MAX_LOSS_MS, judgeVolumes, recoveriesTold, type Kill } from './crash-judge.ts'
import { drawMoment, untilMoment, type Moment } from './crash-moments.ts'
import { slowdownNow } from '../test/support/recorder/machine-pace.ts'
import { Site, type SiteCamera } from './site.ts'

export interface CrashOptions { readonly kills: number, readonly seed: number, readonly cameras?: number, readonly slots?: number, readonly floorS?: number, readonly isSlice?: boolean, readonly fetchEveryMs?: number, readonly holdEveryMs?: number, readonly holdForMs?: number, readonly holdSpanMs?: number }

const ORPHAN_BOUND_MS = 1000
const LAST_LIFE_MS = 6000
const SETTLED_MS = 3000 // a frame is in a slot this long after it was sent

/**
 * Kills the recorder again and again while numbered cameras send, a ring of 1 MiB slots turns over its floor and holds come and go. Every frame must be found or lie in a told gap;
 * nothing inside floor or hold may be overwritten; no ffmpeg may outlive its recorder. Frames are fetched with `custos rescue` and judged by check-frames.py, which shares no code with src/.
 */
export async function crashCampaign({ kills, seed, cameras = 5, slots = 48, floorS = 45, isSlice = false, fetchEveryMs = 25_000, holdEveryMs = 50_000, holdForMs = 150_000, holdSpanMs = 12_000 }: CrashOptions): Promise<boolean> {
  const random = seededRandom(seed)
  const folder = Site.folder('crash')
  let isJudged = false
  try {
    await using site = await Site.open(folder, { name: 'crash', cameras, volumes: [{ id: 'disk', sizeMiB: slots }], floor: `${floorS}s` })
    const startedAt = Date.now()
    const holds = new HoldRound(site, seededRandom(seed + 1), { holdForMs, spanMs: holdSpanMs })
    const problems: string[] = []
    const stop = new AbortController()
    const beside = Promise.all([
      fetchLoop(site, { floorMs: floorS * 1000, everyMs: fetchEveryMs, startedAt, problems }, stop.signal),
      holdLoop(holds, holdEveryMs, stop.signal),
    ])
    const done = await killLoop(site, { kills, random, holds, problems, startedAt }).finally(() => { stop.abort() })
    const [seenTo] = await beside
    await site.recorder.end('SIGTERM')
    await holds.endDue(true)
    for (const camera of site.cameras) await site.fetch(camera, seenTo.get(camera)!, Date.now(), problems)
    // Beside other tests: a recorder that has just started shares its processor with them.
    const maxLossMs = MAX_LOSS_MS * (isSlice ? await slowdownNow() : 1)
    const frames = judgeFrames(site, done.kills, { maxLossMs, mayBeUnseen: isSlice })
    const catalogue = judgeCatalogue(site, { floorMs: floorS * 1000, acknowledgedHolds: holds.acknowledged })
    problems.push(...holds.problems, ...frames.problems, ...catalogue.problems, ...await judgeVolumes(site), ...await auditVerify(site))
    report({ site, seed, startedAt, holds, done, frames: frames.figures, ring: catalogue.figures, problems })
    isJudged = problems.length === 0
    return problems.length === 0
  } finally { if (isJudged && process.env['CUSTOS_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true }); else console.log(`kept: ${folder}`) }
}

interface Done { readonly kills: Kill[], readonly byMoment: Map<Moment, number>, readonly missed: number, readonly worstOrphanMs: number }

async function killLoop(site: Site, { kills, random, holds, problems, startedAt }: { kills: number, random: () => number, holds: HoldRound, problems: string[], startedAt: number }): Promise<Done> {
  const done: Done & { missed: number, worstOrphanMs: number } = { kills: [], byMoment: new Map(), missed: 0, worstOrphanMs: 0 }
  const checks: Promise<void>[] = []
  const acts: Promise<void>[] = []
  await site.recorder.start() // the catalogue is made; from here on anything may happen
  await sleep(LAST_LIFE_MS)
  while (done.kills.length < kills) {
    const life = done.kills.length
    const mark = `CUSTOS_CAMPAIGN=${process.pid}-${life}`
    if (life > 0) site.recorder.launch(mark)
    const drawn = drawMoment(random)
    const hit = await untilMoment(drawn, { random, catalogueFile: site.catalogueFile, act: () => { acts.push(holds.place()) } })
    if (!site.recorder.isRunning) { problems.push(`the recorder ended by itself in life ${life}`); break }
    done.kills.push({ at: await site.recorder.end('SIGKILL') })
    const moment = hit ? drawn : 'random'
    if (!hit) done.missed++
    done.byMoment.set(moment, (done.byMoment.get(moment) ?? 0) + 1)
    const killedAt = performance.now()
    checks.push((async () => {
      for (;;) {
        const left = await processesMarked(mark)
        const elapsedMs = performance.now() - killedAt
        if (left.length === 0) { done.worstOrphanMs = Math.max(done.worstOrphanMs, elapsedMs); return }
        if (elapsedMs > ORPHAN_BOUND_MS) { problems.push(`ffmpeg ${left.join(', ')} outlived the recorder of life ${life}`); return }
        await sleep(100)
      }
    })())
    if (done.kills.length % 20 === 0) console.log(`${((Date.now() - startedAt) / 60_000).toFixed(1)} min: ${done.kills.length} kills; ${site.cameras.map(({ ledger }) => ledger.frames).join(' ')} frames; ${holds.inForce} holds in force, ${holds.ended} ended; ${problems.length} problems`)
    await sleep(random() * 400)
  }
  site.recorder.launch()
  await site.recorder.untilUp()
  await sleep(LAST_LIFE_MS)
  await Promise.all([...checks, ...acts])
  return done
}

/** Looks at all that is younger than the floor again and again: what was found once and is still inside the floor must be found again. */
async function fetchLoop(site: Site, { floorMs, everyMs, startedAt, problems }: { floorMs: number, everyMs: number, startedAt: number, problems: string[] }, signal: AbortSignal): Promise<Map<SiteCamera, number>> {
  const seenTo = new Map(site.cameras.map(camera => [camera, startedAt]))
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    for (const camera of site.cameras) {
      const now = Date.now()
      const fromMs = Math.min(seenTo.get(camera)!, Math.max(startedAt, now - floorMs))
      const before = camera.ledger.foundBetween(0, Infinity)
      const complaints: string[] = []
      const found = await site.fetch(camera, fromMs, now, complaints) ?? await site.fetch(camera, fromMs, now, complaints) // a slot may turn over between look and cut
      if (found === null) { problems.push(...complaints); continue }
      seenTo.set(camera, now - SETTLED_MS)
      const stillDue = new Set(camera.ledger.foundBetween(Math.max(fromMs + 1000, Date.now() - floorMs), now))
      const gone = before.filter(counter => stillDue.has(counter) && !found.has(counter))
      if (gone.length > 0) problems.push(`${camera.id}: ${gone.length} frames inside the floor were found before and are gone (${gone[0]}..)`)
    }
  }
  return seenTo
}

async function holdLoop(holds: HoldRound, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await holds.endDue()
    await holds.place()
  }
}

/** By the command too, which an auditor would use; our own hashing stands beside it. */
export async function auditVerify(site: Site): Promise<string[]> {
  const said = await site.custos(['audit', 'verify', '--config', site.config])
  if (/unknown command/.test(said.err)) { console.log('`custos audit verify` is not there yet; the chain was hashed again by the campaign alone'); return [] }
  return said.code === 0 ? [] : [`custos audit verify: ${said.out} ${said.err}`.slice(0, 400)]
}

interface Findings {
  readonly site: Site, readonly seed: number, readonly startedAt: number, readonly holds: HoldRound, readonly done: Done, readonly problems: readonly string[]
  readonly frames: ReturnType<typeof judgeFrames>['figures'], readonly ring: ReturnType<typeof judgeCatalogue>['figures']
}

function report({ site, seed, startedAt, holds, done, frames, ring, problems }: Findings): void {
  const told = recoveriesTold(site)
  const moments = [...done.byMoment].map(([moment, n]) => `${n} ${moment}`).join(', ')
  for (const { id, ledger } of site.cameras) console.log(`${id}: ${ledger.frames} frames found, ${ledger.holes().length} holes, worst time error inside a run ${ledger.worstTimeErrorMs.toFixed(3)} ms`)
  console.log(`seed ${seed}, ${((Date.now() - startedAt) / 60_000).toFixed(1)} min, ${done.kills.length} kills (${moments}; ${done.missed} aimed ones struck at random), worst loss before a kill ${Math.round(frames.worstLossMs)} ms, `
    + `at most ${Math.round(frames.worstUnbornMs)} ms between PLAY and a kill that left nothing, the last ffmpeg gone within ${Math.round(done.worstOrphanMs)} ms`)
  console.log(`${frames.holes} holes of ${frames.lostFrames} frames, all told: ${problems.length === 0 ? 'yes' : 'see below'}, ${frames.unseenFrames} frames overwritten before they were looked for; stamped within ${Math.round(site.worstStampErrorMs)} ms of capture; ${told.recovered} open slots recovered, ${told.zeroedAgain} unfinished ones zeroed again`)
  console.log(`${ring.reused} slots reused (${(ring.reused / ring.slots).toFixed(1)} turnovers of ${ring.slots}), the youngest ${ring.leastAgeAtReuseMs === null ? '-' : (ring.leastAgeAtReuseMs / 1000).toFixed(1)} s after its last frame; `
    + `${holds.acknowledged.length} holds placed, ${holds.ended} ended, ${holds.checkedFrames} frames under them looked at again; ${ring.auditEntries} audit entries`)
  for (const problem of problems) console.log(`PROBLEM ${problem}`)
  console.log(problems.length === 0 ? 'every kill cost at most two seconds, every missing frame lies in a told gap, and nothing inside floor or hold was overwritten' : `${problems.length} problems`)
}
