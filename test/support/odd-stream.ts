import fc from 'fast-check'
import { epochMs, monoMs, type RunEndReason } from '../../src/domain/index.ts'
import { RunFootage } from '../../src/ingest/run-footage.ts'
import {
  buildFragmentIn, parseMovieFragment, withParameterSets, type Fragment, type InitSegment
} from '../../src/media/index.ts'
import type { StreamLane } from '../../src/storage/index.ts'
import { builtInit } from './fragments.ts'

/** One access unit of a camera. */
export interface SentFrame {
  readonly arrivedMs: number
  readonly stampMs: number | null
  readonly isKey: boolean
  readonly isBidirectional: boolean
  readonly sets: readonly Buffer[]
}

export const STARTED_AT = epochMs(Date.parse('2026-11-20T01:00:00.000Z'))
const FRAGMENT_MS = 500
const CODE_MODULUS = 2 ** 30
const TICKS_A_MS = 90

/** Main profile, 64x48, and one that differs from it in its quantiser alone. */
const SPS = Buffer.from('674d400aeca23d8088000003000800000300a078912cb0', 'hex')
const PPS = Buffer.from('68ce0cb2', 'hex'), OTHER_PPS = Buffer.from('68ce1cb2', 'hex')

/** The header that such a camera's description gives. */
export function oddInit(): InitSegment {
  return withParameterSets(builtInit(), new Map([['sps0', SPS], ['pps0', PPS]]))
}

const wordsOf = (n: number): string => `frame ${String(n).padStart(6, '0')};`
/** Numbers of the frames whose bytes stand there, in order. */
export const framesIn = (bytes: Buffer): number[] =>
  [...bytes.toString('latin1').matchAll(/frame (\d{6});/g)].map(([, n]) => Number(n))

function sampleOf(frame: SentFrame, n: number): Buffer {
  const sliceType = frame.isBidirectional ? 0x9c : 0x98 // first macroblock 0, type B or P
  const slice = Buffer.concat([Buffer.from([frame.isKey ? 0x65 : 0x41, sliceType]), Buffer.from(wordsOf(n))])
  return Buffer.concat([...frame.sets, slice].flatMap(nal => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(nal.length)
    return [length, nal]
  }))
}

/**
 * As ffmpeg writes it: fragments at key frames and each 500 ms of arrival, arrivals as decoding times, stamps
 * in presentation times.
 */
export function fragmentsOf(init: InitSegment, frames: readonly SentFrame[]): Fragment[] {
  const ticks = frames.map((frame, n) => n < 2 ? n * 2 : 2 * Math.floor(frame.arrivedMs * TICKS_A_MS / 2))
  for (let n = 1; n < ticks.length; n++) ticks[n] = Math.max(ticks[n]!, ticks[n - 1]! + 2)
  const fragments: Fragment[] = []
  for (let from = 0; from < frames.length;) {
    let to = from + 1
    while (
      to < frames.length && !frames[to]!.isKey && ticks[to]! < ticks[from]! + FRAGMENT_MS * TICKS_A_MS
    ) to++
    fragments.push(fragmentOf(init, frames, ticks, from, to))
    from = to
  }
  return fragments
}

function fragmentOf(
  init: InitSegment, frames: readonly SentFrame[], ticks: readonly number[], from: number, to: number
): Fragment {
  const bytes: Buffer[] = [], samples = []
  let dataAt = 0
  for (let n = from; n < to; n++) {
    const { stampMs, isKey } = frames[n]!, data = sampleOf(frames[n]!, n)
    const code = stampMs === null ? 1 : 2 * Math.round(stampMs * TICKS_A_MS)
    const compositionOffsetTicks = (((code - ticks[n]!) % CODE_MODULUS) + CODE_MODULUS) % CODE_MODULUS
    const durationTicks = (ticks[n + 1] ?? ticks[n]! + 2) - ticks[n]!
    samples.push({ durationTicks, sizeBytes: data.length, isKey, compositionOffsetTicks, dataAt })
    bytes.push(data)
    dataAt += data.length
  }
  const part = {
    trackId: init.video.trackId, decodeTimeTicks: BigInt(ticks[from]!), samples, data: Buffer.concat(bytes),
  }
  const built = buildFragmentIn(
    1, [part], { headRoomBytes: 0, tailRoomBytes: 0, allocate: size => Buffer.alloc(size) }
  )
  return { ...built, tracks: parseMovieFragment(built.buffer, built.buffer.length) }
}

