import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import t from 'tap'
import { stringify } from 'yaml'
import { CameraServer } from '../support/cameras/camera-server.ts'
import { CLIPS } from '../support/cameras/make-clips.ts'
import { RealRecorder } from '../support/recorder/real-recorder.ts'

const FLOOR_MS = 40_000
/** Every frame a key frame, as some cameras send: key frames only would save nothing of it. */
const ALL_KEY = { codec: 'h264', width: 640, height: 360, fps: 15, gopFrames: 1, bitrateBps: 1_500_000, frames: 60 } as const
const runFile = promisify(execFile)

interface Camera { readonly id: string, readonly priority: number, readonly url: string, readonly lower?: string }
interface StepRow { readonly camera: string, readonly mode: string, readonly reason: string, readonly endedAt: number | null, readonly endReason: string | null }

/** A recorder with a floor of seconds, and a second volume in its configuration that is not there yet. */
async function recorderOf(folder: string, cameras: readonly Camera[], sizeMiB: number): Promise<RealRecorder> {
  const recorder = await RealRecorder.create({ folder, cameras: [], sizeMiB })
  await writeFile(recorder.configFile, stringify({
    site: { name: 'Test office' }, state: { dir: path.join(folder, 'state') }, listen: { port: recorder.port }, retention: { floor: `${FLOOR_MS / 1000}s` }, inbox: 'off',
    volumes: [{ id: 'disk1', path: recorder.volumeDir }, { id: 'disk2', path: path.join(folder, 'disk2') }],
    cameras: cameras.map(({ id, priority, url, lower }) => ({ id, name: `Camera ${id}`, priority, streams: { main: { url, ...(lower === undefined ? {} : { lower: { url: lower } }) } } })),
  }))
  await recorder.start()
  return recorder
}

const bringDisk2 = async (recorder: RealRecorder, sizeMiB: number) => {
  const { code, errors } = await recorder.command(['volume', 'init', path.join(recorder.folder, 'disk2'), '--id', 'disk2', '--size', `${sizeMiB}MiB`, '--slot-size', '1MiB'])
  if (code !== 0) throw new Error(errors)
}

function rows<Row>(recorder: RealRecorder, sql: string): Row[] {
  const db = new Database(path.join(recorder.folder, 'state', 'catalogue.db'), { readonly: true, fileMustExist: true })
  try { return db.prepare<[], Row>(sql).all() } finally { db.close() }
}
const stepsOf = (recorder: RealRecorder) => rows<StepRow>(recorder,
  'SELECT id AS camera, mode, reason, ended_at AS endedAt, end_reason AS endReason FROM sacrifice_step JOIN camera ON camera.uuid = camera_uuid ORDER BY step_id')

/** Said by the catalogue and by the rule itself: nothing was given away before its time. */
const brokenFloors = (recorder: RealRecorder) => rows<object>(recorder,
  `SELECT segment_id, freed_trusted_at - newest_at AS ageMs FROM segment WHERE ended_at IS NOT NULL AND records > 0 AND (freed_trusted_at IS NULL OR freed_trusted_at < newest_at + ${FLOOR_MS} OR freed_trusted_at < keep_until)`)

/** When what was decided, for the report of a run. */
const told = (recorder: RealRecorder) => rows<{ action: string, object: string, detail: string }>(recorder, `SELECT action, object, detail FROM audit_entry WHERE action LIKE 'recording.%' ORDER BY seq`)
  .map(({ object, detail }) => `${object} ${detail}`)

const probe = async (file: string) => {
  const { stdout } = await runFile('ffprobe', ['-v', 'error', '-select_streams', 'v', '-show_entries', 'stream=width:packet=flags', '-of', 'json', file], { maxBuffer: 16 << 20 })
  const { packets, streams } = JSON.parse(stdout) as { packets: { flags: string }[], streams: { width: number }[] }
  return { frames: packets.length, keyFrames: packets.filter(({ flags }) => flags.startsWith('K')).length, widthPx: streams[0]!.width }
}

