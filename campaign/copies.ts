import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { rssMiB } from '../bench/cpu-time.ts'
import type { Case } from '../test/console/support/procedure.ts'
import { officeOf } from '../test/support/recorder/processes.ts'
import { seededRandom } from '../test/support/seeded-random.ts'
import { auditVerify } from './crash.ts'
import { judgeCatalogue, judgeFrames, judgeVolumes, type Kill } from './crash-judge.ts'
import { isUnanswered, OfficeDay, untilOpen, type Asked, type Target } from './office-day.ts'
import { Site, type SiteCamera } from './site.ts'

export interface CopiesOptions { readonly minutes: number, readonly seed: number, /** Of the copies: how many see the recorder or the office killed. */ readonly killShare: number }

const CAMERAS = 4
const FLOOR_S = 150, RING_MIB = 160
const CONSOLE_PORT = 41_000 + process.pid % 9_000
const BASE = `http://127.0.0.1:${CONSOLE_PORT}`
/** A frame is in a slot, synced, this long after it was sent. */
const SETTLED_MS = 4_000
/** Between the recorder's stamp of a frame and the camera's own. */
const STAMP_SLACK_MS = 300
/** A camera gives pictures again so soon after a kill. */
const BACK_WITHIN_MS = 6_000
const TARGETS = ['folder', 'zip', 'here'] as const

interface Released { readonly number: string, readonly copy: string, readonly packageId: string, readonly archiveItem: string | null, readonly frames: readonly GivenFrames[] }
interface GivenFrames { readonly camera: string, readonly firstWallMs: number, readonly to: number, readonly counters: ReadonlySet<number> }
interface Day { readonly released: Released[], readonly kills: Kill[], /** Of the office alone: nothing may be lost. */ readonly officeKills: Kill[], readonly problems: string[], /** Cases to close: of copies, and of viewings, each closed by who opened them. */ readonly copying: Case[], readonly viewing: Case[], readonly rss: number[], views: number, viewsCut: number, repeats: number, /** Copies of which a kill had left nothing to copy. */ empty: number, startedAt: number }

/**
 * An office at work beside recording: cases are received, signed, viewed, copied to folders, ZIPs and the recorder's own shelf, released and closed, while cameras send numbered frames, the ring turns over and the recorder
 * or the office is killed in the midst of making and releasing. Every package must verify and hold each recorded frame of its grant once; every release has one book line, one entry and one Master; and recording must be what it would have been.
 */
