import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { rssMiB, tree } from '../bench/cpu-time.ts'
import { CameraServer } from '../test/support/cameras/camera-server.ts'
import { FaultProxy, type Fault } from '../test/support/cameras/fault-proxy.ts'
import { clip, CLIPS } from '../test/support/cameras/make-clips.ts'
import { startCraftedCameras } from '../test/support/cameras/crafted-server.ts'
import { LOSING_KINDS, type CraftedKind } from '../test/support/cameras/crafted-kinds.ts'
import { CraftedLedger } from '../test/support/recorder/crafted-ledger.ts'
import { seededRandom } from '../test/support/seeded-random.ts'
import { FrameLedger } from './frame-ledger.ts'
import { CUSTOS, RecorderProcess } from './recorder-process.ts'

export interface RecordOptions { readonly minutes: number, readonly killEveryMinutes: number, readonly checkEveryMinutes: number, readonly floorMinutes: number, readonly seed: number, readonly ringMiB: number, readonly flap: boolean,
  /** Nine cameras more, odd as public bug reports tell of them, recorded beside. */
  readonly odd: boolean }

const PORT = 20_000 + process.pid % 10_000 // two campaigns may run beside each other
const ROOT = path.join(import.meta.dirname, '..')
const KINDS = [CLIPS.h264Small, CLIPS.h264Hd, CLIPS.h265Small, CLIPS.h265Hd]
const CAMERAS = 8
const ODD: readonly CraftedKind[] = ['same-stamps', 'constant-stamp', 'slow', 'backwards', 'sets-of-before', 'sets-change',
  'silent-sound', 'encoder-restarts', 'torn']
const FLAPPING = 0 // the first camera's network is never well for long
/** A fragment is complete in a slot at the latest this long after its last frame was sent. */
const SETTLED_MS = 8_000
/** The catalogue's times are the recorder's, the counters' the camera's; on a machine that is short of time a run's first arrivals, which set its clock, come late. More than this ends the run. */
const CLOCK_SLACK_MS = 1_000
/** After health answers: two tries of a camera, and a group of pictures. */
const MOST_RETURN_MS = 10_000
/** A group of pictures of these clips. */
const RESENT_MS = 2_000

/**
 * Eight cameras behind passwords for `minutes`: one flaps, the recorder is killed now and then, the ring turns over; every frame that is missing
 * must lie in a gap that the catalogue tells. Frames are fetched with `custos rescue` and judged by a checker that shares no code with the recorder.
 */
