import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { allRecording, isLive, stateOf, type Look, type Snapshot, type StreamShown } from './health-watch.ts'
import { CLIPS } from '../test/support/cameras/make-clips.ts'
import { freeze, makeDisk, type Frozen } from './disk-mounts.ts'
import { SYNCED_MS, type Trial, type TrialPlan } from './core-trial.ts'

const MOVED_WITHIN_MS = 10_000
const BACK_WITHIN_MS = 70_000
const LEAVES_WITHIN_MS = 6_000, THAWED_LEAVES_WITHIN_MS = 2_000
const COMMAND_CHARS = 200
const LEAVES_BOUND_MS = 15_000
const IMAGE_SHARE = 1.15 // with room for the file system's own
/** What a recorder does not take of these is soon lost; smaller streams fit into the network's buffers. */
const BUSY = CLIPS.h264FullHd
const FROZEN = 'frozen', WELL = 'well'

type When = 'running' | 'start' | 'stop'
export interface HungDiskOptions {
  readonly seconds: number
  readonly when?: When
  readonly isShort?: boolean
}

/** One of two disks answers no write for a while: `fsfreeze` on a loop-mounted ext4, under four cameras. */
export function hungDisk({ seconds, when = 'running', isShort = false }: HungDiskOptions): TrialPlan {
  const name = { running: `hung-disk-${seconds}`, start: 'hung-disk-start', stop: 'hung-disk-stop' }[when]
  const sizeMiB = isShort ? 64 : Math.ceil((seconds + 100) * 2.5) // all that is recorded fits on one
  return {
    name, floorS: 20, mayQuarantine: true,
    async site(folder, resources) {
      const image = { sizeMiB: Math.ceil(sizeMiB * IMAGE_SHARE) + 16 }
      for (const id of [FROZEN, WELL]) resources.use(await makeDisk('ext4', folder, { ...image, name: id }))
      const volumes = [FROZEN, WELL].map(id => ({ id, path: path.join(folder, id), sizeMiB }))
      return { cameras: 4, volumes, ...isShort ? {} : { clips: [BUSY] } }
    },
    mayLose: ({ from, to, cause }, { struckAt }) =>
      from >= struckAt - SYNCED_MS && to <= struckAt + MOVED_WITHIN_MS && /storage/.test(cause),
    act: trial => ACTS[when](trial, seconds, isShort ? 3_000 : 10_000),
  }
}

const ACTS = { running: frozenRunning, start: frozenAtStart, stop: stoppedFrozen }

async function hang({ site, resources }: Trial): Promise<Frozen> {
  return resources.use(await freeze(site.volumes[0]!.path))
}

async function frozenRunning(trial: Trial, seconds: number, afterMs: number): Promise<string> {
  await trial.start()
  await trial.lasting(Math.min(8_000, afterMs * 1.5) + trial.random() * 2_000)
  const on = volumesOf(trial)
  trial.strike()
  const frozen = await hang(trial)
  await trial.lasting(seconds * 1000)
  movedInTime(trial)
  await frozen.thaw()
  trial.mend()
  trial.expectTold(new RegExp(`^volume-.* ${FROZEN}$`), 'the frozen volume')
  await untilBack(trial)
  await trial.lasting(afterMs)
  trial.later(() => { othersLostNothing(trial, on) })
  const camerasOn = (id: string) => [...on.values()].filter(volume => volume === id).length
  const share = [FROZEN, WELL].map(id => `${camerasOn(id)} cameras on ${id}`)
  return `${FROZEN} for ${seconds} s, ${share.join(', ')}`
}

/** The recorder is started while one disk hangs: it records on the other one. */
async function frozenAtStart(trial: Trial, seconds: number, afterMs: number): Promise<string> {
  trial.strike()
  const frozen = await hang(trial)
  await trial.start()
  const upMs = Date.now() - trial.struckAt
  await trial.lasting(seconds * 1000 - upMs)
  movedInTime(trial)
  await frozen.thaw()
  trial.mend()
  trial.expectTold(new RegExp(`^volume-.* ${FROZEN}$`), 'the frozen volume')
  await untilBack(trial)
  await trial.lasting(afterMs)
  return `${FROZEN} for ${seconds} s from before the start, which took ${secondsText(upMs)}`
}

