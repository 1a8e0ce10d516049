import t from 'tap'
import type { Test } from 'tap'

import { eventually, Machine, runToEnd } from '../support/systemd/machine.ts'
import { allRecording, CAMERAS, configText, installRecorder, journal, RECORDING_WITHIN_MS, SECRETS_FILE, startCameras, unitProperty as unit } from '../support/systemd/recorder-unit.ts'

const UNIT = new URL('../../systemd/custos.service', import.meta.url).pathname
const CONFIG_FILE = '/etc/custos/custos.yaml'
/** 1.5 with PrivateDevices, which keeps the recorder from starting on a full disk. */
const EXPOSURE_AT_MOST = 1.7
/** A busy host must not look like a hung recorder here. */
const WATCHDOG_S = 8
const SEALED_WITHIN_MS = 5_000

type ProcessRow = { pid: number, parent: number, user: string, name: string }

/** Resolves once systemd has started the recorder for the `count`th time after the first. Gives its process. */
async function restarted(machine: Machine, count: number): Promise<number> {
  return await eventually(`systemd restarts the recorder, time ${count}`, RECORDING_WITHIN_MS + WATCHDOG_S * 1000, async () =>
    await unit(machine, 'NRestarts') === `${count}` && await unit(machine, 'ActiveState') === 'active' ? Number(await unit(machine, 'MainPID')) : null,
  ).catch(async (error: unknown) => { throw new Error(await journal(machine), { cause: error }) })
}

async function processes(machine: Machine): Promise<ProcessRow[]> {
  const rows = await machine.must('ps', '-e', '-o', 'pid=,ppid=,user=,comm=')
  return rows.trim().split('\n').map(line => line.trim().split(/\s+/)).map(([pid, parent, user = '', name = '']) => ({ pid: Number(pid), parent: Number(parent), user, name }))
}

