import { writeFileSync } from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import t from 'tap'
import { stringify } from 'yaml'
import { timeConfirm, timeStatus } from '../../src/cli/time.ts'
import { AuditLog } from '../../src/audit/index.ts'
import { epochMs, type EpochMs, type MonoMs } from '../../src/domain/index.ts'
import { openCatalogue } from '../../src/platform/catalogue.ts'
import { systemClock, type Clock } from '../../src/platform/clock.ts'
import { TrustedTime, type HostClock } from '../../src/trusted-time/index.ts'

const DAY_MS = 86_400_000
const HOST: HostClock = { bootId: 'boot-1', askSync: () => Promise.resolve({ source: 'chrony', isSynchronised: true, referenceOffsetMs: 1.2 }) }

/** An office's state folder; the machine's wall clock can be set for it. */
class Site {
  aheadMs = 0
  text = ''
  readonly configFile: string
  readonly stateDir: string
  readonly clock: Clock = { wallNow: (): EpochMs => epochMs(Date.now() + this.aheadMs), monoNow: (): MonoMs => systemClock.monoNow(), wait: systemClock.wait }
  readonly hostClock = HOST
  readonly out = { write: (text: string) => { this.text += text } }

  constructor(folder: string) {
    this.configFile = path.join(folder, 'custos.yaml')
    this.stateDir = path.join(folder, 'state')
    writeFileSync(this.configFile, stringify({
      site: { name: '測試' }, state: { dir: this.stateDir }, volumes: [{ id: 'disk1', path: path.join(folder, 'disk1') }], inbox: 'off',
      cameras: [{ id: 'lobby', name: '大廳', streams: { main: { url: 'rtsp://127.0.0.1/s' } } }],
    }))
  }

  /** A recorder as far as time goes, until the test ends. */
  async recorder(owner: { teardown(work: () => unknown): void }): Promise<TrustedTime> {
    const catalogue = openCatalogue(this.stateDir, Date.now())
    const audit = new AuditLog({ db: catalogue.db, clock: this.clock })
    const time = await TrustedTime.open({ db: catalogue.db, audit, clock: this.clock, hostClock: HOST, newestFootageAt: () => null, countsDays: true, log: pino({ level: 'silent' }) })
    const stop = new AbortController()
    const running = time.run(stop.signal)
    owner.teardown(async () => { stop.abort(); await running; catalogue[Symbol.dispose]() })
    return time
  }

  async status(): Promise<[number, string]> { this.text = ''; return [await timeStatus(this), this.text] }
  async confirm(as: string, reason = '對過 117 報時'): Promise<[number, string]> { this.text = ''; return [await timeConfirm({ configFile: this.configFile, clock: this.clock, hostClock: HOST, out: this.out, as, reason }), this.text] }
}

t.test('status tells both clocks; two people set a wrong trusted time right beside the running recorder', { timeout: 30_000 }, async t => {
  const site = new Site(t.testdir())
  const time = await site.recorder(t)
  const [agreed, text] = await site.status()
  t.equal(agreed, 0)
  t.match(text, /一致[^]*chrony，已同步/)
  site.aheadMs = 30 * DAY_MS
  const [off, offText] = await site.status()
  t.equal(off, 1)
  t.match(offText, /30\.0 d[^]*不一致/)
  const first = site.confirm('王小明')
  await systemClock.wait(300)
  let said = ''
  const code = await timeConfirm({ configFile: site.configFile, clock: site.clock, hostClock: HOST, out: { write: text => { said += text } }, as: '李大同', reason: '同上' })
  t.equal(code, 0)
  t.match(said, /兩人確認完成[^]*30\.0 d/)
  t.equal((await first)[0], 0, 'the first one hears of it too')
  t.ok(Math.abs(time.now()! - site.clock.wallNow()) < 50)
  const [again, nothing] = await site.confirm('王小明')
  t.equal(again, 1)
  t.match(nothing, /nothing to confirm/)
})

t.test('alone, and without a recorder', { timeout: 30_000 }, async t => {
  const site = new Site(t.testdir())
  await t.rejects(site.status(), { code: 'CUSTOS_CATALOGUE_UNUSABLE' })
  const time = await site.recorder(t)
  site.aheadMs = 30 * DAY_MS
  const [code, text] = await site.confirm('王小明')
  t.equal(code, 0)
  t.match(text, /另一人須於 5 分鐘內/)
  t.equal(time.status().state, 'disagrees')
  const [same, why] = await site.confirm('王小明')
  t.equal(same, 1)
  t.match(why, /another person/)
})

t.test('names and reasons that cannot stand in the log are refused', async t => {
  const site = new Site(t.testdir())
  for (const [as, reason] of [['', 'x'], ['王小明', '  '], ['王\n小明', 'x'], ['王小明', 'x'.repeat(501)], ['王\u202e小明', 'x']] as const) {
    await t.rejects(site.confirm(as, reason), { code: 'CUSTOS_BAD_WORDS' })
  }
})
