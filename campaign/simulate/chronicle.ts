import { timeTables } from '../../src/trusted-time/index.ts'
import { Dice } from './dice.ts'
import { happeningsIn, WINDOWS_A_YEAR, type Happening } from './happenings.ts'
import { DAY_MS } from './oracle/calendar.ts'
import type { VolumeInPlace } from './oracle/catalogue-judge.ts'
import { identityOf } from './oracle/volume-files.ts'
import { rebuild } from './people.ts'
import { STRIKES } from './strikes.ts'
import { START, type World } from './world.ts'

const HOUR_MS = 3_600_000
/** Before a window everything that repeats each minute gets its turn. */
const WARM_UP_MS = 70_000
/** Who reads has begun to when the footage of the hours comes, and with it the turn of other slots. */
const READING_MS = 10_000
const PIECES = 4
const PIECE_MS = 500
/** Until what was sent last is stored and synced. */
const AFTERWARDS_MS = 3_500
/** While something is wrong, or has just been. */
const CRUISE_MS = 10_000
const LONGEST_MS = 12 * 60_000
const LONG_TROUBLE_MS = 2 * 60_000
/** The longest a stream's driver waits before it connects again, and some. */
const REACHED_MS = 20_000
const FORGOTTEN_AFTER_MS = 100 * DAY_MS

/**
 * Lets the years pass: twice a day some seconds of which every moment counts, and the hours between at
 * once.
 */
export class Chronicle {
  readonly #world: World
  readonly #without: ReadonlySet<string>
  #agreedSince: number | null = null
  constructor(world: World, without: ReadonlySet<string> = new Set()) {
    this.#world = world
    this.#without = without
  }

  async run(days: number): Promise<void> {
    const { queue } = this.#world
    const end = START + days * DAY_MS
    this.#world.start()
    for (let window = 0; queue.now < end; window++) await this.#window(window)
  }

  async #window(index: number): Promise<void> {
    const world = this.#world, { queue } = world
    const dice = new Dice(world.seed, `window ${index}`)
    const happenings = happeningsIn(world.seed, index, this.#without)
    const startAt = queue.now + dice.between(0.7, 1.3) * 365 * 24 / WINDOWS_A_YEAR * HOUR_MS
    queue.jumpTo(startAt - WARM_UP_MS)
    for (const each of happenings) if (each.kind === 'reader') this.#strike(each, startAt - READING_MS)
    await queue.runUntil(startAt)
    world.figures.windows++
    world.note(`window ${index} at ${startAt}`)
    this.#film(startAt, PIECES, PIECE_MS, dice)
    void world.recorder?.lookAtRing()
    for (const each of happenings) if (each.kind !== 'reader') this.#strike(each, startAt)
    await queue.runUntil(startAt + PIECES * PIECE_MS + 1_000)
    this.#attend(dice)
    await this.#cruise(startAt, dice)
    await queue.runUntil(queue.now + AFTERWARDS_MS)
    world.oracle.checkStored()
    const hasAgreed = this.#hasAgreedForADay()
    if (world.now >= world.unsettledUntil) this.#judge(startAt, hasAgreed)
    if (index % 2 === 0) world.recorder?.daily()
    if (index % 20 === 0) world.oracle.footage.forgetBefore(queue.now - FORGOTTEN_AFTER_MS)
  }

