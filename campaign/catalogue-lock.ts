import Database from 'better-sqlite3'
import { named, type Trial, type TrialPlan } from './core-trial.ts'
import { allRecording, type HealthTest } from './health-watch.ts'
import { wearRing } from './worn-ring.ts'

const RECOVERED_WITHIN_MS = 30_000
/** Slots of 1 MiB that one camera fills in a second, on the average of three kinds. */
const SLOTS_A_SECOND = 0.1
/** The recorder keeps at most this share of a ring ready ahead of need. */
const READY_SHARE = 1 / 8
const SPARE = 1.25
const SETTLE_LEAST_MS = 12_000, SETTLE_BOUND_MS = 180_000, SETTLED_FOR_MS = 5_000

export interface OutageOptions {
  readonly seconds: number
  readonly cameras?: number
  /** A fresh ring, and no longer than needed. */
  readonly isShort?: boolean
}

/** Of a ring whose ready slots carry the cameras through so many seconds without the catalogue. */
export const ringMiBFor = ({ seconds, cameras = 8 }: OutageOptions): number =>
  Math.ceil((seconds * cameras * SLOTS_A_SECOND + cameras) * SPARE / READY_SHARE)

export type Killed = 'never' | 'back-inside' | 'back-after'

/**
 * Another program holds the write lock of the catalogue while a worn ring turns over. `back-inside`: in the
 * middle of it the recorder is killed with -9 and started again at once; `back-after`: once the lock is gone.
 */
export function catalogueLocked(options: OutageOptions & { readonly killed?: Killed }): TrialPlan {
  const { seconds, cameras = 8, killed = 'never', isShort = false } = options
  const sizeMiB = ringMiBFor(options)
  const name = { never: '', 'back-inside': '-kill-inside', 'back-after': '-kill-after' }[killed]
  return {
    name: `catalogue-locked${name}`, floorS: 1,
    site: () => Promise.resolve({ cameras, volumes: [{ id: 'disk', sizeMiB }] }),
    async act(trial) {
      const wornMs = isShort ? 0 : await wearRing(trial.site, sizeMiB)
      await trial.start()
      await untilReady(trial, isShort ? 5_000 : SETTLE_LEAST_MS)
      trial.strike()
      const lock = lockCatalogue(trial.site.catalogueFile)
      try {
        if (killed === 'never') await trial.lasting(seconds * 1000)
        else await killInside(trial, seconds, killed, lock)
      } finally { lock.release() }
      trial.mend()
      if (killed === 'never') trial.expectTold(/^catalogue-failed/, 'the catalogue')
      await untilOver(trial)
      await trial.lasting(isShort ? 3_000 : 10_000)
      blamesNoDisk(trial)
      const worn = isShort ? '' : `, worn in ${(wornMs / 1000).toFixed(0)} s`
      return `locked for ${seconds} s; ring of ${sizeMiB} MiB${worn}`
    },
  }
}

async function killInside(trial: Trial, seconds: number, killed: Killed, lock: Lock): Promise<void> {
  await trial.lasting(seconds * 500)
  await trial.kill()
  if (killed === 'back-after') lock.release()
  await trial.start()
  if (killed === 'back-after') return
  await trial.lasting(Math.max(10_000, trial.struckAt + seconds * 1000 - Date.now()))
}

interface Lock { release(): void }

/** As any command that writes beside the recorder. */
function lockCatalogue(file: string): Lock {
  const db = new Database(file)
  db.pragma('busy_timeout = 10000')
  db.exec('BEGIN IMMEDIATE')
  return { release: () => { if (db.open) db.close() } }
}

/** Until the recorder has made ready what it keeps ahead of need: free slots become no more. */
export async function untilReady(trial: Trial, leastMs = SETTLE_LEAST_MS): Promise<void> {
  const settleFrom = Date.now()
  const free = () => trial.rows<{ n: number }>("SELECT count(*) AS n FROM slot WHERE state = 'free'")[0]!.n
  for (let most = 0, mostAt = settleFrom; ;) {
    await trial.lasting(1_000)
    const now = Date.now(), n = free()
    if (n > most) { most = n; mostAt = now }
    const isSettled = now - settleFrom > leastMs && now - mostAt > Math.min(leastMs, SETTLED_FOR_MS)
    if (isSettled || now - settleFrom > SETTLE_BOUND_MS) return
  }
}

/** Health takes back what it said of catalogue and audit log, and of no room. */
export async function untilOver(trial: Trial): Promise<void> {
  const isTold = ({ code }: { readonly code: string }) => /^(catalogue-failed|audit-unwritable)/.test(code)
  const isWell: HealthTest = health => allRecording(health) && !health!.reasons.some(isTold)
  const isOver = await trial.lasting(RECOVERED_WITHIN_MS, isWell)
  const left = trial.watch.last?.reasons.filter(isTold).map(({ code }) => code).join(', ') ?? 'no answer'
  const late = `${RECOVERED_WITHIN_MS / 1000} s after the end of the fault`
  trial.expect(isOver, `${late} health still says: ${left || trial.streamStates()}`)
}

/** The disks of the footage are well all the time; what another disk or program does is not their fault. */
export function blamesNoDisk(trial: Trial): void {
  const blames = /^(volume-(?!slow-sync)|no-usable-volume|stream-storage)/
  const blamed = trial.newReasons().map(named).filter(each => blames.test(each))
  trial.expect(blamed.length === 0, `health blames the disks: ${blamed.join(', ')}`)
}
