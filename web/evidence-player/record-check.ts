import { boxAt, boxesIn, parseMoof, parsePrft, readInit, type InitSegment } from './boxes.ts'
import { bytesOfHex, equalBytes, readSlice, viewOf, type BlobLike, type Bytes } from './bytes.ts'
import type { ManifestRecord, ManifestVideo } from './manifest.ts'
import { leafHash, rootByInclusion } from './merkle.ts'
import { sha256Of } from './sha256.ts'

export interface RecordProblem { readonly code: 'records-altered' | 'outside-grant', /** Position in the video's list; null where it is the file as a whole. */ readonly record: number | null, readonly zh: string, readonly en: string }
export interface RecordReport { readonly checked: number, /** Cut at a granted edge: only their proofs were followed. */ readonly cut: number, readonly problem: RecordProblem | null }

/** SHA-256 of whole bytes; the browser's own where there is one, for it is several times as fast. */
export type Digest = (bytes: Bytes) => Promise<Bytes>
export const ownDigest: Digest = async bytes => sha256Of(bytes)

/**
 * Hashes each record of a video as it was recorded and follows its proof to the segment's Merkle root. Stops at the first that does not fit.
 * A copy's times were moved to its own start; `recordedBytes` undoes that, and only that.
 */
export async function checkRecords(blob: BlobLike, video: Pick<ManifestVideo, 'records' | 'segments' | 'granted'>, digest: Digest = ownDigest, onBytes: (bytes: number) => void = () => {}): Promise<RecordReport> {
  const { records, segments, granted } = video
  let init: InitSegment
  try { init = await readInit(blob) } catch { return { checked: 0, cut: 0, problem: { code: 'records-altered', record: null, zh: '檔案開頭無法解讀', en: 'its beginning cannot be read' } } }
  let checked = 0, cut = 0, end = 0, before: ManifestRecord | null = null
  for (const [i, record] of records.entries()) {
    const problem = (zh: string, en: string, code: RecordProblem['code'] = 'records-altered'): RecordReport => ({ checked, cut, problem: { code, record: i, zh: `第 ${i + 1} 筆${zh}`, en: `record ${i + 1} ${en}` } })
    if ((i > 0 && record.offset !== end) || record.offset + record.bytes > blob.size) return problem('的位置不對', 'stands where it cannot')
    if (before !== null && record.atMs < before.atMs - STEP_BACK_MS) return problem('的時間早於前一筆', 'is older than the one before it')
    if (before !== null && (record.segment < before.segment || (before.segment === record.segment && record.sequence <= before.sequence))) return problem('的次序與錄影時不同', 'is not the one that was recorded next')
    const recorded = recordedBytes(await readSlice(blob, record.offset, record.offset + record.bytes), init, record.sequence)
    if (recorded === null) return problem('無法解讀', 'cannot be read')
    const hash = bytesOfHex(record.sha256)!
    if (record.cut) cut += 1
    else if (!equalBytes(await digest(recorded), hash)) return problem('的影像內容與錄影當時不同', 'does not hash to what was recorded')
    const segment = segments[record.segment]!
    const root = rootByInclusion(leafHash(hash), record.sequence, segment.leaves, record.proof.map(step => bytesOfHex(step)!))
    if (root === null || !equalBytes(root, bytesOfHex(segment.merkleRoot)!)) return problem('的證明與該段錄影的雜湊樹不符', 'has a proof that does not lead to its segment\'s root')
    if (!isGranted(recorded, init, record.atMs, granted)) return problem('含有核准時段以外的畫面或聲音', 'holds pictures or sound from outside what was granted', 'outside-grant')
    checked += 1
    end = record.offset + record.bytes
    before = record
    onBytes(record.bytes)
  }
  return { checked, cut, problem: null }
}

const STEP_BACK_MS = 20 // a slewed clock

/** Each picture and sound by the whole millisecond it begins in, as the recorder's fence was asked. `bytes` is a record as it was recorded. */
function isGranted(bytes: Bytes, { video, tracks: known }: InitSegment, atMs: number, granted: ManifestVideo['granted']): boolean {
  const boxes = boxesIn(bytes, 0, bytes.length), { tracks } = parseMoof(bytes, boxes.find(box => box.type === 'moof')!), prft = parsePrft(bytes, boxes.find(box => box.type === 'prft')!)!
  return tracks.every(({ trackId, frames }) => {
    const own = BigInt(known.find(track => track.trackId === trackId)!.timescale), pictures = BigInt(video.timescale)
    return frames.flatMap(({ dts, pts }) => dts === pts ? [dts] : [dts, pts]).every(ticks => {
      const shift = (BigInt(ticks) * pictures - BigInt(prft.mediaTicks) * own) * 1000n, scale = own * pictures
      return granted.some(({ fromMs, toMs }) => BigInt(fromMs - atMs) * scale <= shift && shift < BigInt(toMs - atMs) * scale)
    })
  })
}