export async function copiesCampaign({ minutes, seed, killShare }: CopiesOptions): Promise<boolean> {
  const folder = Site.folder('copies'), out = path.join(folder, 'handed')
  let isJudged = false
  try {
    await using site = await Site.open(folder, {
      name: 'copies', cameras: CAMERAS, volumes: [{ id: 'disk', sizeMiB: RING_MIB }], floor: `${FLOOR_S}s`,
      sections: at => ({ console: { port: CONSOLE_PORT, tls: 'off' }, inbox: 'off', archive: { dir: path.join(at, 'archive'), quota: '4GiB' } }),
    })
    mkdirSync(out)
    mkdirSync(path.join(folder, 'archive'))
    const day: Day = { released: [], kills: [], officeKills: [], problems: [], copying: [], viewing: [], rss: [], views: 0, viewsCut: 0, repeats: 0, empty: 0, startedAt: Date.now() }
    const init = await site.custos(['archive', 'init', '--config', site.config])
    if (init.code !== 0) throw new Error(init.err)
    await site.recorder.start()
    const office = await OfficeDay.open(site, BASE), random = seededRandom(seed), endAt = Date.now() + minutes * 60_000, stop = new AbortController()
    const uuids = uuidsOf(site)
    const beside = Promise.all([fetchNowAndThen(site, day, stop.signal), viewNowAndThen(site, office, day, { uuids, random: seededRandom(seed + 1) }, stop.signal)])
    try { while (Date.now() < endAt) await copyOnce(site, office, day, { uuids, random, killShare, out }) } finally { stop.abort() }
    const [seenTo] = await beside
    for (const cases of [day.copying, day.viewing]) await closeAll(office, cases)
    const books = await Promise.all(day.released.map(async ({ number, copy }) => (await office.bookLines(number)).filter(line => line.act === 'copy' && line.object === copy).length))
    await site.recorder.end('SIGTERM')
    for (const camera of site.cameras) await site.fetch(camera, seenTo.get(camera)!, Date.now(), day.problems)
    const frames = judgeFrames(site, day.kills), catalogue = judgeCatalogue(site, { floorMs: FLOOR_S * 1000, acknowledgedHolds: [] })
    day.problems.push(...frames.problems, ...catalogue.problems, ...await judgeVolumes(site), ...await auditVerify(site), ...judgePackages(site, day, books, out))
    report(site, day, { seed, frames: frames.figures, reused: catalogue.figures.reused, slots: catalogue.figures.slots, entries: catalogue.figures.auditEntries })
    isJudged = day.problems.length === 0
    return isJudged
  } finally { if (isJudged && process.env['CUSTOS_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true }); else console.log(`kept: ${folder}`) }
}

function uuidsOf(site: Site): ReadonlyMap<string, string> {
  const db = new Database(site.catalogueFile, { readonly: true })
  try { return new Map(db.prepare<[], { id: string, uuid: string }>('SELECT id, uuid FROM camera').all().map(({ id, uuid }) => [id, uuid])) } finally { db.close() }
}

interface Drawing { readonly uuids: ReadonlyMap<string, string>, readonly random: () => number }

/** One or two cameras, some seconds of the last minute, edges anywhere between two frames. */
function draw(site: Site, { uuids, random }: Drawing, startedAt: number): readonly (Asked & { readonly id: string })[] {
  const first = Math.floor(random() * CAMERAS), ids = random() < 0.5 ? [first] : [first, (first + 1) % CAMERAS]
  const end = Date.now() - SETTLED_MS - random() * 20_000, lengthMs = 3_000 + random() * 12_000
  return ids.map(id => {
    const to = Math.round(end - random() * 1_500), from = Math.round(to - lengthMs)
    return { id: site.cameras[id]!.id, camera: uuids.get(site.cameras[id]!.id)!, from: Math.max(from, startedAt + 3_000), to: Math.max(to, startedAt + 6_000) }
  }).sort((a, b) => a.camera < b.camera ? -1 : 1)
}

/** From paper to hand-over; now and then the recorder is killed while it makes the copy, or lets it go. */
async function copyOnce(site: Site, office: OfficeDay, day: Day, { killShare, out, ...drawing }: Drawing & { readonly killShare: number, readonly out: string }): Promise<void> {
  const { random } = drawing
  await sleep(Math.max(0, day.startedAt + 15_000 - Date.now()))
  const asked = draw(site, drawing, day.startedAt), kind = TARGETS[Math.floor(random() * TARGETS.length)]!
  const granted = await office.granted(asked.map(({ camera, from, to }) => ({ camera, from, to })))
  day.copying.push(granted)
  const target: Target = kind === 'here' ? { kind } : { kind, path: out }
  const when = random() < killShare ? random() < 0.4 ? 'making' : 'releasing' : null
  const copy = await office.ask(granted, target)
  const struck = random() < 0.5 ? kill : killOffice
  if (when === 'making') await struck(site, day, random() * 900)
  const made = await office.made(copy)
  if (made.state !== 'ready') {
    if (made.error?.code === 'CUSTOS_COPY_REFUSED' && asked.every(({ from, to }) => day.kills.some(({ at }) => at > from - BACK_WITHIN_MS && at < to))) day.empty++
    else day.problems.push(`copy ${copy} is ${made.state}: ${JSON.stringify(made.error)}`)
    await closeAll(office, day.copying)
    return
  }
  const [{ released, tries }] = await Promise.all([office.release(copy), when === 'releasing' ? struck(site, day, random() * 2_500) : undefined])
  day.repeats += tries - 1
  const place = kind === 'here' ? path.join(site.folder, 'state', 'copies', copy, released.packageId) : path.join(out, kind === 'zip' ? `${released.packageId}.zip` : released.packageId)
  const verified = await site.custos(['verify', place])
  if (verified.code !== 0 && !/完整|intact/.test(verified.out)) day.problems.push(`${released.packageId} does not verify: ${verified.out.slice(0, 400)}`)
  const frames = kind === 'zip' ? [] : await framesOf(site, place, asked, day)
  day.released.push({ number: granted.number, copy, packageId: released.packageId, archiveItem: released.archiveItem, frames })
  await closeAll(office, day.copying)
  day.rss.push(rssMiB(site.recorder.pid))
  if (day.released.length % 10 === 0) console.log(`${((Date.now() - day.startedAt) / 60_000).toFixed(1)} min: ${day.released.length} released, ${day.views} viewed, ${killsOf(day)} kills; ${site.cameras.map(({ ledger }) => ledger.frames).join(' ')} frames; ${day.problems.length} problems${day.problems.length > 0 ? `, last: ${day.problems.at(-1)}` : ''}`)
}

const killsOf = ({ kills, officeKills }: Day): number => kills.length + officeKills.length

async function kill(site: Site, day: Day, afterMs: number): Promise<void> {
  await sleep(afterMs)
  day.kills.push({ at: await site.recorder.end('SIGKILL') })
  await site.recorder.start()
  await untilOpen(BASE)
}

/** The recorder starts it again. */
async function killOffice(site: Site, day: Day, afterMs: number): Promise<void> {
  await sleep(afterMs)
  const pid = await officeOf(site.recorder.pid)
  if (pid === null) throw new Error('no office runs')
  day.officeKills.push({ at: Date.now() })
  process.kill(pid, 'SIGKILL')
  while (await officeOf(site.recorder.pid) === pid) await sleep(50)
  await untilOpen(BASE)
}

/** What could not be closed because of a kill is closed with the next. */
async function closeAll(office: OfficeDay, cases: Case[]): Promise<void> {
  while (cases.length > 0) {
    const [next] = cases
    try { await office.close(next!) } catch (error) { if (isUnanswered(error)) return; throw error }
    cases.shift()
  }
}

/** The frames of a package by the camera's own numbers, file by file whole and in a row. */
async function framesOf(site: Site, place: string, asked: ReturnType<typeof draw>, day: Day): Promise<readonly GivenFrames[]> {
  const sums = await promisify(execFile)('sha256sum', ['--quiet', '-c', 'SHA256SUMS'], { cwd: place }).then(() => '', (error: unknown) => String(error))
  if (sums !== '') day.problems.push(`${place}: ${sums.slice(0, 300)}`)
  const { videos } = JSON.parse(readFileSync(path.join(place, 'manifest.json'), 'utf8')) as { videos: readonly { path: string, cameraUuid: string, firstFrameAt: string }[] }
  const given: GivenFrames[] = []
  for (const { id, camera, from, to } of asked) {
    const { ledger } = site.cameras.find(each => each.id === id)!
    const counters = new Set<number>()
    let firstWallMs = Infinity
    for (const video of videos.filter(each => each.cameraUuid === camera)) {
      const file = path.join(place, video.path), frames = await ledger.asideOf(file)
      for (const [i, { counter, wallMs }] of frames.entries()) {
        if (wallMs < from - STAMP_SLACK_MS || wallMs > to + STAMP_SLACK_MS) day.problems.push(`${place}: frame ${counter} of ${id} lies outside its grant`)
        // A camera that is asked again begins with its last key frame: another file, of another run, may hold a frame once more.
        if (i > 0 && counter !== frames[i - 1]!.counter + 1) day.problems.push(`${place}: ${video.path} goes on with frame ${counter} after ${frames[i - 1]!.counter}`)
        counters.add(counter)
        firstWallMs = Math.min(firstWallMs, wallMs)
      }
    }
    given.push({ camera: id, firstWallMs, to, counters })
  }
  return given
}

/** Cameras are watched in step under grants of their own, while copies are made. */
async function viewNowAndThen(site: Site, office: OfficeDay, day: Day, drawing: Drawing, signal: AbortSignal): Promise<void> {
  await sleep(20_000, undefined, { signal }).catch(() => undefined)
  while (!signal.aborted) {
    const killsBefore = killsOf(day)
    try {
      const asked = draw(site, drawing, day.startedAt), granted = await office.granted(asked.map(({ camera, from, to }) => ({ camera, from, to })))
      day.viewing.push(granted)
      const shown = await office.viewed(granted, asked.length)
      for (const [i, instants] of shown.entries()) if (instants.some(at => at < asked[i]!.from || at >= asked[i]!.to)) day.problems.push(`a screen of ${granted.number} showed what lies outside its grant`)
      if (shown.every(instants => instants.length > 0)) day.views++
      else if (killsOf(day) === killsBefore && day.kills.every(({ at }) => at < asked[0]!.from - 5_000 || at > asked[0]!.to + 20_000)) day.problems.push(`a screen of ${granted.number} showed nothing`)
    } catch (error) {
      if (killsOf(day) === killsBefore && !isUnanswered(error)) day.problems.push(`a viewing failed: ${String(error).slice(0, 300)}`)
      day.viewsCut++
    }
    await closeAll(office, day.viewing)
    await sleep(4_000, undefined, { signal }).catch(() => undefined)
  }
}

async function fetchNowAndThen(site: Site, day: Day, signal: AbortSignal): Promise<Map<SiteCamera, number>> {
  const seenTo = new Map(site.cameras.map(camera => [camera, day.startedAt]))
  while (!signal.aborted) {
    await sleep(45_000, undefined, { signal }).catch(() => undefined)
    for (const camera of site.cameras) {
      const now = Date.now(), complaints: string[] = []
      const found = await site.fetch(camera, seenTo.get(camera)!, now, complaints) ?? await site.fetch(camera, seenTo.get(camera)!, now, complaints) // a slot may turn over between look and cut
      if (found === null) day.problems.push(...complaints)
      else seenTo.set(camera, now - SETTLED_MS)
    }
  }
  return seenTo
}

/** Each release once in book, log and archive; each package with every recorded frame from its first on; nothing else at the destination. */
function judgePackages(site: Site, { released }: Day, books: readonly number[], out: string): string[] {
  const problems = released.flatMap(({ packageId }, i) => books[i] === 1 ? [] : [`${packageId} has ${books[i]} lines in the log book`])
  const db = new Database(path.join(site.folder, 'state/office/office.db'), { readonly: true })
  try {
    const entries = db.prepare<[string], number>("SELECT count(*) FROM audit_entry WHERE action = 'copy.released' AND result = 'done' AND object = ?").pluck()
    const masters = db.prepare<[string], number>("SELECT count(*) FROM archive_item WHERE state = 'kept' AND application = ?").pluck()
    for (const { number, copy, packageId, archiveItem, frames } of released) {
      if (entries.get(copy) !== 1 || masters.get(number) !== 1 || archiveItem === null || !existsSync(path.join(site.folder, 'archive', 'items', archiveItem))) problems.push(`${packageId} has ${entries.get(copy)} entries and ${masters.get(number)} Masters`)
      for (const { camera, firstWallMs, to, counters } of frames) {
        const lacking = site.cameras.find(each => each.id === camera)!.ledger.foundBetween(firstWallMs, to - STAMP_SLACK_MS).filter(counter => !counters.has(counter))
        if (lacking.length > 0) problems.push(`${packageId} lacks ${lacking.length} recorded frames of ${camera} (${lacking[0]}..)`)
      }
    }
    const named = readdirSync(out), due = new Set(released.flatMap(({ packageId }) => [packageId, `${packageId}.zip`, `${packageId}.隨附文件`]))
    problems.push(...named.filter(name => !due.has(name)).map(name => `${name} lies at the destination`))
  } finally { db.close() }
  return problems
}

interface Figures { readonly seed: number, readonly frames: ReturnType<typeof judgeFrames>['figures'], readonly reused: number, readonly slots: number, readonly entries: number }

function report(site: Site, { released, kills, officeKills, views, viewsCut, repeats, empty, rss, problems, startedAt }: Day, { seed, frames, reused, slots, entries }: Figures): void {
  for (const { id, ledger } of site.cameras) console.log(`${id}: ${ledger.frames} frames found, ${ledger.holes().length} holes`)
  const given = released.flatMap(each => each.frames).reduce((sum, { counters }) => sum + counters.size, 0)
  console.log(`seed ${seed}, ${((Date.now() - startedAt) / 60_000).toFixed(1)} min, ${released.length} copies released with ${given} frames compared, ${views} viewings (${viewsCut} cut off by a kill), ${kills.length} kills of the recorder and ${officeKills.length} of the office while copies were made or released, ${repeats} releases begun again, ${empty} copies refused for want of footage around a kill`)
  console.log(`${frames.holes} holes of ${frames.lostFrames} frames, worst loss before a kill ${Math.round(frames.worstLossMs)} ms; ${reused} slots reused (${(reused / slots).toFixed(1)} turnovers of ${slots}); ${entries} audit entries; memory ${Math.min(...rss).toFixed(0)} to ${Math.max(...rss).toFixed(0)} MiB`)
  for (const problem of problems) console.log(`PROBLEM ${problem}`)
  console.log(problems.length === 0 ? 'every copy was released once and holds each recorded frame of its grant; no frame was lost but by a kill, and each of those is told' : `${problems.length} problems`)
}
