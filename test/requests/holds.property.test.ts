import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { RetryableError } from '../../src/domain/index.ts'
import type { Acting } from '../../src/access/index.ts'
import { LinkClosedError } from '../../src/link/index.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { HoldKeeper, type Application } from '../../src/requests/index.ts'
import { newFolder } from '../storage/support/rebuilding.ts'
import { CLERK, done, FrontDesk, newKey, party, police } from './support/front-desk.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 20), SEED = Number(process.env['FC_SEED'] ?? Date.now() % 1_000_000)
const log = createLogger({ level: 'silent' })
const CALLS = ['cost', 'place', 'end', 'list'] as const
const FAULTS = ['fails', 'away', 'lost', 'twice', 'late', 'never'] as const
/** A step of the office waits for the recorder's word so long, and no longer. */
const LOOK_MS = 5_000
const LAST_MS = 13 * 3_600_000

type Happening =
  | { readonly kind: 'receive', readonly lines: 1 | 2 } | { readonly kind: 'withdraw', readonly which: number }
  | { readonly kind: 'fault', readonly call: (typeof CALLS)[number], readonly how: (typeof FAULTS)[number] }
  | { readonly kind: 'outage', readonly calls: number } | { readonly kind: 'office-killed' }
  | { readonly kind: 'late-come' } | { readonly kind: 'time', readonly ms: number }

/** What chance brings too seldom: the placing comes when nobody believes in it any more. */
const CROSSING: readonly Happening[] = [
  { kind: 'fault', call: 'place', how: 'late' }, { kind: 'receive', lines: 1 }, { kind: 'withdraw', which: -1 },
  { kind: 'time', ms: 65_000 }, { kind: 'time', ms: 65_000 }, { kind: 'late-come' },
]
const happenings = fc.tuple(fc.boolean(), fc.nat(14), fc.array(fc.oneof<fc.Arbitrary<Happening>[]>(
  fc.record({ kind: fc.constant('receive' as const), lines: fc.constantFrom(1 as const, 2 as const) }),
  fc.record({ kind: fc.constant('withdraw' as const), which: fc.nat(5) }),
  fc.record({ kind: fc.constant('fault' as const), call: fc.constantFrom(...CALLS), how: fc.constantFrom(...FAULTS) }),
  fc.record({ kind: fc.constant('fault' as const), call: fc.constantFrom(...CALLS), how: fc.constantFrom(...FAULTS) }),
  fc.record({ kind: fc.constant('outage' as const), calls: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('office-killed' as const) }), fc.record({ kind: fc.constant('late-come' as const) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1_000, 31_000, 65_000) }),
), { minLength: 3, maxLength: 14 })).map(([isCrossing, at, chance]) =>
  isCrossing ? chance.toSpliced(Math.min(at, chance.length), 0, ...CROSSING) : chance)

/** A recorder that answers as it is told to, over the office's own front desk. */
class Story {
  readonly #front: FrontDesk
  readonly #own: FrontDesk['port']
  readonly #planned = new Map<(typeof CALLS)[number], (typeof FAULTS)[number]>()
  readonly #late: (() => void)[] = []
  readonly #cases: { readonly application: Application, readonly lines: number }[] = []
  #outage = 0
  #acting: Acting | null = null
  #keeping: { readonly stop: AbortController, readonly done: Promise<void> }

  constructor(front: FrontDesk) {
    this.#front = front
    this.#own = { ...front.port }
    for (const call of CALLS) front.port[call] = ((body: unknown) => this.#asked(call, body)) as never
    this.#keeping = this.#keep(front.keeper)
  }

  #keep(keeper: HoldKeeper): { readonly stop: AbortController, readonly done: Promise<void> } {
    const stop = new AbortController()
    return { stop, done: keeper.run(stop.signal) }
  }

