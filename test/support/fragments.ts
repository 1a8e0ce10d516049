import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { epochMs, runId } from '../../src/domain/index.ts'
import type { TimedFragment } from '../../src/footage/index.ts'
import { FRAGMENT_OPTIONS } from '../../src/ingest/ffmpeg-arguments.ts'
import { FragmentParser, makeBox, parseInitSegment, type Fragment, type InitSegment } from '../../src/media/index.ts'
import { FRAGMENT_ROOM } from '../../src/storage/index.ts'

const run = promisify(execFile)
const CACHE_FOLDER = path.join(import.meta.dirname, '../../.cache/fragments')
const MAX_FRAGMENT_BYTES = 16 << 20

/** An init segment and the fragments behind it. Each call of `fragment` gives fresh bytes, for the recorder changes them. */
export interface Footage { readonly init: InitSegment, readonly count: number, fragment(position: number): Fragment }

// ---- real ones -----------------------------------------------------------------------------------------------------

export interface RealFootageOptions { readonly codec: 'h264' | 'h265', readonly width: number, readonly height: number, readonly seconds: number, readonly sound?: boolean }

/** What ffmpeg makes of a test picture with the recorder's own options: a key frame a second, fragments of half a second. Made once. */
export async function realFootage(options: RealFootageOptions): Promise<Footage> {
  const { codec, width, height, seconds, sound = false } = options
  const encode = [
    '-v', 'error', '-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}:rate=15`, ...(sound ? ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'] : []), '-t', String(seconds),
    '-c:v', codec === 'h264' ? 'libx264' : 'libx265', '-preset', 'ultrafast', '-threads', '1', '-g', '15', '-bf', '0', '-pix_fmt', 'yuv420p',
    ...(codec === 'h265' ? ['-x265-params', 'log-level=error:keyint=15:min-keyint=15:bframes=0:pools=none'] : ['-keyint_min', '15', '-sc_threshold', '0']),
    ...(sound ? ['-c:a', 'aac', '-b:a', '48k'] : []), '-flags', '+bitexact', '-fflags', '+bitexact', '-f', 'matroska',
  ]
  const copy = ['-v', 'error', '-c', 'copy', ...FRAGMENT_OPTIONS.flat(), '-fflags', '+bitexact', '-f', 'mp4']
  const name = createHash('sha256').update(JSON.stringify([encode, copy])).digest('hex').slice(0, 16)
  const file = path.join(CACHE_FOLDER, `${codec}-${width}x${height}-${seconds}s${sound ? '-sound' : ''}-${name}.mp4`)
  if (!existsSync(file)) {
    await mkdir(CACHE_FOLDER, { recursive: true })
    const part = `${file}.${randomUUID()}`
    try {
      await run('ffmpeg', [...encode, `${part}.mkv`], { timeout: 60_000 })
      await run('ffmpeg', ['-i', `${part}.mkv`, ...copy, part], { timeout: 60_000 })
      await rename(part, file) // whoever makes it at the same time makes the same
    } finally { await rm(`${part}.mkv`, { force: true }) }
  }
  return footageOf(await readFile(file))
}

export function footageOf(mp4: Buffer): Footage {
  const fragments: Fragment[] = []
  const parser = new FragmentParser({ ...FRAGMENT_ROOM, maxFragmentBytes: MAX_FRAGMENT_BYTES })
  for (const parsed of parser.push(mp4)) if (parsed.kind === 'fragment') fragments.push(parsed.fragment)
  if (parser.init === null || fragments.length === 0) throw new Error('no fragmented MP4')
  return {
    init: parser.init, count: fragments.length,
    fragment(position) {
      const fragment = fragments[position]
      if (fragment === undefined) throw new RangeError(`no fragment ${position}`)
      return { ...fragment, buffer: Buffer.from(fragment.buffer) }
    },
  }
}

