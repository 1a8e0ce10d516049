import pino from 'pino'
import type { AuditEvent, EpochMs } from '../../src/domain/index.ts'
import { openCatalogue, type Catalogue } from '../../src/platform/catalogue.ts'
import { TrustedTime, type SyncAnswer } from '../../src/trusted-time/index.ts'
import { timeTables } from '../../src/trusted-time/tables.ts'
import { START } from '../support/recorder-rig.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000
export const SYNCED: SyncAnswer = { source: 'chrony', isSynchronised: true, referenceOffsetMs: 0.2 }
export const UNSYNCED: SyncAnswer = { source: 'chrony', isSynchronised: false, referenceOffsetMs: null }

/** A catalogue with trusted time over it, a machine that can be switched off, and a time service that says what it is told to. */
export class TimeBench {
  readonly clock = new VirtualClock(START)
  readonly entries: AuditEvent[] = []
  readonly catalogue: Catalogue
  sync = SYNCED
  bootId = 'boot-1'
  newest: EpochMs | null = null
  countsDays = false
  auditFails = false
  time!: TrustedTime

  constructor(folder: string) { this.catalogue = openCatalogue(folder, this.clock.wallNow()) }

  static async open(owner: { testdir(): string, teardown(work: () => unknown): void }, change: (bench: TimeBench) => void = () => undefined): Promise<TimeBench> {
    const bench = new TimeBench(owner.testdir())
    owner.teardown(() => { bench.catalogue[Symbol.dispose]() })
    change(bench)
    await bench.start()
    return bench
  }

  async start(): Promise<void> {
    this.time = await TrustedTime.open({
      db: this.catalogue.db, clock: this.clock, countsDays: this.countsDays, newestFootageAt: () => this.newest, log: pino({ level: 'silent' }),
      hostClock: { bootId: this.bootId, askSync: () => Promise.resolve(this.sync) },
      audit: { append: event => {
        if (this.auditFails) throw new Error('the audit log is full')
        JSON.stringify(event.detail, (_, value: unknown) => { if (typeof value === 'number' && !Number.isInteger(value)) throw new TypeError(`${value} has no canonical form`); return value })
        return { seq: this.entries.push(event) }
      } },
    })
    this.time.tick()
  }

  /** Running time, looked at once a second as the daemon does. */
  run(durationMs: number, wallDriftMs = 0): void {
    const steps = Math.min(Math.ceil(durationMs / 1000), 4000)
    for (let i = 0; i < steps; i++) {
      this.clock.drift(durationMs / steps, wallDriftMs / steps)
      this.time.tick()
      this.time.takeConfirmations()
    }
  }

  async restart(downMs = 2_000): Promise<void> {
    await this.time[Symbol.asyncDispose]()
    this.clock.drift(downMs, 0)
    await this.start()
  }

  /** Off for so long, another boot; `shownMs` is what the hardware clock says it was. */
  async powerOff(offMs: number, shownMs = offMs): Promise<void> {
    await this.time[Symbol.asyncDispose]()
    this.bootId = `boot-${Number(this.bootId.slice(5)) + 1}`
    this.clock.stepWall(shownMs)
    await this.start()
  }

  confirm(name: string, login = `login of ${name}`, at: { wallMs?: number, bootId?: string } = {}): number {
    const id = timeTables(this.catalogue.db).addConfirmation({ name, reason: 'the clock on the wall says so', login, wallMs: at.wallMs ?? this.clock.wallNow(), monoMs: this.clock.monoNow(), bootId: at.bootId ?? this.bootId })
    if (id === null) throw new Error('too many')
    return id
  }

  whyOf(id: number): string | null { return timeTables(this.catalogue.db).outcomeOf(id)?.why ?? null }
  actions(): string[] { return this.entries.map(({ action, result }) => result === 'done' ? action : `${action} ${result}`) }
}