/**
 * The bytes of a record as they stood in the recorder's slot: each track's `tfdt` goes back by what the pictures' own says against `prft`,
 * and the sequence number to the record's own, which counts from 1. Null where they are no record. `bytes` is changed in place.
 */
export function recordedBytes(bytes: Bytes, init: InitSegment, sequence: number): Bytes | null {
  try {
    const boxes = boxesIn(bytes, 0, bytes.length), view = viewOf(bytes)
    const prftBox = boxes.find(box => box.type === 'prft'), moof = boxes.find(box => box.type === 'moof')
    const prft = prftBox === undefined ? null : parsePrft(bytes, prftBox)
    if (prft === null || moof === undefined) return null
    const { tracks, sequenceAt } = parseMoof(bytes, moof)
    const pictures = tracks.find(track => track.trackId === init.video.trackId)
    if (pictures === undefined || sequenceAt === null) return null
    const moved = pictures.decodeTime - prft.mediaTicks
    for (const track of tracks) {
      const timescale = init.tracks.find(known => known.trackId === track.trackId)?.timescale
      if (timescale === undefined) return null
      const ticks = Math.max(0, track.decodeTime - Math.round(moved * timescale / init.video.timescale))
      view.setBigUint64(track.decodeTimeAt, BigInt(ticks))
    }
    view.setUint32(sequenceAt, sequence + 1)
    return bytes
  } catch { return null } // MediaError, or a number past what a box holds
}

/** A record found in a file without a manifest: what its own `prft` and `moof` say. */
export interface ScannedRecord { readonly offset: number, readonly bytes: number, readonly atMs: number, readonly durationMs: number, readonly key: boolean }

const WINDOW_BYTES = 1 << 18
const MAX_MOOF_BYTES = 1 << 18
const MAX_SCANNED = 1_000_000

/** Walks a file's boxes and finds the recorder's own records. Stops quietly where the boxes end; `isWhole` tells whether that was the file's end. */
export async function scanRecords(blob: BlobLike): Promise<{ readonly init: InitSegment, readonly records: readonly ScannedRecord[], readonly isWhole: boolean }> {
  const init = await readInit(blob)
  const records: ScannedRecord[] = []
  let window: Bytes = new Uint8Array(), from = 0
  const bytesAt = async (at: number, length: number): Promise<Bytes> => {
    if (at < from || at + length > from + window.length) { window = await readSlice(blob, at, at + Math.max(WINDOW_BYTES, length)); from = at }
    return window.subarray(at - from, Math.min(at - from + length, window.length))
  }
  let prft: { readonly at: number, readonly wallMs: number } | null = null, moof: { readonly durationMs: number, readonly key: boolean } | null = null
  try {
    for (let at = 0; at < blob.size;) {
      if (records.length === MAX_SCANNED) return { init, records, isWhole: false }
      const head = await bytesAt(at, 16)
      const box = boxAt(viewOf(head), 0, head.length)
      if (box === null || at + box.endAt > blob.size) return { init, records, isWhole: false }
      if (box.type === 'prft') {
        const read = parsePrft(await bytesAt(at, 32), box)
        prft = read === null ? null : { at, wallMs: read.wallMs }
        moof = null
      } else if (box.type === 'moof' && box.endAt <= MAX_MOOF_BYTES) {
        const pictures = parseMoof(await bytesAt(at, box.endAt), { ...box, at: 0 }).tracks.find(track => track.trackId === init.video.trackId)
        moof = pictures === undefined ? null : { durationMs: Math.round(pictures.durationTicks * 1000 / init.video.timescale), key: pictures.frames[0]?.isKey ?? false }
      } else if (box.type === 'mdat' && prft !== null && moof !== null) {
        records.push({ offset: prft.at, bytes: at + box.endAt - prft.at, atMs: prft.wallMs, ...moof })
        prft = moof = null
      }
      at += box.endAt
    }
  } catch { return { init, records, isWhole: false } } // a torn file plays up to where it is torn
  return { init, records, isWhole: true }
}