/** The same with pictures that no decoder makes anything of, in the fragments at `positions`: sizes, times and boxes are sound. */
export function spoiltPictures(footage: Footage, positions: readonly number[]): Footage {
  return {
    ...footage, fragment(position) {
      const fragment = footage.fragment(position)
      if (positions.includes(position)) { const media = mediaBytesOf(fragment); for (let at = 64; at < media.length; at += 7) media[at]! ^= 0x5a }
      return fragment
    },
  }
}

/** Bytes of the pictures and sounds alone, which no move of times changes. */
export function mediaBytesOf({ buffer, moofAt, moofBytes, endAt }: Fragment): Buffer { return buffer.subarray(moofAt + moofBytes + 8, endAt) }

// ---- hand-built ones -----------------------------------------------------------------------------------------------

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4)
  return bytes
}
const u64 = (value: bigint): Buffer => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64BE(value); return bytes }

export const BUILT_TIMESCALE = 90_000
const VIDEO_TRACK = 1, SOUND_TRACK = 2
export const BUILT_SOUND_TIMESCALE = 48_000

function sampleEntry(width: number, height: number): Buffer {
  const fields = Buffer.alloc(78)
  fields.writeUInt16BE(1, 6)
  fields.writeUInt16BE(width, 24)
  fields.writeUInt16BE(height, 26)
  const sps = Buffer.from([0x67, 0x42, 0x00, 0x1e, 0x80 | (width & 0x3f)]), pps = Buffer.from([0x68, 0xce, 0x38, 0x80])
  const length = (set: Buffer) => Buffer.concat([Buffer.from([set.length >> 8, set.length & 0xff]), set])
  const avcC = Buffer.concat([Buffer.from([1, 0x42, 0x00, 0x1e, 0xff, 0xe1]), length(sps), Buffer.from([1]), length(pps)])
  return makeBox('avc1', fields, makeBox('avcC', avcC))
}

function trak(trackId: number, timescale: number, handler: 'vide' | 'soun', entry: Buffer): Buffer {
  return makeBox('trak', makeBox('tkhd', u32(7, 0, 0, trackId, 0, 0)), makeBox('mdia', makeBox('mdhd', u32(0, 0, 0, timescale, 0, 0)),
    makeBox('hdlr', u32(0, 0), Buffer.from(handler), u32(0, 0, 0)), makeBox('minf', makeBox('stbl', makeBox('stsd', u32(0, 1), entry)))))
}

/** A minimal init segment; another width makes another `moov`. */
export function builtInit({ width = 64, height = 48, sound = false, timescale = BUILT_TIMESCALE } = {}): InitSegment {
  const ftyp = makeBox('ftyp', Buffer.from('isom'), u32(512), Buffer.from('isomiso5'))
  const tracks = [trak(VIDEO_TRACK, timescale, 'vide', sampleEntry(width, height))]
  if (sound) tracks.push(trak(SOUND_TRACK, BUILT_SOUND_TIMESCALE, 'soun', makeBox('mp4a', Buffer.alloc(28))))
  return parseInitSegment(ftyp, makeBox('moov', makeBox('mvhd', Buffer.alloc(100)), ...tracks))
}

export interface BuiltFragmentOptions {
  readonly init: InitSegment
  /** Stands in every few bytes of its pictures, so that a stray byte tells where it came from. */
  readonly name: string
  readonly dataBytes?: number
  readonly frames?: number
  readonly durationMs?: number
  readonly isKey?: boolean
  readonly decodeTimeMs?: number
  /** Pictures left out: what a muxer writes while a camera sends sound only. */
  readonly soundOnly?: boolean
}

const traf = (trackId: number, ticks: bigint, run: Buffer): Buffer => makeBox('traf', makeBox('tfhd', u32(0x00020000, trackId)), makeBox('tfdt', u32(0x01000000), u64(ticks)), makeBox('trun', run))

/** Cases that begin alike record the same fragments again. */
const made = new Map<string, Footage>()
const MADE_MOST = 64

/** One `moof`+`mdat` as a muxer writes it. `dataBytes` counts the pictures alone. */
export function builtFragment({ init, ...options }: BuiltFragmentOptions): Fragment {
  const key = `${JSON.stringify(options)} ${init.moov.toString('latin1')}`
  let footage = made.get(key)
  if (footage === undefined) {
    if (made.size === MADE_MOST) made.clear()
    made.set(key, footage = builtFootage({ init, ...options }))
  }
  return footage.fragment(0)
}

