import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import t, { type Test } from 'tap'
import { OfficeProcess } from '../../src/daemon/office-process.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { until } from '../support/until.ts'
import { PartFaults } from '../../src/platform/part-faults.ts'

/** A program in the office's place: `script` is run by a shell. Waits are a hundredth as long. */
function office(t: Test, script: string) {
  const folder = t.testdir(), said: string[] = [], faults = new PartFaults(systemClock)
  const clock = { ...systemClock, wait: (ms: number, signal?: AbortSignal) => systemClock.wait(ms / 100, signal) }
  const log = pino({ level: 'info' }, { write: (line: string) => { said.push(line) } })
  const running = OfficeProcess.start({
    program: '/bin/sh', args: ['-c', script], env: { ...process.env, FOLDER: folder }, fault: faults.teller('office-failed'),
    clock, random: () => 0.5, log,
  })
  const file = (name: string): string => path.join(folder, name)
  const read = (name: string): string => { try { return readFileSync(file(name), 'utf8') } catch { return '' } }
  return { running, faults, said, file, read }
}

t.test('it is started again after each end, and health tells while it does not run', async t => {
  const { running, faults, said, read } = office(t, 'echo x >> $FOLDER/starts; test -e $FOLDER/well && exec cat; exit 3')
  await using _ = running
  await until('three starts', () => read('starts').length >= 6)
  t.match(said.join(''), /"how":"exit code 3"/)
  t.match(said.join(''), /the office ended and is started again/)
  writeFileSync(path.join(t.testdirName, 'well'), '')
  const starts = running.starts
  await until('one that stays', () => running.pid !== null && running.starts > starts)
  t.same(faults.all(), [])
})

t.test('killed, it comes back as another process', async t => {
  const { running } = office(t, 'exec cat')
  await using _ = running
  await until('it runs', () => running.pid !== null)
  const { pid } = running
  process.kill(pid!, 'SIGKILL')
  await until('another one', () => running.pid !== null && running.pid !== pid)
  t.equal(running.starts, 2)
})

t.test('what cannot be started is tried again and told', async t => {
  const faults = new PartFaults(systemClock), said: string[] = []
  await using running = OfficeProcess.start({
    program: path.join(t.testdir(), 'nothing'), args: [], env: {}, fault: faults.teller('office-failed'), random: () => 0.5,
    clock: { ...systemClock, wait: (ms, signal) => systemClock.wait(ms / 100, signal) },
    log: pino({ level: 'info' }, { write: (line: string) => { said.push(line) } }),
  })
  await until('it is told', () => faults.all().length === 1)
  t.equal(running.pid, null)
  t.match(said.join(''), /could not be started: spawn .* ENOENT/)
})

t.test('it is asked to end with the recorder, and made to when it does not', async t => {
  const polite = office(t, "trap 'echo bye > $FOLDER/bye; exit 0' TERM; echo up > $FOLDER/up; while :; do sleep 0.05; done")
  await until('it runs', () => polite.read('up') !== '')
  await polite.running[Symbol.asyncDispose]()
  t.equal(polite.read('bye'), 'bye\n')
  t.equal(polite.running.pid, null)
  const deaf = office(t, "trap '' TERM; echo up > $FOLDER/deaf; while :; do sleep 0.05; done")
  await until('it runs', () => deaf.read('deaf') !== '' && deaf.running.pid !== null)
  const { pid } = deaf.running
  await deaf.running[Symbol.asyncDispose]()
  t.throws(() => process.kill(pid!, 0), { code: 'ESRCH' })
})
