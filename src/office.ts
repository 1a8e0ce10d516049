import { writeFileSync } from 'node:fs'
import { NO_GLASS, type OfficeFacts } from './domain/index.ts'
import { unopenedArchive } from './office/facts.ts'
import { FactsTeller } from './office/facts-teller.ts'
import type { LiveConfig } from './office/live-config.ts'
import { openOffice, type Office } from './office/open-office.ts'
import { linkedRecorder } from './office/recorder.ts'
import { aborted } from './platform/aborted.ts'
import type { Clock } from './platform/clock.ts'
import type { Logger } from './platform/logger.ts'
import { LatePart } from './platform/late-part.ts'
import { PartFaults } from './platform/part-faults.ts'

export { LiveConfig } from './office/live-config.ts'
export interface OfficeRunOptions {
  readonly config: LiveConfig
  readonly clock: Clock
  readonly log: Logger
}

/** When memory runs out, the kernel ends the office before the recorder. */
const OOM_SCORE = '500'

/**
 * The office, until `signal` aborts: a composition root of its own. It opens once the recorder has told the
 * time; an office that cannot be opened is tried again each minute, and says so through the recorder's health.
 */
export async function runOffice({ config, clock, log }: OfficeRunOptions, signal: AbortSignal): Promise<void> {
  endBeforeTheRecorder(log)
  await using parts = new AsyncDisposableStack()
  const faults = new PartFaults(clock)
  const recorder = linkedRecorder({ stateDir: config.now.state.dir, clock, log }, parts)
  let office: LatePart<Office> | null = null
  const unopened = (): OfficeFacts => ({
    auditFailedSince: null, glass: NO_GLASS, office: null,
    archive: office === null ? null : unopenedArchive(config.now.archive),
  })
  parts.use(FactsTeller.open({
    connection: recorder.connection, faults, clock, log,
    isOpen: () => office?.part != null, facts: () => office?.part?.facts() ?? unopened(),
  }))
  const stopped = aborted(signal)
  await Promise.race([recorder.time.told, stopped])
  if (signal.aborted) return
  office = parts.use(await LatePart.open({
    code: 'office-failed', faults, clock, log,
    open: () => openOffice({ config: () => config.now, recorder, faults, clock, log, signal }),
  }))
  log.info('office started')
  await stopped
  log.info('office stopping')
}

function endBeforeTheRecorder(log: Logger): void {
  try { writeFileSync('/proc/self/oom_score_adj', OOM_SCORE) } catch (error) {
    log.warn({ err: error }, 'when memory runs out, the office is not ended before the recorder')
  }
}
