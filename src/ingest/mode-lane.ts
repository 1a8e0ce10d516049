import type { RecordingMode, RunEndReason } from '../domain/index.ts'
import type { StreamLane } from '../storage/index.ts'

export interface ModeLaneOptions {
  readonly mode: RecordingMode
  /** Why a run that was asked to end was asked: the recorder stops, or the order of sacrifice records the stream otherwise from now on. */
  readonly askedReason: () => RunEndReason
}

/**
 * The lane as a run of one recording mode sees it. An asked end carries the reason it was asked for, in run and gap alike [G7]. With key frames only the frames
 * between are left out on purpose: the span stands in the table of steps as `key-frames-only`, so each pair of key frames is not a hole of its own.
 */
export function modeLane(lane: StreamLane, { mode, askedReason }: ModeLaneOptions): StreamLane {
  const told = (reason: RunEndReason): RunEndReason => reason === 'recorder-stopped' ? askedReason() : reason
  const own: Pick<StreamLane, 'endRun' | 'noteNoFootage' | 'noteHole'> = {
    endRun: (reason, endAt) => { lane.endRun(told(reason), endAt) },
    noteNoFootage: cause => { lane.noteNoFootage(cause === 'recorder-stopped' ? askedReason() : cause) },
    noteHole: (startAt, endAt, cause) => { if (mode !== 'key-frames') lane.noteHole(startAt, endAt, cause) },
  }
  const through = { append: lane.append.bind(lane), beginRun: lane.beginRun.bind(lane), showLive: lane.showLive.bind(lane) } // bound once: a lane's own fields are private to it
  return new Proxy(lane, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof typeof own]
      if (Object.hasOwn(through, name)) return through[name as keyof typeof through]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value
    },
  })
}