  async #asked(call: (typeof CALLS)[number], body: unknown): Promise<unknown> {
    const own = this.#own[call] as (body: unknown) => Promise<unknown>
    if (this.#outage > 0) {
      this.#outage--
      throw new LinkClosedError('the recorder is gone')
    }
    const how = this.#planned.get(call)
    this.#planned.delete(call)
    switch (how) {
      case undefined: return await own(body)
      case 'fails': throw new RetryableError('CUSTOS_CATALOGUE_FAULT', 'locked', { remedy: 'wait' })
      case 'away': throw new LinkClosedError('it ended before it was asked')
      case 'lost': await own(body); throw new LinkClosedError('it ended before it answered')
      case 'twice': await own(body); return await own(body)
      case 'never': return await new Promise(() => undefined)
      case 'late':
        await new Promise<void>(resolve => { this.#late.push(resolve) })
        return await own(body)
    }
  }

  async happens(what: Happening): Promise<void> {
    switch (what.kind) {
      case 'receive': {
        const answer = done(await this.#over(this.#front.desk.receive(await this.#clerk(), { key: newKey(), content: what.lines === 1 ? party() : police() })))
        this.#cases.push({ application: answer.application, lines: what.lines })
        break
      }
      case 'withdraw': {
        const [left] = this.#cases.splice(what.which < 0 ? -1 : what.which % Math.max(1, this.#cases.length), 1)
        if (left !== undefined) done(await this.#over(this.#front.desk.act(await this.#clerk(), left.application.number, { key: newKey(), command: { kind: 'withdraw', version: left.application.version, reason: '撤回' } })))
        break
      }
      case 'fault': this.#planned.set(what.call, what.how); break
      case 'outage': this.#outage = what.calls; break
      case 'late-come': for (const come of this.#late.splice(0)) come(); break
      case 'time': await this.#pass(what.ms); break
      case 'office-killed': {
        // What the old one asked goes on at the recorder; nobody hears of it.
        this.#keeping.stop.abort()
        const { office: { db, audit, clock }, port } = this.#front
        this.#keeping = this.#keep(new HoldKeeper({ db, audit, port, time: clock, clock, log }))
      }
    }
    await this.#turns()
  }

  /** Once nothing fails any more, and nobody does anything. */
  async end(): Promise<void> {
    this.#planned.clear()
    this.#outage = 0
    for (const come of this.#late.splice(0)) come()
    await this.#pass(LAST_MS)
    this.#keeping.stop.abort()
  }

  /** What a page may call held without being right: none. */
  untrue(): number {
    return this.#count(`SELECT count(*) FROM case_hold WHERE state = 'held'
      AND hold_id NOT IN (SELECT hold_id FROM hold WHERE ended_at IS NULL)`)
  }

  wrong(): readonly string[] {
    const wanted = this.#cases.reduce((sum, { lines }) => sum + lines, 0)
    const figures = {
      'held of what is wanted': [this.#count('SELECT count(*) FROM hold WHERE ended_at IS NULL'), wanted],
      'rows held': [this.#count("SELECT count(*) FROM case_hold WHERE state = 'held'"), wanted],
      'rows unsettled': [this.#count("SELECT count(*) FROM case_hold WHERE state IN ('wanted', 'ending')"), 0],
      'entries of placing': [this.#count("SELECT count(*) FROM audit_entry WHERE action = 'hold.placed'"), this.#count('SELECT count(*) FROM hold')],
      'entries of ending': [this.#count("SELECT count(*) FROM audit_entry WHERE action = 'hold.ended'"), this.#count('SELECT count(*) FROM hold WHERE ended_at IS NOT NULL')],
      'holds nobody knows': [this.#count('SELECT count(*) FROM unknown_hold WHERE gone_at IS NULL'), 0],
    }
    return Object.entries(figures).filter(([, [found, due]]) => found !== due)
      .map(([what, [found, due]]) => `${what}: ${found}, not ${due}`)
  }

  async #clerk(): Promise<Acting> { return this.#acting ??= await this.#front.as(...CLERK) }

  #count(sql: string): number { return this.#front.office.db.prepare<[], number>(sql).pluck().get()! }

  async #over<Result>(step: Promise<Result>): Promise<Result> {
    let isOver = false
    void step.finally(() => { isOver = true }).catch(() => undefined)
    await this.#turns()
    for (let n = 0; !isOver && n < 40; n++) {
      await this.#front.office.clock.advance(LOOK_MS)
      await this.#turns()
    }
    return await step
  }

  async #pass(ms: number): Promise<void> {
    const { clock } = this.#front.office, stepMs = Math.max(1_000, ms / 200)
    for (let passed = 0; passed < ms; passed += stepMs) {
      await clock.advance(stepMs)
      await this.#turns(8)
    }
  }

  async #turns(count = 40): Promise<void> { for (let n = 0; n < count; n++) await turn() }
}

t.test(`whatever fails, comes late or dies: in the end the recorder holds what cases want, no more and no less (seed ${SEED})`, { timeout: 220_000 }, async t => {
  await fc.assert(fc.asyncProperty(happenings, async what => {
    const parts: (() => unknown)[] = []
    const front = await FrontDesk.open({ testdir: () => newFolder(t), teardown: (work: () => unknown) => { parts.push(work) } } as unknown as Test)
    try {
      const story = new Story(front)
      for (const each of what) {
        await story.happens(each)
        if (story.untrue() > 0) throw new Error(`${story.untrue()} are told to be held and are not, after ${JSON.stringify(each)}`)
      }
      await story.end()
      if (story.wrong().length > 0) throw new Error(story.wrong().join('; '))
    } finally { for (const work of parts.reverse()) await work() }
  }), { numRuns: RUNS, seed: SEED })
  t.pass(`${RUNS} stories`)
})