/** One session of such a camera into a lane. */
export async function recordSession(
  lane: StreamLane, frames: readonly SentFrame[],
  { end = 'closed-by-camera', lossesMs = [] }: {
    end?: RunEndReason, /** When packets were. */ lossesMs?: readonly number[] } = {}
): Promise<void> {
  const untold = [...lossesMs]
  const footage = new RunFootage({
    lane, clock: { wallNow: () => epochMs(STARTED_AT + readMs) } as never, startedAt: STARTED_AT, sound: null,
    stampRate: 1, onStampRate: () => undefined, cameraClockOffsetMs: () => null, onFragment: () => undefined,
    firstPictureAgoMs: () => frames[0] === undefined ? null : readMs - frames[0].arrivedMs,
    takeLossesAgoMs: () => untold.splice(0, untold.filter(atMs => atMs <= readMs).length)
      .map(atMs => readMs - atMs),
  })
  const init = oddInit()
  footage.begin(init)
  let readMs = 0
  for (const fragment of fragmentsOf(init, frames)) {
    const [track] = fragment.tracks
    readMs = Math.max(readMs, (Number(track!.decodeTimeTicks) + track!.durationTicks) / TICKS_A_MS)
    await footage.take({ fragment, wall: epochMs(STARTED_AT + readMs), mono: monoMs(Math.round(readMs)) })
  }
  await footage.flush()
  footage.end(end)
}

type Stamps = (
  n: number, options: { readonly stepMs: number, readonly bends: readonly number[] }
) => number | null

/** Stamps of every kind that cameras were seen to send. */
const STAMPS: readonly Stamps[] = [
  (n, { stepMs }) => n * stepMs,
  () => 0,
  () => null,
  (n, { stepMs }) => Math.floor(n / 2) * 2 * stepMs,
  (n, { stepMs }) => n * stepMs * 0.8,
  (n, { stepMs }) => n * stepMs * 1.2,
  (n, { stepMs }) => -n * stepMs,
  (n, { stepMs, bends }) => n * stepMs + bends[Math.floor(n / 15) % bends.length]!,
  (n, { bends }) => bends[n % bends.length]!,
  (n, { stepMs, bends }) => bends[n % bends.length]! > 0 ? null : n * stepMs,
  (n, { stepMs }) => (n * stepMs + 5_964_500) % (2 ** 29 / TICKS_A_MS), // the count wraps after less than a second
  (n, { stepMs, bends }) => (n + bends[n % bends.length]! % 2) * stepMs, // temporal layers with uneven stamps
]

/**
 * Sessions of cameras: stamps of every kind, steady and stalling lines, B frames, changing parameter sets.
 */
export const oddSession: fc.Arbitrary<readonly SentFrame[]> = fc.record({
  count: fc.integer({ min: 1, max: 90 }), fps: fc.constantFrom(0.25, 1, 2, 8.4, 10, 15, 25), group: fc.integer({ min: 1, max: 30 }),
  stamps: fc.constantFrom(...STAMPS), reorders: fc.boolean(), changesSets: fc.boolean(),
  bends: fc.array(fc.integer({ min: -20_000, max: 20_000 }), { minLength: 1, maxLength: 8 }),
  delays: fc.array(fc.oneof(fc.nat(30), fc.nat(3000)), { minLength: 1, maxLength: 8 }),
}).map(({ count, fps, group, stamps, reorders, changesSets, bends, delays }) => {
  const stepMs = 1000 / fps
  let arrivedMs = 0
  return Array.from({ length: count }, (_, n) => {
    const inGroup = n % group, isKey = inGroup === 0
    const hasB = reorders && fps >= 2 // a camera that sends a frame in seconds has nothing to reorder
    const isBidirectional = hasB && !isKey && inGroup % 3 !== 1
    const shown = !hasB || isKey ? n : inGroup % 3 === 1 ? n + 2 : n - 1 // I P B B P B B
    arrivedMs = Math.max(arrivedMs + 0.03, 500 + n * stepMs + delays[Math.floor(n / 5) % delays.length]!)
    const sets = !isKey ? [] : [SPS, changesSets && Math.floor(n / group) % 2 === 1 ? OTHER_PPS : PPS]
    return { arrivedMs, stampMs: stamps(shown, { stepMs, bends }), isKey, isBidirectional, sets }
  })
})
