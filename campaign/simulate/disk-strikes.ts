import type { Dice } from './dice.ts'
import { SimDisk, type CallKind } from './disk.ts'
import type { VolumeSite } from './site.ts'
import type { World } from './world.ts'

const SECOND_MS = 1_000, MINUTE_MS = 60_000, HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS
/** A failed volume is to be probed at least once a minute. */
const TAKEN_BACK_MS = 90_000

interface Struck { readonly site: VolumeSite, readonly disk: SimDisk }

/** A volume whose own disk is in its place. */
function mounted(world: World, dice: Dice): Struck | null {
  const there = world.volumes.flatMap(site => site.home !== null && world.machine.mounts.get(site.path) === site.home ? [{ site, disk: site.home }] : [])
  return there.length === 0 ? null : dice.pick(there)
}
const shortOrLong = (dice: Dice, short: readonly [number, number], long: readonly [number, number], longShare: number): number =>
  dice.chance(longShare) ? dice.between(...long) : dice.between(...short)

const ail = (world: World, dice: Dice, forMs: number, strike: (struck: Struck, untilMs: number) => string): void => {
  const struck = mounted(world, dice)
  if (struck === null) return
  world.note(`${struck.disk.name} ${strike(struck, world.now + forMs)} for ${Math.round(forMs)} ms`)
  struck.disk.trouble.note(world.now)
  struck.disk.faults++
  world.unsettle(forMs + TAKEN_BACK_MS)
}

export function hang(world: World, dice: Dice): void {
  const isForGood = dice.chance(0.2)
  ail(world, dice, isForGood ? 20 * MINUTE_MS : dice.between(2, 60) * SECOND_MS, ({ disk }, until) => { disk.trouble.hungUntil = until; return 'hangs' })
  if (isForGood) world.queue.after(dice.between(1, 10) * MINUTE_MS, () => { world.cutPower(MINUTE_MS) }) // somebody reboots it
}

export const slow = (world: World, dice: Dice): void => {
  ail(world, dice, dice.between(20, 200) * SECOND_MS, ({ disk: { trouble } }, until) => {
    Object.assign(trouble, { slowUntil: until, slowMs: dice.between(200, 1500) })
    return `is slow by ${Math.round(trouble.slowMs)} ms`
  })
}

const FAULT_KINDS: readonly ReadonlySet<CallKind>[] = [
  new Set<CallKind>(['sync']), new Set<CallKind>(['write', 'sync', 'zero']), new Set<CallKind>(['read']), new Set<CallKind>(['read', 'write', 'sync', 'zero', 'open', 'list', 'text-read', 'text-write', 'look']),
]
export const errors = (world: World, dice: Dice): void => {
  ail(world, dice, shortOrLong(dice, [0.3 * SECOND_MS, 6 * SECOND_MS], [MINUTE_MS, 5 * MINUTE_MS], 0.15), ({ disk: { trouble } }, until) => {
    Object.assign(trouble, { faultyUntil: until, faultShare: dice.chance(0.5) ? 1 : dice.between(0.1, 0.8), faultKinds: dice.pick(FAULT_KINDS) })
    return `fails ${Math.round(trouble.faultShare * 100)} % of ${[...trouble.faultKinds].join(', ')}`
  })
}
export const readOnly = (world: World, dice: Dice): void => {
  ail(world, dice, dice.between(5, 300) * SECOND_MS, ({ disk }, until) => { disk.trouble.readOnlyUntil = until; return 'is read-only' })
}
export const full = (world: World, dice: Dice): void => {
  ail(world, dice, dice.between(1, 10) * MINUTE_MS, ({ disk }, until) => { disk.trouble.fullUntil = until; return 'is full' })
}

/** Says that it synced what it has not; then the power goes. */
export function lie(world: World, dice: Dice): void {
  const struck = mounted(world, dice)
  if (struck === null) return
  const forMs = dice.between(2, 12) * SECOND_MS
  struck.disk.trouble.lyingUntil = world.now + forMs
  struck.disk.faults++
  world.note(`${struck.disk.name} lies about syncs for ${Math.round(forMs)} ms`)
  world.unsettle(forMs)
  if (dice.chance(0.8)) world.queue.after(forMs * dice.between(0.5, 1.2), () => { world.cutPower(dice.between(20, 600) * SECOND_MS) })
}

export function unmount(world: World, { site, disk }: Struck): void {
  world.machine.mounts.set(site.path, null)
  disk.faults++
  world.unplug(disk)
  world.oracle.disks.setAway(disk, true)
  world.note(`${disk.name} is pulled at ${world.now}`)
}
export function mount(world: World, { site, disk }: Struck): void {
  world.machine.mounts.set(site.path, disk)
  world.oracle.disks.setAway(disk, false)
  disk.trouble.note(world.now)
  world.note(`${disk.name} is at ${site.path} at ${world.now}`)
  world.unsettle(TAKEN_BACK_MS)
}

