import { bootIdOf } from '../platform/boot-id.ts'
import { runProgram } from '../platform/child-process.ts'

/** What a time service says of the wall clock. */
export interface SyncAnswer {
  readonly source: 'chrony' | 'timesyncd' | 'none'
  /** Null: nobody can tell. */
  readonly isSynchronised: boolean | null
  /** Wall clock minus time server; null where the service does not tell. */
  readonly referenceOffsetMs: number | null
}

/** The host, as far as trusted time must know more of it than its clocks. */
export interface HostClock {
  /** The kernel's name of this boot. Running time of two processes compares only where it is the same. */
  readonly bootId: string
  /** Bounded in time; never throws. */
  askSync(): Promise<SyncAnswer>
}

/** Absolute paths; those left out are where Debian has them. */
export interface HostPrograms { readonly chronyc?: string | undefined, readonly timedatectl?: string | undefined }
const ANSWER_WITHIN_MS = 1_500
const MAX_ANSWER_BYTES = 8_192
export const NO_ANSWER: SyncAnswer = { source: 'none', isSynchronised: null, referenceOffsetMs: null }

/** Asks chrony first: it knows the offset. Both are asked at once, for a start must not wait for one after the other. */
export function openHostClock({ chronyc = '/usr/bin/chronyc', timedatectl = '/usr/bin/timedatectl' }: HostPrograms = {}): HostClock {
  return {
    bootId: bootIdOf(process.env),
    async askSync() {
      const [tracking, timedate] = await Promise.all([answerOf(chronyc, ['-n', '-c', 'tracking']), answerOf(timedatectl, ['show', '-p', 'NTPSynchronized', '-p', 'NTP'])])
      return (tracking === null ? null : parseTracking(tracking)) ?? (timedate === null ? null : parseTimedate(timedate)) ?? NO_ANSWER
    },
  }
}

/** Null when the program is absent, fails, or is too slow: then it has nothing to say. */
async function answerOf(program: string, args: readonly string[]): Promise<string | null> {
  const options = { timeout: ANSWER_WITHIN_MS, killSignal: 'SIGKILL', maxBuffer: MAX_ANSWER_BYTES, env: { LC_ALL: 'C' } } as const
  return await runProgram(program, args, options).then(({ stdout }) => stdout, () => null)
}

const TRACKING_FIELDS = 14
const UNSYNCHRONISED_STRATUM = 16
/** `local` in chrony.conf: no server answers, and chrony takes the clock for its own reference. */
const LOCAL_REFERENCE = /^7F7F01/

/** `chronyc -c tracking`: reference id, address, stratum, its time, system time offset in seconds (positive: the system is slow), ..., leap status. Null when it is not that. */
export function parseTracking(text: string): SyncAnswer | null {
  const fields = text.trim().split(',')
  if (fields.length !== TRACKING_FIELDS) return null
  const stratum = Number(fields[2])
  const slowSeconds = Number(fields[4])
  const leap = fields[13]!
  if (!Number.isInteger(stratum) || !Number.isFinite(slowSeconds) || leap === '') return null
  const isSynchronised = leap !== 'Not synchronised' && !LOCAL_REFERENCE.test(fields[0]!) && stratum > 0 && stratum < UNSYNCHRONISED_STRATUM
  return { source: 'chrony', isSynchronised, referenceOffsetMs: isSynchronised ? -slowSeconds * 1000 : null }
}

/** `timedatectl show`: the kernel's own flag, whoever keeps the clock. */
export function parseTimedate(text: string): SyncAnswer | null {
  const flag = /^NTPSynchronized=(yes|no)$/m.exec(text)?.[1]
  return flag === undefined ? null : { source: 'timesyncd', isSynchronised: flag === 'yes', referenceOffsetMs: null }
}
