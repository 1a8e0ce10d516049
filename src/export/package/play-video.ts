import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import type { Clock } from '../../platform/clock.ts'
import { startFfmpeg } from '../../platform/ffmpeg.ts'
import type { ManifestRecord, ManifestVideo } from './manifest.ts'

/** What decoding the pictures of a video file came to (E16). `decoded` of `pictures` came out; `not-played`: ffmpeg could not be run, or not in the time that there is. */
export type ManifestPlayback = {
  readonly path: string
  readonly extent: 'whole' | 'first-and-last'
  readonly pictures: number
  readonly decoded: number
  readonly result: 'decoded' | 'undecodable' | 'not-played'
}

export interface PlayOptions {
  readonly folder: string
  readonly clock: Clock
  /** Waits while recording is short of breath [G9]. */
  readonly pace: () => Promise<unknown>
  readonly signal: AbortSignal
}

/** A file this short is played from end to end. */
const WHOLE_MS = 10_000
/** Cameras that save bits send a key frame every few minutes: of such a group its beginning. */
const MOST_GROUP_MS = 20_000
/** Twenty seconds of 4K H.265 take half of that on one slow thread. */
const MOST_RUN_MS = 120_000
/** Of a package of many files the later ones are told as not played. */
const MOST_PACKAGE_MS = 15 * 60_000
const CHUNK_BYTES = 1 << 20
const STOPPED = new AbortController().signal
/** By ffmpeg's own logger; libraries and the shell around it say things of the machine, such as that memory cannot be locked. */
const DECODER_SAYS = /\[(?:error|fatal|panic)\]/
const BROKEN_SHELL = 126 // and above: the program could not be started

/** First and last group of pictures of each file, or all of a short one, through ffmpeg's decoder: one thread, behind everything else on the machine, within bounds. A picture that does not decode is told, not thrown. */
export async function playVideos(videos: readonly ManifestVideo[], { folder, clock, pace, signal }: PlayOptions): Promise<ManifestPlayback[]> {
  const until = clock.monoNow() + MOST_PACKAGE_MS, told: ManifestPlayback[] = []
  for (const video of videos) {
    const groups = groupsToPlay(video.records), pictures = groups.flat().reduce((sum, { frames }) => sum + frames, 0)
    let decoded = 0, result: ManifestPlayback['result'] = 'decoded'
    await using file = await open(path.join(folder, video.path), 'r')
    for (const group of groups) {
      await pace()
      signal.throwIfAborted()
      const end = clock.monoNow() < until ? await decode(file, video.records[0]?.offset ?? 0, group, { clock, signal }) : null
      signal.throwIfAborted()
      if (end === null) { if (result === 'decoded') result = 'not-played'; continue }
      decoded += end.pictures
      if (!end.isClean || end.pictures !== group.reduce((sum, { frames }) => sum + frames, 0)) result = 'undecodable'
    }
    told.push({ path: video.path, extent: groups.flat().length === video.records.length ? 'whole' : 'first-and-last', pictures, decoded, result })
  }
  return told
}

/** Each begins with a key frame, as every file does. Pure. */
export function groupsToPlay(records: readonly ManifestRecord[]): readonly (readonly ManifestRecord[])[] {
  const starts = records.flatMap(({ key }, index) => key ? [index] : []), durationOf = (part: readonly ManifestRecord[]): number => part.reduce((sum, { durationMs }) => sum + durationMs, 0)
  if (durationOf(records) <= WHOLE_MS) return [records]
  const bounded = (from: number, to: number): readonly ManifestRecord[] => {
    let sumMs = 0
    return records.slice(from, to).filter(({ durationMs }) => (sumMs += durationMs) <= MOST_GROUP_MS)
  }
  const last = starts.at(-1) ?? 0
  return [bounded(0, starts.find(index => index > 0) ?? records.length), ...(last > 0 ? [bounded(last, records.length)] : [])]
}

/** Null when ffmpeg did not get to it. */
async function decode(file: FileHandle, headBytes: number, group: readonly ManifestRecord[], { clock, signal }: Pick<PlayOptions, 'clock' | 'signal'>): Promise<{ readonly pictures: number, readonly isClean: boolean } | null> {
  const kill = new AbortController(), over = new AbortController(), input = Readable.from(bytesOf(file, headBytes, group))
  input.on('error', () => undefined) // a child that ended early
  let pictures = 0, rest = ''
  const child = await startFfmpeg({
    inputFormat: 'mp4', inputOptions: [['-v', 'level+error'], ['-xerror'], ['-threads', '1']], inputText: input, niceness: 19,
    outputFormat: 'framecrc', outputOptions: [['-map', '0:v:0'], ['-an'], ['-fps_mode', 'passthrough'], ['-threads', '1']],
    onBytes: piece => {
      const lines = `${rest}${piece.toString('latin1')}`.split('\n') // a line a picture, those of the head begin with #
      rest = lines.pop() ?? ''
      pictures += lines.filter(line => line !== '' && !line.startsWith('#')).length
      return 'whole'
    },
  }, { stop: STOPPED, kill: AbortSignal.any([kill.signal, signal]) })
  void clock.wait(MOST_RUN_MS, over.signal).then(() => { kill.abort() })
  const { code, stderrLines } = await child.exit
  const isLate = kill.signal.aborted
  over.abort()
  input.destroy()
  return code === null || code >= BROKEN_SHELL || isLate ? null : { pictures, isClean: code === 0 && !stderrLines.some(line => DECODER_SAYS.test(line)) }
}

async function* bytesOf(file: FileHandle, headBytes: number, group: readonly ManifestRecord[]): AsyncGenerator<Buffer> {
  const first = group[0], last = group.at(-1)
  if (first === undefined || last === undefined) return
  for (const [from, to] of [[0, headBytes], [first.offset, last.offset + last.bytes]] as const) {
    for (let at = from; at < to;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at)), 0, undefined, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
}

/** As people read it: on the README, in the custody record, and of a copy that waits for its witness. */
export function playbackText(told: readonly ManifestPlayback[]): { readonly zh: string, readonly en: string, readonly isAllWell: boolean } {
  const of = (result: ManifestPlayback['result']): number => told.filter(each => each.result === result).length
  const [bad, not] = [of('undecodable'), of('not-played')]
  return {
    isAllWell: bad + not === 0,
    zh: `影像播放檢查（各檔首尾）：${told.length} 檔${bad + not === 0 ? '均可播放' : `，${[...(bad === 0 ? [] : [`${bad} 檔有畫面無法解碼`]), ...(not === 0 ? [] : [`${not} 檔未能播放檢查`])].join('、')}`}`,
    en: `playing check, first and last of each file: ${told.length} ${told.length === 1 ? 'file' : 'files'}${bad + not === 0 ? ', all play' : `, ${bad} with pictures that do not decode, ${not} not played`}`,
  }
}
