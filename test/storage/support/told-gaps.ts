import type { RecorderRig } from '../../support/recorder-rig.ts'

export interface Gap { readonly start_at: number, readonly end_at: number | null, readonly cause: string }

export const gapsOf = (rig: RecorderRig): Gap[] =>
  rig.rows<Gap>('SELECT start_at, end_at, cause FROM gap ORDER BY start_at, gap_id')

/** Until the catalogue has taken what waited for it. */
export const settle = async (rig: RecorderRig): Promise<void> => {
  for (let i = 0; i < 8; i++) await rig.clock.advance(500)
}

/** Records that were found, and that a gap tells as lost [G7]. */
export async function foundButTold(rig: RecorderRig): Promise<string[]> {
  const gaps = gapsOf(rig), FRAGMENT_MS = 500
  const isTold = (startAt: number): boolean =>
    gaps.some(gap => startAt >= gap.start_at && startAt + FRAGMENT_MS <= (gap.end_at ?? Infinity))
  return (await rig.found()).filter(({ startAt }) => isTold(startAt)).map(({ name }) => name)
}

/**
 * In an outage of the catalogue a slot loses a fragment, its run goes on in another one, and the power goes;
 * the next recorder has started. Returns what was lost.
 */
export async function loseFragmentInOutage(
  rig: RecorderRig,
): Promise<{ readonly name: string, readonly startAt: number, readonly endAt: number }> {
  await rig.append(2)
  await rig.sync()
  rig.catalogueFaults.break({ kind: 'busy', lasts: true })
  const startAt = rig.nextAt
  await rig.append(1)
  const { name } = rig.appended.at(-1)!, endAt = rig.nextAt
  rig.fs.break({ step: 'append sync', mode: 'not-applied' })
  await rig.sync()
  await rig.append(2)
  await rig.sync()
  rig.freeze(rig.memory.afterPowerCut(() => 0.999)) // of what was not synced, nothing is there
  rig.catalogueFaults.heal()
  await rig.reopen()
  await rig.lane.recover()
  await settle(rig)
  return { name, startAt, endAt }
}

/**
 * A recorder that started goes on recording while its catalogue cannot be read, and then it can. Returns from
 * when on.
 */
export async function recordUnread(rig: RecorderRig): Promise<number> {
  rig.catalogueFaults.break({ kind: 'io-read', lasts: true })
  await rig.clock.advance(5_000)
  await rig.lane.recover()
  const from = rig.nextAt = rig.clock.wallNow()
  await rig.append(2)
  rig.catalogueFaults.heal()
  await settle(rig)
  await rig.recheck()
  return from
}

/** Starts, and records again. Returns from when on. */
export async function recordAgain(rig: RecorderRig, records: number): Promise<number> {
  await rig.restart()
  rig.lane.noteStarting()
  await rig.lane.recover()
  const from = rig.nextAt = rig.clock.wallNow()
  await rig.append(records)
  return from
}
