import type { Dice } from './dice.ts'
import * as disk from './disk-strikes.ts'
import type { HappeningKind } from './happenings.ts'
import * as people from './people.ts'
import type { World } from './world.ts'

const SECOND_MS = 1_000, MINUTE_MS = 60_000, HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS, YEAR_MS = 365 * DAY_MS
/** About as many calls as a window makes. */
const CALLS = 500

function doom(world: World, dice: Dice, how: 'kill' | 'power-cut'): void {
  const life = world.recorder?.life
  if (life === undefined) return
  life.doom = { atCall: life.calls + dice.whole(1, dice.chance(0.3) ? 40 : CALLS), how, side: dice.chance(0.5) ? 'before' : 'after' }
}

/** The time service, or a person, puts the wall clock right again. */
const putClockRight = (world: World, afterMs: number): void => {
  world.queue.after(afterMs, () => { world.setClock(0, true) })
}

const CLOCK = {
  stepped(world: World, dice: Dice): void {
    const byMs = (dice.chance(0.6) ? dice.between(1, 3600) * SECOND_MS : dice.between(0.5, 60) * DAY_MS) * (dice.chance(0.5) ? 1 : -1)
    world.setClock(world.machine.wallOffsetMs + byMs, dice.pick([true, true, false, null]))
    putClockRight(world, dice.between(0.02, 3) * DAY_MS)
  },
  unsynchronised(world: World, dice: Dice): void {
    world.machine.isSynchronised = dice.pick([false, null])
    putClockRight(world, dice.between(0.5, 8) * DAY_MS)
  },
  /** The hardware clock begins at 1970, or is years off, when the power comes back. */
  wrongAtBoot(world: World, dice: Dice, offsetMs: (now: number) => number): void {
    world.cutPower(dice.between(0.01, 40) * HOUR_MS, () => {
      world.machine.wallOffsetMs = offsetMs(world.now)
      world.machine.isSynchronised = dice.pick([false, null])
      putClockRight(world, dice.between(0.01, 40) * HOUR_MS)
    })
  },
  /**
   * A time server is ahead by days and says that it is right: to a machine that runs, or to one that is
   * started again and again and is told more each time.
   */
  liedTo(world: World, dice: Dice): void {
    putClockRight(world, dice.between(0.5, 2) * DAY_MS)
    if (dice.chance(0.4)) {
      world.setClock(world.machine.wallOffsetMs + dice.between(1, 6.9) * DAY_MS, true)
      return
    }
    for (let boot = 0, atMs = 0; boot < 6; boot++, atMs += dice.between(15, 60) * MINUTE_MS) {
      const byMs = dice.between(4, 6.9) * DAY_MS
      world.queue.after(atMs, () => {
        world.cutPower(dice.between(1, 5) * MINUTE_MS, () => {
          world.machine.wallOffsetMs += byMs
          world.machine.isSynchronised = true
        })
      })
    }
  },
  /** The time service is heard only a day after the boot: what was recorded meanwhile is of doubtful time. */
  offForDays(world: World, dice: Dice): void {
    world.cutPower(dice.chance(0.8) ? dice.between(1, 6.5) * DAY_MS : dice.between(8, 30) * DAY_MS, () => {
      world.machine.isSynchronised = false
      putClockRight(world, dice.between(0.02, 1.5) * DAY_MS)
    })
  },
}

const CATALOGUE = {
  locked(world: World, dice: Dice): void {
    const forMs = dice.chance(0.7) ? dice.between(0.2, 20) * SECOND_MS : dice.between(1, 10) * MINUTE_MS
    world.ailCatalogue('locked', forMs, trouble => { trouble.lockedUntil = world.now + forMs })
  },
  full(world: World, dice: Dice): void {
    const forMs = dice.chance(0.7) ? dice.between(5, 600) * SECOND_MS : dice.between(1, 5) * HOUR_MS
    world.ailCatalogue('full', forMs, trouble => { trouble.fullUntil = world.now + forMs })
  },
  errors(world: World, dice: Dice): void {
    const forMs = dice.between(0.2, 10) * SECOND_MS
    world.ailCatalogue('failing', forMs, trouble => { Object.assign(trouble, { ioErrorUntil: world.now + forMs, ioErrorShare: dice.between(0.05, 1) }) })
  },
}