/** Every ffmpeg belongs to the recorder that runs now, one for each camera, and all of them to the account of the service. */
async function checkProcesses(t: Test, machine: Machine, recorder: number): Promise<ProcessRow[]> {
  const all = await processes(machine)
  const children = all.filter(row => row.name === 'ffmpeg')
  t.same(children.map(row => row.parent), CAMERAS.map(() => recorder), 'one ffmpeg a camera, none from before')
  t.same(new Set([...children, ...all.filter(row => row.pid === recorder)].map(row => row.user)), new Set(['custos']), 'the account of the service')
  return children
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''
const exposureOf = (text: string): number => Number(/exposure level for .*: ([\d.]+) /.exec(text)?.[1])

/** Process 0 is everybody of one's own group: a recorder that never started must not take the tests with it. */
function pidText(pid: number): string {
  if (pid <= 1) throw new Error('the recorder never started; see the test before')
  return String(pid)
}

t.test('the unit file exposes little', async t => {
  const { out, err } = await runToEnd('systemd-analyze', ['security', '--no-pager', '--offline=true', UNIT])
  t.ok(exposureOf(out) <= EXPOSURE_AT_MOST, `${lastLine(out)} ${err}`)
})

t.test('under a real systemd', async t => {
  const machine = await Machine.boot()
  t.teardown(() => machine[Symbol.asyncDispose]())
  await installRecorder(machine)
  await startCameras(machine)

  await t.test('the installer leaves compiled code for the account that will run it, and nobody else reads it', async t => {
    t.ok(Number((await machine.must('sh', '-c', 'find /var/cache/custos -type f -user custos | wc -l')).trim()) > 100)
    t.equal((await machine.must('stat', '--format', '%a %U', '/var/cache/custos')).trim(), '700 custos')
  })

  await t.test('a configuration that was never good is told, and tried again until it is mended', async t => {
    await machine.write(CONFIG_FILE, `${configText(SECRETS_FILE)}nonsense: 1\n`)
    t.not((await machine.run('systemctl', 'start', 'custos')).code, 0)
    t.equal(await unit(machine, 'ExecMainStatus'), '2')
    t.match(await journal(machine), 'nonsense', 'the journal names the setting')
    await eventually('systemd tries again', RECORDING_WITHIN_MS,
      async () => Number(await unit(machine, 'NRestarts')) > 0 ? true : null)
    await machine.write(CONFIG_FILE, configText(SECRETS_FILE))
    await allRecording(machine, new Date(0))
    await machine.must('systemctl', 'stop', 'custos')
  })

  await t.test('a configuration that is bad after a good one: the last good one records', async t => {
    await machine.write(CONFIG_FILE, `${configText(SECRETS_FILE)}nonsense: 1\n`)
    await machine.must('chmod', '644', SECRETS_FILE)
    const startedAt = new Date()
    t.equal((await machine.run('systemctl', 'start', 'custos')).code, 0)
    await allRecording(machine, startedAt)
    await eventually('systemctl status tells', RECORDING_WITHIN_MS,
      async () => /^critical: .*configuration/.test(await unit(machine, 'StatusText')) ? true : null)
    t.match(
      await machine.must('stat', '--format', '%a %U', '/var/lib/custos/last-good-config.json'), /600 custos/)
    await machine.must('chmod', '600', SECRETS_FILE)
    await machine.write(CONFIG_FILE, configText(SECRETS_FILE))
    await eventually('it is taken over', RECORDING_WITHIN_MS,
      async () => /configuration/.test(await unit(machine, 'StatusText')) ? null : true)
    await machine.must('systemctl', 'stop', 'custos')
  })

  let recorder = 0
  let before: ProcessRow[] = []
  await t.test('reports ready and records, unprivileged and confined', async t => {
    const started = await machine.run('systemctl', 'start', 'custos')
    t.equal(started.code, 0, `${started.err}\n${await journal(machine)}`)
    t.equal(await unit(machine, 'SubState'), 'running')
    await allRecording(machine, new Date(0))
    recorder = Number(await unit(machine, 'MainPID'))
    before = await checkProcesses(t, machine, recorder)
    for (const { pid } of [...before, { pid: recorder }]) {
      const facts = await machine.must('cat', `/proc/${pid}/status`, `/proc/${pid}/limits`)
      t.match(facts, /^CapBnd:\s+0+$/m, 'no capability')
      t.match(facts, /^NoNewPrivs:\s+1$/m)
      t.match(facts, /^Seccomp:\s+2$/m)
      t.match(facts, /^Max core file size +0 +0 /m)
      if (pid !== recorder) t.match(facts, /^Max address space +2147483648 /m, 'the limit of ffmpeg-child was taken')
    }
    t.equal((await machine.must('stat', '--format', '%U %a', '/var/lib/custos')).trim(), 'custos 700')
    const { out } = await machine.run('systemd-analyze', 'security', '--no-pager', 'custos')
    t.ok(exposureOf(out) <= EXPOSURE_AT_MOST, lastLine(out))
  })

  await t.test('work that goes behind recording can take its place behind it: lower priority is allowed, higher is not', async t => {
    const ours = (await machine.must('cat', '/etc/systemd/system/custos.service')).split('\n').filter(line => !/^(Type|Restart\w*|Watchdog\w*|Exec(Start|Stop)\w*|NotifyAccess|StartLimit\w*)=/.test(line)).join('\n')
    const said = 'nice -n 19 nice; ionice -c 2 -n 7 ionice; nice -n -5 nice; ionice -c 1 -n 0 ionice; exit 0'
    await machine.write('/etc/systemd/system/behind.service', ours.replace('[Service]', `[Service]\nType=oneshot\nExecStart=/bin/sh -c '${said}'`))
    await machine.must('systemctl', 'daemon-reload')
    await machine.must('systemctl', 'start', 'behind')
    const words = (await machine.must('journalctl', '--no-pager', '--output', 'cat', '_SYSTEMD_UNIT=behind.service', '_TRANSPORT=stdout')).trim().split('\n')
    t.match(words, ['19', 'best-effort: prio 7', /cannot set niceness/, '0', /ioprio_set failed/])
  })

  await t.test('a killed recorder is started again and records on, with its secrets as a systemd credential', async t => {
    await machine.must('chown', 'root:', '/etc/custos/secrets.yaml')
    await machine.write('/etc/custos/custos.yaml', configText('credential:secrets'))
    await machine.write('/etc/systemd/system/custos.service.d/test.conf', `[Service]\nLoadCredential=secrets:/etc/custos/secrets.yaml\nWatchdogSec=${WATCHDOG_S}\n`)
    await machine.must('systemctl', 'daemon-reload')
    const killedAt = new Date()
    await machine.must('kill', '-KILL', pidText(recorder))
    const next = await restarted(machine, 1)
    t.not(next, recorder)
    await allRecording(machine, killedAt)
    const children = await checkProcesses(t, machine, next)
    t.notOk(children.some(({ pid }) => before.some(old => old.pid === pid)), 'no ffmpeg outlived its recorder')
    t.equal(await unit(machine, 'NRestarts'), '1')
    recorder = next
    before = children
  })

  await t.test('a hung recorder is killed by the watchdog and records on', async t => {
    const stoppedAt = new Date()
    await machine.must('kill', '-STOP', pidText(recorder))
    const next = await restarted(machine, 2)
    t.not(next, recorder)
    t.match(await journal(machine), /Watchdog timeout/)
    await allRecording(machine, stoppedAt)
    await checkProcesses(t, machine, next)
    recorder = next
  })

  await t.test('a full disk under /tmp keeps no camera from being recorded', async t => {
    await machine.must('systemctl', 'stop', 'custos')
    const folders = ['/tmp', '/var/tmp']
    for (const folder of folders) {
      await machine.must('mount', '-t', 'tmpfs', '-o', 'size=4k,nr_inodes=1', 'tmpfs', folder)
      t.not((await machine.run('mkdir', `${folder}/one`)).code, 0)
    }
    const startedAt = new Date()
    t.equal((await machine.run('systemctl', 'start', 'custos')).code, 0)
    await allRecording(machine, startedAt)
    await machine.must('systemctl', 'stop', 'custos')
    for (const folder of folders) await machine.must('umount', folder)
    await machine.must('systemctl', 'start', 'custos')
    await allRecording(machine, new Date())
  })

  await t.test('a stop seals everything in time and leaves no process', async t => {
    const askedAt = performance.now()
    await machine.must('systemctl', 'stop', 'custos')
    const tookMs = Math.round(performance.now() - askedAt)
    t.ok(tookMs < SEALED_WITHIN_MS, `stopped within ${tookMs} ms`)
    t.equal(await unit(machine, 'Result'), 'success')
    t.equal(await unit(machine, 'ExecMainStatus'), '0')
    const said = await journal(machine)
    t.notMatch(said.slice(said.lastIndexOf('recorder stopping')), /run ended|storage refused|quarantined/, 'the end of each ffmpeg was taken as the stop it is')
    const footage = (await machine.must('custos', 'rescue', '--list', '--json', '/srv/custos/disk1')).trim().split('\n').map(line => JSON.parse(line) as { camera: string, sealed: boolean })
    t.same(new Set(footage.map(({ camera }) => camera)), new Set(CAMERAS))
    t.ok(footage.every(({ sealed }) => sealed), `all ${footage.length} segments are sealed`)
    t.same((await processes(machine)).filter(({ user, name }) => user === 'custos' || name === 'ffmpeg'), [])
  })
})
