import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { cameraUuid, epochMs, streamName, type CameraUuid } from '../../src/domain/index.ts'
import { openCatalogue, type Db } from '../../src/platform/catalogue.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { footageRequests } from '../../src/storage/footage-requests.ts'
import { LocalFootage } from '../../src/storage/index.ts'
import { LoopShare } from '../../src/platform/loop-share.ts'
import { until } from '../support/until.ts'
import { Office, serveOffice } from './support.ts'

const SEED = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
const RUNS = Number(process.env['FC_RUNS'] ?? 120)
const VOLUME = 'f'.repeat(32), STREAMS = ['main', 'sub', 'x'], T0 = 1_796_000_000_000

/** In units of a second; `length` null: it lasts. */
const span = { from: fc.nat(60), length: fc.option(fc.oneof(fc.nat(6), fc.nat(60)), { freq: 8 }) }
const stream = fc.constantFrom(...STREAMS)
const catalogue = fc.record({
  segments: fc.array(fc.record({ ...span, stream, isEnded: fc.boolean() }), { maxLength: 40 }),
  gaps: fc.array(fc.record({ ...span, stream }), { maxLength: 25 }),
  steps: fc.array(fc.record({ ...span, stream, mode: fc.constantFrom('key-frames', 'key-frames', 'lower') }), { maxLength: 12 }),
  devices: fc.uniqueArray(fc.nat(60), { maxLength: 3 }),
  isRetired: fc.boolean(),
})
type Generated = typeof catalogue extends fc.Arbitrary<infer Value> ? Value : never
const range = fc.record({ from: fc.integer({ min: -3, max: 63 }), length: fc.nat(70), stream })

const at = (seconds: number): number => T0 + seconds * 1000
const numberOf = (() => { let last = 0; return () => ++last })()

/** A camera of its own for each run: what is there once stays. */
function entered(db: Db, { segments, gaps, steps, devices, isRetired }: Generated): CameraUuid {
  const camera = cameraUuid(numberOf().toString(16).padStart(32, '0'))
  db.prepare('INSERT INTO camera VALUES (?, ?, 1, ?)').run(camera, `c${camera.slice(-6)}`, isRetired ? 2 : null)
  const segment = db.prepare(`INSERT INTO segment (volume_uuid, slot, generation, camera_uuid, stream, start_at,
    floor_rule, end_at, keep_until, newest_at, records, used_bytes, merkle_root, sealed_at, ended_at)
    VALUES (?, ?, 1, ?, ?, ?, '31d', ?, 5, 6, 7, 8, ?, ?, ?)`)
  for (const each of segments) {
    const [endAt, root] = each.length === null ? [null, null] : [at(each.from + each.length), 'a'.repeat(64)]
    segment.run(VOLUME, numberOf(), camera, each.stream, at(each.from), endAt, root, endAt, each.isEnded ? 9 : null)
  }
  const isFirst = onceEach(), gap = db.prepare(`INSERT INTO gap (camera_uuid, stream, start_at, end_at, cause,
    last_cause, noticed_at) VALUES (?, ?, ?, ?, 'stalled', 'stalled', 1)`)
  for (const { from, length, stream } of gaps) {
    if (length !== null || isFirst(stream)) gap.run(camera, stream, at(from), length === null ? null : at(from + length))
  }
  const isFirstStep = onceEach(), step = db.prepare(`INSERT INTO sacrifice_step (camera_uuid, stream, mode, reason,
    started_at, ended_at, end_reason) VALUES (?, ?, ?, 'x', ?, ?, ?)`)
  for (const { from, length, stream, mode } of steps) {
    if (length !== null) step.run(camera, stream, mode, at(from), at(from + length), 'y')
    else if (isFirstStep(stream)) step.run(camera, stream, mode, at(from), null, null)
  }
  for (const from of devices) {
    db.prepare('INSERT INTO camera_device (camera_uuid, first_seen_at, last_seen_at, maker) VALUES (?, ?, ?, ?)')
      .run(camera, at(from), at(from + 1), `m${from}`)
  }
  return camera
}

function onceEach(): (key: string) => boolean {
  const seen = new Set<string>()
  return key => !seen.has(key) && seen.add(key) !== undefined
}

t.test(`the link answers what the catalogue answers, across pages too (seed ${SEED})`, { timeout: 240_000 }, async t => {
  const folder = mkdtempSync('/dev/shm/custos-pages-')
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  using own = openCatalogue(path.join(folder, 'state'), 1)
  const { db } = own
  db.prepare(`INSERT INTO volume VALUES (?, 'v', 1, 1, 1)`).run(VOLUME)
  const local = new LocalFootage(db, { isBusy: false, openReader: () => Promise.reject(new Error('not asked for')) })
  let bounds = { mostRows: 1, mostLooked: 1 }
  const asked = () => footageRequests({ db, footage: local, share: new LoopShare(systemClock), bounds })
  await using _server = serveOffice(folder, {
    'footage.cameras': (body, signal) => asked()['footage.cameras'](body, signal),
    'footage.found': (body, signal) => asked()['footage.found'](body, signal),
    'footage.segments': (body, signal) => asked()['footage.segments'](body, signal),
    'footage.gaps': (body, signal) => asked()['footage.gaps'](body, signal),
    'footage.device': body => asked()['footage.device'](body),
  })
  await using office = await new Office(folder).connected()
  const { footage } = office
  const sizes = fc.record({ mostRows: fc.integer({ min: 1, max: 9 }), mostLooked: fc.integer({ min: 2, max: 30 }) })
  await fc.assert(fc.asyncProperty(catalogue, sizes, fc.array(range, { minLength: 1, maxLength: 5 }),
    async (generated, size, ranges) => {
      bounds = size
      const camera = entered(db, generated)
      for (const { from, length, stream: name } of ranges) {
        const within = { startAt: epochMs(at(from)), endAt: epochMs(at(from + length)) }, stream = streamName(name)
        assert.deepEqual(await footage.found(camera, within), await local.found(camera, within))
        assert.deepEqual(await footage.segments(camera, stream, within), await local.segments(camera, stream, within))
        assert.deepEqual(await footage.gaps(camera, stream, within), await local.gaps(camera, stream, within))
        assert.deepEqual(await footage.device(camera, within.startAt), await local.device(camera, within.startAt))
      }
    }), { numRuns: RUNS, seed: SEED })

  await using later = await new Office(folder).connected()
  await until('every camera is told', () => later.footage.cameras().length === local.cameras().length)
  t.same(later.footage.cameras(), local.cameras())
  for (const { uuid } of local.cameras()) assert.deepEqual(later.footage.lastDevice(uuid), local.lastDevice(uuid))
})
