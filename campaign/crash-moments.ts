import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'

/** When a kill strikes: any time, while the recorder starts, or in the middle of one of the ring's procedures. */
export type Moment = 'random' | 'starting' | 'preparing' | 'sealing' | 'holding' | 'long-life'

const SHARES: readonly (readonly [Moment, number])[] = [['random', 0.46], ['starting', 0.12], ['preparing', 0.14], ['sealing', 0.12], ['holding', 0.1], ['long-life', 0.06]]
const STARTING_MS = 300
const LIFE_MS = { least: 1000, most: 8000 }
const LONG_LIFE_MS = 15_000 // now and then the ring moves on undisturbed
const LOOK_EVERY_MS = 2
const AIM_BOUND_MS = 12_000

export function drawMoment(random: () => number): Moment {
  let left = random()
  for (const [moment, share] of SHARES) if ((left -= share) < 0) return moment
  return 'random'
}

const SEEN = {
  preparing: "SELECT count(*) AS n FROM slot WHERE state = 'preparing'",
  sealing: 'SELECT count(*) AS n FROM (SELECT 1 FROM segment WHERE sealed_at IS NULL AND ended_at IS NULL GROUP BY camera_uuid, stream HAVING count(*) > 1)', // the next slot is open and this one is not sealed yet
}

/** Resolves when the recorder, just launched, is to be killed. False: what was aimed at did not come; the kill is one at random. `act` places a hold. */
export async function untilMoment(moment: Moment, { random, catalogueFile, act }: { random: () => number, catalogueFile: string, act: () => void }): Promise<boolean> {
  const someLifeMs = LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least)
  if (moment === 'starting') await sleep(random() * STARTING_MS)
  else if (moment === 'random') await sleep(someLifeMs)
  else if (moment === 'long-life') await sleep(LONG_LIFE_MS)
  else if (moment === 'holding') {
    await sleep(someLifeMs)
    act()
    await sleep(300 + random() * 900) // a command takes about a second
  } else return await untilSeen(moment, catalogueFile, random() * 3)
  return true
}

/** Looks beside the recorder. The connection is closed before the kill's successor starts, so that it finds the log of a dead one, not one in use. */
async function untilSeen(moment: keyof typeof SEEN, catalogueFile: string, delayMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + AIM_BOUND_MS
  await sleep(500)
  const db = new Database(catalogueFile, { readonly: true, fileMustExist: true })
  try {
    const look = db.prepare<[], { n: number }>(SEEN[moment])
    while (performance.now() < giveUpAt) {
      if (look.get()!.n > 0) {
        await sleep(delayMs) // not always at its beginning
        return true
      }
      await sleep(LOOK_EVERY_MS)
    }
    return false
  } finally { db.close() }
}
