import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import Database from 'better-sqlite3'
import pino from 'pino'
import t, { type Test } from 'tap'
import { loadStartConfig, type Config } from '../../src/config/index.ts'
import { ConfigReload, type ConfigReloadOptions } from '../../src/daemon/config-reload.ts'
import type { AuditEvent } from '../../src/domain/index.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { PartFaults } from '../../src/platform/part-faults.ts'

const LOOK_MS = 10_000
const cameraOf = (id: string): string =>
  `{ id: ${id}, name: ${id}, streams: { main: { url: "rtsp://10.0.0.11/${id}" } } }`
const FITS = { verdict: 'fits', lackingBytes: 0, keptDays: 60 } as never
const yamlOf = (cameras: readonly string[]): string => `
site: { name: 測試機關 }
state: { dir: /var/lib/custos-of-the-test }
volumes: [ { id: disk1, path: /srv/custos/disk1 } ]
cameras: [ ${cameras.map(cameraOf).join(', ')} ]
`
const busy = () => new Database.SqliteError('database is locked', 'SQLITE_BUSY')

/** A reload on a real file, with everything around it played by the test. */
async function reloaded(t: Test, more: Partial<ConfigReloadOptions> & { readonly isBadAtFirst?: true } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-reload-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const file = path.join(folder, 'custos.yaml')
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  const faults = new PartFaults(clock)
  const told: AuditEvent[] = [], applied: string[][] = [], kept: string[][] = [], logged: string[] = []
  const on = { apply: (): Promise<void> => Promise.resolve(), keep: (): Promise<void> => Promise.resolve() }
  const idsOf = ({ cameras }: Config) => cameras.map(({ id }) => id)
  writeFileSync(file, yamlOf(['lobby']))
  const start = await loadStartConfig(file)
  if (start.config === null) throw new Error('the first configuration is bad')
  const reload = new ConfigReload(start, {
    audit: { append: event => ({ seq: told.push(event) }) }, clock, faults,
    log: pino({}, { write: line => { logged.push(line) } }),
    decide: () => Promise.resolve(FITS),
    apply: async config => { applied.push(idsOf(config)); await on.apply() },
    keep: async ({ config }) => { kept.push(idsOf(config)); await on.keep() }, ...more,
  })
  await reload.start()
  const watching = reload.watch()
  t.teardown(async () => { await watching[Symbol.asyncDispose]() })
  /** Looks until `isSo`; reading files takes real time. */
  const until = async (what: string, isSo: () => boolean, stepMs = 1_000) => {
    for (let i = 0; i < 400 && !isSo(); i++) { await clock.advance(stepMs); await wait(5) }
    t.ok(isSo(), what)
  }
  const codes = () => faults.all().map(({ code }) => code)
  const notes = () => told.map(({ action, result }) => `${action} ${result}`)
  const write = (cameras: readonly string[]) => { writeFileSync(file, yamlOf(cameras)) }
  return { folder, file, clock, reload, on, applied, kept, logged, told, until, codes, notes, write }
}

t.test('a change that cannot be applied ends nothing, is told, and is tried again until it is', async t => {
  const rig = await reloaded(t)
  t.same([rig.applied, rig.kept], [[['lobby']], [['lobby']]])
  let failures = 3
  rig.on.apply = () => failures-- > 0 ? Promise.reject(busy()) : Promise.resolve()
  rig.write(['lobby', 'door'])
  await rig.until('a try', () => rig.applied.length > 1)
  await rig.until('it is told', () => rig.codes().includes('config-not-applied'))
  t.same(rig.reload.current.cameras.map(({ id }) => id), ['lobby'], 'in force is what was applied')
  t.same(rig.kept, [['lobby']], 'and kept is what was in force')
  await rig.until('applied', () => rig.reload.current.cameras.length === 2)
  t.same(rig.codes(), [])
  t.same(rig.applied.length, 5)
  t.same(rig.notes(), ['recorder.started done', 'config.changed done'], 'told once, when it is in force')
  await rig.until('kept', () => rig.kept.length === 2)
  t.equal(rig.logged.filter(line => line.includes('could not be applied')).length, 1, 'said once')
})

t.test('going back to what was in force undoes the half that was applied', async t => {
  const rig = await reloaded(t)
  rig.on.apply = () => Promise.reject(busy())
  rig.write(['lobby', 'door'])
  await rig.until('told', () => rig.codes().includes('config-not-applied'))
  rig.on.apply = () => Promise.resolve()
  const tries = rig.applied.length
  rig.write(['lobby'])
  await rig.until('applied again', () => rig.applied.length > tries && rig.codes().length === 0)
  t.same(rig.applied.at(-1), ['lobby'])
  t.same(rig.reload.current.cameras.map(({ id }) => id), ['lobby'])
})

t.test('a start whose configuration cannot be applied goes on and applies it later', async t => {
  let failures = 2
  const applied: number[] = []
  const rig = await reloaded(t, { apply: async ({ cameras }) => {
    applied.push(cameras.length)
    if (failures-- > 0) throw busy()
  } })
  t.same(rig.codes(), ['config-not-applied'])
  t.same(rig.notes(), ['recorder.started done'])
  await rig.until('applied', () => rig.codes().length === 0)
  t.same(applied, [1, 1, 1])
})

