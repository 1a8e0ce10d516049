import type { Test } from 'tap'
import type { GapCause, RunEndReason } from '../../../src/domain/index.ts'
import { CameraServer } from '../cameras/camera-server.ts'
import { FaultProxy } from '../cameras/fault-proxy.ts'
import { CLIPS, type ClipOptions } from '../cameras/make-clips.ts'
import { frameCheck } from './frame-check.ts'
import { RealRecorder, type CameraSpec } from './real-recorder.ts'

/** Nothing happens to these two, and they must not notice what happens to others. */
export const WITNESSES = ['witness', 'witness265'] as const

/** A server with two cameras that nothing happens to, the given ones each behind a proxy of its own, and a recorder of them all that records. */
export async function site(t: Test, cameras: Record<string, ClipOptions>, more: readonly CameraSpec[] = [], password: Record<string, string> = {}, sizeMiB?: number) {
  const stack = new AsyncDisposableStack()
  const credential = (id: string) => ({ username: `user-${id}`, password: `secret of ${id}` })
  const all = { [WITNESSES[0]]: CLIPS.h264Small, [WITNESSES[1]]: CLIPS.h265Small, ...cameras }
  const server = stack.use(await CameraServer.start({ mounts: Object.entries(all).map(([id, clip]) => ({ path: `/${id}`, clip, ...credential(id) })) }))
  const proxies: Record<string, FaultProxy> = {}
  for (const id of Object.keys(cameras)) proxies[id] = stack.use(await FaultProxy.start({ targetPort: server.port }))
  const specs = Object.keys(all).map((id): CameraSpec => {
    const url = server.url(`/${id}`)
    return { id, url: proxies[id]?.through(url) ?? url, credential: { ...credential(id), ...(password[id] === undefined ? {} : { password: password[id] }) } }
  })
  const recorder = stack.use(await RealRecorder.create({ folder: t.testdir({}), cameras: [...specs, ...more], ...sizeMiB === undefined ? {} : { sizeMiB } }))
  const proxy = (id: string) => proxies[id]!
  return { server, recorder, specs: [...specs, ...more], proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

export type Site = Awaited<ReturnType<typeof site>>

/** Whether the stream is down now, for this reason. */
export async function untilDown({ recorder }: Site, camera: string, causes: readonly GapCause[], boundMs = 60_000): Promise<void> {
  await recorder.until(`${camera} down: ${causes.join(' or ')}`, ({ streams }) => streams.some(stream =>
    stream.camera === camera && stream.openGapCause !== null && causes.includes(stream.openGapCause)), boundMs)
}

/** Whether a run of the camera ended for this reason after the first `known` runs; it may be recorded again by now. */
export async function untilEnded({ recorder }: Site, camera: string, reason: RunEndReason, boundMs = 60_000): Promise<void> {
  await recorder.until(`a run of ${camera} ended: ${reason}`, () => recorder.runs(camera).some(run => run.endReason === reason), boundMs)
}

/** Stops the recorder and asks what must be true whatever happened to the others. */
export async function checkWitnesses(t: Test, { recorder }: Site): Promise<void> {
  t.equal(await recorder.stop(), 0, 'it stops in good order')
  t.equal((await recorder.children()).length, 0, 'no orphan')
  for (const id of WITNESSES) {
    const files = await recorder.rescue(id, `${id}.mp4`)
    const verdict = await frameCheck(files, [id === 'witness' ? CLIPS.h264Small : CLIPS.h265Small])
    t.match(verdict, { ok: true, missing: [], doubled: [], reordered: [] }, `${id} lost no frame meanwhile`)
    t.equal(recorder.runs(id).length, 1, `${id} was one run`)
  }
}

export function gapWith(t: Test, { recorder }: Site, camera: string, causes: readonly GapCause[]): void {
  const gaps = recorder.gaps(camera)
  const found = gaps.find(gap => causes.includes(gap.cause) || causes.includes(gap.lastCause))
  t.ok(found?.endAt != null && found.endAt > found.startAt, `${camera}: a gap of ${causes.join(' or ')} that ended (${gaps.map(gap => `${gap.cause}..${gap.lastCause}`).join(', ')})`)
}