function builtFootage({
  init, name, dataBytes = 3000, frames = 5, durationMs = 500, isKey = true, decodeTimeMs = 0, soundOnly = false,
}: BuiltFragmentOptions): Footage {
  const withSound = init.tracks.length > 1
  const frameTicks = durationMs * BUILT_TIMESCALE / 1000 / frames
  const sizes = Array.from({ length: frames }, (_, i) => Math.floor(dataBytes / frames) + (i === 0 ? dataBytes % frames : 0))
  const soundBytes = withSound ? 64 : 0
  const moofOf = (moofBytes: number): Buffer => {
    const samples = sizes.map((size, i) => u32(frameTicks, size, isKey && i === 0 ? 0x02000000 : 0x01010000))
    const tracks = soundOnly ? [] : [traf(VIDEO_TRACK, BigInt(Math.round(decodeTimeMs * BUILT_TIMESCALE / 1000)), Buffer.concat([u32(0x00000701, frames, moofBytes + 8), ...samples]))]
    if (withSound) {
      tracks.push(traf(SOUND_TRACK, BigInt(Math.round(decodeTimeMs * BUILT_SOUND_TIMESCALE / 1000)),
        u32(0x00000701, 1, moofBytes + 8 + dataBytes, durationMs * BUILT_SOUND_TIMESCALE / 1000, soundBytes, 0x02000000)))
    }
    return makeBox('moof', makeBox('mfhd', u32(0, 1)), ...tracks)
  }
  const moof = moofOf(moofOf(0).length)
  const mp4 = Buffer.concat([init.ftyp, init.moov, moof, makeBox('mdat', Buffer.alloc(dataBytes + soundBytes, `${name} `))])
  return footageOf(mp4)
}

export interface TimedOptions { readonly runId?: number, readonly startAt: number, readonly cameraClockOffsetMs?: number | null }

/** Pictures with times of their own, in ticks of the init segment's video track; each picture's bytes are its words. */
export function fragmentOf(init: InitSegment, { decodeTicks, isKey, pictures }: { readonly decodeTicks: number, readonly isKey: boolean, readonly pictures: readonly { readonly words: string, readonly durationTicks: number, readonly offsetTicks: number }[] }): Fragment {
  const data = pictures.map(({ words }) => Buffer.from(words))
  const moofOf = (moofBytes: number): Buffer => makeBox('moof', makeBox('mfhd', u32(0, 1)), traf(VIDEO_TRACK, BigInt(decodeTicks), Buffer.concat([
    u32(0x01000f01, pictures.length, moofBytes + 8), ...pictures.map(({ durationTicks, offsetTicks }, i) => u32(durationTicks, data[i]!.length, isKey && i === 0 ? 0x02000000 : 0x01010000, offsetTicks)),
  ])))
  return footageOf(Buffer.concat([init.ftyp, init.moov, moofOf(moofOf(0).length), makeBox('mdat', ...data)])).fragment(0)
}

/** A fragment with times as a run would give them: its own, counted from the run's first frame. */
export function timedFragment(init: InitSegment, fragment: Fragment, options: TimedOptions): TimedFragment {
  const timescaleOf = (trackId: number) => init.tracks.find(known => known.trackId === trackId)!.timescale
  const video = fragment.tracks.find(track => track.trackId === init.video.trackId)
  const lead = video ?? fragment.tracks[0]!
  return {
    fragment, runId: runId(options.runId ?? 1), startAt: epochMs(options.startAt), durationMs: Math.round(lead.durationTicks * 1000 / timescaleOf(lead.trackId)),
    trackTimes: fragment.tracks.map(track => ({ track, timescale: timescaleOf(track.trackId), ticks: track.decodeTimeTicks })),
    startsWithKey: video?.samples[0]?.isKey === true, cameraClockOffsetMs: options.cameraClockOffsetMs ?? null,
  }
}
