import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { cameraId, epochMs, runId, streamName } from '../../src/domain/index.ts'
import { migrate } from '../../src/platform/catalogue.ts'
import { cameraTable, mintCameraUuid } from '../../src/storage/tables/cameras.ts'
import { runTable } from '../../src/storage/tables/runs.ts'

const YEAR = 365 * 86_400_000
const VIDEO = { codec: 'h264', widthPx: 640, heightPx: 360 } as Parameters<ReturnType<typeof runTable>['begin']>[2]

function stream(t: Test) {
  const db = new Database(':memory:')
  migrate(db, 0)
  t.teardown(() => { db.close() })
  const cameraUuid = mintCameraUuid(), of = { cameraUuid, stream: streamName('main') }, runs = runTable(db)
  cameraTable(db).insert(cameraUuid, cameraId('lobby'), epochMs(0))
  const run = (id: number, from: number, to: number) => {
    runs.begin(runId(id), of, VIDEO, epochMs(from))
    runs.end(runId(id), epochMs(to), 'recorder-killed')
  }
  const gaps = () => db.prepare('SELECT start_at, end_at FROM gap ORDER BY start_at, gap_id').raw().all()
  return { runs, of, run, gaps }
}
const range = (from: number, to: number) => ({ startAt: epochMs(from), endAt: epochMs(to) })

t.test('a gap of a clock that was a year ahead is not parted by what was recorded since', async t => {
  const { runs, of, run, gaps } = stream(t)
  run(5, 0, 1000)
  run(7, YEAR, YEAR) // in vain
  runs.addGap(of, epochMs(1000), epochMs(YEAR), 'storage-failed', epochMs(YEAR))
  runs.splitGap(of, runId(9), range(2000, 3000), epochMs(4000))
  runs.cutGap(of, runId(9), range(500, 3000))
  t.same(gaps(), [[1000, YEAR]])
  runs.splitGap(of, runId(6), range(2000, 3000), epochMs(4000))
  t.same(gaps(), [[1000, 2000], [3000, YEAR]], 'a run of then parts it')
})

t.test('a gap that a run ended is parted by runs before that one only, and each part knows its place', async t => {
  const { runs, of, run, gaps } = stream(t)
  run(5, 0, 1000)
  runs.openGap(of, epochMs(1000), 'recorder-killed', epochMs(1000))
  run(20, 9000, 9500)
  runs.closeGap(of, epochMs(9000), 0)
  for (const [id, from, to] of [[25, 1500, 1800], [8, 2000, 3000], [12, 5000, 6000], [3, 7000, 7500]] as const) {
    runs.splitGap(of, runId(id), range(from, to), epochMs(10_000))
  }
  t.same(gaps(), [[1000, 2000], [3000, 5000], [6000, 9000]])
  runs.splitGap(of, runId(8), range(6500, 6600), epochMs(10_000))
  t.same(gaps().length, 3, 'run 8 is not of the time behind run 12')
})