/** SIGTERM while one disk hangs. A thread that waits for that disk cannot be killed, not even by SIGKILL. */
async function stoppedFrozen(trial: Trial, seconds: number, afterMs: number): Promise<string> {
  const { recorder } = trial.site
  await trial.start()
  await trial.lasting(8_000 + trial.random() * 2_000)
  trial.strike()
  const frozen = await hang(trial)
  await trial.lasting(seconds * 1000)
  movedInTime(trial)
  const { pid } = recorder
  const at = Date.now()
  const leaving = trial.kill('SIGTERM').then(() => Date.now() - at)
  const leftMs = await Promise.race([leaving, sleep(LEAVES_WITHIN_MS, null)])
  // The kernel keeps a process whose call into the frozen disk cannot return; nothing else of it may be left.
  const children = leftMs === null ? childrenOf(pid) : []
  trial.expect(children.length === 0,
    `${secondsText(LEAVES_WITHIN_MS)} after SIGTERM children were left: ${children.join('; ')}`)
  const frozenFor = Date.now()
  await frozen.thaw()
  trial.mend()
  trial.expectTold(new RegExp(`^volume-.* ${FROZEN}$`), 'the frozen volume')
  const thawedMs = await Promise.race([leaving, sleep(LEAVES_BOUND_MS, null)])
  const goneMs = Date.now() - frozenFor
  trial.expect(thawedMs !== null && (leftMs !== null || goneMs <= THAWED_LEAVES_WITHIN_MS),
    `${secondsText(goneMs)} after the thaw the recorder ${thawedMs === null ? 'was still there' : 'left'}`)
  if (thawedMs === null) await recorder.end('SIGKILL')
  await trial.start()
  await untilBack(trial)
  await trial.lasting(afterMs)
  const left = leftMs === null ? `without children until ${secondsText(goneMs)} after the thaw`
    : `gone after ${secondsText(leftMs)}`
  return `SIGTERM ${seconds} s after the freeze: ${left}`
}

/**
 * What could still run of them. Of one that has ended something stays until its parent takes notice (Z), and
 * the kernel keeps one whose own call into the frozen disk cannot return (D).
 */
function childrenOf(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`)
  const all = threads.flatMap(thread =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(child => child !== ''))
  return all.flatMap(child => {
    try {
      const state = /^State:\s+(.*)$/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? '?'
      const words = readFileSync(`/proc/${child}/cmdline`, 'utf8').replaceAll('\0', ' ')
      const command = words.slice(0, COMMAND_CHARS)
      return /^[ZD]/.test(state) ? [] : [`${command} (${state})`]
    } catch { return [] }
  })
}

async function untilBack(trial: Trial): Promise<void> {
  const isWell = (health: Snapshot | null) => stateOf(health, FROZEN) === 'ok' && allRecording(health)
  const isBack = await trial.lasting(BACK_WITHIN_MS, isWell)
  const state = stateOf(trial.watch.last, FROZEN)
  const late = `${secondsText(BACK_WITHIN_MS)} after the thaw`
  trial.expect(isBack, `${late} the volume is ${state}; ${trial.streamStates()}`)
}

/** Camera -> the volume on which it is being recorded. */
function volumesOf(trial: Trial): ReadonlyMap<string, string> {
  const open = trial.rows<{ camera: string, volume: string }>(`SELECT camera.id AS camera, volume.id AS volume
    FROM segment JOIN camera ON camera.uuid = camera_uuid JOIN volume ON volume.uuid = volume_uuid
    WHERE sealed_at IS NULL AND ended_at IS NULL ORDER BY segment.start_at`)
  return new Map(open.map(({ camera, volume }) => [camera, volume]))
}

function othersLostNothing({ site, problems, struckAt: at }: Trial, on: ReadonlyMap<string, string>): void {
  for (const { id, ledger } of site.cameras) {
    const holes = ledger.holes().filter(hole => hole.firstAfterMs > at)
    if (on.get(id) === FROZEN || holes.length === 0) continue
    const lost = holes.map(one => `${one.frames} frames ${secondsText(one.lastBeforeMs - at)} after it`)
    problems.push(`${id} was on the other volume at the freeze and lost ${lost.join(', ')}`)
  }
}

/** From ten seconds after the freeze on, health showed no stream whose newest frame was old. */
function movedInTime({ watch, struckAt, problems, site }: Trial): void {
  const looks = watch.looks.filter(({ at }) => at > struckAt + MOVED_WITHIN_MS)
  const told = (bad: readonly Look[], what: string) => {
    if (bad.length === 0) return
    const [first, last] = [bad[0]!, bad.at(-1)!].map(({ at }) => secondsText(at - struckAt))
    problems.push(`${what}: ${first} to ${last} after the freeze`)
  }
  told(looks.filter(({ health }) => health === null), 'health did not answer')
  for (const { id } of site.cameras) {
    const isDark = (each: StreamShown) => each.camera === id && !isLive(each)
    told(looks.filter(({ health }) => health?.streams.some(isDark)), `${id} was not recorded`)
  }
}

const secondsText = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