const CAMERA = {
  unreachable(world: World, dice: Dice): void {
    const stream = dice.pick(world.streams)
    stream.isReachable = false
    stream.hangUp(dice.pick(['closed-by-camera', 'stalled']))
    world.queue.after(dice.chance(0.7) ? dice.between(0.2, 30) * SECOND_MS : dice.between(0.01, 3) * DAY_MS, () => {
      stream.isReachable = true
      stream.reachableSince = world.now
    })
  },
  flaps(world: World, dice: Dice): void {
    const stream = dice.pick(world.streams)
    for (let i = 0, at = 0; i < 6; i++, at += dice.between(100, 1200)) {
      world.queue.after(at, () => {
        stream.hangUp('closed-by-camera')
        stream.reachableSince = world.now
      })
    }
  },
  rate(world: World, dice: Dice): void {
    const stream = dice.pick(world.streams)
    stream.rate = dice.pick([10, 10, 5, 0.1])
    world.queue.after(dice.between(0.3, 4) * DAY_MS, () => { stream.rate = 1 })
  },
  picture(world: World, dice: Dice): void { dice.pick(world.streams).width = 64 + dice.whole(0, 15) },
}

/** What each happening does. Whatever follows from one belongs to it, so a replay can leave it out. */
export const STRIKES: Readonly<Record<HappeningKind, (world: World, dice: Dice) => void>> = {
  'kill': (world, dice) => { doom(world, dice, 'kill') },
  'power cut': (world, dice) => { doom(world, dice, 'power-cut') },
  'restart': world => { world.stop(() => { world.start() }) },
  'reboot': world => { world.stop(() => { world.cutPower(MINUTE_MS) }) },
  'disk hangs': disk.hang, 'disk is slow': disk.slow, 'disk errors': disk.errors, 'disk read-only': disk.readOnly, 'disk full': disk.full,
  'disk pulled': disk.pull, 'disk lies': disk.lie, 'disk swapped': disk.swap, 'foreign disk': disk.foreign, 'disk image': disk.image,
  'catalogue locked': CATALOGUE.locked, 'catalogue full': CATALOGUE.full, 'catalogue errors': CATALOGUE.errors,
  'catalogue lost': people.loseCatalogue, 'catalogue backup': people.restoreBackup,
  'clock stepped': CLOCK.stepped, 'clock unsynchronised': CLOCK.unsynchronised, 'off for days': CLOCK.offForDays,
  'time server lies': CLOCK.liedTo,
  'clock battery dead': (world, dice) => { CLOCK.wrongAtBoot(world, dice, now => -now + dice.between(0, 1) * DAY_MS) },
  'clock years off': (world, dice) => { const offsetMs = dice.pick([-2, -1, 1, 10]) * YEAR_MS; CLOCK.wrongAtBoot(world, dice, () => offsetMs) },
  'floor changed': (world, dice) => { world.floorDays = dice.pick([31, 31, 31, 33, 36, 45]); world.note(`floor ${world.floorDays} d`); world.stop(() => { world.start() }) },
  'camera added': people.addCamera, 'camera removed': people.removeCamera, 'camera exchanged': people.exchangeCamera,
  'camera unreachable': CAMERA.unreachable, 'camera flaps': CAMERA.flaps, 'camera rate': CAMERA.rate, 'camera picture': CAMERA.picture,
  'hold placed': people.placeHold, 'hold ended': people.endHold, 'reader': people.readOldest, 'copy archived': people.archiveCopy,
}
