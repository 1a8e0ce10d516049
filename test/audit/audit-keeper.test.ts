import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import t, { type Test } from 'tap'
import {
  AuditKeeper, AuditLog, checkpointTable, giveUpReserve, noteEvent, parseCheckpoints, verifyAuditLog,
  type Checkpoint, type WitnessChannel, type WitnessSettings,
} from '../../src/audit/index.ts'
import { realFileSystem, type VolumeFileSystem } from '../../src/platform/file-system.ts'
import { dropGuards, event, fill, openLog, START, type LogRig } from './support/log.ts'

const LOOPS = 2
const HOUR_MS = 3_600_000
const WITNESS: WitnessSettings = { syslog: null, command: null, print: false }

/** Brings checkpoints nowhere; fails as often as it is told to. */
class RecordingChannel implements WitnessChannel {
  readonly how = 'command'
  readonly got: Checkpoint[] = []
  failing = false
  tries = 0
  async deliver(checkpoint: Checkpoint): Promise<{ ok: true } | { ok: false, why: string }> {
    this.tries += 1
    if (this.failing) return { ok: false, why: 'exit 75: no route to host' }
    this.got.push(checkpoint)
    return { ok: true }
  }
}

interface KeeperRig extends LogRig { keeper: AuditKeeper, channel: RecordingChannel, logged: string[] }

async function kept(t: Test, more: { rig?: LogRig, witness?: WitnessSettings | null, channels?: WitnessChannel[], fs?: VolumeFileSystem, onRoom?: () => void } = {}): Promise<KeeperRig> {
  const rig = more.rig ?? openLog(t), channel = new RecordingChannel(), logged: string[] = []
  const logger = pino({ level: 'debug' }, { write: line => { logged.push(line) } })
  const keeper = AuditKeeper.open({
    db: rig.db, log: rig.log, stateDir: rig.folder, witness: more.witness === undefined ? WITNESS : more.witness, timezone: 'Asia/Taipei', fs: more.fs ?? realFileSystem, clock: rig.clock, logger, channels: more.channels ?? [channel], onRoom: more.onRoom ?? (() => undefined),
  })
  t.teardown(() => keeper[Symbol.asyncDispose]())
  await rig.clock.settle(LOOPS)
  return { ...rig, keeper, channel, logged }
}

/** Long times pass asleep but for their last ten seconds, as far as nothing is counted in between. */
async function passes(rig: KeeperRig, ms: number, { awake = ms <= 60_000 } = {}): Promise<void> {
  if (!awake) rig.clock.drift(ms - 10_000, 0)
  await rig.clock.advance(awake ? ms : 10_000)
  await rig.clock.settle(LOOPS)
}

const reasonsIn = ({ db }: LogRig): string[] => db.prepare<[], string>('SELECT reason FROM audit_checkpoint ORDER BY checkpoint_id').pluck().all()

t.test('a checkpoint at the first start, on each local day, every 10,000 entries and at the end', async t => {
  const rig = await kept(t)
  t.same(reasonsIn(rig), ['start', 'day'])
  await passes(rig, 7 * HOUR_MS) // 23:00 in Taipei
  t.same(reasonsIn(rig), ['start', 'day'])
  await passes(rig, HOUR_MS + 5_000)
  t.same(reasonsIn(rig), ['start', 'day', 'day'])
  t.match(checkpointTable(rig.db).newestDay(), { day: '2026-11-23' })
  fill({ ...rig, clock: openLog(t).clock }, 10_000)
  await passes(rig, 5_000)
  t.same(reasonsIn(rig).slice(3), ['entries'])
  await rig.keeper[Symbol.asyncDispose]()
  t.same(reasonsIn(rig).slice(4), [], 'nothing new since')
  const again = await kept(t, { rig })
  rig.log.append(event())
  await again.keeper[Symbol.asyncDispose]()
  t.same(reasonsIn(rig).slice(4), ['stop'])
  t.match(verifyAuditLog(rig.db), { fault: null, checkpoints: 5 })
})