  #strike({ id, kind, offsetMs, dice }: Happening, from: number): void {
    const world = this.#world
    world.queue.at(from + offsetMs, () => {
      world.note(`* ${id}`)
      world.happened.push(id)
      STRIKES[kind](world, dice)
    })
  }

  #film(from: number, pieces: number, everyMs: number, dice: Dice): void {
    const { queue } = this.#world
    for (const stream of this.#world.streams) {
      const at = from + dice.between(0, everyMs)
      for (let i = 0; i < pieces; i++) queue.at(at + i * everyMs, () => { stream.film(queue.now, this.#world.sentBy(stream)) })
    }
  }

  /** As long as something is wrong and will soon be over, the cameras go on at a slower pace. */
  async #cruise(startAt: number, dice: Dice): Promise<void> {
    const world = this.#world, { queue } = world
    while (queue.now < world.unsettledUntil && queue.now < startAt + LONGEST_MS) {
      if (queue.now > startAt + LONG_TROUBLE_MS && world.unsettledUntil > startAt + LONGEST_MS) break // it lasts: the hours pass with it
      this.#film(queue.now, 1, CRUISE_MS, dice)
      await queue.runUntil(queue.now + CRUISE_MS)
    }
  }

  /** What people do who look at the machine now and then. */
  #attend(dice: Dice): void {
    const world = this.#world, { recorder, machine } = world
    const isThere = [...world.outOfStep].some(({ path, home }) => home !== null && machine.mounts.get(path) === home)
    if (world.rebuildDue !== null && world.now >= world.rebuildDue && isThere) {
      rebuild(world)
      return
    }
    if (recorder?.upSince == null || !dice.chance(0.2) || Math.abs(machine.wallOffsetMs) > 500) return
    if (recorder.time.status().waitingFor !== 'people') return
    world.unsettle(10_000)
    for (const name of ['first', 'second']) {
      world.runCommand('confirm', program => {
        const { db } = program.openCatalogue('beside')
        const { bootId } = machine.hostClock()
        const at = { wallMs: program.clock.wallNow(), monoMs: program.clock.monoNow(), bootId }
        return Promise.resolve(timeTables(db).addConfirmation({ name, reason: 'clock was compared', login: name, ...at }))
      }, () => undefined)
    }
  }

  /** Both clocks: nothing of the archive is let go while they disagree. */
  #hasAgreedForADay(): boolean {
    const { now, recorder, machine } = this.#world
    const isUp = recorder?.upSince != null
    const agree = isUp && recorder.time.status().state === 'agreed' && Math.abs(machine.wallOffsetMs) < 1_000
    this.#agreedSince = agree ? this.#agreedSince ?? now : null
    return this.#agreedSince !== null && now - this.#agreedSince > DAY_MS
  }

  /** Nothing has been wrong for a while: whatever does not fit now is the recorder's fault. */
  #judge(windowAt: number, hasAgreed: boolean): void {
    const world = this.#world, { recorder, machine, oracle } = world
    if (recorder?.upSince == null || recorder.upSince > world.now - 30_000) return
    const status = recorder.life.quietly(() => recorder.storage.volumeStatus())
    const volumes: VolumeInPlace[] = [], told: (typeof status)[number][] = []
    const faults = new Map<string, number>()
    let isAnyInStep = false
    for (const site of world.volumes) {
      const { id, path, home } = site
      const disk = machine.mounts.get(path) ?? null
      if (disk === null || disk.isForeign) continue
      // It may be refused, or not: footage that is found there is found.
      const isOutOfStep = world.outOfStep.has(site)
      // One that stands in for it is taken into use by the next start.
      isAnyInStep ||= disk === home && !isOutOfStep
      const identity = identityOf(disk)!
      const word = status.find(each => each.id === id)!
      faults.set(identity.uuid, disk.faults)
      if (disk === home && !isOutOfStep) told.push(word)
      volumes.push({ id, uuid: identity.uuid, disk, isInUse: word.state === 'ok' && !isOutOfStep })
    }
    if (!isAnyInStep) return
    world.figures.judged++
    const streams = world.streams.filter(stream => stream.isReachable && recorder.modeOf(stream) !== 'stopped' && stream.reachableSince < windowAt - REACHED_MS && (oracle.knownSince(stream.facts.device) ?? Infinity) < windowAt).map(stream => ({
      key: stream.key, since: windowAt, isRefused: stream.isRefused,
    }))
    if (recorder.upSince < world.now - DAY_MS && hasAgreed) oracle.archive.judge()
    oracle.judgeCalm({
      volumes: told, streams, hadFault: uuid => (faults.get(uuid) ?? 0) > 0, hasAgreed: hasAgreed && recorder.upSince < world.now - DAY_MS,
      configured: world.streams.filter(stream => stream.configuredAt < windowAt - WARM_UP_MS).map(({ key, facts: { device }, configuredAt: since }) => ({ key, device, since })),
      recording: world.streams.flatMap(({ facts: { camera, stream, device }, connectedAt }) => connectedAt === null ? [] : [{ camera, stream, device, connectedAt }]),
      refusedByRing: world.streams.filter(({ isRingFull }) => isRingFull).map(({ key }) => key),
    }, volumes)
  }
}
