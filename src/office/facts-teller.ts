import { MOST_LOST_ITEMS, type Ask, type OfficeFactsMessage } from '../link/index.ts'
import type { Clock } from '../platform/clock.ts'
import { FailureLog } from '../platform/failure-log.ts'
import type { Logger } from '../platform/logger.ts'
import { ConnectedLoop, type RecorderConnection } from '../recorder-client/index.ts'
import type { ArchiveView, OfficeFacts, OfficeView } from '../domain/index.ts'
import type { PartFaults } from '../platform/part-faults.ts'

const TELL_EVERY_MS = 10_000
/** What people wait for at a start is told sooner: whether the office is open. */
const FIRST_MS = 500
/** A reason that changed is worth a word at once; looked at so often. */
const LOOK_EVERY_MS = 1_000

export interface FactsTellerOptions {
  readonly connection: Pick<RecorderConnection, 'ask' | 'onConnected'>
  /** A change of this, or of the faults, is told at once. */
  readonly isOpen: () => boolean
  readonly facts: () => OfficeFacts
  readonly faults: PartFaults
  readonly clock: Clock
  readonly log: Logger
}

/** Tells the recorder, which answers for health, how the office stands: each ten seconds, and when a fault comes or goes. */
export class FactsTeller implements AsyncDisposable {
  readonly #options: FactsTellerOptions
  readonly #failures: FailureLog
  readonly #telling: ConnectedLoop

  private constructor(options: FactsTellerOptions) {
    this.#options = options
    const { connection, clock, log } = options
    this.#failures = new FailureLog({
      clock, log, failed: 'the recorder is not told how the office stands',
      recovered: 'the recorder is told how the office stands',
    })
    this.#telling = new ConnectedLoop(connection, signal => this.#run(signal))
  }
  static open(options: FactsTellerOptions): FactsTeller { return new FactsTeller(options) }

  async #run(signal: AbortSignal): Promise<void> {
    const { connection, clock, isOpen, faults } = this.#options
    for (let last = '', dueMono = 0; !signal.aborted;) {
      try {
        const text = `${isOpen()} ${JSON.stringify(faults.all())}`
        if (text !== last || clock.monoNow() >= dueMono) {
          await connection.ask('office.facts', this.#message())
          dueMono = clock.monoNow() + TELL_EVERY_MS
          last = text
        }
        this.#failures.success()
      } catch (error) { if (!signal.aborted) this.#failures.failure({ err: error }) }
      await clock.wait(last === '' ? FIRST_MS : LOOK_EVERY_MS, signal)
    }
  }

  #message(): Ask<'office.facts'> {
    const { facts, faults } = this.#options, { office, archive, ...told } = facts()
    return {
      ...told, office: office === null ? null : boundedOffice(office),
      archive: archive === null ? null : boundedArchive(archive),
      faults: faults.all().flatMap(({ code, since, values = {} }) => isOurs(code) ? [{ code, since, values }] : []),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> { await this.#telling[Symbol.asyncDispose]() }
}

/** Within the bounds of the message: what does not fit would make the office look dead. */
const MOST_YEARS = 10, MOST_TEXT_CHARS = 2_000

function boundedOffice(office: OfficeView): NonNullable<OfficeFactsMessage['office']> {
  const { calendarMissing, book } = office
  return {
    ...office, calendarMissing: calendarMissing.slice(0, MOST_YEARS),
    book: { ...book, unsignedDays: Math.max(0, book.unsignedDays) }, // a clock may be set back
  }
}

function boundedArchive(archive: ArchiveView): NonNullable<OfficeFactsMessage['archive']> {
  const { detail, next, lost, fullInDays } = archive
  return {
    ...archive, detail: detail.slice(0, MOST_TEXT_CHARS), next: [...next],
    fullInDays: fullInDays === null ? null : Math.max(0, fullInDays),
    lost: lost.slice(0, MOST_LOST_ITEMS).map(item => ({ ...item, what: item.what.slice(0, MOST_TEXT_CHARS) })),
  }
}

type OwnCode = OfficeFactsMessage['faults'][number]['code']
const OWN_CODES: readonly string[] = ['console-failed', 'office-failed', 'upkeep-failed'] satisfies OwnCode[]
const isOurs = (code: string): code is OwnCode => OWN_CODES.includes(code)