t.test('each day\'s checkpoint leaves once, and what left is an entry', async t => {
  const rig = await kept(t)
  await passes(rig, 60_000)
  t.equal(rig.channel.got.length, 1)
  t.match(rig.log.get(2), { action: 'checkpoint.witnessed', object: '1', actor: { kind: 'system' }, detail: /"how":"command"/ })
  t.match(rig.keeper.witnessView(), { configured: true, lastAt: Date.parse(START), lastSize: 1, overdueSince: null })
  await passes(rig, 24 * HOUR_MS)
  t.same(rig.channel.got.map(({ size }) => size), [1, 2])
  t.match(verifyAuditLog(rig.db, rig.channel.got), { fault: null, outsideSize: 2 })
})

t.test('what cannot leave is tried again, ever more slowly, and is overdue after 36 hours', async t => {
  const channel = new RecordingChannel()
  channel.failing = true
  const rig = await kept(t, { channels: [channel] })
  await passes(rig, 59_000)
  t.equal(channel.tries, 1)
  await passes(rig, 6_000)
  t.equal(channel.tries, 2)
  await passes(rig, 6 * HOUR_MS, { awake: true })
  t.ok(channel.tries <= 4 + 6, `${channel.tries} tries in six hours`)
  t.match(rig.logged.filter(line => line.includes('could not leave'))[0], /no route to host/)
  t.equal(rig.keeper.witnessView().overdueSince, null)
  await passes(rig, 31 * HOUR_MS)
  t.equal(rig.keeper.witnessView().overdueSince, Date.parse(START))
  channel.failing = false
  await passes(rig, HOUR_MS)
  t.match(rig.keeper.witnessView(), { overdueSince: null })
  t.equal(channel.got.length, 1, 'the newest is enough: it covers those before')
  t.equal(channel.got[0]?.size, rig.log.size() - 1)
})

t.test('where people print, a long weekend is no alarm', async t => {
  const rig = await kept(t, { channels: [], witness: { ...WITNESS, print: true } })
  await passes(rig, 4 * 24 * HOUR_MS)
  t.match(rig.keeper.witnessView(), { configured: true, lastAt: null, overdueSince: null })
  await passes(rig, 25 * HOUR_MS)
  t.equal(rig.keeper.witnessView().overdueSince, Date.parse(START))
  t.match((await kept(t, { channels: [], witness: null })).keeper.witnessView(), { configured: false, overdueSince: null })
})

t.test('real programs: a mail hook, one that fails, one that is not there', async t => {
  const folder = t.testdir({})
  const file = path.join(folder, 'mail')
  for (const [command, expected] of [[['/bin/sh', '-c', `cat > ${file}`], 1], [['/bin/false'], 0], [['/nonexistent'], 0]] as const) {
    const own = openLog(t)
    const logged: string[] = []
    const keeper = AuditKeeper.open({ ...own, log: own.log, stateDir: own.folder, witness: { ...WITNESS, command }, timezone: 'Asia/Taipei', fs: realFileSystem, logger: pino({}, { write: line => { logged.push(line) } }) })
    await own.clock.settle(LOOPS)
    t.equal(own.db.prepare('SELECT count(*) FROM audit_witness').pluck().get(), expected, command.join(' '))
    t.equal(logged.some(line => line.includes('could not leave')), expected === 0)
    if (expected === 1) t.match(parseCheckpoints(readFileSync(file, 'utf8')), [{ body: checkpointTable(own.db).newestDay()!.body, signature: Buffer }])
    await keeper[Symbol.asyncDispose]()
  }
})

