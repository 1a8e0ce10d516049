import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { rescue } from '../../src/cli/rescue.ts'
import { epochMs, type TimeRange } from '../../src/domain/index.ts'
import { planClip, takeVideos, writeClip } from '../../src/export/index.ts'
import { boxesIn, parseMovieFragment } from '../../src/media/index.ts'
import { CameraReader } from '../../src/viewing/camera-reader.ts'
import {
  LANE_CAMERA, LANE_CAMERA_ID, LANE_STREAM, MemoryLane, openRow, rowsIn
} from '../support/memory-lane.ts'
import { framesIn, oddSession, recordSession, STARTED_AT, type SentFrame } from '../support/odd-stream.ts'
import { seeded } from '../support/recorder/seeded.ts'

const runs = seeded(t, 200)
const ALL: TimeRange = { startAt: epochMs(STARTED_AT - 60_000), endAt: epochMs(STARTED_AT + 600_000) }
const folder = await mkdtemp(path.join(os.tmpdir(), 'every-frame-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

/** Decoding times of the pictures of an MP4, in ticks, and what the pictures say of themselves. */
interface Pictures { readonly frames: number[], readonly ticks: number[], /** When each is shown. */ readonly shown: number[] }
function pictures(mp4: Buffer): Pictures {
  const frames: number[] = [], ticks: number[] = [], shown: number[] = []
  for (const box of boxesIn(mp4, 0, mp4.length)) {
    if (box.type !== 'moof') continue
    const media = mp4.subarray(box.at)
    const [track] = parseMovieFragment(media, media.length)
    let at = Number(track!.decodeTimeTicks)
    for (const { dataAt, sizeBytes, durationTicks, compositionOffsetTicks } of track!.samples) {
      frames.push(...framesIn(media.subarray(dataAt, dataAt + sizeBytes)))
      ticks.push(at)
      shown.push(at + compositionOffsetTicks)
      at += durationTicks
    }
  }
  return { frames, ticks, shown }
}

/**
 * The numbers in the order in which the camera wants them shown; null where its stamps do not tell: they are
 * not as even as a camera's that counts.
 */
function wantedOrder(session: readonly SentFrame[]): number[] | null {
  const stamps = session.map(({ stampMs }, n) => ({ stampMs, n }))
  const came = session.slice(1).map(({ arrivedMs }, i) => arrivedMs - session[i]!.arrivedMs)
  if (came.some(ms => Math.abs(ms - came[0]!) > came[0]! / 3)) return null // what is held up may be shown out of its place
  if (stamps.some(({ stampMs }) => stampMs === null)) return null
  // Only B frames are shown before one that was decoded before them.
  const isBack = ({ stampMs, isBidirectional }: SentFrame, n: number): boolean => !isBidirectional
    && session.slice(0, n).some(before => before.stampMs! > stampMs!)
  if (session.some(isBack)) return null
  stamps.sort((a, b) => a.stampMs! - b.stampMs!)
  const steps = stamps.slice(1).map(({ stampMs }, i) => stampMs! - stamps[i]!.stampMs!)
  const isCounted = stamps[0]?.n === 0 && steps.every(ms => ms > 0 && Math.abs(ms - steps[0]!) <= 1)
  return isCounted ? stamps.map(({ n }) => n) : null
}
const shownOrder = ({ frames, shown }: Pictures): number[] =>
  frames.map((n, i) => ({ n, at: shown[i]! })).sort((a, b) => a.at - b.at).map(({ n }) => n)

/** The first thing wrong with frames that came out of one file. */
function wrongWith(
  { frames, ticks }: Pictures, expected: readonly number[]
): string | null {
  if (
    frames.length !== ticks.length || frames.join() !== expected.join()
  ) return `frames ${frames.join()} where ${expected.join()} were stored`
  const back = ticks.findIndex((at, i) => i > 0 && at <= ticks[i - 1]!)
  return back < 0 ? null : `frame ${frames[back]} is at ${ticks[back]} after ${ticks[back - 1]}`
}

interface Recorded {
  readonly lane: MemoryLane
  readonly stored: readonly number[]
  readonly slots: Awaited<ReturnType<MemoryLane['read']>>
}

async function record(session: readonly SentFrame[], recordsASlot: number): Promise<Recorded> {
  const lane = new MemoryLane(recordsASlot)
  await recordSession(lane.lane, session)
  const slots = await lane.read()
  return { lane, slots, stored: slots.flatMap(({ bytes }) => framesIn(bytes)) }
}

async function clipOf({ slots }: Recorded): Promise<Pictures[]> {
  return await Promise.all(planClip(slots, ALL).parts.map(async part => {
    const chunks: Buffer[] = []
    await writeClip(part, async bytes => { chunks.push(Buffer.from(bytes)) })
    return pictures(Buffer.concat(chunks))
  }))
}

async function evidenceOf({ slots }: Recorded): Promise<Pictures[]> {
  const out = await mkdtemp(path.join(folder, 'evidence-'))
  try {
    const shelf = {
      device: async () => null, segments: async (_: unknown, __: unknown, range: TimeRange) => rowsIn(slots, range),
      open: (row: Parameters<typeof openRow>[1]) => openRow(slots, row),
    }
    const subject = {
      cameraId: LANE_CAMERA_ID, cameraUuid: LANE_CAMERA, cameraName: 'x', location: null, stream: 'main',
      unitName: 'x', operator: 'x', exportedAt: ALL.endAt,
    }
    const { videos } = await takeVideos({
      folder: out, shelf, subject, camera: LANE_CAMERA, stream: LANE_STREAM, range: ALL, preRollMs: 0,
      leave: () => ({ ok: true, isPreRoll: false }), signal: new AbortController().signal, pace: () => Promise.resolve(), onBytes: () => undefined,
    })
    return await Promise.all(videos.map(async video => pictures(await readFile(path.join(out, video.path)))))
  } finally { await rm(out, { recursive: true }) }
}

async function viewed({ slots }: Recorded): Promise<Pictures> {
  await using reader = new CameraReader({
    shelf: {
      segments: async (_, __, range) => rowsIn(slots, range), open: row => openRow(slots, row), gaps: async () => [],
    }, camera: LANE_CAMERA, stream: LANE_STREAM,
    ranges: [ALL], isPreRollAllowed: false, originAt: ALL.startAt, fence: () => 'inside',
  }, ALL.startAt)
  const pieces: Buffer[] = []
  for (
    let told = await reader.next(); told !== null; told = await reader.next()
  ) if (told.kind === 'piece') pieces.push(told.bytes)
  return pictures(Buffer.concat(pieces))
}

const joined = (files: readonly Pictures[]): number[] =>
  files.flatMap(({ frames }) => frames)

t.test('each frame of a session is stored, and is in clip, evidence video and viewing once, in decoding order, at a time that never goes back', async () => {
  await fc.assert(fc.asyncProperty(oddSession, fc.integer({ min: 1, max: 12 }), async (session, recordsASlot) => {
    const recorded = await record(session, recordsASlot)
    const { stored } = recorded
    if (
      stored.length !== session.length || stored.some((n, i) => n !== i)
    ) throw new Error(`stored: ${stored.join()}`)
    const [clip, evidence, seen] = [
      await clipOf(recorded), await evidenceOf(recorded), await viewed(recorded),
    ]
    if (clip.length !== 1 || evidence.length === 0) throw new Error(`${clip.length} clips of one session`)
    const wanted = wantedOrder(session)
    if (wanted !== null && shownOrder(clip[0]!).join() !== wanted.join()) throw new Error(`shown: ${shownOrder(clip[0]!).join()}`)
    for (const [name, files] of Object.entries({ clip, evidence, viewing: [seen] })) {
      if (joined(files).join() !== stored.join()) throw new Error(`${name}: ${joined(files).join()}`)
      for (const file of files) {
        const wrong = wrongWith(file, file.frames)
        if (wrong !== null) throw new Error(`${name}: ${wrong}`)
      }
    }
  }), runs)
})

t.test('rescue gives each frame of a session too', async t => {
  await fc.assert(fc.asyncProperty(oddSession, fc.integer({ min: 4, max: 12 }), async (session, recordsASlot) => {
    const volume = await mkdtemp(path.join(folder, 'volume-'))
    try {
      const { lane, stored } = await record(session, recordsASlot)
      await lane.writeVolume(volume)
      const out = path.join(volume, 'clip.mp4'), silent = { write: () => undefined }
      const options = {
        camera: LANE_CAMERA_ID, stream: 'main', from: '2026-11-20T00:00:00Z', to: '2026-11-20T02:00:00Z', out,
      }
      if (
        await rescue([volume], options, { out: silent, err: silent }) !== 0
      ) throw new Error('rescue failed')
      const clips = (await readdir(volume)).filter(name => name.endsWith('.mp4'))
      if (clips.length !== 1) throw new Error(`${clips.length} clips of one session`)
      const wrong = wrongWith(pictures(await readFile(out)), stored)
      if (wrong !== null) throw new Error(wrong)
    } finally { await rm(volume, { recursive: true }) }
  }), { ...runs, numRuns: Math.ceil(runs.numRuns / 20) })
  t.pass('none is missing')
})
