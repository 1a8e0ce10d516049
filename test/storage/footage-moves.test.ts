import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { epochMs } from '../../src/domain/index.ts'
import { openCatalogue, type Catalogue } from '../../src/platform/catalogue.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { keepUntil, type FloorRule } from '../../src/retention/index.ts'
import { FootageMoves } from '../../src/storage/footage-moves.ts'
import { RowQueue } from '../../src/storage/row-queue.ts'
import { FaultyCatalogue } from '../support/faulty-catalogue.ts'
import { FLOOR_31_DAYS } from '../support/recorder-rig.ts'
import { seeded } from '../support/recorder/seeded.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

const START = Date.parse('2026-11-22T08:00:00.000Z'), MINUTE_MS = 60_000, DAY_MS = 86_400_000
/** Footage keeps the floor that it was recorded under. */
const RULES = ['31d Asia/Taipei', '62d Asia/Taipei']
const floorOf = (slot: number): FloorRule => ({ ...FLOOR_31_DAYS, floor: { kind: 'calendar-days', days: slot % 2 === 0 ? 31 : 62 } })
const log = createLogger({ level: 'silent' })

/** The recorder's part of a catalogue, which can be given up at any moment and begun anew. */
class Site {
  readonly #catalogue: Catalogue
  readonly #clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  moves!: FootageMoves
  /** Of the part's own connection; the test looks past it. */
  faults!: FaultyCatalogue
  constructor(t: Test) {
    const folder = mkdtempSync('/dev/shm/custos-moves-')
    this.#catalogue = openCatalogue(folder, epochMs(START))
    t.teardown(async () => {
      await this.moves.stop()
      this.#catalogue[Symbol.dispose]()
      rmSync(folder, { recursive: true })
    })
    this.#catalogue.db.pragma('foreign_keys = OFF')
    this.begin()
  }
  begin(): void {
    this.faults = new FaultyCatalogue()
    const catalogue: Catalogue = { ...this.#catalogue, db: this.faults.wrap(this.#catalogue.db) }
    const rows = new RowQueue({ catalogue, audit: { append: () => ({ seq: 0 }) }, clock: this.#clock, log })
    this.moves = new FootageMoves({ catalogue, rows, floor: FLOOR_31_DAYS, log, rowsAtOnce: 3 })
  }
  clear(): void { this.#catalogue.db.exec('DELETE FROM segment; DELETE FROM footage_move') }
  insert(slot: number, newestAt: number | null): void {
    const at = newestAt ?? START
    this.#catalogue.db.prepare(`INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at, floor_rule, end_at, keep_until, records, merkle_root, sealed_at, newest_at)
      VALUES ('v', ?, 1, 'c', 'main', ?, ?, ?, ?, ?, ?, ?, ?)`).run(slot, at, RULES[slot % 2], ...newestAt === null ? [null, null, null, null, null, null] : [at, keepUntil(floorOf(slot), epochMs(at)), 1, 'f'.repeat(64), at, at])
  }
  seal(slot: number, newestAt: number): void {
    this.#catalogue.db.prepare("UPDATE segment SET end_at = ?, newest_at = ?, keep_until = ?, records = 1, merkle_root = ?, sealed_at = ? WHERE slot = ?").run(newestAt, newestAt, keepUntil(floorOf(slot), epochMs(newestAt)), 'f'.repeat(64), newestAt, slot)
  }
  /** False: the catalogue did not take it, and nothing of it was done. */
  act(since: number, byMs: number): boolean {
    try {
      this.#catalogue.db.transaction(() => { this.moves.add(epochMs(since), byMs) })()
      return true
    } catch { return false }
  }
  undoneAct(since: number, byMs: number): void {
    this.#catalogue.db.transaction(() => {
      this.moves.add(epochMs(since), byMs)
      throw new Error('planted')
    })()
  }
  stands(): { slot: number, newest_at: number | null, keep_until: number | null }[] {
    return this.#catalogue.db.prepare<[], { slot: number, newest_at: number | null, keep_until: number | null }>('SELECT slot, newest_at, keep_until FROM segment ORDER BY slot').all()
  }
  /** From now on the catalogue contradicts every row that moves. */
  contradict(): void {
    this.#catalogue.db.exec("CREATE TRIGGER planted BEFORE UPDATE ON segment BEGIN SELECT RAISE(ABORT, 'planted'); END")
  }
  get left(): number { return this.#catalogue.db.prepare<[], { n: number }>('SELECT count(*) AS n FROM footage_move').get()!.n }
}
/** It cannot be read whether more is to be moved. */
const WHAT_IS_LEFT = 'SELECT move_id, since_at, by_ms FROM footage_move ORDER BY move_id'
const turn = () => new Promise(resolve => { setImmediate(resolve) })

type Deed = { readonly kind: 'advance', readonly sinceMin: number, readonly byMin: number } | { readonly kind: 'record' | 'open' | 'seal' | 'kill' | 'turn' | 'sick' | 'well' }
const deed = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), sinceMin: fc.nat(60), byMin: fc.integer({ min: 1, max: 5000 }) }) },
  { weight: 7, arbitrary: fc.constantFrom<Deed>({ kind: 'record' }, { kind: 'open' }, { kind: 'seal' }, { kind: 'kill' }, { kind: 'turn' }, { kind: 'sick' }, { kind: 'well' }) },
)

const runs = seeded(t, 300)
t.test('sealed footage moves with every advance, once, whatever is recorded, sealed and killed between the steps [G1]', async t => {
  const site = new Site(t)
  await fc.assert(fc.asyncProperty(fc.nat(12), fc.array(deed, { maxLength: 25 }), async (before, deeds) => {
    await site.moves.stop()
    site.clear()
    site.begin()
    /** What each slot's newest frame stands at when all has moved; of an open one its footage so far. */
    const wanted: number[] = [], open = new Set<number>()
    let now = START
    const record = (): void => { wanted.push(now += MINUTE_MS); site.insert(wanted.length - 1, now) }
    for (let i = 0; i < before; i++) record()
    for (const each of deeds) {
      if (each.kind === 'advance') {
        const since = START + each.sinceMin * MINUTE_MS, byMs = each.byMin * MINUTE_MS
        if (!site.act(since, byMs)) continue
        for (const [slot, at] of wanted.entries()) if (at >= since) wanted[slot] = at + byMs
        now += byMs
      } else if (each.kind === 'record') record()
      else if (each.kind === 'open') { open.add(wanted.length); wanted.push(now += MINUTE_MS); site.insert(wanted.length - 1, null) }
      else if (each.kind === 'seal') {
        const [slot] = open
        if (slot !== undefined) { open.delete(slot); site.seal(slot, wanted[slot]!) }
      } else if (each.kind === 'kill') { await site.moves.stop(); site.begin() }
      else if (each.kind === 'sick') site.faults.break({ kind: 'io-read', at: WHAT_IS_LEFT, lasts: true })
      else if (each.kind === 'well') site.faults.heal()
      else await turn()
      for (const row of site.stands()) {
        if (row.newest_at !== null && site.moves.latestOf(epochMs(row.newest_at)) < wanted[row.slot]!) return false // might be reused too early
      }
    }
    site.faults.heal()
    if (site.left > 0) { await site.moves.stop(); site.begin() }
    for (let i = 0; i < 100 && site.left > 0; i++) await turn()
    return site.left === 0 && site.stands().every(row => row.newest_at === null ? open.has(row.slot)
      : row.newest_at === wanted[row.slot] && row.keep_until === keepUntil(floorOf(row.slot), epochMs(row.newest_at)))
  }), runs)
})

t.test('an act that is undone moves nothing, and nothing is kept longer for it', async t => {
  const site = new Site(t)
  for (let slot = 0; slot < 9; slot++) site.insert(slot, START + slot * MINUTE_MS)
  const before = site.stands()
  t.throws(() => { site.undoneAct(START, DAY_MS) }, { message: 'planted' })
  for (let i = 0; i < 10; i++) await turn()
  t.same(site.stands(), before)
  t.equal(site.moves.latestOf(epochMs(START)), START)
})

t.test('what is no fault of the catalogue ends the steps once, and they are not begun again by themselves', async t => {
  const site = new Site(t)
  for (let slot = 0; slot < 9; slot++) site.insert(slot, START + slot * MINUTE_MS)
  const told: string[] = [], others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', error => { told.push((error as Error).message) })
  t.teardown(() => {
    process.removeAllListeners('unhandledRejection')
    for (const listener of others) process.on('unhandledRejection', listener)
  })
  t.ok(site.act(START, DAY_MS))
  site.contradict()
  for (let i = 0; i < 10; i++) await turn()
  t.same(told, ['planted'])
  t.ok(site.left > 0, 'the next start goes on with them')
})
