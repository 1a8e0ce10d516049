import { readInit, type InitSegment } from './boxes.ts'
import type { BlobLike } from './bytes.ts'
import type { Manifest } from './manifest.ts'
import { scanRecords } from './record-check.ts'

/** A record as the player needs it: where it stands and when it was recorded. */
export interface FootageRecord { readonly file: number, readonly offset: number, readonly bytes: number, readonly atMs: number, readonly endMs: number, readonly key: boolean }
export interface FootageFile { readonly path: string, readonly blob: BlobLike, readonly sha256: string | null, /** Index of its first record. */ readonly firstRecord: number, readonly codec: string | null }
export interface FootageSpan { readonly fromMs: number, readonly toMs: number }
export interface FootageGap extends FootageSpan { readonly zh: string, readonly en: string, /** There are pictures, but only those of the key frames. */ readonly isThinned: boolean }

/** One camera's stream over all its files, in the order of time. */
export interface CameraFootage {
  readonly cameraId: string
  readonly name: string
  readonly stream: string
  readonly files: readonly FootageFile[]
  readonly records: readonly FootageRecord[]
  readonly spans: readonly FootageSpan[]
  readonly gaps: readonly FootageGap[]
}

/** Records nearer than this follow each other without a gap: clocks are slewed, frames are not. */
const JOIN_MS = 400

/** Footage as the manifest lists it. */
export function footageOfManifest(manifest: Manifest, files: ReadonlyMap<string, BlobLike>): CameraFootage[] {
  const groups = Map.groupBy(manifest.videos.filter(video => files.has(video.path) && video.records.length > 0), video => `${video.cameraId}\n${video.stream}`)
  return [...groups.values()].map(videos => {
    const { cameraId, cameraName, stream, location } = videos[0]!
    const sorted = videos.toSorted((a, b) => a.firstFrameMs - b.firstFrameMs)
    return assemble({ cameraId, name: [cameraName || cameraId, location].filter(part => part !== '').join('・'), stream }, sorted.map(video => ({
      path: video.path, blob: files.get(video.path)!, sha256: video.sha256, codec: video.codec,
      records: video.records.map(({ offset, bytes, atMs, durationMs, key }) => ({ offset, bytes, atMs, endMs: atMs + durationMs, key })),
    })), manifest.gaps.filter(gap => gap.cameraId === cameraId && (gap.stream === '' || gap.stream === stream)))
  })
}

/** Footage of files without a manifest, by the times in the files themselves. Files that have none are named. */
export async function footageOfFiles(files: ReadonlyMap<string, BlobLike>): Promise<{ readonly cameras: CameraFootage[], readonly unusable: readonly string[] }> {
  const cameras: CameraFootage[] = [], unusable: string[] = []
  for (const [path, blob] of files) {
    if (!/\.mp4$/i.test(path)) continue
    try {
      const { records } = await scanRecords(blob)
      if (records.length === 0) { unusable.push(path); continue }
      const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.mp4$/i, '')
      cameras.push(assemble({ cameraId: name, name, stream: '' }, [{ path, blob, sha256: null, codec: null, records: records.map(({ durationMs, ...record }) => ({ ...record, endMs: record.atMs + durationMs })) }], []))
    } catch { unusable.push(path) } // MediaError: not the recorder's
  }
  return { cameras, unusable }
}

interface Part { readonly path: string, readonly blob: BlobLike, readonly sha256: string | null, readonly codec: string | null, readonly records: readonly Omit<FootageRecord, 'file'>[] }

function assemble(who: Pick<CameraFootage, 'cameraId' | 'name' | 'stream'>, parts: readonly Part[], named: readonly FootageGap[]): CameraFootage {
  const files: FootageFile[] = [], records: FootageRecord[] = [], spans: { fromMs: number, toMs: number }[] = []
  for (const [file, { path, blob, sha256, codec, records: own }] of parts.entries()) {
    files.push({ path, blob, sha256, codec, firstRecord: records.length })
    for (const record of own) {
      const last = spans.at(-1)
      if (last !== undefined && record.atMs - last.toMs <= JOIN_MS) last.toMs = Math.max(last.toMs, record.endMs)
      else spans.push({ fromMs: record.atMs, toMs: record.endMs })
      records.push({ ...record, file })
    }
  }
  const between = spans.slice(1).map((span, i) => ({ fromMs: spans[i]!.toMs, toMs: span.fromMs }))
  const unnamed = between.filter(hole => !named.some(gap => !gap.isThinned && gap.fromMs < hole.toMs && gap.toMs > hole.fromMs)).map(hole => ({ ...hole, zh: '原因不明', en: 'cause unknown', isThinned: false }))
  return { ...who, files, records, spans, gaps: [...named, ...unnamed].sort((a, b) => a.fromMs - b.fromMs) }
}

/** Position of the last record that begins at or before `ms`; 0 when all begin later. */
export function recordAt(records: readonly Pick<FootageRecord, 'atMs'>[], ms: number): number {
  let low = 0, high = records.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (records[middle]!.atMs <= ms) low = middle
    else high = middle - 1
  }
  return low
}

/** Position of the key record that decoding `record` must begin with. */
export function keyBefore(records: readonly Pick<FootageRecord, 'key' | 'file'>[], record: number): number {
  for (let i = record; i >= 0; i--) {
    if (records[i]!.key) return i
    if (i > 0 && records[i - 1]!.file !== records[i]!.file) return i
  }
  return 0
}

export const spanAt = (spans: readonly FootageSpan[], ms: number): FootageSpan | null => spans.find(span => span.fromMs <= ms && ms < span.toMs) ?? null

/** Reads a file's init segment once. */
export class InitCache {
  readonly #inits = new Map<BlobLike, Promise<InitSegment>>()
  of(blob: BlobLike): Promise<InitSegment> {
    let init = this.#inits.get(blob)
    if (init === undefined) { init = readInit(blob); this.#inits.set(blob, init) }
    return init
  }
}
