import type { Craft } from './crafted-camera.ts'
import { CLIPS, type ClipOptions } from './make-clips.ts'

const SMALL = CLIPS.h264Small
/** Another picture parameter set: chroma is quantised otherwise. */
const OTHER_SETS = { ...SMALL, encoder: 'chroma-qp-offset=3' } as const
const nominal = (n: number): number => n * 90_000 / SMALL.fps
const SOUND = ['m=audio 0 RTP/AVP 8', 'a=rtpmap:8 PCMA/8000', 'a=control:track2']
const DAY_MS = 86_400_000

/** Cameras as public bug reports tell of them, each by what is odd in it. */
export const CRAFTED = {
  'plain': { clip: SMALL },
  /** Two frames in a row share a stamp. */
  'same-stamps': { clip: SMALL, stampOf: n => nominal(n - n % 2) },
  /** Every frame has the same stamp. */
  'constant-stamp': { clip: SMALL, stampOf: () => 0 },
  /** Stamps count 15 frames a second, 12.6 come. */
  'slow': { clip: SMALL, fps: 12.6 },
  /** Stamps go back by a second each four seconds. */
  'backwards': { clip: SMALL, stampOf: n => nominal(n) - 90_000 * Math.floor(n / (4 * SMALL.fps)) },
  'stamps-wrap': { clip: SMALL, firstStamp: 2 ** 32 - 8 * 90_000 },
  'sets-of-before': { clip: SMALL, hasSetsOfBefore: true },
  'sets-change': { clip: SMALL, otherClip: { clip: OTHER_SETS, everyFrames: SMALL.frames } },
  'silent-sound': { clip: SMALL, silentSound: SOUND },
  /** The session of the sound ends that of the pictures. */
  'room-for-one': { clip: SMALL, silentSound: SOUND, hasRoomForOne: true },
  'behind': { clip: CLIPS.h265Small, behindMs: 2_500 },
  /** Its clock is set by 26 years while it sends. */
  'reports-step': { clip: SMALL, reportedMs: second => second * 1000 + (second < 10 ? 0 : 9_500 * DAY_MS) },
  /** In the middle of a group, too. */
  'encoder-restarts': { clip: SMALL, restartsEveryFrames: 4 * SMALL.fps + 7 },
  /** Half of a frame is lost each five seconds. */
  'torn': { clip: SMALL, isTorn: n => n % (5 * SMALL.fps) === 3 * SMALL.fps + 7 },
  'closes': { clip: CLIPS.h265Small, closesAfterMs: 12_000 },
} as const satisfies Record<string, Craft>

export type CraftedKind = keyof typeof CRAFTED
export const CRAFTED_KINDS = Object.keys(CRAFTED) as CraftedKind[]
/** Of the others nothing is lost on the way. */
export const LOSING_KINDS: ReadonlySet<CraftedKind> = new Set(['torn', 'closes', 'room-for-one'])
/** Sound is asked for. */
export const hasSound = (kind: CraftedKind): boolean => (CRAFTED[kind] as Craft).silentSound !== undefined
export const clipsOf = (kind: CraftedKind): ClipOptions[] => {
  const { clip, otherClip }: Craft = CRAFTED[kind]
  return otherClip === undefined ? [clip] : [clip, otherClip.clip]
}
