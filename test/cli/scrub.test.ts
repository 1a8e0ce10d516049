import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { scrub } from '../../src/cli/scrub.ts'
import { epochMs } from '../../src/domain/index.ts'
import { connectLink, type Ask, type Handlers, type LinkPeer, type LinkServer } from '../../src/link/index.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { log, Stranger } from '../link/support.ts'
import { until } from '../support/until.ts'
import { Office, SLOT_BYTES, spoken } from './support/office.ts'
import { serveBadLine, serveRecorder } from './support/serve-recorder.ts'

const AT = epochMs(Date.parse('2026-11-22T08:00:00.000Z'))
const FOUND = { code: 1, text: /lobby\/main .* disk1\/0\/1 {2}影像內容已改變.*\n.*\n2 segments .* 1 findings/ }
const SOUND = { code: 0, text: /2 segments .* 0 findings/ }

/** Two sealed segments of one camera. */
async function recorded(t: Test): Promise<Office> {
  const office = await Office.open(t.testdir({}), { cameras: ['lobby'] })
  await office.record('lobby', AT, 14)
  return office
}
async function scrubbed(office: Office, options: Partial<Parameters<typeof scrub>[0]> = {}) {
  const out = spoken()
  const all = { volume: undefined, camera: undefined, from: undefined, to: undefined, json: false }
  return { code: await scrub({ configFile: office.configFile, ...all, ...options, out }), text: out.text() }
}
function flip(office: Office, slot = 0, at = 250_000): void {
  const file = openSync(office.slotFile(slot), 'r+'), byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte[0]! ^= 1
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}
function inCatalogue<Result>(office: Office, use: (db: Database.Database) => Result): Result {
  const db = new Database(path.join(office.stateDir, 'catalogue.db'))
  try { return use(db) } finally { db.close() }
}
const rowsOf = <Row>(office: Office, sql: string): Row[] =>
  inCatalogue(office, db => db.prepare<[], Row>(sql).all())
const FINDINGS = 'SELECT kind, slot, cleared_at FROM scrub_finding'
const ENTRIES = "SELECT action FROM audit_entry WHERE action LIKE 'segment.r%' ORDER BY seq"
const findings = (office: Office) => rowsOf<{ readonly cleared_at: number | null }>(office, FINDINGS)
const entries = (office: Office) =>
  rowsOf<{ readonly action: string }>(office, ENTRIES).map(({ action }) => action)
/** As the ring gives a slot to another use: the row ends before the first byte changes. */
function overwrite(office: Office, slot = 0): void {
  inCatalogue(office, db => { db.prepare('UPDATE segment SET ended_at = 1 WHERE slot = ?').run(slot) })
  const file = openSync(office.slotFile(slot), 'r+')
  writeSync(file, Buffer.alloc(SLOT_BYTES))
  closeSync(file)
}
const ask = (office: Office): Promise<LinkPeer | null> =>
  connectLink({ folder: office.stateDir, role: 'command', version: '1.0.0', clock: systemClock, log })
const volumeOf = (office: Office): string =>
  rowsOf<{ readonly uuid: string }>(office, 'SELECT uuid FROM volume')[0]!.uuid
const fault = (n = 0) =>
  ({ kind: 'record' as const, fromAt: AT + n, toAt: AT + n + 1, firstRecord: n, records: 1 })

t.test('rot, its end and filters are told alike by a running recorder and without one', async t => {
  const scene = async (office: Office) => {
    const said = [await scrubbed(office)]
    flip(office)
    const late = { from: '2026-11-22T16:00:06+08:00' }
    for (const filter of [{}, { json: true }, { camera: 'gate' }, late, { volume: 'disk1' }]) {
      said.push(await scrubbed(office, filter))
    }
    flip(office)
    said.push(await scrubbed(office))
    const told = said.map(({ code, text }) => `${code} ${text.replaceAll(/"cameraUuid":"[0-9a-f]+"/g, '')}`)
    return { said: told, findings: findings(office), entries: entries(office) }
  }
  const alone = await scene(await recorded(t)), asked: string[] = []
  const office = await Office.open(t.testdir({}), { cameras: ['lobby'] })
  await office.record('lobby', AT, 14)
  const noted = (own: Handlers): Handlers => ({
    'scrub.segments': (...given) => { asked.push('scrub.segments'); return own['scrub.segments']!(...given) },
    'scrub.finding': (...given) => { asked.push('scrub.finding'); return own['scrub.finding']!(...given) },
  })
  await serveRecorder(t, office, noted)
  const running = await scene(office)
  t.match(alone.said[0], SOUND.text)
  t.match(alone.said[1], FOUND.text)
  t.same(running.said, alone.said)
  t.same(alone.entries, ['segment.rotted', 'segment.reads-again'], 'each once')
  t.same(running.entries, alone.entries)
  t.match(running.findings, [{ kind: 'record', slot: 0, cleared_at: Number }])
  t.same([...new Set(asked)].sort(), ['scrub.finding', 'scrub.segments'])
  t.equal(asked.filter(name => name === 'scrub.finding').length, 4, 'sound segments are not told of')
})

