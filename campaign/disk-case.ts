import { setTimeout as sleep } from 'node:timers/promises'
import { makeDisk, type Disk } from './disk-mounts.ts'
import { judgeCatalogue, judgeFrames } from './crash-judge.ts'
import { HealthWatch, stateOf, type Snapshot } from './health-watch.ts'
import { Site } from './site.ts'
import { rmSync } from 'node:fs'

/** Something that befalls one of two volumes while both are recorded to. */
export interface DiskCase {
  readonly name: string
  readonly disk: Disk['kind']
  /** Begins the trouble; the result ends it. */
  readonly trouble: (disk: Disk, site: Site) => Promise<{ injected?: () => number, end: () => Promise<void> }>
  readonly isHarmless?: boolean
  readonly isDead?: boolean
}
export interface CaseFigures { readonly name: string, readonly lostMs: number, readonly reason: string, readonly injected: number | null, readonly problems: string[] }

const CAMERAS = 3
const FLOOR_S = 20
const SYNCED_MS = 2_500 // what is older than this was synced, and its slot tells so

/** `isShort`: the trouble ends soon after health has named the volume, at the latest after `troubleMs`. */
export interface CasePace { readonly beforeMs: number, readonly troubleMs: number, readonly afterMs: number, readonly badMiB: number, readonly goodMiB: number, readonly isShort: boolean }
const PACE: CasePace = { beforeMs: 8_000, troubleMs: 14_000, afterMs: 6_000, badMiB: 16, goodMiB: 40, isShort: false }
const NAMED_FOR_MS = 2_000

/**
 * Records to two volumes, lets one suffer, mends it, starts the recorder again. The daemon must live, the other volume go on, health name the bad one; nothing that was synced may be lost,
 * lost frames must be told, and after the repair both volumes are recorded to.
 */
export async function diskCase({ name, disk: kind, trouble, isHarmless = false, isDead = false }: DiskCase, pace = PACE): Promise<CaseFigures> {
  const folder = Site.folder('disk')
  const problems: string[] = []
  try {
    await using disk = await makeDisk(kind, folder)
    await using site = await Site.open(folder, { name: 'disk', cameras: CAMERAS, floor: `${FLOOR_S}s`, volumes: [{ id: 'bad', path: disk.mountPoint, sizeMiB: pace.badMiB }, { id: 'good', sizeMiB: pace.goodMiB }] })
    const startedAt = Date.now()
    await site.recorder.start()
    await sleep(pace.beforeMs)
    const struckAt = Date.now()
    const running = await trouble(disk, site)
    const watch = new HealthWatch(site.recorder)
    const told = () => watch.reasons(struckAt).filter(({ subject }) => subject === 'bad')
    const isTold = () => told().some(({ firstAt }) => Date.now() > firstAt + NAMED_FOR_MS)
    await watch.during(pace.troubleMs, () => pace.isShort && isTold())
    if (!site.recorder.isRunning) problems.push('the recorder ended by itself')
    problems.push(...watch.looks.filter(({ health }) => health === null).map(() => 'health did not answer'))
    const worst = watch.looks.findLast(({ health }) => health !== null)?.health ?? null
    const isOut = (health: Snapshot | null) => health !== null && stateOf(health, 'bad') !== 'ok'
    const outAt = watch.looks.find(({ health }) => isOut(health))?.at ?? null
    const reasons = new Set(told().map(({ code }) => code))
    if (worst !== null && worst.streams.some(stream => stream.state !== 'recording')) problems.push(`not all streams recorded at the end of the trouble: ${worst.streams.map(({ camera, state }) => `${camera} ${state}`).join(', ')}`)
    if (worst !== null && worst.volumes.some(volume => volume.id === 'good' && volume.state !== 'ok')) problems.push('the other volume was taken out too')
    if (isHarmless && [...reasons].some(code => code !== 'volume-slow-sync')) problems.push(`health complains of the volume: ${[...reasons].join(', ')}`)
    if (!isHarmless && ![...reasons].some(code => code.startsWith('volume-'))) problems.push('health never named the volume')
    const injected = running.injected?.() ?? null
    if (injected === 0) problems.push('nothing was injected')
    const stoppedEarly = kind !== 'folder' // a disk can only be unmounted once nobody has it open
    if (stoppedEarly && site.recorder.isRunning) await site.recorder.end('SIGTERM')
    await running.end()
    if (!stoppedEarly && site.recorder.isRunning) await site.recorder.end('SIGTERM')
    const restartAt = Date.now()
    await site.recorder.start()
    await sleep(pace.afterMs)
    const after = await watch.look()
    if (after === null || after.streams.some(stream => stream.state !== 'recording')) problems.push('after the repair not all streams are recorded')
    if (!isDead && stateOf(after, 'bad') !== 'ok') {
      const why = JSON.stringify(after?.reasons.filter(({ subject }) => subject === 'bad'))
      problems.push(`after the repair the volume is ${stateOf(after, 'bad')}: ${why}`)
    }
    await site.recorder.end('SIGTERM')
    // Of a dead disk only what came after it was taken out can be asked for, and that lies on the other.
    if (isDead && outAt === null) problems.push('the dead disk was not taken out')
    const [fromMs, asked] = isDead ? [(outAt ?? Date.now()) + SYNCED_MS, site.volumes.filter(volume => volume.id === 'good')] : [startedAt, site.volumes]
    for (const camera of site.cameras) await site.fetch(camera, fromMs, Date.now(), problems, asked)
    const stops = [struckAt, restartAt]
    const frames = judgeFrames(site, [], {
      isExplained: ({ from, cause }) => /storage|recorder-stopped|starting|^no gap$/.test(cause)
        && stops.some(at => from >= at - SYNCED_MS),
    })
    const catalogue = judgeCatalogue(site, { floorMs: FLOOR_S * 1000, acknowledgedHolds: [], mayQuarantine: true })
    const lostMs = site.cameras.flatMap(({ ledger }) => ledger.holes()).filter(hole => hole.lastBeforeMs < restartAt - SYNCED_MS).reduce((worstMs, hole) => Math.max(worstMs, hole.firstAfterMs - hole.lastBeforeMs), 0)
    problems.push(...frames.problems, ...catalogue.problems)
    return { name, lostMs, reason: [...reasons].join(', ') || '-', injected, problems }
  } catch (error) {
    return { name, lostMs: 0, reason: '', injected: null, problems: [...problems, `threw ${(error as Error).stack}`] }
  } finally { if (problems.length === 0 && process.env['CUSTOS_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true }); else console.log(`kept: ${folder}`) }
}
