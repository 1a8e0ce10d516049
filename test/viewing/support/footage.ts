import { cameraId, epochMs, streamName, type CameraUuid } from '../../../src/domain/index.ts'
import { timedFragment, type Footage } from '../../support/fragments.ts'
import type { RecorderRig } from '../../support/recorder-rig.ts'

export interface ToRecord { readonly camera: CameraUuid, readonly id: string, readonly stream?: string, readonly footage: Footage, readonly fromMs: number, readonly seconds: number }

/** The camera of this mark stands behind this id. */
export function enrolCamera(rig: RecorderRig, camera: CameraUuid, id: string): void {
  rig.catalogue(db => db.prepare('INSERT OR IGNORE INTO camera (uuid, id, first_recorded_at) VALUES (?, ?, 1)').run(camera, id))
}

export interface RecordedFrame { readonly atMs: number, readonly isKey: boolean }

/** One run of a stream into real slots: the footage over and over, as a camera that plays a loop. Every frame of it, with its wall time. */
export async function recordRun(rig: RecorderRig, { camera, id, stream = 'main', footage, fromMs, seconds }: ToRecord): Promise<RecordedFrame[]> {
  const frames: RecordedFrame[] = []
  enrolCamera(rig, camera, id)
  const lane = rig.storage.lane(cameraId(id), streamName(stream))
  const { init } = footage
  const loop = Array.from({ length: footage.count }, (_, i) => timedFragment(init, footage.fragment(i), { startAt: 0 }))
  const ticksOf = (timed: (typeof loop)[number], trackId: number) => timed.trackTimes.find(each => each.track.trackId === trackId)
  const video = init.video.trackId
  const first = ticksOf(loop[0]!, video)!, last = ticksOf(loop.at(-1)!, video)!
  const loopTicks = last.ticks + BigInt(last.track.durationTicks) - first.ticks
  const runId = await lane.beginRun(init, epochMs(fromMs))
  for (let i = 0; ; i++) {
    const fragment = footage.fragment(i % footage.count)
    const timed = timedFragment(init, fragment, { startAt: 0, runId })
    const loops = BigInt(Math.floor(i / footage.count))
    const trackTimes = timed.trackTimes.map(each => ({ ...each, ticks: each.ticks - first.ticks * BigInt(each.timescale) / BigInt(first.timescale) + loops * loopTicks * BigInt(each.timescale) / BigInt(first.timescale) }))
    const at = Number(trackTimes.find(each => each.track.trackId === video)!.ticks) * 1000 / first.timescale
    if (at >= seconds * 1000) break
    const timedHere = { ...timed, trackTimes, startAt: epochMs(fromMs + at) }
    let ownTicks = 0
    for (const sample of timed.trackTimes.find(each => each.track.trackId === video)!.track.samples) {
      frames.push({ atMs: timedHere.startAt + ownTicks * 1000 / first.timescale, isKey: sample.isKey })
      ownTicks += sample.durationTicks
    }
    await lane.append(timedHere)
    lane.showLive(timedHere)
  }
  lane.endRun('closed-by-camera', epochMs(fromMs + seconds * 1000))
  return frames
}

/** Those that a grant of `[fromMs, toMs)` lets out: from the first key frame inside on. */
export function inside(frames: readonly RecordedFrame[], fromMs: number, toMs: number): RecordedFrame[] {
  const within = frames.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  return within.slice(within.findIndex(({ isKey }) => isKey))
}
