import pino from 'pino'
import t from 'tap'
import { LastKnown } from '../../src/platform/last-known.ts'
import { recorderFacts, type RecorderParts } from '../../src/daemon/recorder-facts.ts'
import { decideWatchdog, HealthServer, type RecorderFacts } from '../../src/health/index.ts'
import type { Ingest } from '../../src/ingest/index.ts'
import { audit, floor, stream as streamOf, witness } from '../health/support/facts.ts'
import { ManualClock } from '../health/support/manual-clock.ts'
import { FaultyStatements } from '../support/faulty-statements.ts'
import { RecorderRig } from '../support/recorder-rig.ts'

type Keeper = RecorderParts['auditKeeper']
const NO_STEPS = { steps: [], headroomMs: null, overBudget: [] }
const NOTHING_TOLD = { glass: { open: 0, openedAt: null, owed: 0, owedSince: null }, auditFailedSince: null, office: null, archive: null, faults: [] }

const withForecast = <Each extends object>(each: Each) => ({ ...each, forecastDays: 60 })

/** Health over a real storage and catalogue; what does not read the catalogue is played. */
async function looked(rig: RecorderRig, known = new LastKnown()) {
  const report = (): ReturnType<Ingest['report']> => {
    const { oldestFrameAt: _oldest, openGapSince: _since, openGapCause: _cause, forecastDays: _days,
      ...facts } = streamOf(rig.camera)
    return [{ ...facts, cameraId: rig.camera, stream: rig.stream }]
  }
  const scrubber = rig.storage.scrubber(() => 0.5)
  const { read, source } = recorderFacts({
    storage: rig.storage, isStateDiskFull: () => false, scrubber: () => scrubber, trustedTime: rig.time, known,
      faults: () => [],
      cameraChanges: () => [],
    told: () => NOTHING_TOLD, ingest: { report } as Ingest,
    sacrifice: { view: () => NO_STEPS } as unknown as RecorderParts['sacrifice'],
    capacity: {
      view: (streams: RecorderFacts['streams'], volumes: RecorderFacts['volumes']) =>
        ({ streams: streams.map(withForecast), volumes: volumes.map(withForecast), floor: floor() }),
    } as unknown as RecorderParts['capacity'],
    reload: { view: () => null } as unknown as RecorderParts['reload'],
    auditKeeper: { auditView: () => audit(), witnessView: () => witness() } as unknown as Keeper,
  })
  return { read, source }
}
const without = ({ process: _process, ...facts }: RecorderFacts) => facts

t.test('a catalogue that cannot be read leaves health seeing: all as it was last known, and that it cannot be read', async t => {
  const rig = await RecorderRig.open(t)
  await rig.append(3)
  await rig.sync()
  const { read, source } = await looked(rig)
  t.teardown(() => { source[Symbol.dispose]() })
  const before = read()
  t.equal(before.catalogue.state, 'ok')
  const statements = new FaultyStatements(t)
  statements.fail('SQLITE_IOERR')
  const blind = read()
  t.same(without({ ...blind, catalogue: before.catalogue }), without(before))
  t.match(blind.catalogue, { state: 'failed', detail: 'planted' })
  t.ok(statements.failed > 3)

  const clock = new ManualClock()
  const server =
    await HealthServer.open({ host: '127.0.0.1', port: 0, facts: read, clock,
    log: pino({ level: 'silent' }) })
  t.teardown(() => server[Symbol.asyncDispose]())
  const answer = await fetch(`http://127.0.0.1:${server.port}/health`)
  t.equal(answer.status, 200)
  t.match(await answer.json(),
    { level: 'critical', reasons: [{ code: 'catalogue-failed' }, {}], streams: [{ state: 'recording' }] })
  t.same(decideWatchdog(server.assess().facts), { pet: true })

  statements.heal()
  t.equal(read().catalogue.state, 'ok')
  statements.fail('SQLITE_IOERR_READ', /FROM scrub_finding AS f/)
  t.equal(read().catalogue.state, 'failed', 'also when only one question cannot be answered')
  statements.fail('SQLITE_BUSY', /FROM scrub_finding AS f/)
  t.equal(read().catalogue.state, 'ok', 'a lock is no fault')
  statements.fail('SQLITE_ERROR')
  t.throws(read, { code: 'SQLITE_ERROR' }, 'a mistake of ours is none either')
})

t.test('one that could never be read is told as far as it goes', async t => {
  const rig = await RecorderRig.open(t)
  const { read, source } = await looked(rig)
  t.teardown(() => { source[Symbol.dispose]() })
  new FaultyStatements(t).fail('SQLITE_CORRUPT')
  t.match(read(), { catalogue: { state: 'failed' }, streams: [{ oldestFrameAt: null, openGapSince: null }],
    scrub: { rotten: [] }, rescues: { count: 0 } })
})

t.test('whoever polls health hides no delay of the event loop', async t => {
  const rig = await RecorderRig.open(t)
  const { read, source } = await looked(rig)
  t.teardown(() => { source[Symbol.dispose]() })
  await new Promise(resolve => { setTimeout(resolve, 250) })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
  await new Promise(resolve => { setTimeout(resolve, 150) })
  const seen = Array.from({ length: 20 }, () => read().process.eventLoopDelayMs)
  t.ok(seen.every(ms => ms >= 500), seen.join(' '))
})