t.test('a slot overwritten while it is read, or before its finding is told, is no finding', async t => {
  for (const when of ['read', 'told'] as const) {
    await t.test(when, async t => {
      const office = await recorded(t)
      if (when === 'told') flip(office)
      await serveRecorder(t, office, own => ({
        ...own,
        'scrub.segments': async (body, signal) => {
          const page = await own['scrub.segments']!(body, signal)
          if (when === 'read') overwrite(office)
          return page
        },
        'scrub.finding': async (body, signal) => {
          if (when === 'told') overwrite(office)
          return await own['scrub.finding']!(body, signal)
        },
      }))
      t.match(await scrubbed(office), SOUND)
      t.same([findings(office), entries(office)], [[], []])
    })
  }
})

t.test('a catalogue that is not the one a volume was last used with tells nothing of it', async t => {
  const office = await recorded(t)
  await serveRecorder(t, office)
  flip(office)
  inCatalogue(office, db => { db.exec('DELETE FROM volume_mark; DELETE FROM catalogue_start') })
  t.match(await scrubbed(office), { code: 1, text: /^disk1: .*custos rebuild[\s\S]*0 segments/ })
  t.same(findings(office), [])
})

t.test('an answer is lost, or the recorder dies with it: one row, one entry', async t => {
  await t.test('lost twice', async t => {
    const office = await recorded(t)
    flip(office)
    const line = await serveBadLine(t, office, 'isStanding')
    t.match(await scrubbed(office), FOUND)
    t.equal(line.losses, 2)
    t.same(entries(office), ['segment.rotted'])
  })
  for (const request of ['scrub.segments', 'scrub.finding'] as const) {
    await t.test(`dies at ${request}`, async t => {
      const office = await recorded(t)
      flip(office)
      const server: LinkServer = await serveRecorder(t, office, own => ({
        ...own,
        [request]: async (body: never, signal: AbortSignal) => {
          const told = await (own[request] as (...given: unknown[]) => unknown)(body, signal)
          void server[Symbol.asyncDispose]()
          return told
        },
      }))
      t.match(await scrubbed(office), FOUND)
      t.same(entries(office), ['segment.rotted'])
      t.equal(findings(office).length, 1)
    })
  }
})

t.test('a lock on the catalogue is waited for; one that lasts is told', async t => {
  const office = await recorded(t)
  await serveRecorder(t, office)
  flip(office)
  const other = new Database(path.join(office.stateDir, 'catalogue.db'))
  t.teardown(() => { other.close() })
  other.exec('BEGIN IMMEDIATE')
  const found = scrubbed(office)
  await sleep(1_000)
  other.exec('ROLLBACK')
  t.match(await found, FOUND)
  flip(office, 1)
  other.exec('BEGIN IMMEDIATE')
  await t.rejects(scrubbed(office), { code: /CUSTOS_(CATALOGUE_FAULT|AUDIT_UNWRITABLE)/, remedy: /./ })
  other.exec('ROLLBACK')
  t.same(entries(office), ['segment.rotted'], 'and nothing of it was done')
})

t.test('findings of what is not there are none; of what is there a peer makes a bounded number', async t => {
  const office = await recorded(t)
  await serveRecorder(t, office)
  await using link = await ask(office)
  const volume = volumeOf(office), standing = { volume, slot: 0, generation: 1 }
  const tell = (body: Partial<Ask<'scrub.finding'>>) =>
    link!.ask('scrub.finding', { ...standing, faults: [fault()], ...body })
  const others = [{ generation: 2 }, { generation: 0 }, { slot: 3 }, { slot: 10 ** 9 }]
  for (const other of [...others, { volume: 'f'.repeat(32) }]) {
    t.same(await tell(other), { isStanding: false }, JSON.stringify(other))
  }
  const backwards = { ...fault(), toAt: AT - 1 }
  await t.rejects(tell({ faults: [backwards] }), { code: 'CUSTOS_LINK_FAILED' })
  t.same([findings(office), entries(office)], [[], []])
  await t.rejects(tell({ faults: Array.from({ length: 65 }, (_, n) => fault(n)) }), TypeError)

  const beganAt = performance.now()
  await Promise.all(Array.from({ length: 60 }, (_, n) => tell({ faults: [fault(n)] })))
  t.ok(performance.now() - beganAt > 59 * 20, 'a commit each 20 ms at most')
  t.equal(findings(office).filter(each => each.cleared_at === null).length, 1, 'the last is in force')

  await using flood = await Stranger.connect(office.stateDir)
  flood.greet()
  for (let id = 1; id <= 10_000 && !flood.isClosed; id++) {
    flood.send({ ask: 'scrub.finding', id, body: { ...standing, faults: [fault(100 + id)] } })
    if (id % 100 === 0) await sleep(1)
  }
  await until('closed', () => flood.isClosed)
  const all = { volume, startId: null, from: 0, camera: null, range: null }
  t.match(await link!.ask('scrub.segments', all), { segments: { length: 2 } })
  t.ok(findings(office).length < 60 + 64, 'those that waited when it was closed are not done')
})