t.test('a disk that fills up: the reserve is given up, and comes back', async t => {
  let freeBytes = 1 << 30
  const fs: VolumeFileSystem = { ...realFileSystem, freeBytes: async () => freeBytes }
  const rig = await kept(t, { fs })
  const reserve = path.join(rig.folder, 'audit-reserve')
  t.equal(statSync(reserve).size, 16 << 20)
  t.equal(rig.keeper.auditView().reserve, 'kept')
  freeBytes = 0
  rig.db.exec('VACUUM') // pages that the migrations left free
  rig.db.pragma(`max_page_count = ${String(rig.db.pragma('page_count', { simple: true }))}`)
  t.throws(() => rig.log.append(event({ detail: { long: 'x'.repeat(60_000) } })), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  t.throws(() => statSync(reserve), { code: 'ENOENT' }, 'at once')
  t.match(rig.keeper.auditView(), { state: 'failed', failedSince: rig.clock.wallNow(), reserve: 'used' })
  rig.db.pragma('max_page_count = 100000')
  await passes(rig, 5_000)
  t.match(rig.keeper.auditView(), { state: 'ok', failedSince: null, reserve: 'used' }, 'within seconds, by itself')
  freeBytes = 1 << 30
  await passes(rig, 5_000)
  t.equal(rig.keeper.auditView().reserve, 'kept')
  await rig.keeper[Symbol.asyncDispose]()
  truncateSync(reserve, 5)
  const again = await kept(t, { rig, fs })
  t.equal(statSync(reserve).size, 16 << 20, 'half of one is made whole')
  t.equal(again.keeper.auditView().reserve, 'kept')
})

t.test('a start on a full disk gives the reserve up at its first write, and events of the start are told afterwards', async t => {
  const rig = openLog(t)
  const first = await kept(t, { rig })
  await first.keeper[Symbol.asyncDispose]()
  const reserve = path.join(rig.folder, 'audit-reserve')
  t.ok(existsSync(reserve))
  rig.log.append(event())
  const limit = (pages: number) => { rig.db.pragma(`max_page_count = ${pages}`) }
  rig.db.exec('VACUUM')
  limit(Number(rig.db.pragma('page_count', { simple: true })))
  const big = event({ detail: { long: '滿'.repeat(20_000) } })
  t.throws(() => rig.log.append(big), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  const again = await kept(t, { rig })
  t.throws(() => rig.log.append(big), { code: 'CUSTOS_AUDIT_UNWRITABLE' })
  t.notOk(existsSync(reserve), 'before anybody looked whether it was whole')
  t.equal(again.keeper.auditView().reserve, 'used')
  noteEvent(rig.log, pino({ level: 'silent' }), big)
  limit(100_000)
  await passes(again, 5_000)
  t.match(rig.log.get(rig.log.size())?.detail, /happenedAt/)
  t.notOk(giveUpReserve(path.join(rig.folder, 'nowhere')), 'nothing to give')
})

t.test('a disk without room for a reserve is told, and has room for all else while the log can be written', async t => {
  let rooms = 0
  const fs = { ...realFileSystem, freeBytes: async () => 10 << 20 }
  const rig = await kept(t, { fs, onRoom: () => { rooms++ } })
  t.equal(rig.keeper.auditView().reserve, 'absent')
  t.equal(rooms, 1)
  rig.db.pragma('query_only = ON')
  await passes(rig, 40_000)
  t.equal(rig.keeper.auditView().state, 'failed')
  const before = rooms
  await passes(rig, 10_000)
  t.equal(rooms, before)
  rig.db.pragma('query_only = OFF')
  await passes(rig, 5_000)
  t.equal(rooms, before + 1)
})

t.test('a log that cannot be written or signed keeps nobody from starting', async t => {
  const own = openLog(t)
  writeFileSync(path.join(own.folder, 'keys'), 'in the way')
  own.db.pragma('query_only = ON')
  const rig = await kept(t, { rig: own })
  t.match(rig.keeper.auditView(), { state: 'failed', key: 'unusable' })
  own.db.pragma('query_only = OFF')
  await passes(rig, 5_000)
  t.match(rig.keeper.auditView(), { state: 'ok', key: 'unusable', entries: 2 })
})

t.test('entries that are gone are noticed when the next checkpoint is due', async t => {
  const own = openLog(t)
  fill(own, 600)
  const rig = await kept(t, { rig: own })
  dropGuards(rig.db)
  rig.db.exec('DELETE FROM audit_entry WHERE seq BETWEEN 550 AND 560')
  await passes(rig, 24 * HOUR_MS)
  t.equal(rig.keeper.auditView().isWhole, false)
  t.equal(rig.logged.filter(line => line.includes('no checkpoint can be made')).length, 1, 'said once')
})

t.test('a database that cannot even be read is a failed log, not an exception', async t => {
  const rig = await kept(t)
  const { entries } = rig.keeper.auditView()
  await rig.keeper[Symbol.asyncDispose]()
  rig.db.close()
  t.match(rig.keeper.auditView(), { state: 'failed', entries, failedSince: rig.clock.wallNow() })
  t.match(rig.keeper.witnessView(), { configured: true })
})

t.test('a log given to nobody keeps working alone', async t => {
  const { db, clock, folder } = openLog(t)
  new AuditLog({ db, clock }).append(event())
  rmSync(path.join(folder, 'keys'), { force: true, recursive: true })
  t.match(verifyAuditLog(db), { entries: 1, fault: null })
})