export async function recordCampaign(options: RecordOptions): Promise<boolean> {
  const random = seededRandom(options.seed)
  const folder = mkdtempSync(path.join(ROOT, '.campaign-'))
  let isJudged = false
  try {
    await using resources = new AsyncDisposableStack()
    const mounts = Array.from({ length: CAMERAS }, (_, i) => ({ path: `/c${i}`, clip: KINDS[i % KINDS.length]!, username: `viewer${i}`, password: `pass-${i}-${options.seed}` }))
    const server = resources.use(await CameraServer.start({ mounts }))
    const proxy = resources.use(await FaultProxy.start({ targetPort: server.port }))
    const kinds = options.odd ? ODD : []
    const crafted = resources.use(await startCraftedCameras(kinds))
    const odd = kinds.map(kind => new CraftedLedger(kind))
    const volume = path.join(folder, 'volume')
    execFileSync(CUSTOS, ['volume', 'init', volume, '--id', 'disk', '--size', `${options.ringMiB}MiB`, '--slot-size', '8MiB'])
    const secrets = path.join(folder, 'secrets.yaml')
    writeFileSync(secrets, JSON.stringify(Object.fromEntries(mounts.map(({ username, password }, i) => [`c${i}`, { username, password }]))), { mode: 0o600 })
    const config = path.join(folder, 'custos.yaml')
    writeFileSync(config, JSON.stringify({
      site: { name: 'campaign' }, state: { dir: path.join(folder, 'state') }, listen: { host: '127.0.0.1', port: PORT },
      volumes: [{ id: 'disk', path: volume }], retention: { floor: `${options.floorMinutes}m` }, secrets: { file: secrets },
      cameras: [...kinds.map(id => ({ id, name: id, audio: id === 'silent-sound', streams: { main: { url: crafted.urlOf(id) } } })), ...mounts.map(({ path: mount }, i) => ({ id: `c${i}`, name: `c${i}`, credential: `c${i}`, streams: { main: { url: i === FLAPPING ? server.url(mount).replace(`:${server.port}`, `:${proxy.port}`) : server.url(mount) } } }))],
    }))
    const logFile = path.join(folder, 'recorder.log')
    const recorder = resources.use(new RecorderProcess({ config, port: PORT, logFile }))
    const ledgers = await Promise.all(mounts.map(async (mount, i) => new FrameLedger(await clip(mount.clip), { resends: i === FLAPPING && options.flap })))
    const kills: { at: number, backAt: number }[] = []
    const rss: number[] = []
    const orphans: number[] = []
    const stop = new AbortController()
    await recorder.start()
    const startedAt = Date.now()
    const endAt = startedAt + options.minutes * 60_000
    const flapping = options.flap ? flap(proxy, random, stop.signal) : Promise.resolve()
    let checkedTo = startedAt
    let nextKillAt = startedAt + options.killEveryMinutes * 60_000 * (0.5 + random())
    let nextCheckAt = startedAt + options.checkEveryMinutes * 60_000
    while (Date.now() < endAt) {
      await sleep(2000)
      if (!recorder.isRunning) throw new Error(`the recorder ended by itself; see ${logFile}`)
      rss.push(rssMiB(recorder.pid))
      if (Date.now() > nextKillAt) {
        const children = tree(recorder.pid).slice(1)
        const at = await recorder.end('SIGKILL')
        await sleep(1000)
        orphans.push(...children.filter(pid => isAlive(pid)))
        await recorder.start()
        kills.push({ at, backAt: Date.now() })
        nextKillAt = Date.now() + options.killEveryMinutes * 60_000 * (0.5 + random())
      }
      if (Date.now() > nextCheckAt) {
        checkedTo = await fetchFrames({ folder, volume, ledgers, odd, from: checkedTo, to: Date.now() - SETTLED_MS })
        nextCheckAt = Date.now() + options.checkEveryMinutes * 60_000
        console.log(`${((Date.now() - startedAt) / 60_000).toFixed(1)} min: ${[...ledgers, ...odd].map(ledger => ledger.frames).join(' ')} frames, ${kills.length} kills, ${rss.at(-1)!.toFixed(0)} MiB`)
      }
    }
    stop.abort()
    await flapping
    const sent = await server.status()
    for (const [i, { path: mount }] of mounts.entries()) ledgers[i]!.sentTo = { counter: sent[mount]!.frame, wallMs: Date.now() }
    await recorder.end('SIGTERM')
    await fetchFrames({ folder, volume, ledgers, odd, from: checkedTo, to: Date.now() })
    const good = report({ ledgers, odd, startedAt, kills, rss, orphans, folder, minutes: options.minutes, seed: options.seed })
    isJudged = true
    return good
  } finally { if (isJudged && process.env['CUSTOS_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true }) }
}

/** A dead one that nobody has waited for yet does nothing any more; in a container that may take its init a while. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2] !== 'Z'
  } catch { return false } // gone
}

/** Breaks the flapping camera's network in turn: cut in the middle of a packet, silence, resets, refusal, slowness; well for a few seconds between. */
async function flap(proxy: FaultProxy, random: () => number, signal: AbortSignal): Promise<void> {
  const faults: (() => Fault)[] = [
    () => ({ kind: 'cut-after', bytes: 20_000 + Math.floor(random() * 400_000) }), () => ({ kind: 'stall' }), () => ({ kind: 'reset' }),
    () => ({ kind: 'refuse' }), () => ({ kind: 'hang-after-describe' }),
  ]
  while (!signal.aborted) {
    await sleep(3000 + random() * 15_000, undefined, { signal }).catch(() => undefined)
    await proxy.set(faults[Math.floor(random() * faults.length)]!())
    await sleep(500 + random() * 6000, undefined, { signal }).catch(() => undefined)
    await proxy.set({ kind: 'pass' })
  }
}

interface Fetch { readonly folder: string, readonly volume: string, readonly ledgers: readonly FrameLedger[], readonly odd: readonly CraftedLedger[], readonly from: number, readonly to: number }

async function fetchFrames({ folder, volume, ledgers, odd, from, to }: Fetch): Promise<number> {
  const clips = path.join(folder, 'clips')
  mkdirSync(clips, { recursive: true })
  for (const ledger of odd) {
    const out = path.join(clips, `${ledger.kind}.mp4`)
    const range = ['--camera', ledger.kind, '--from', new Date(from - 2000).toISOString(), '--to', new Date(to).toISOString(), '--out', out]
    const files = execFileSync(CUSTOS, ['rescue', volume, ...range], { encoding: 'utf8', maxBuffer: 64 << 20 }).trim().split('\n')
    await ledger.add(files.filter(file => file.endsWith('.mp4')))
    for (const file of files) for (const each of [file, `${file}.csv`]) rmSync(each, { force: true })
  }
  for (const [i, ledger] of ledgers.entries()) {
    const out = path.join(clips, `c${i}.mp4`)
    const range = ['--camera', `c${i}`, '--from', new Date(from - 2000).toISOString(), '--to', new Date(to).toISOString(), '--out', out]
    const files = execFileSync(CUSTOS, ['rescue', volume, ...range], { encoding: 'utf8', maxBuffer: 64 << 20 }).trim().split('\n')
    for (const file of files) {
      if (file.endsWith('.mp4')) {
        const said = execFileSync('ffprobe', ['-v', 'warning', '-show_entries', 'format=duration', file], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
        if (said !== null && said.trim() !== '') ledger.faults.push(`ffprobe: ${said}`)
        ledger.add(file, `c${i} ${new Date(from).toISOString()}`)
        unlinkSync(`${file}.csv`)
      }
      unlinkSync(file)
    }
  }
  return to
}

interface Findings { readonly ledgers: readonly FrameLedger[], readonly odd: readonly CraftedLedger[], readonly startedAt: number, readonly kills: readonly { at: number, backAt: number }[], readonly rss: readonly number[], readonly orphans: readonly number[], readonly folder: string, readonly minutes: number, readonly seed: number }

function report({ ledgers, odd, startedAt, kills, rss, orphans, folder, minutes, seed }: Findings): boolean {
  const db = new Database(path.join(folder, 'state/catalogue.db'), { readonly: true })
  const gapsOf = db.prepare<[string], { start_at: number, end_at: number | null, cause: string }>(
    'SELECT start_at, end_at, cause FROM gap JOIN camera ON camera.uuid = gap.camera_uuid WHERE camera.id = ? ORDER BY start_at')
  const reused = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM segment WHERE ended_at IS NOT NULL').get()!.n
  const slots = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM slot').get()!.n
  const early = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM segment WHERE ended_at < keep_until').get()!.n
  const problems: string[] = orphans.map(pid => `ffmpeg ${pid} outlived its recorder`)
  if (early > 0) problems.push(`${early} segments were overwritten inside their floor`)
  let worstKillLossMs = 0, worstReturnMs = 0
  for (const [i, ledger] of ledgers.entries()) {
    const gaps = gapsOf.all(`c${i}`)
    // Between two cuts the flapping camera only sends again what it had sent before.
    const lostSpans = joined(gaps, i === FLAPPING ? RESENT_MS : 0)
    const holes = ledger.holes()
    let lost = 0
    for (const hole of holes) {
      lost += hole.frames
      const gap = lostSpans.find(each => each.start_at <= hole.lastBeforeMs + CLOCK_SLACK_MS && (each.end_at ?? Infinity) >= hole.firstAfterMs - CLOCK_SLACK_MS)
      if (gap === undefined) problems.push(`c${i}: ${hole.frames} frames from ${hole.fromCounter} on (${new Date(hole.lastBeforeMs).toISOString()}) are in no gap`)
      const kill = kills.find(each => each.at >= hole.lastBeforeMs && each.at <= hole.firstAfterMs)
      if (i !== FLAPPING && kill === undefined && !/storage-full/.test(gap?.cause ?? '')) problems.push(`c${i}: ${hole.frames} frames lost without a kill (${gap?.cause ?? 'no gap'}, ${new Date(hole.lastBeforeMs).toISOString()})`)
      if (i !== FLAPPING && kill !== undefined) {
        worstKillLossMs = Math.max(worstKillLossMs, kill.at - hole.lastBeforeMs)
        worstReturnMs = Math.max(worstReturnMs, hole.firstAfterMs - kill.backAt)
      }
    }
    if (i !== FLAPPING) {
      const spans = holes.map(({ lastBeforeMs, firstAfterMs }) => ({ fromMs: lastBeforeMs, toMs: firstAfterMs }))
      problems.push(...falseGaps(gaps, spans).map(gap => `c${i}: ${gap}`))
    }
    problems.push(...ledger.faults)
    const torn = ledger.tornFrames()
    // After a reconnect the flapping camera begins with frames it has sent before, so a torn one may come again whole.
    if (i !== FLAPPING) problems.push(...torn.elsewhere.map(counter => `c${i}: frame ${counter} has a wrong size`))
    if (i !== FLAPPING && ledger.unnumbered > 0) problems.push(`c${i}: ${ledger.unnumbered} frames without a number`)
    if (i !== FLAPPING && torn.atHoles > kills.length) problems.push(`c${i}: ${torn.atHoles + ledger.unnumbered} frames cut in the middle`)
    console.log(`c${i}${i === FLAPPING ? ' (flapping)' : ''}: ${ledger.frames} frames found, ${holes.length} holes of ${lost} frames, ${torn.atHoles + ledger.unnumbered} frames cut in the middle by the network, ${gaps.length} gaps told, worst time error ${ledger.worstTimeErrorMs.toFixed(3)} ms`)
  }
  for (const ledger of odd) {
    const told = gapsOf.all(ledger.kind), gaps = told.map(({ start_at: startAt, end_at: endAt }) => ({ startAt, endAt }))
    const spans = ledger.holes().map(({ from, to }) => ({ fromMs: from.storedMs, toMs: to.storedMs }))
    if (!LOSING_KINDS.has(ledger.kind)) problems.push(...falseGaps(told, spans).map(gap => `${ledger.kind}: ${gap}`))
    const startsMs = [startedAt, ...kills.map(({ at }) => at)]
    const isLossExpected = ({ fromMs, toMs }: { fromMs: number, toMs: number }) => kills.some(({ at }) => at >= fromMs && at <= toMs)
    problems.push(...ledger.problems({ gaps, startsMs, slowdown: 1, isLossExpected }))
    const { starting, steady } = ledger.offsMs(startsMs)
    console.log(`${ledger.kind}: ${ledger.frames} frames found, ${ledger.holes().length} holes, ${gaps.length} gaps told, ${steady.join(' to ')} ms off (${starting.join(' to ')} after a start)`)
  }
  if (worstKillLossMs > 2000) problems.push(`a kill cost ${worstKillLossMs} ms before it`)
  if (worstReturnMs > MOST_RETURN_MS) problems.push(`a camera was recorded again only ${worstReturnMs} ms after a start`)
  const early30 = rss.slice(0, Math.ceil(rss.length / 4)), late30 = rss.slice(-Math.ceil(rss.length / 4))
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  console.log(`seed ${seed}, ${minutes} min, ${kills.length} kills, worst loss before a kill ${worstKillLossMs} ms, recorded again ${worstReturnMs} ms after the start at the latest, ${reused} slots reused (${(reused / slots).toFixed(2)} turnovers of ${slots}), `
    + `memory ${mean(early30).toFixed(0)} MiB in the first quarter, ${mean(late30).toFixed(0)} MiB in the last, at most ${Math.max(...rss).toFixed(0)} MiB`)
  for (const problem of problems) console.log(`PROBLEM ${problem}`)
  console.log(problems.length === 0 ? 'every missing frame lies in a gap that was told; none doubled, none out of order, none at a wrong time' : `${problems.length} problems`)
  return problems.length === 0
}

/** Of gaps inside runs those in which no frame is missing. */
function falseGaps(gaps: readonly { start_at: number, end_at: number | null, cause: string }[], holes: readonly { fromMs: number, toMs: number }[]): string[] {
  return gaps.filter(({ start_at: from, end_at: to, cause }) => /^(?:no-frames|packets-lost)$/.test(cause)
    && !holes.some(hole => hole.fromMs <= (to ?? Infinity) + CLOCK_SLACK_MS && hole.toMs >= from - CLOCK_SLACK_MS))
    .map(({ start_at: from, end_at: to, cause }) => `nothing is missing in the gap ${new Date(from).toISOString()} to ${to === null ? 'now' : new Date(to).toISOString()} (${cause})`)
}

/** Gaps with at most `footageMs` of footage between them, as one. */
function joined(gaps: readonly { start_at: number, end_at: number | null, cause: string }[], footageMs: number): { start_at: number, end_at: number | null, cause: string }[] {
  const spans: { start_at: number, end_at: number | null, cause: string }[] = []
  for (const gap of gaps) {
    const last = spans.at(-1)
    if (last !== undefined && last.end_at !== null && gap.start_at <= last.end_at + footageMs) spans[spans.length - 1] = { ...last, end_at: gap.end_at === null ? null : Math.max(last.end_at, gap.end_at), cause: `${last.cause}, ${gap.cause}` }
    else spans.push({ ...gap })
  }
  return spans
}