export function pull(world: World, dice: Dice): void {
  const struck = mounted(world, dice)
  if (struck === null) return
  const forMs = shortOrLong(dice, [5 * SECOND_MS, 3 * MINUTE_MS], [HOUR_MS, 3 * DAY_MS], 0.35)
  unmount(world, struck)
  world.unsettle(forMs)
  world.queue.after(forMs, () => { if (struck.site.home === struck.disk) mount(world, struck) })
}

/**
 * A new disk under the old one's name, as soon as one was made ready: a power cut may end that, and the machine
 * may be off. The old one comes back after days, or never.
 */
export function swap(world: World, dice: Dice): void {
  const struck = mounted(world, dice)
  if (struck === null || world.volumes.filter(({ home }) => home !== null).length < 2) return
  unmount(world, struck)
  world.unsettle(TAKEN_BACK_MS)
  const returnsAfterMs = dice.chance(0.4) ? dice.between(0.1, 5) * DAY_MS : null
  const takesMs = dice.between(0.5, 10) * MINUTE_MS
  world.unsettle(takesMs)
  let isReady = false
  const makeReady = (): void => {
    if (isReady) return
    const fresh = new SimDisk(`${struck.disk.name}x${world.spareDisks++}`, world.oracle.disks)
    const folder = `/spare/${fresh.name}`
    world.machine.mounts.set(folder, fresh)
    world.initVolumeBeside(folder, struck.site.id, struck.disk.files.size, () => {
      isReady = true
      world.queue.after(takesMs, () => {
        world.machine.mounts.delete(folder)
        putInPlace(world, struck, fresh, returnsAfterMs)
      })
    })
    world.queue.after(HOUR_MS, () => {
      if (!isReady) world.machine.mounts.delete(folder)
      makeReady()
    })
  }
  makeReady()
}

function putInPlace(world: World, struck: Struck, fresh: SimDisk, returnsAfterMs: number | null): void {
  mount(world, { site: struck.site, disk: fresh })
  world.queue.after(returnsAfterMs ?? 0, () => {
    if (returnsAfterMs === null) {
      struck.site.home = fresh
      world.oracle.diskLost(struck.disk)
      world.stop(() => { world.start() }) // a new disk is taken into use by a start
      return
    }
    unmount(world, { site: struck.site, disk: fresh })
    world.oracle.diskLost(fresh)
    mount(world, struck)
    world.stop(() => { world.start() })
  })
}

/** A disk of another recorder, full of its footage, hangs under the mount point for a while. */
export function foreign(world: World, dice: Dice): void {
  const struck = mounted(world, dice)
  if (struck === null) return
  const other = new SimDisk(`${struck.disk.name}f${world.spareDisks++}`, world.oracle.disks)
  const image = struck.disk.image()
  const identity = JSON.parse(image.texts.get('custos-volume.json')!) as { uuid: string }
  other.restoreAs(image, 'custos-volume.json', `${JSON.stringify({ ...identity, uuid: Array.from(identity.uuid).reverse().join('') })}\n`)
  other.isForeign = true
  unmount(world, struck)
  const comesMs = dice.between(0.3, 5) * MINUTE_MS
  const forMs = shortOrLong(dice, [30 * SECOND_MS, 5 * MINUTE_MS], [HOUR_MS, DAY_MS], 0.5)
  world.unsettle(comesMs + forMs)
  world.queue.after(comesMs, () => {
    world.machine.mounts.set(struck.site.path, other)
    world.note(`${other.name}, of another recorder, is at ${struck.site.path}`)
  })
  world.queue.after(comesMs + forMs, () => {
    other.plugs++
    mount(world, struck)
  })
}

/**
 * Today's content comes back some weeks later, while the machine is off. A person rebuilds when the volume
 * is refused.
 */
export function image(world: World, dice: Dice): void {
  const struck = mounted(world, dice)
  if (struck === null) return
  const taken = struck.disk.image()
  world.note(`an image of ${struck.disk.name} is taken`)
  world.queue.after(dice.between(0.5, 20) * DAY_MS, () => {
    if (struck.site.home !== struck.disk || world.machine.mounts.get(struck.site.path) !== struck.disk || !world.machine.isOn) return
    world.cutPower(dice.between(1, 30) * MINUTE_MS, () => {
      struck.disk.restore(taken)
      struck.disk.faults++
      world.oracle.imageRestored(struck.disk)
      world.note(`the image of ${struck.disk.name} is restored`)
      world.needRebuild([struck.site], dice.between(0.05, 2) * DAY_MS)
    })
  })
}
