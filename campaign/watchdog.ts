import { setTimeout as wait } from 'node:timers/promises'
import { Machine } from '../test/support/systemd/machine.ts'
import { allRecording, configText, installRecorder, journal, SECRETS_FILE, startCameras, unitProperty } from '../test/support/systemd/recorder-unit.ts'

export interface WatchdogOptions {
  readonly minutes: number
  readonly watchdogS: number
  /** Processes beside the recorder that never rest. */
  readonly burners: number
}

/** A word may be late by two of its six turns, not by more. */
const WORST_SHARE = 0.5
const SAMPLE_MS = 250
const DROP_IN = '/etc/systemd/system/custos.service.d/watchdog.conf'
const TRACE = '/root/words'

const config = `${configText(SECRETS_FILE)}retention: { floor: "5m" }\n` // a run of any length fits into the small ring

async function burn(machine: Machine, burners: number): Promise<void> {
  const unit = '[Service]\nExecStart=/bin/sh -c "while :; do :; done"\n'
  for (let i = 0; i < burners; i++) await machine.write(`/etc/systemd/system/burner${i}.service`, unit)
  await machine.must('systemctl', 'daemon-reload')
  for (let i = 0; i < burners; i++) await machine.must('systemctl', 'start', `burner${i}`)
}

/** The process that speaks for the recorder; null while there is none. */
async function helperOf(machine: Machine): Promise<number | null> {
  const { out } = await machine.run('pgrep', '--full', '/opt/custos/libexec/systemd-words')
  const pid = Number(out.trim().split('\n')[0])
  return Number.isInteger(pid) && pid > 0 ? pid : null
}

/** Follows what the helper sends, as the kernel sees it. */
async function traceWords(machine: Machine, helper: number): Promise<void> {
  await machine.must('systemd-run', '--unit=words', '--collect', 'strace', '-qq', '-s', '300', '-e', 'trace=sendto', '-o', TRACE, '-p', String(helper))
}

const countIn = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length

/**
 * The real unit under a real systemd, beside processes that never rest. Counts the words that the recorder's helper sent (strace), those that systemd
 * took for the recorder's (its debug log), and the longest time between two of them (WatchdogTimestampMonotonic). Resolves with whether none was lost.
 */
export async function watchdogCampaign({ minutes, watchdogS, burners }: WatchdogOptions): Promise<boolean> {
  await using machine = await Machine.boot()
  await installRecorder(machine)
  await machine.write('/etc/custos/custos.yaml', config)
  await machine.write(DROP_IN, `[Service]\nWatchdogSec=${watchdogS}\n`)
  await startCameras(machine)
  await burn(machine, burners)
  await machine.must('systemctl', 'start', 'custos')
  await allRecording(machine, new Date(0))
  const recorder = Number(await unitProperty(machine, 'MainPID')), helper = await helperOf(machine)
  if (helper === null) throw new Error(`nobody speaks for the recorder\n${await journal(machine)}`)
  await machine.must('systemctl', 'log-level', 'debug') // systemd tells each word it takes
  await traceWords(machine, helper)
  await wait(1_000)
  const seen = new Set<number>()
  console.log(`watchdog: WatchdogSec=${watchdogS}, ${burners} busy processes, ${minutes} minutes`)
  for (const until = performance.now() + minutes * 60_000; performance.now() < until; await wait(SAMPLE_MS)) {
    seen.add(Number(await unitProperty(machine, 'WatchdogTimestampMonotonic')))
  }
  await machine.must('systemctl', 'stop', 'words')
  const sent = countIn(await machine.must('cat', TRACE), /sendto\(\d+, "[^"]*WATCHDOG=1[^\n]*\) = \d+$/gm)
  const said = await machine.must('journalctl', '--no-pager', '--output', 'cat', 'UNIT=custos.service', '_PID=1')
  const received = countIn(said, new RegExp(`Got notification message from PID ${helper} .*WATCHDOG=1`, 'g'))
  const restarts = Number(await unitProperty(machine, 'NRestarts')), isSame = Number(await unitProperty(machine, 'MainPID')) === recorder && await helperOf(machine) === helper
  const times = [...seen].filter(us => us > 0).sort((a, b) => a - b)
  const worstMs = Math.max(0, ...times.slice(1).map((us, i) => (us - times[i]!) / 1000))
  await allRecording(machine, new Date(Date.now() - 10_000))
  const isWell = sent > 0 && received >= sent && restarts === 0 && isSame && worstMs <= watchdogS * 1000 * WORST_SHARE
  console.log(`watchdog: ${sent} words sent, ${received} received; ${times.length} seen in WatchdogTimestampMonotonic, at most ${Math.round(worstMs)} ms apart`)
  console.log(`watchdog: NRestarts=${restarts}, ${isSame ? 'the same recorder and helper to the end' : 'recorder or helper was replaced'}, both cameras recorded`)
  if (!isWell) console.log(await journal(machine))
  console.log(isWell ? 'watchdog: no word was lost' : 'watchdog: NOT well')
  return isWell
}