t.test('a ring too small for its floor', { timeout: 180_000 }, async t => {
  t.jobs = 2 // both wait most of the time
  await using server = await CameraServer.start({ mounts: [{ path: '/small', clip: CLIPS.h264Small }, { path: '/hd', clip: CLIPS.h264Hd }, { path: '/allkey', clip: ALL_KEY }] })
  await Promise.all([
    t.test('records the least important camera in its lower profile, and in full again once there is room', { buffered: true }, async t => {
      await using recorder = await recorderOf(t.testdir({}), [
        { id: 'hall', priority: 1, url: server.url('/small'), lower: server.url('/small?lower') }, { id: 'yard', priority: 9, url: server.url('/hd'), lower: server.url('/small') },
      ], 13)
      const stepped = await recorder.until('yard steps down', ({ sacrifice }) => sacrifice.steps.length > 0, 90_000)
      t.match(stepped.sacrifice.steps, [{ camera: 'yard', mode: 'lower', reason: 'ring-would-stop' }], 'only the least important one')
      t.ok(stepped.reasons.some(({ code, subject }) => code === 'stepped-down-lower' && subject === 'yard/main'))
      await recorder.untilRecordedFor('yard', 8_000)
      await bringDisk2(recorder, 12)
      await recorder.until('everything in full', ({ sacrifice }) => sacrifice.steps.length === 0, 90_000)
      await recorder.untilRecordedFor('yard', 2_000)
      t.equal(await recorder.stop(), 0)

      const yard = recorder.runs('yard')
      t.same(yard.map(({ widthPx, endReason }) => [widthPx, endReason]), [[1280, 'stepped-down'], [640, 'stepped-up'], [1280, 'recorder-stopped']], 'what is recorded really changed, and returned')
      t.equal(recorder.runs('hall').length, 1, 'the other camera was left alone')
      t.match(recorder.gaps('yard').filter(({ cause }) => cause.startsWith('stepped')), [{ cause: 'stepped-down' }, { cause: 'stepped-up' }])
      t.match(stepsOf(recorder), [{ camera: 'yard', mode: 'lower', endReason: 'floor-fits-again' }])
      const lower = yard[1]!
      const clips = await recorder.rescue('yard', 'lower.mp4', { from: lower.startAt + 1000, to: lower.endAt! - 1000 })
      t.same(await Promise.all(clips.map(async clip => (await probe(clip)).widthPx)), clips.map(() => 640))
      t.same(rows(recorder, `SELECT action, object FROM audit_entry WHERE action LIKE 'recording.stepped%' ORDER BY seq`), [
        { action: 'recording.stepped-down', object: 'yard/main' }, { action: 'recording.stepped-up', object: 'yard/main' },
      ])
      t.comment(told(recorder).join('\n'))
      t.same(brokenFloors(recorder), [])
    }),
    t.test('records key frames only, stops the least important camera, keeps to that over a restart, and takes all back', { buffered: true }, async t => {
      await using recorder = await recorderOf(t.testdir({}), [{ id: 'hall', priority: 1, url: server.url('/small') }, { id: 'yard', priority: 9, url: server.url('/allkey') }], 11)
      const stopped = await recorder.until('yard is stopped', ({ sacrifice }) => sacrifice.steps.some(({ mode }) => mode === 'stopped'), 60_000)
      t.match(stopped.sacrifice.steps, [{ camera: 'hall', mode: 'key-frames' }, { camera: 'yard', mode: 'stopped', reason: 'ring-stops' }])
      t.match(stopped.reasons.find(({ code }) => code === 'stream-stopped-for-floor'), { subject: 'yard/main', level: 'critical', urgency: 'tonight' })
      t.ok(stopped.reasons.some(({ code, subject }) => code === 'stepped-down-key-frames' && subject === 'hall/main'))
      await recorder.untilRecordedFor('hall', 4_000)
      await recorder.crash()
      await recorder.start()
      const again = await recorder.untilRecording(['hall'])
      t.same(again.sacrifice.steps.map(({ camera, mode, since }) => [camera, mode, since]), stopped.sacrifice.steps.map(({ camera, mode, since }) => [camera, mode, since]), 'after a kill as before')
      t.equal(again.streams.find(({ camera }) => camera === 'yard')?.state, 'stopped')
      const keyFramesUntil = Date.now()
      await bringDisk2(recorder, 14)
      await recorder.until('everything in full', ({ sacrifice }) => sacrifice.steps.length === 0, 90_000)
      await recorder.untilRecordedFor('yard', 2_000)
      t.equal(await recorder.stop(), 0)

      const steps = stepsOf(recorder)
      t.ok(steps.every(({ endedAt }) => endedAt !== null))
      const stoppedAt = Date.parse(stopped.sacrifice.steps.find(({ mode }) => mode === 'stopped')!.since)
      const gap = recorder.gaps('yard').find(({ startAt, endAt }) => startAt <= stoppedAt + 2_000 && (endAt ?? 0) >= keyFramesUntil)
      // It may have begun a moment before, when no slot was to be had: a gap is called by what began it.
      t.ok(gap !== undefined && ['stopped-for-floor', 'storage-full'].includes(gap.cause), `the whole time is one gap with its cause (${JSON.stringify(recorder.gaps('yard'))})`)
      const thinned = rows<{ startAt: number, endAt: number }>(recorder, `SELECT start_at AS startAt, end_at AS endAt FROM unrecorded JOIN camera ON camera.uuid = camera_uuid WHERE id = 'hall' AND cause = 'key-frames-only'`)
      t.equal(thinned.length, 1, 'the span of key frames only is on record')
      t.same(recorder.gaps('hall').filter(({ cause }) => cause === 'no-frames'), [], 'and not once more for each pair of key frames')
      const thin = (await Promise.all((await recorder.rescue('hall', 'thin.mp4', { from: thinned[0]!.startAt + 2_000, to: keyFramesUntil - 2_000 })).map(probe)))
      t.ok(thin.length > 0 && thin.every(({ frames, keyFrames }) => frames === keyFrames && frames > 1), 'key frames and nothing else')
      const full = (await Promise.all((await recorder.rescue('hall', 'full.mp4', { from: thinned[0]!.startAt - 60_000, to: thinned[0]!.startAt - 1_000 })).map(probe)))
      t.ok(full.some(({ frames, keyFrames }) => frames > 5 * keyFrames), 'before it was all frames')
      t.comment(told(recorder).join('\n'))
      t.same(brokenFloors(recorder), [])
    }),
  ])
})
