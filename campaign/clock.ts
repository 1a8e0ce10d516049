import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { ReuseJudge } from './clock-judge.ts'
import { FakedClock } from './faked-clock.ts'
import { Site } from './site.ts'

export interface ClockOptions {
  readonly floorS: number
  readonly slots: number
  readonly cameras: number
  /** How long each clock lasts. */
  readonly eachS: number
  /** Of the series of steps of an hour. */
  readonly steps: number
  readonly stepEveryS: number
  /** By name; all when left out. */
  readonly only?: readonly string[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const LOOK_MS = 200
const FLOWS_WITHIN_MS = 15_000
const PRESSES = 3
const PRESS_MS = 2_500
const PRESS_BACK_MS = 10 * 60_000 // far more than a segment lasts: the judge must tell the clocks apart
/** Wrong clocks, each from right and back to right. */
const OFFSETS: readonly (readonly [name: string, offsetMs: () => number])[] = [
  ['+1s', () => 1_000], ['-1s', () => -1_000], ['+1h', () => HOUR_MS], ['-1h', () => -HOUR_MS], ['+40d', () => 40 * DAY_MS], ['-40d', () => -40 * DAY_MS], ['+10y', () => 3650 * DAY_MS], ['1970', () => -Date.now()],
]
/** A time service that says all is well, whatever the clock shows. */
const LIAR = `#!/bin/sh
echo 'A29FC87B,192.0.2.1,3,1795471461.182880843,0.000000123,0.000000456,0.000000789,-12.345,0.001,0.020,0.012,0.001,64.5,Normal'
`

/** The real recorder under wrong clocks, with a time service that lies: nothing may be overwritten inside its floor by real time, and recording goes on. */
export async function clockCampaign(options: ClockOptions): Promise<boolean> {
  const folder = Site.folder('clock')
  let isGood = false
  try {
    const clock = new FakedClock(folder)
    const liar = path.join(folder, 'chronyc')
    writeFileSync(liar, LIAR)
    chmodSync(liar, 0o755)
    await using site = await Site.open(folder, { name: 'clock', cameras: options.cameras, volumes: [{ id: 'disk', sizeMiB: options.slots }], floor: `${options.floorS}s` })
    const env = { ...clock.env, CUSTOS_CHRONYC: liar }
    await started(site, env)
    const judge = new ReuseJudge(site.catalogueFile, clock)
    const problems: string[] = []
    const run = { site, clock, judge, problems }
    await lasting(run, 'right', (options.floorS + 5) * 1000) // the ring begins to wrap
    for (const [name, offsetMs] of OFFSETS) {
      if (options.only !== undefined && !options.only.includes(name)) continue
      clock.set(offsetMs())
      await lasting(run, name, options.eachS * 1000)
      if (name === '+40d') await pressed(run)
      clock.set(0)
      await lasting(run, `right after ${name}`, options.eachS * 1000)
    }
    // Killed and started anew under a wrong clock: running time tells how long it was away.
    clock.set(40 * DAY_MS)
    await site.recorder.end('SIGKILL')
    await started(site, env)
    await lasting(run, 'started at +40d', options.eachS * 1000)
    clock.set(0)
    await lasting(run, 'right again', options.eachS * 1000)
    for (let step = 1; step <= options.steps; step++) {
      clock.set(step * HOUR_MS)
      await lasting(run, `step ${step}`, options.stepEveryS * 1000, step === options.steps)
    }
    judge.look()
    problems.push(...judge.early(options.floorS * 1000))
    await site.recorder.end('SIGTERM')
    report(run, options)
    isGood = problems.length === 0
    return isGood
  } finally { if (isGood && process.env['CUSTOS_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true }); else console.log(`kept: ${folder}`) }
}

/** The environment is for the recorder alone: the cameras keep the machine's clock. */
async function started(site: Site, env: Readonly<Record<string, string>>): Promise<void> {
  Object.assign(process.env, env)
  try { site.recorder.launch() } finally { for (const name of Object.keys(env)) delete process.env[name] }
  await site.recorder.untilUp()
}

/**
 * Time goes back a little again and again under a clock that is far ahead: each time every stream takes a slot of its own, more than there are. A recorder that took the wall clock for an age
 * would overwrite what is seconds old; ours waits.
 */
async function pressed(run: Running): Promise<void> {
  for (let back = 0; back < PRESSES; back++) {
    run.clock.set(run.clock.offsetMs - PRESS_BACK_MS)
    await lasting(run, `pressed ${back}`, PRESS_MS, false)
  }
}

interface Running { readonly site: Site, readonly clock: FakedClock, readonly judge: ReuseJudge, readonly problems: string[] }
interface Health { readonly streams: readonly { camera: string, state: string, lastFrameAgeMs: number | null, lastEndReason: string | null }[], readonly clock: { state: string, offsetMs: number } }

/** Lets a clock last, looking all the while; every camera must be recorded at its end. */
async function lasting({ site, clock, judge, problems }: Running, name: string, forMs: number, mustFlow = true): Promise<void> {
  const untilMs = performance.now() + forMs
  const reusedBefore = judge.reused
  while (performance.now() < untilMs) {
    judge.look()
    await sleep(LOOK_MS)
  }
  if (!site.recorder.isRunning) throw new Error('the recorder ended by itself')
  if (!mustFlow) return
  const giveUpAt = performance.now() + FLOWS_WITHIN_MS
  for (;;) {
    const health = await site.recorder.health() as Health | null
    const still = health?.streams.filter(stream => stream.state !== 'recording' || (stream.lastFrameAgeMs ?? Infinity) > 2_500)
    if (still?.length === 0) {
      console.log(`${name}: clock ${health!.clock.state}, ${health!.clock.offsetMs} ms; ${judge.reused - reusedBefore} slots reused; all cameras recorded`)
      return
    }
    if (performance.now() > giveUpAt) {
      problems.push(`${name} (${clock.offsetMs} ms): not recording: ${still?.map(({ camera, state, lastEndReason }) => `${camera} ${state} ${lastEndReason}`).join(', ') ?? 'no answer'}`)
      console.log(problems.at(-1))
      return
    }
    judge.look()
    await sleep(LOOK_MS)
  }
}

function report({ site, judge, problems }: Running, { floorS, steps }: ClockOptions): void {
  const db = new Database(site.catalogueFile, { readonly: true })
  const actions = db.prepare<[], { action: string, n: number }>("SELECT action, count(*) AS n FROM audit_entry WHERE action LIKE 'clock.%' GROUP BY action ORDER BY action").all()
  db.close()
  judge.close()
  console.log(`${judge.segments} segments, ${judge.reused} reused under a floor of ${floorS} s and ${steps} steps of an hour; audit: ${actions.map(({ action, n }) => `${n} ${action}`).join(', ')}`)
  if (!actions.some(({ action }) => action === 'clock.stepped')) problems.push('no step of the clock is in the audit log')
  if (actions.some(({ action }) => action === 'clock.believed')) problems.push('time was believed while the machine ran')
  if (judge.reused === 0) problems.push('nothing was reused, so nothing was shown')
  for (const problem of problems) console.log(`PROBLEM ${problem}`)
  if (problems.length === 0) console.log('nothing was overwritten inside its floor by real time, and recording went on')
}