t.test('a fit that cannot be judged is judged at the next look', async t => {
  let failures = 1
  const rig = await reloaded(t, { decide: async () => {
    if (failures-- > 0) throw busy()
    return FITS
  } })
  failures = 1
  rig.write(['lobby', 'door'])
  await rig.until('taken over', () => rig.reload.current.cameras.length === 2)
})

t.test('an application that hangs is told', async t => {
  const rig = await reloaded(t)
  const hung = Promise.withResolvers<void>()
  rig.on.apply = () => hung.promise
  rig.write(['lobby', 'door'])
  await rig.until('it hangs', () => rig.applied.length === 2)
  rig.reload.view()
  t.same(rig.codes(), [])
  rig.clock.drift(61_000, 0)
  rig.reload.view()
  t.same(rig.codes(), ['config-not-applied'])
  hung.resolve()
  await rig.until('done', () => rig.codes().length === 0)
})

t.test('a copy that cannot be kept is told and tried again', async t => {
  const rig = await reloaded(t)
  rig.on.keep = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
  rig.write(['lobby', 'door'])
  await rig.until('told', () => rig.codes().includes('config-not-kept'))
  t.equal(rig.reload.current.cameras.length, 2, 'it is in force all the same')
  rig.on.keep = () => Promise.resolve()
  await rig.until('kept', () => rig.codes().length === 0, 10_000)
  t.same(rig.kept.at(-1), ['lobby', 'door'])
})

t.test('without a watch the file is looked at all the same; its folder may come and go', async t => {
  const rig = await reloaded(t, { watchFiles: () => {
    throw Object.assign(new Error('too many watches'), { code: 'ENOSPC' })
  } })
  t.match(rig.logged.join(''), /cannot be watched/)
  rig.write(['lobby', 'door'])
  await rig.until('taken over', () => rig.reload.current.cameras.length === 2, LOOK_MS)
  renameSync(rig.folder, `${rig.folder}-away`)
  await rig.until('refused', () => rig.reload.view() !== null, LOOK_MS)
  t.match(rig.reload.view(), { problems: 1, fromLastGood: false })
  const before = rig.told.length
  await rig.clock.advance(5 * LOOK_MS)
  t.equal(rig.told.length, before, 'one entry for one trouble')
  renameSync(`${rig.folder}-away`, rig.folder)
  rig.write(['lobby', 'door', 'gate'])
  await rig.until('taken over', () => rig.reload.current.cameras.length === 3 && rig.reload.view() === null,
    LOOK_MS)
})

t.test('a start with the last good configuration says so, and takes the file over once it is mended',
  async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'custos-reload-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const env = { STATE_DIRECTORY: path.join(folder, 'state') }
  const file = path.join(folder, 'etc', 'custos.yaml'), secrets = path.join(folder, 'etc', 'secrets.yaml')
  mkdirSync(path.join(folder, 'state'))
  mkdirSync(path.join(folder, 'etc'))
  const withAccount = (name: string) => yamlOf(['lobby'])
    .replace('/var/lib/custos-of-the-test', env.STATE_DIRECTORY)
    .replace('name: lobby,', `name: ${name}, credential: lobby,`)
  const yaml = (name: string) => `${withAccount(name)}secrets: { file: secrets.yaml }\n`
  const clock = new VirtualClock('2026-11-22T08:00:00.000Z')
  const told: AuditEvent[] = []
  const open = async () => {
    const start = await loadStartConfig(file, { env })
    if (start.config === null) throw new Error('nothing to start with')
    const reload = new ConfigReload(start, {
      audit: { append: event => ({ seq: told.push(event) }) }, clock, faults: new PartFaults(clock),
      log: pino({ level: 'silent' }), decide: () => Promise.resolve(FITS), apply: () => Promise.resolve(),
    })
    await reload.start()
    return { reload, watching: reload.watch() }
  }
  writeFileSync(secrets, 'lobby: { username: a, password: hunter2 }\n', { mode: 0o600 })
  writeFileSync(file, yaml('大廳'))
  const first = await open()
  await first.watching[Symbol.asyncDispose]()
  clock.stepWall(3_600_000)
  chmodSync(secrets, 0o644)
  const { reload, watching } = await open()
  t.teardown(async () => { await watching[Symbol.asyncDispose]() })
  t.match(reload.view(),
    { problems: 1, fromLastGood: true, inForceSince: Date.parse('2026-11-22T08:00:00.000Z') })
  t.match(told.map(({ action, result, detail }) =>
    [action, result, detail['fromLastGood'] ?? detail['lastGoodOf'] ?? null]), [
    ['recorder.started', 'done', null], ['config.changed', 'refused', true],
    ['recorder.started', 'done', '2026-11-22T08:00:00.000Z'],
  ])
  t.equal(reload.current.cameras[0]?.credential?.password, 'hunter2')
  const until = async (isSo: () => boolean) => {
    for (let i = 0; i < 400 && !isSo(); i++) { await clock.advance(1_000); await wait(5) }
  }
  chmodSync(secrets, 0o600)
  await until(() => reload.view() === null)
  t.equal(reload.view(), null, 'the mode alone was wrong')
  rmSync(file)
  await until(() => reload.view() !== null)
  t.match(reload.view(), { fromLastGood: false })
  writeFileSync(file, yaml('大門'))
  await until(() => reload.view() === null)
  t.equal(reload.current.cameras[0]?.name, '大門')
  t.notMatch(JSON.stringify(told), /hunter2/)
})
